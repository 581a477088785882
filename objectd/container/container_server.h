/* The container server: Swift's backend protocol (container/server.py) on our databases. One
 * file per verb; docs/swift/listings.md has what we add. */
#pragma once
#include "objectd/db/serve.h"

/* Answers a request for a container, or with p->object for a row of it. */
waits void container_handle(struct objectd *o, struct request *req, struct response *res,
			    const struct backend_path *p);

/* Applies row updates of any containers: see objectd.h. */
waits must_check int container_apply_rows(struct objectd *o,
					  const struct container_row_update *rows, unsigned n,
					  int *ret_status);

/* Spawns the task in o->background that tells accounts how many objects their containers hold;
 * it ends when it is cancelled. */
void container_reporter_start(struct objectd *o);

/* ---- inside this folder ---- */

waits void container_get(struct db_request *r);
waits void container_head(struct db_request *r);
waits void container_put(struct db_request *r);
waits void container_post(struct db_request *r);
waits void container_delete(struct db_request *r);
waits void container_update(struct db_request *r);
waits void container_row(struct db_request *r);         /* PUT and DELETE of a row */

/* What is known of a container, as headers (gen_resp_headers). */
void container_respond_info(struct db_request *r, const struct db_info *i);

/* X-Container-Sync-To: 0, or -EINVAL after answering 400. */
must_check int container_check_sync_to(struct db_request *r);

/* Whether a missing container is created by a row: X-Backend-Auto-Create, or a hidden account. */
bool container_autocreates(struct str account, struct str header);

/* Tells the account's servers that the request names (X-Account-Host …): 0; -ENOENT when they
 * all say that there is no such account; -EINVAL for a malformed request. Others failing is no
 * error: the reporter tells them later. info: what they are told. */
waits must_check int container_tell_account(struct db_request *r, const struct db_info *info);
/* One such report: the status, or a negative error. */
struct container_report {
	struct http_address to;
	struct str device;
	uint32_t partition;
	struct str trans_id;            /* absent: from the reporter */
	bool override_deleted;          /* the account may be deleted */
};
waits int container_send_report(struct objectd *o, const struct container_report *to,
				const struct db_info *info);
