/* The end of the pipeline: what every verb of accounts, containers and objects is called with.
 * Swift: proxy/server.py. */
#pragma once
#include "proxy/backend/backend.h"
#include "proxy/proxy_conf.h"

/* Swift's delay_denial: the verb asks again once it knows the container's ACL. */
enum { VERB_LATE_DENIAL = 1 };

struct verb {
	enum http_method method;
	unsigned flags;
	/* Answers. Waits. */
	void (*handle)(struct request *req, struct response *res);
};
/* Tables that end with a handle of NULL. */
extern const struct verb account_verbs[], container_verbs[], object_verbs[];

/* Whether the request may go on, with this ACL (absent: none): 0, or -EACCES with the answer
 * filled. */
waits must_check int app_authorize(struct request *req, struct response *res, struct str acl);
/* The verbs of a table that are allowed: "GET, HEAD, …". */
struct str app_allowed(const struct request *req, const struct verb *table);
/* OPTIONS of a container or object, CORS preflight included; of an account. */
waits void app_options(struct request *req, struct response *res);
/* Adds what browsers need when the container allows the request's Origin.
 * Swift: cors_validation. */
waits void app_add_cors(struct request *req, struct response *res);
/* GET, HEAD and OPTIONS of /info. */
void app_swift_info(struct request *req, struct response *res);

/* Headers that only owners see are removed from the answer for everybody else, and from the
 * request. */
void app_hide_owner_headers(const struct request *req, struct headers *h);
/* Adds "Accept-Ranges: bytes" if it is missing. */
void app_accept_ranges(struct response *res);
/* X-Timestamp: what a middleware or trusted client put there, else the request's own time. */
struct timestamp app_timestamp(const struct request *req);
/* Sets the header X-Timestamp in its internal form. */
void app_add_timestamp(struct headers *h, struct timestamp ts);
/* The name of an account or container is short enough; else 400. Hidden accounts may be twice as
 * long. */
int app_check_name(const struct request *req, struct response *res,
		   enum swift_kind kind) must_check;
/* Copies to `to` what a client may set on an account or container: X-<Kind>-Meta-*, sysmeta, and
 * with an empty value what an X-Remove- header names; further names (ended by an absent one)
 * besides. Swift: transfer_headers. */
void app_transfer_headers(const struct request *req, enum swift_kind kind, const struct str *more,
			  struct headers *to);
/* Adds host and device of a device that is to be told, appended to what is there:
 * <prefix>-Host … */
void app_add_device(struct headers *h, struct str prefix, uint32_t part,
		    const struct ring_dev *dev);
