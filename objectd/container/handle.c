/* Which verb gets a container request. */
#include "objectd/container/container_server.h"

static bool is_change(enum http_method m)
{
	return m == HTTP_PUT || m == HTTP_POST || m == HTTP_DELETE || m == HTTP_UPDATE;
}

waits static void dispatch(struct db_request *r)
{
	switch (r->req->method) {
	case HTTP_GET:
		return container_get(r);
	case HTTP_HEAD:
		return container_head(r);
	case HTTP_PUT:
		return r->path->object.n ? container_row(r) : container_put(r);
	case HTTP_DELETE:
		return r->path->object.n ? container_row(r) : container_delete(r);
	case HTTP_POST:
		return container_post(r);
	case HTTP_UPDATE:
		return container_update(r);
	default:
		respond_status(r->res, 405);
		headers_set(&r->res->headers, S("Allow"),
			    S("DELETE, GET, HEAD, POST, PUT, UPDATE"));
	}
}

void container_handle(struct objectd *o, struct request *req, struct response *res,
		      const struct backend_path *p)
{
	struct db_request r = { .o = o, .req = req, .res = res, .path = p };

	objectd_check(o);
	assert(p->container.n);
	if (db_check_names(&r) < 0)
		return;
	if (is_change(req->method) && objectd_timestamp(req, res, &r.ts) < 0)
		return;
	r.id = db_id_of(o->cluster->hash_prefix, o->cluster->hash_suffix, p->account, p->container);
	dispatch(&r);
}
