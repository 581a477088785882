/* What every room of the storage server shares: one worker process, which is one device. The
 * process is the sole owner of the device's files and LevelDB, so nothing here is locked; but a
 * call that waits lets other requests run (docs/tasks.md, T2).
 *
 * Which handler gets a request is decided in objectd/route.c. Account, container and object servers
 * share the port, so row updates, whose paths look like those of the thing itself, are told apart
 * by their headers; see route.h. */
#pragma once
#include "lib/http/client.h"
#include "lib/http/request.h"
#include "lib/swift/path.h"
#include "lib/swift/policy.h"
#include "lib/swift/timestamp.h"
#include "objectd/store/store.h"

struct objectd_conf;                    /* objectd/objectd_conf.h */
struct http_server;
struct updater;                         /* objectd/updater/updater.h */
struct replicator;                      /* objectd/replicator/replicator.h */
struct auditor;
struct expirer;
struct reaper;
struct reconciler;
struct locks;                           /* objectd/locks.h */
struct dbs;                             /* objectd/db/db.h */

enum { OBJECTD_MAGIC = 0x6f626a64 };

struct objectd {
	unsigned magic;
	const struct objectd_conf *conf;
	struct cluster *cluster; /* rings and policies; rings are replaced by a reload, so take
				  * a reference (ring_ref) before a wait */
	struct store *store;
	struct dbs *dbs;                /* account and container databases */
	struct http_client *client;     /* connections to other storage servers */
	struct http_server *server;
	const char *device;             /* its name in the rings: the first part of backend paths */
	const char *path;               /* its directory */
	const char *ip;                 /* as in the rings */
	unsigned port;
	struct locks *object_locks;     /* one writer per object at a time */
	struct updater *updater;        /* listing rows on their way to container devices */
	struct replicator *replicator;
	struct auditor *auditor;
	struct expirer *expirer;
	struct reaper *reaper;
	struct reconciler *reconciler;
	struct task *rings_task;        /* looks for new rings when it is woken */
	struct task_group *background;  /* tasks that live until the process stops */
	bool stopping;
};

static inline void objectd_check(const struct objectd *o)
{
	assert(o && o->magic == OBJECTD_MAGIC);
}

/* X-Timestamp of a request: 0, or -EINVAL after answering 400 as Swift's valid_timestamp does. */
int objectd_timestamp(const struct request *req, struct response *res, struct timestamp *ret);

/* A failed store or database call as an answer: -ENOSPC, -EROFS and -EIO 507, -ECANCELED 503,
 * -ETIMEDOUT 408, -EPIPE and -ECONNRESET 499, others 500 (logged). The one place that does it. */
void objectd_respond_error(struct response *res, int error);

/* ---- listing rows: what an object change does to its container ----
 * The updater collects rows for one device and hands them over together; db applies them with one
 * commit:
 *
 *	waits int container_apply_rows(struct objectd *o, const struct container_row_update *rows,
 *				       unsigned n, int *ret_status);
 *
 * (declared in objectd/container/container_server.h). Rows may be of several containers.
 *ret_status[i] is the HTTP status that a single PUT or DELETE of that row would have got: 201 or
 *204, 404 when this device has no such container (and it is not created by itself). Returns 0 or a
 *store error, when none of them is applied. Durable when it returns. */
struct container_row_update {
	struct str account, container, object;          /* decoded */
	uint32_t partition;             /* of the container */
	bool deleted;
	bool auto_create; /* create the container when it is missing: accounts that begin
			   * with '.', and X-Backend-Auto-Create */
	unsigned policy_index;          /* of the object */
	struct timestamp ts;            /* X-Timestamp: of the object's data, or of its deletion */
	struct timestamp content_type_ts;       /* X-Content-Type-Timestamp; unset: ts */
	struct timestamp meta_ts;       /* X-Meta-Timestamp; unset: ts */
	uint64_t size;
	struct str content_type;        /* may end in ";swift_bytes=N" */
	struct str etag;
};
