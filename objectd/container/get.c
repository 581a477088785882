/* GET of a container: its listing. */
#include "lib/base/clock.h"
#include "objectd/container/container_server.h"

/* Our containers are never sharded: a list of shards is empty. */
static void respond_shards(struct db_request *r)
{
	respond(r->res, 200, S("application/json; charset=utf-8"), S("[]"));
	headers_set(&r->res->headers, S("X-Backend-Record-Type"), S("shard"));
}

waits static int respond_listing(struct db_request *r, struct listing_query *q)
{
	struct body *body;
	int64_t length;
	int rc = db_list_rows(r->o->dbs, &r->id, q, r->path->container, r->req->arena, &body,
			      &length);

	if (rc < 0)
		return rc;
	r->res->status = length || q->format == LISTING_RAW ? 200 : 204;
	r->res->body = body;
	r->res->content_length = length;
	if (q->format == LISTING_RAW)
		headers_set(&r->res->headers, S("X-Needletail-Raw"), S("true"));
	else if (rc == 0)
		headers_set(&r->res->headers, S("X-Needletail-Links"), S("none"));
	db_respond_type(r->res,
			q->format == LISTING_RAW ? S("application/x-ndjson") : q->content_type);
	headers_set(&r->res->headers, S("X-Backend-Record-Type"), S("object"));
	headers_setf(&r->res->headers, S("X-Backend-Record-Storage-Policy-Index"), "%u", q->policy);
	return 0;
}

void container_get(struct db_request *r)
{
	AUTO(db_info) info = NULL;
	struct listing_query q;
	char date[HTTP_DATE_SIZE];
	bool given;

	if (listing_query_parse(r->req, r->res, &q) < 0 ||
	    db_policy_index(r, &given, &q.policy) < 0)
		return;
	int rc = db_info_get(r->o->dbs, &r->id, &info);

	if (rc < 0)
		return db_respond_error(r, rc);
	/* A raw listing is for merging: what is deleted here may be alive elsewhere. */
	if (db_info_deleted(info) && !(q.format == LISTING_RAW && info->exists)) {
		respond_status(r->res, 404);
		return container_respond_info(r, info);
	}
	if (!given)
		q.policy = info->policy;
	if (str_ieq(db_header(r, "X-Backend-Record-Type"), S("shard"))) {
		respond_shards(r);
	} else {
		rc = respond_listing(r, &q);
		if (rc < 0)
			return db_respond_error(r, rc);
	}
	container_respond_info(r, info);
	db_meta_respond(r, info);
	clock_http_date(timestamp_ceil_s(info->put_ts), date);
	headers_set(&r->res->headers, S("Last-Modified"), str_from(date));
}
