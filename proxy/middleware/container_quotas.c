/* Quotas that a container's owner sets: X-Container-Meta-Quota-Bytes and -Count. They hold for
 * chunked uploads too. Swift: common/middleware/container_quotas.py */
#include "proxy/middleware/kinds.h"
#include "proxy/middleware/limited_body.h"

#include <jansson.h>

static bool is_number(struct str s)
{
	uint64_t v;

	return str_to_u64(s, &v) == 0;
}

static bool headers_are_good(const struct request *req, struct response *res)
{
	struct str bytes = headers_get_lit(&req->headers, "X-Container-Meta-Quota-Bytes");
	struct str count = headers_get_lit(&req->headers, "X-Container-Meta-Quota-Count");

	if (bytes.n && !is_number(bytes))
		respond_html(res, 400, "Invalid bytes quota.");
	else if (count.n && !is_number(count))
		respond_html(res, 400, "Invalid count quota.");
	else
		return true;
	return false;
}

/* 413, or 401/403 for one who may not upload at all and so need not know. */
static void refuse(struct request *req, struct response *res, const struct container_info *info)
{
	struct proxy_request *p = proxy_request(req);

	p->acl = info->write_acl;
	if (p->authorize && p->authorize(p->authorize_arg, req, res) < 0)
		return;
	respond_html(res, 413, "Upload exceeds quota.");
}

/* Usage changes with every upload, so what is cached does not do where there is a quota. */
waits static const struct container_info *usage(struct request *req)
{
	struct proxy_request *p = proxy_request(req);
	const struct container_info *info =
		proxy_container_info(req, p->path.account, p->path.container);
	bool fresh = p->infocache_fresh;

	if (info->status != 200 || (!headers_has(&info->meta, S("quota-bytes")) &&
				    !headers_has(&info->meta, S("quota-count"))))
		return info;
	p->infocache_fresh = true;
	info = proxy_container_info(req, p->path.account, p->path.container);
	p->infocache_fresh = fresh;
	return info;
}

waits static bool upload_fits(struct request *req, struct response *res)
{
	const struct container_info *info = usage(req);
	uint64_t quota, length = req->content_length > 0 ? (uint64_t)req->content_length : 0;

	if (info->status != 200)
		return true;
	if (str_to_u64(headers_get_lit(&info->meta, "quota-bytes"), &quota) == 0) {
		if (info->bytes_used > quota || quota - info->bytes_used < length) {
			refuse(req, res, info);
			return false;
		}
		if (req->chunked)
			req->body = body_limited(req->arena, req->body, quota - info->bytes_used);
	}
	if (str_to_u64(headers_get_lit(&info->meta, "quota-count"), &quota) == 0 &&
	    info->object_count + 1 > quota) {
		refuse(req, res, info);
		return false;
	}
	return true;
}

waits static void handle(struct middleware *mw, struct request *req, struct response *res)
{
	const struct swift_path *p = &proxy_request(req)->path;
	bool container = p->container.n && !p->object.p;

	if (container && (req->method == HTTP_PUT || req->method == HTTP_POST) &&
	    !headers_are_good(req, res))
		return;
	if (p->object.p && req->method == HTTP_PUT && !upload_fits(req, res))
		return;
	middleware_next(mw, req, res);
}

static int start(struct middleware *mw, struct proxy *proxy, struct fault *why)
{
	(void)mw, (void)why;
	json_object_set_new(proxy->info, "container_quotas", json_object());
	return 0;
}

const struct middleware_kind middleware_container_quotas = {
	.name = "container_quotas", .start = start, .handle = handle,
};
