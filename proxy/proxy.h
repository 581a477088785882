/* What every room of the proxy shares: the process's state, and what is known of one request beyond
 * HTTP (Swift's "environ"). */
#pragma once
#include "lib/base/map.h"
#include "lib/http/client.h"
#include "lib/http/request.h"
#include "lib/swift/path.h"
#include "lib/swift/policy.h"
#include "lib/swift/timestamp.h"

struct middleware;
struct backend;                         /* proxy/backend/backend.h */
struct proxy_conf;                      /* proxy/proxy_conf.h */

/* One worker process. */
struct proxy {
	const struct proxy_conf *conf;
	struct cluster *cluster;        /* rings and policies */
	struct task *rings_task;        /* looks for new rings when it is woken */
	struct http_client *client;     /* connections to storage servers */
	struct backend *backend;        /* error limiting, node order */
	struct middleware *pipeline;    /* the first one */
	struct map *account_infos, *container_infos;    /* caches, bounded; proxy/info.c */
	struct json_t *info;            /* what /info shows; each middleware registers its part */
	/* The access log's hook (proxy_logging): called when a client's response was sent, or
	 * failed with error < 0. NULL: nobody is interested. Requests refused by the server itself
	 * have no user. */
	void (*done)(void *arg, struct request *req, struct response *res, int error,
		     uint64_t bytes_in);
	void *done_arg;
};

/* Called with the request when the one who can decide (a controller that fetched the container's
 * ACL) wants to know whether it may go on: 0, or the response was filled with 401/403 and -EACCES
 * is returned. */
typedef int authorize_fn(void *arg, struct request *req, struct response *res);

enum { PROXY_REQUEST_MAGIC = 0x70727871 };

struct proxy_request {
	unsigned magic;
	struct proxy *proxy;
	struct arena *arena;            /* of the request; a sub-request may have its own */
	struct swift_path path;         /* of /v1/… requests; account absent otherwise */
	int path_error;                 /* of swift_path_parse; the application answers it */
	/* Authorisation: set by an auth middleware, asked by the controllers. NULL: everything is
	 * allowed (no auth middleware in the pipeline). acl is the one that applies to the request,
	 * put there before the call. */
	authorize_fn *authorize;
	void *authorize_arg;
	struct str acl;
	bool authorize_override;        /* a middleware has decided already (temporary URLs) */
	bool identified;                /* a middleware knows the caller and has set authorize */
	bool swift_owner;               /* sees and sets privileged headers */
	bool reseller_request;          /* from a reseller admin */
	struct str user_id;             /* who is logged in: "account:user" or an id */
	struct str groups;              /* comma-separated groups of the user (tempauth) */
	struct str token;               /* as sent */
	struct str source;              /* Swift's swift.source: "TU", "SLO"…; absent: the client */
	struct str log_info;            /* comma-separated notes for the access log */
	int policy_index;               /* of the object request, -1 unknown: for the access log */
	struct timestamp timestamp;     /* of this request, given once, unique */
	bool newest;                    /* X-Newest */
	bool subrequest;                /* made by a middleware */
	bool infocache_fresh;           /* skip cached infos (after a write in this request) */
	bool content_type_overridden;   /* a middleware added swift_* parameters to Content-Type */
	/* Overrides that middlewares set for the object server and container listing (SLO,
	 * symlinks): backend headers added to each storage request of an object PUT/POST. */
	struct headers backend_headers;
	/* What the object controller learnt, for the middlewares on the way out. */
	struct str backend_etag;
	struct proxy_request *parent;   /* of a sub-request */
	struct info_hold *infos;        /* infos that were asked for, until the response was sent */
	struct ring_hold *rings;        /* references to rings, until the response was sent */
};

static inline struct proxy_request *proxy_request(const struct request *req)
{
	struct proxy_request *p = req->user;

	assert(p && p->magic == PROXY_REQUEST_MAGIC);
	return p;
}

/* ---- infos of accounts and containers (cached; proxy/info.c) ---- */

struct account_info {
	int status;                     /* 200, 404, 410 or 503 */
	bool fake; /* not there yet, but would be created by a write (autocreate) */
	uint64_t container_count, object_count, bytes_used;
	struct headers meta;            /* X-Account-Meta-*, names without the prefix, lower case */
	struct headers sysmeta;         /* X-Account-Sysmeta-*, likewise */
	struct headers policies;        /* lower-case "gold-bytes-used" and so on */
};

struct container_info {
	int status;                     /* 200, 404 or 503 */
	uint64_t object_count, bytes_used;
	unsigned policy_index;
	struct str read_acl, write_acl, sync_key;       /* absent when unset */
	struct str versions;            /* X-Versions-Location */
	struct headers meta, sysmeta;
	struct str cors_allow_origin, cors_expose_headers, cors_max_age;
};

/* Valid until the client's request ends; never NULL. Ask the cache first, then the storage servers
 * (HEAD). What exists is cached for recheck_*_existence. What does not exist is not cached: another
 * host may be making it just now, and its client may come to us next. */
waits const struct account_info *proxy_account_info(struct request *req, struct str account);
waits const struct container_info *proxy_container_info(struct request *req, struct str account,
							struct str container);
/* After a change made by this process: all workers of this host ask again. */
void proxy_forget_account(struct proxy *p, struct str account);
void proxy_forget_container(struct proxy *p, struct str account, struct str container);

/* The one that the client's request has. */
static inline struct proxy_request *proxy_root(const struct request *req)
{
	struct proxy_request *p = proxy_request(req);

	while (p->parent)
		p = p->parent;
	return p;
}
/* A proxy_request for a client's request, put into req->user; and its end, after the response. */
struct proxy_request *proxy_request_new(struct proxy *p, struct request *req);
void proxy_request_done(struct request *req);

/* Keeps a ring as long as the client's request, whatever a reload does meanwhile. */
void proxy_hold_ring(struct request *req, struct ring *ring);

/* ---- answers ---- */

/* An error that no rule has turned into an answer: the only place where negative codes become a
 * status. 408 for a body that stalled, 499 when the client went away, 507, 503; the rest is 500 and
 * logged. */
void proxy_respond_error(const struct request *req, struct response *res, int error);
/* Www-Authenticate of a 401: the realm, percent-encoded, is the account, or "unknown" when that is
 * absent or empty. Swift: www_authenticate in common/swob.py. */
void proxy_add_realm(struct response *res, struct str account);

/* ---- sub-requests ---- */

/* A new request in req's arena with its own proxy_request: same identity and transaction id, no
 * client headers but the given, no body until set. path is decoded parts. */
struct request *proxy_subrequest_new(struct request *req, enum http_method m, struct str account,
				     struct str container, struct str object, struct str query,
				     struct str source);
/* The same in an arena of its own, which may be freed as soon as the answer's body was closed: for
 * those who make many. */
struct request *proxy_subrequest_in(struct arena *a, struct request *req, enum http_method m,
				    struct str account, struct str container, struct str object,
				    struct str query, struct str source);
