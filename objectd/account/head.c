/* HEAD of an account. */
#include "objectd/account/account_server.h"

void account_head(struct db_request *r)
{
	AUTO(db_info) info = NULL;
	struct listing_query q;

	if (listing_query_parse(r->req, r->res, &q) < 0)
		return;
	int rc = db_info_get(r->o->dbs, &r->id, &info);

	if (rc < 0)
		return db_respond_error(r, rc);
	if (db_info_deleted(info))
		return account_respond_deleted(r, info, 404);
	r->res->status = 204;
	account_respond_info(r, info);
	db_respond_type(r->res, q.content_type);
}
