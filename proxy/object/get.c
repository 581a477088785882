/* GET and HEAD of an object. Swift: GETorHEAD in proxy/controllers/obj.py. */
#include "lib/log/log.h"
#include "proxy/object/object.h"

/* "text/plain;swift_bytes=12" is how a manifest's size travels inside (clean_content_type). */
static void clean_content_type(struct headers *h)
{
	struct str type = headers_get_lit(h, "Content-Type");
	ssize_t at = str_rchr(type, ';');

	if (at >= 0 && str_starts(str_trim(str_skip(type, (size_t)at + 1)), S("swift_bytes=")))
		headers_set(h, S("Content-Type"), str_head(type, (size_t)at));
}

/* A failed condition has no text (swob.py). */
waits static void empty_412(struct response *res)
{
	body_close(res->body);
	res->body = NULL;
	res->content_length = 0;
}

void object_get(struct request *req, struct response *res)
{
	const struct proxy_request *p = proxy_request(req);
	const struct container_info *info =
		proxy_container_info(req, p->path.account, p->path.container);
	struct headers h;
	struct target t;

	if (app_authorize(req, res, info->read_acl) < 0 || object_target(req, res, &t) < 0)
		return;
	get_headers(req, &h);
	if (!headers_has(&h, S("X-Backend-Storage-Policy-Index")))
		headers_add_ref(&h, S("X-Backend-Storage-Policy-Index"),
				arena_printf(req->arena, "%d", p->policy_index));
	for (unsigned i = 0; i < p->backend_headers.n; i++)
		headers_set(&h, p->backend_headers.v[i].name, p->backend_headers.v[i].value);
	struct get g = {
		.target = &t,
		.query = req->query,
		.headers = &h,
		.head = req->method == HTTP_HEAD,
		.newest = p->newest || str_is_true(headers_get_lit(&req->headers, "X-Newest")),
	};
	int rc = backend_get(req, &g, res);

	if (rc < 0) {
		proxy_respond_error(req, res, rc);
		return;
	}
	clean_content_type(&res->headers);
	if (res->status == 412)
		empty_412(res);
	app_accept_ranges(res);
}
