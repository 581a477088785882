/* Which verb gets an account request. */
#include "objectd/account/account_server.h"

/* A container's row needs no timestamp: Swift's container servers send none. */
static bool needs_timestamp(const struct db_request *r)
{
	enum http_method m = r->req->method;

	return (m == HTTP_PUT && !r->path->container.n) || m == HTTP_POST || m == HTTP_DELETE;
}

waits static void dispatch(struct db_request *r)
{
	switch (r->req->method) {
	case HTTP_GET:
		return account_get(r);
	case HTTP_HEAD:
		return account_head(r);
	case HTTP_PUT:
		return r->path->container.n ? account_put_container(r) : account_put(r);
	case HTTP_POST:
		return account_post(r);
	case HTTP_DELETE:
		return account_delete(r);
	default:
		respond_status(r->res, 405);
		headers_set(&r->res->headers, S("Allow"), S("DELETE, GET, HEAD, POST, PUT"));
	}
}

void account_handle(struct objectd *o, struct request *req, struct response *res,
		    const struct backend_path *p)
{
	struct db_request r = { .o = o, .req = req, .res = res, .path = p };

	objectd_check(o);
	assert(p->account.n && !p->object.n);
	if (db_check_names(&r) < 0)
		return;
	if (needs_timestamp(&r) && objectd_timestamp(req, res, &r.ts) < 0)
		return;
	r.id = db_id_of(o->cluster->hash_prefix, o->cluster->hash_suffix, p->account, STR_NONE);
	dispatch(&r);
}
