/* What both kinds of versioning do with old versions: read them, write them under another name. */
#include "proxy/middleware/versions_copy.h"
#include "lib/base/clock.h"
#include "lib/swift/metadata.h"
#include "proxy/middleware/internal_request.h"
#include "proxy/middleware/symlink.h"

struct request *versions_request(const struct versions_copy *c, enum http_method m,
				 struct str container, struct str object, struct str query)
{
	struct request *sub = proxy_subrequest_new(c->req, m, proxy_request(c->req)->path.account,
						   container, object, query, c->tag);

	request_authorize(sub);
	if (container.n && container.p[0] == 0)
		request_allow_reserved(sub);
	return sub;
}

void versions_get(const struct versions_copy *c, struct str container, struct str object,
		  struct response *res)
{
	struct request *get = versions_request(c, HTTP_GET, container, object, S("symlink=get"));

	headers_set(&get->headers, S("X-Newest"), S("true"));
	proxy_request(get)->newest = true;
	middleware_call(c->mw, get, res);
	if (res->status / 100 == 2 &&
	    (res->content_length < 0 ||
	     (uint64_t)res->content_length > swift_limits_default.max_file_size)) {
		body_close(res->body);
		response_init(res, c->req->arena);
		respond_status(res, 413);
	}
}

static bool is_copied(struct str name)
{
	return str_ieq(name, S("ETag")) || str_ieq(name, S("Content-Type")) ||
	       str_istarts(name, S("X-Object-Meta-")) ||
	       str_istarts(name, S("X-Object-Sysmeta-")) ||
	       str_istarts(name, S("X-Object-Transient-Sysmeta-")) ||
	       str_istarts(name, S("X-Symlink-Target")) ||
	       str_ieq(name, S("X-Static-Large-Object")) || metadata_is_object_header(name);
}

void versions_put(const struct versions_copy *c, struct str container, struct str object,
		  struct response *got, struct response *res)
{
	struct request *put = versions_request(c, HTTP_PUT, container, object, STR_NONE);
	struct str slo_size = headers_get_lit(&got->headers, "X-Object-Sysmeta-Slo-Size");
	struct str type = headers_get_lit(&got->headers, "Content-Type");

	for (unsigned i = 0; i < got->headers.n; i++)
		if (is_copied(got->headers.v[i].name))
			headers_add(&put->headers, got->headers.v[i].name, got->headers.v[i].value);
	if (slo_size.n)
		headers_setf(&put->headers, S("Content-Type"), "%.*s; swift_bytes=%.*s", STR(type),
			     STR(slo_size));
	/* Delete markers are named by a parameter that clients cannot send. */
	proxy_request(put)->content_type_overridden = true;
	headers_setf(&put->headers, S("Content-Length"), "%" PRId64, got->content_length);
	put->content_length = got->content_length;
	if (got->body)
		put->body = got->body;
	middleware_call(c->mw, put, res);
	body_close(got->body);
}

struct timestamp versions_time(const struct response *got)
{
	struct timestamp ts = { 0 };
	int64_t s;

	if (timestamp_parse(headers_get_lit(&got->headers, "X-Timestamp"), &ts) < 0 &&
	    clock_http_date_parse(headers_get_lit(&got->headers, "Last-Modified"), &s) == 0)
		ts = timestamp_of_us(s * 1000000);
	return ts;
}

int versions_may_write(struct request *req, struct response *res)
{
	struct proxy_request *p = proxy_request(req);
	const struct container_info *info =
		proxy_container_info(req, p->path.account, p->path.container);

	p->acl = info->write_acl;
	return p->authorize ? p->authorize(p->authorize_arg, req, res) : 0;
}

void versions_drop_body(struct request *req)
{
	req->body = body_empty(req->arena);
	req->content_length = 0;
	req->chunked = req->expect_continue = false;
	headers_remove(&req->headers, S("Transfer-Encoding"));
	headers_set(&req->headers, S("Content-Length"), S("0"));
}
