/* Requests of scripts in browsers: preflight, and the headers on real answers. Swift: OPTIONS and
 * cors_validation in proxy/controllers/base.py. */
#include "lib/base/buf.h"
#include "proxy/app.h"

/* Blank-separated; absent: none. */
static bool listed(struct str list, struct str origin)
{
	struct str item;

	while ((item = str_cut(&list, ' ')).p)
		if (item.n && (str_eq(item, origin) || str_eq(item, S("*"))))
			return true;
	return false;
}

static bool is_origin_allowed(const struct proxy_conf *conf, const struct container_info *info,
			      struct str origin)
{
	for (unsigned i = 0; i < conf->cors_allow_origin.count; i++)
		if (listed(conf->cors_allow_origin.items[i], origin))
			return true;
	return listed(info->cors_allow_origin, origin);
}

static void allow_origin(const struct container_info *info, struct str origin, struct headers *h)
{
	if (str_eq(str_trim(info->cors_allow_origin), S("*"))) {
		headers_set(h, S("Access-Control-Allow-Origin"), S("*"));
		return;
	}
	struct str vary = headers_get_lit(h, "Vary");

	headers_set(h, S("Access-Control-Allow-Origin"), origin);
	if (vary.p)
		headers_setf(h, S("Vary"), "%.*s, Origin", STR(vary));
	else
		headers_set(h, S("Vary"), S("Origin"));
}

static bool method_is_in(const struct verb *table, struct str name)
{
	for (const struct verb *v = table; v->handle; v++)
		if (str_eq(str_from(http_method_name(v->method)), name))
			return true;
	return false;
}

waits static void preflight(struct request *req, struct response *res, const struct verb *table,
			    struct str origin)
{
	const struct proxy_request *p = proxy_request(req);
	const struct container_info *info =
		proxy_container_info(req, p->path.account, p->path.container);
	struct str method = headers_get_lit(&req->headers, "Access-Control-Request-Method");
	struct str wanted = headers_get_lit(&req->headers, "Access-Control-Request-Headers");

	if (!is_origin_allowed(p->proxy->conf, info, origin) || !method_is_in(table, method)) {
		respond_status(res, 401);
		return;
	}
	allow_origin(info, origin, &res->headers);
	if (info->cors_max_age.p)
		headers_set(&res->headers, S("Access-Control-Max-Age"), info->cors_max_age);
	headers_set(&res->headers, S("Access-Control-Allow-Methods"), app_allowed(req, table));
	if (wanted.n) {
		struct str vary = headers_get_lit(&res->headers, "Vary");

		headers_set(&res->headers, S("Access-Control-Allow-Headers"), wanted);
		headers_setf(&res->headers, S("Vary"), "%.*s%sAccess-Control-Request-Headers",
			     STR(vary), vary.n ? ", " : "");
	}
}

void app_options(struct request *req, struct response *res)
{
	const struct proxy_request *p = proxy_request(req);
	const struct verb *table = p->path.object.p    ? object_verbs :
				   p->path.container.p ? container_verbs :
							 account_verbs;
	struct str origin = headers_get_lit(&req->headers, "Origin");

	respond(res, 200, S("text/html; charset=UTF-8"), STR_NONE);
	headers_set(&res->headers, S("Allow"), app_allowed(req, table));
	if (origin.n && p->path.container.p)
		preflight(req, res, table, origin);
}

static void add_exposed(struct buf *to, struct str list, char separator)
{
	struct str item;

	while ((item = str_cut(&list, separator)).p) {
		item = str_trim(item);
		if (item.n == 0)
			continue;
		buf_add_lit(to, ", ");
		for (size_t i = 0; i < item.n; i++)
			buf_add_char(to, item.p[i] >= 'A' && item.p[i] <= 'Z'
						 ? (char)(item.p[i] | 32)
						 : item.p[i]);
	}
}

void app_add_cors(struct request *req, struct response *res)
{
	const struct proxy_request *p = proxy_request(req);
	const struct proxy_conf *conf = p->proxy->conf;
	struct str origin = headers_get_lit(&req->headers, "Origin");
	const struct container_info *info =
		proxy_container_info(req, p->path.account, p->path.container);

	if (origin.n == 0 || (conf->strict_cors_mode && !is_origin_allowed(conf, info, origin)))
		return;
	if (!headers_has(&res->headers, S("Access-Control-Expose-Headers"))) {
		CLEANUP(buf_done) struct buf b = BUF(64 * KIB);

		buf_add_lit(
			&b,
			"cache-control, content-language, content-type, expires, last-modified, "
			"pragma, etag, x-timestamp, x-trans-id, x-openstack-request-id");
		for (unsigned i = 0; i < conf->cors_expose_headers.count; i++)
			add_exposed(&b, conf->cors_expose_headers.items[i], ',');
		for (unsigned i = 0; i < res->headers.n; i++)
			if (str_istarts(res->headers.v[i].name, S("X-Container-Meta")) ||
			    str_istarts(res->headers.v[i].name, S("X-Object-Meta")))
				add_exposed(&b, res->headers.v[i].name, ',');
		add_exposed(&b, info->cors_expose_headers, ' ');
		headers_set(&res->headers, S("Access-Control-Expose-Headers"), buf_str(&b));
	}
	if (!headers_has(&res->headers, S("Access-Control-Allow-Origin")))
		allow_origin(info, origin, &res->headers);
}
