/* The object server: Swift's backend protocol (obj/server.py) on our store. One file per verb. */
#pragma once
#include "objectd/locks.h"
#include "objectd/object/metadata.h"
#include "objectd/objectd.h"
#include "objectd/objectd_conf.h"

/* One request on its way through a verb; on the stack of object_handle. */
struct object_request {
	struct objectd *o;
	struct request *req;
	struct response *res;
	const struct backend_path *path;
	unsigned policy_index;
	struct object_id id;
	struct str name;                /* "/a/c/o" */
	struct timestamp ts;            /* X-Timestamp; unset for a GET without one */
	bool replication; /* X-Backend-Replication: from another device, not from a client */
};

/* Answers a request whose path has an object. */
waits void object_handle(struct objectd *o, struct request *req, struct response *res,
			 const struct backend_path *p);

waits void object_get(struct object_request *r);        /* GET and HEAD */
waits void object_put(struct object_request *r);
waits void object_post(struct object_request *r);
waits void object_delete(struct object_request *r);

/* What a POST left that is newer than the PUT that is about to replace its data: it applies to the
 * new data as well (as a .meta file does in Swift). */
struct object_kept_post {
	bool any;
	struct timestamp ts;
	struct headers metadata;        /* of the PUT and the POST together */
	int64_t delete_at;
};
/* Under the object's lock, before the commit. put: the metadata of the PUT. 0 or a store error. */
waits must_check int object_keep_post(struct object_request *r, const struct headers *put,
				      struct object_kept_post *ret);

/* REPLICATE /device/partition: what Swift's object replicator asks. */
void object_replicate(struct request *req, struct response *res);

/* One writer per object between reading and committing. A write that has a hold gets its lock. */
waits must_check int object_lock(struct object_request *r, struct lock **ret);
/* HEAD with X-Needletail-Hold: the first half of a conditional write (hold.c). */
waits void object_hold(struct object_request *r);
/* The lock that was kept for this request, now the caller's; NULL when there is none. */
struct lock *object_hold_take(const struct object_request *r);
/* What conditions compare with: the value of the first header that X-Backend-Etag-Is-At names and
 * the object has (request_helpers.py resolve_etag_is_at_header), else its ETag. */
struct str object_conditional_etag(const struct headers *request, const struct headers *meta);
/* X-Delete-At has come, and the request does not say that it wants the object all the same. */
bool object_expired(const struct object_request *r, const struct object_entry *e);
/* 409 with the time of what is there. */
void object_respond_conflict(struct object_request *r, struct timestamp existing);
/* X-Backend-Timestamp and its kin. */
void object_set_ts(struct headers *h, struct str name, struct timestamp ts);

/* ---- what a change does to listings (container_update.c) ---- */

struct object_change {
	struct container_row_update row;        /* without its names and partition */
	/* Rows for X-Delete-At (Swift's expirer finds its work there): 0, or unix seconds. */
	int64_t delete_at_new, delete_at_old;
	/* filled by object_change_prepare: */
	struct row_target *targets;
	unsigned target_n, pended;      /* pended: rows added to the transaction */
};

/* Applies X-Backend-Container-Update-Override-* and, over them,
 * X-Object-Sysmeta-Container-Update-Override-* (what encryption and large objects want listed
 * instead). Views of h are kept. */
void object_change_override(struct object_change *c, const struct headers *h);
/* Reads the X-Container-* headers into the change. Adds pending rows for devices known to be down
 * to *txn (made when needed), to be committed together with the object. */
void object_change_prepare(struct object_request *r, struct object_change *c,
			   struct store_txn **txn);
/* After the object is durable: delivers the rest, waiting up to container_update_timeout. Failures
 * are kept as pending rows; only when even that fails (a broken disk) a store error comes back. */
waits must_check int object_change_deliver(struct object_request *r, struct object_change *c,
					   const struct store_txn *txn);
