/* What the object verbs share. Swift: BaseObjectController in proxy/controllers/obj.py. */
#pragma once
#include "proxy/app.h"

waits void object_get(struct request *req, struct response *res);
waits void object_put(struct request *req, struct response *res);
waits void object_post(struct request *req, struct response *res);
waits void object_delete(struct request *req, struct response *res);

/* The object's target, by the policy that the application found. */
int object_target(struct request *req, struct response *res, struct target *ret) must_check;
/* The container's write ACL allows it, and the container is there; else the answer is filled. */
waits must_check int object_may_write(struct request *req, struct response *res);
/* What every request of an object write carries: timestamp, policy, and what middlewares added. */
void object_common_headers(struct request *req, struct timestamp ts, struct headers *to);
/* Distributes the container's replicas over n requests, so that each is told of the change by one
 * server, and by enough of them that a quorum of writes means a quorum of updates
 * (num_container_updates). */
void object_container_updates(struct request *req, struct headers *sets, unsigned n);
/* X-Delete-At-*: who keeps the list of what expires, for storage servers that do not do it
 * themselves. */
void object_expiry_updates(struct request *req, struct headers *sets, unsigned n);
/* Copies what of the client's metadata an object stores: X-Object-Meta-*, sysmeta,
 * Content-Type … */
void object_metadata_headers(const struct request *req, struct headers *to);
