/* HEAD of a container. */
#include "lib/base/clock.h"
#include "objectd/container/container_server.h"

void container_head(struct db_request *r)
{
	AUTO(db_info) info = NULL;
	struct listing_query q;
	char date[HTTP_DATE_SIZE];

	if (listing_query_parse(r->req, r->res, &q) < 0)
		return;
	int rc = db_info_get(r->o->dbs, &r->id, &info);

	if (rc < 0)
		return db_respond_error(r, rc);
	if (db_info_deleted(info)) {
		respond_status(r->res, 404);
		return container_respond_info(r, info);
	}
	r->res->status = 204;
	container_respond_info(r, info);
	db_meta_respond(r, info);
	db_respond_type(r->res, q.content_type);
	clock_http_date(timestamp_ceil_s(info->put_ts), date);
	headers_set(&r->res->headers, S("Last-Modified"), str_from(date));
}
