/* The account server: Swift's backend protocol (account/server.py) on our databases. One file
 * per verb. */
#pragma once
#include "objectd/db/serve.h"

/* Answers a request for an account, or with p->container for a row of it. */
waits void account_handle(struct objectd *o, struct request *req, struct response *res,
			  const struct backend_path *p);

/* ---- inside this folder ---- */

waits void account_get(struct db_request *r);
waits void account_head(struct db_request *r);
waits void account_put(struct db_request *r);
waits void account_post(struct db_request *r);
waits void account_delete(struct db_request *r);
waits void account_put_container(struct db_request *r);

/* Counters, timestamps and metadata as headers (get_response_headers). */
void account_respond_info(struct db_request *r, const struct db_info *i);
/* A status with X-Account-Status when the account has been deleted. */
void account_respond_deleted(struct db_request *r, const struct db_info *i, int status);
