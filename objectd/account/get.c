/* GET of an account: the listing of its containers. */
#include "objectd/account/account_server.h"

void account_get(struct db_request *r)
{
	AUTO(db_info) info = NULL;
	struct listing_query q;
	struct body *body;
	int64_t length;

	if (listing_query_parse(r->req, r->res, &q) < 0)
		return;
	/* Accounts know no path=. */
	q.path = STR_NONE;
	q.cluster = r->o->cluster;
	int rc = db_info_get(r->o->dbs, &r->id, &info);

	if (rc < 0)
		return db_respond_error(r, rc);
	/* A raw listing is for merging: what is deleted here may be alive elsewhere. */
	if (db_info_deleted(info) && !(q.format == LISTING_RAW && info->exists))
		return account_respond_deleted(r, info, 404);
	rc = db_list_rows(r->o->dbs, &r->id, &q, r->path->account, r->req->arena, &body, &length);
	if (rc < 0)
		return db_respond_error(r, rc);
	r->res->status = length || q.format == LISTING_RAW ? 200 : 204;
	r->res->body = body;
	r->res->content_length = length;
	account_respond_info(r, info);
	if (q.format == LISTING_RAW)
		headers_set(&r->res->headers, S("X-Needletail-Raw"), S("true"));
	db_respond_type(r->res,
			q.format == LISTING_RAW ? S("application/x-ndjson") : q.content_type);
}
