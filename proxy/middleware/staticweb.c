/* Containers as web sites for those who are not logged in: index objects, listings, error pages.
 * Swift: common/middleware/staticweb.py; docs/swift/staticweb.md */
#include "lib/base/encode.h"
#include "proxy/middleware/kinds.h"
#include "proxy/middleware/staticweb_page.h"

#include <jansson.h>

struct staticweb_conf {
	const char *url_base;
};

static struct staticweb_conf conf;
static const struct conf_option options[] = {
	OPT_STR(struct staticweb_conf, url_base, NULL,
		"Scheme and host of redirects, such as https://www.example.com; as the request "
		"came "
		"if there is none."),
	OPT_END,
};
static const struct conf_section section = {
	.name = "staticweb",
	.help = "Containers as web sites.",
	.options = options,
	.into = &conf,
	.size = sizeof conf,
};

enum {
	LISTING_MAX = 32 * MIB,         /* bytes of JSON, of a listing of 10000 */
	PAGE_MAX = 64 * MIB,            /* bytes of HTML made of it */
};

/* One request to a site. */
struct visit {
	struct middleware *mw;
	struct request *req;
	struct swift_path path;
	struct web_site site;
	bool by_tempurl;
};

/* ---- sub-requests ---- */

/* Like the visitor's own request (ranges, conditions) for another object, or the same again. */
waits static void get_like(const struct visit *v, struct str object, struct response *res)
{
	struct request *sub =
		proxy_subrequest_new(v->req, v->req->method, v->path.account, v->path.container,
				     object, v->req->query, S("SW"));

	for (unsigned i = 0; i < v->req->headers.n; i++) {
		const struct header *h = &v->req->headers.v[i];

		if (!str_istarts(h->name, S("X-Backend-")))
			headers_set(&sub->headers, h->name, h->value);
	}
	middleware_call(v->mw, sub, res);
}

/* A plain GET. */
waits static void get(const struct visit *v, struct str object, struct str query,
		      struct response *res)
{
	struct request *sub = proxy_subrequest_new(v->req, HTTP_GET, v->path.account,
						   v->path.container, object, query, S("SW"));
	struct str origin = headers_get_lit(&v->req->headers, "Origin");

	if (origin.p)
		headers_set(&sub->headers, S("Origin"), origin);
	middleware_call(v->mw, sub, res);
}

/* ---- answers ---- */

/* For tempurl, which treats a site's own pages in another way than an object that was asked for. */
static void mark(struct response *res)
{
	headers_set(&res->headers, S("X-Backend-Content-Generator"), S("static-web"));
}

/* An error with the page that the site has for it, if it has one; the status stays. */
waits static void fail(const struct visit *v, struct response *res)
{
	struct response page;

	if (v->site.error.n == 0)
		return;
	get(v, arena_printf(v->req->arena, "%d%.*s", res->status, STR(v->site.error)), STR_NONE,
	    &page);
	if (page.status / 100 != 2) {
		body_close(page.body);
		return;
	}
	body_close(res->body);
	page.status = res->status;
	page.reason = res->reason;
	*res = page;
}

waits static void not_found(const struct visit *v, struct response *res)
{
	body_close(res->body);
	response_init(res, v->req->arena);
	respond_status(res, 404);
	fail(v, res);
}

static struct str url_here(const struct request *req)
{
	struct str base = str_from(conf.url_base), host = headers_get_lit(&req->headers, "Host");

	while (str_ends(base, S("/")))
		base.n--;
	if (base.n)
		return base;
	return arena_printf(req->arena, "%.*s://%.*s", STR(req->scheme),
			    STR(host.n ? host : S("127.0.0.1")));
}

/* The query of a temporary URL, which its neighbours are reached by as well. */
static struct str tempurl_query(const struct visit *v)
{
	struct str query = v->req->target;

	if (!v->by_tempurl)
		return STR_NONE;
	(void)str_cut(&query, '?');
	return query;
}

waits static void redirect_with_slash(const struct visit *v, struct response *res)
{
	struct arena *a = v->req->arena;
	struct str path = swift_path_quote(a, S("/v1"), v->path.account, v->path.container,
					   v->path.object);
	struct str query = tempurl_query(v);

	body_close(res->body);
	response_init(res, a);
	respond_status(res, 301);
	headers_setf(&res->headers, S("Location"), "%.*s%.*s/%s%.*s", STR(url_here(v->req)),
		     STR(path), query.n ? "?" : "", STR(query));
}

/* ---- listings ---- */

/* "/v1/account/container/path", or the site's own label in front of the path. */
static struct str make_label(const struct visit *v)
{
	struct arena *a = v->req->arena;
	struct str object = v->path.object.n ? v->path.object : S("");

	if (v->site.label.n)
		return arena_printf(a, "%.*s/%.*s", STR(v->site.label), STR(object));
	return arena_printf(a, "/v1%.*s/%.*s",
			    STR(swift_path_join(a, v->path.account, v->path.container, STR_NONE)),
			    STR(object));
}

/* What the links of a page that was reached by a temporary URL carry on: signatures of a prefix are
 * good for all below it, the others for nothing else. Returns the prefix. */
static struct str carry_tempurl(const struct visit *v, struct web_page *page)
{
	static const struct str names[] = { STR_INIT("temp_url_prefix"),
					    STR_INIT("temp_url_expires"), STR_INIT("temp_url_sig"),
					    STR_INIT("temp_url_ip_range") };
	struct request as_sent = *v->req;
	CLEANUP(buf_done) struct buf b = BUF(64 * KIB);

	as_sent.query = tempurl_query(v);
	if (!as_sent.query.n || !request_has_query(&as_sent, names[0]))
		return STR_NONE;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct str value = request_query(&as_sent, names[i]);

		if (!value.p)
			continue;
		buf_addf(&b, "%s%.*s=", i ? "&amp;" : "?", STR(names[i]));
		percent_encode(&b, value, S(""));
	}
	if (request_has_query(&as_sent, S("inline")))
		buf_add_lit(&b, "&amp;inline");
	page->link_query = arena_str(v->req->arena, buf_str(&b));
	return request_query(&as_sent, names[0]);
}

waits static void respond_disabled(const struct visit *v, const struct web_page *page,
				   struct response *res)
{
	CLEANUP(buf_done) struct buf html = BUF(256 * KIB);

	web_page_disabled(page, &html);
	body_close(res->body);
	response_init(res, v->req->arena);
	respond(res, 404, S("text/html; charset=UTF-8"), arena_str(v->req->arena, buf_str(&html)));
	fail(v, res);
}

/* The listing below a prefix: 0 with the JSON, or negative with the refusal in res. */
waits static int fetch(const struct visit *v, const char *limit, struct str prefix, struct buf *to,
		       struct response *res)
{
	CLEANUP(buf_done) struct buf query = BUF(64 * KIB);

	buf_addf(&query, "format=json&delimiter=/%s&prefix=", limit);
	percent_encode(&query, prefix, S(""));
	body_close(res->body);
	get(v, STR_NONE, arena_str(v->req->arena, buf_str(&query)), res);
	if (res->status / 100 != 2)
		return -ENOENT;
	int rc = res->body ? body_read_all(res->body, to) : 0;

	body_close(res->body);
	response_init(res, v->req->arena);
	if (rc < 0)
		proxy_respond_error(v->req, res, rc);
	return rc;
}

waits static void list(const struct visit *v, struct response *res)
{
	struct web_page page = { .site = &v->site,
				 .label = make_label(v),
				 .prefix = v->path.object.n ? v->path.object : S("") };
	CLEANUP(buf_done) struct buf json = BUF(LISTING_MAX), html = BUF(PAGE_MAX);
	struct str signed_prefix = carry_tempurl(v, &page);

	page.has_parent = page.prefix.n > signed_prefix.n;
	if (!str_is_true(v->site.listings)) {
		respond_disabled(v, &page, res);
		return;
	}
	/* A link to one object does not show what lies beside it. */
	if (v->by_tempurl && (!signed_prefix.p || !str_starts(page.prefix, signed_prefix))) {
		not_found(v, res);
		return;
	}
	if (fetch(v, "", page.prefix, &json, res) < 0) {
		fail(v, res);
		return;
	}
	if (web_page_listing(&page, json.n ? buf_str(&json) : S("[]"), &html) < 0 ||
	    buf_failed(&html)) {
		not_found(v, res);
		return;
	}
	respond(res, 200, S("text/html; charset=UTF-8"), arena_str(v->req->arena, buf_str(&html)));
	mark(res);
}

/* ---- visits ---- */

static bool is_good(const struct response *res)
{
	return res->status / 100 == 2 || res->status / 100 == 3;
}

waits static void visit_container(struct visit *v, const struct container_info *info,
				  struct response *res)
{
	struct proxy_request *p = proxy_request(v->req);

	p->acl = info->read_acl;
	if (p->authorize(p->authorize_arg, v->req, res) < 0) {
		fail(v, res);
		return;
	}
	response_init(res, v->req->arena);
	if (!v->site.listings.n && !v->site.index.n) {
		if (str_is_true(headers_get_lit(&v->req->headers, "X-Web-Mode")))
			respond_status(res, 404);
		else
			middleware_next(v->mw, v->req, res);
		return;
	}
	if (!str_ends(v->req->path, S("/"))) {
		redirect_with_slash(v, res);
		return;
	}
	if (!v->site.index.n) {
		list(v, res);
		return;
	}
	get_like(v, v->site.index, res);
	if (res->status == 404)
		list(v, res);
	else if (!is_good(res))
		fail(v, res);
	else
		mark(res);
}

/* A directory marker stands for the folder that it is named like. */
static bool is_marker(const struct visit *v, const struct response *res)
{
	struct str type = v->site.directory_type.n ? v->site.directory_type :
						     S("application/directory");

	return str_eq(headers_get_lit(&res->headers, "Content-Type"), type) &&
	       res->content_length >= 0 && res->content_length <= 1;
}

waits static void visit_folder(const struct visit *v, struct response *res)
{
	CLEANUP(buf_done) struct buf json = BUF(64 * KIB);
	struct str object = v->path.object;

	if (str_ends(object, S("/"))) {
		list(v, res);
		return;
	}
	/* Whether there is anything below it. */
	struct str prefix = arena_printf(v->req->arena, "%.*s/", STR(object));

	if (fetch(v, "&limit=1", prefix, &json, res) < 0 || json.n <= 2)
		not_found(v, res);
	else
		redirect_with_slash(v, res);
}

waits static void visit_object(const struct visit *v, struct response *res)
{
	struct str object = v->path.object;
	bool slash = str_ends(object, S("/"));

	middleware_next(v->mw, v->req, res);
	if (is_good(res) ? !is_marker(v, res) : res->status != 404)
		return;
	if (!v->site.listings.n && !v->site.index.n)
		return;
	if (v->site.index.n) {
		body_close(res->body);
		get_like(v, arena_printf(v->req->arena, "%.*s%s%.*s", STR(object), slash ? "" : "/",
					 STR(v->site.index)), res);
		if (is_good(res) && !slash)
			redirect_with_slash(v, res);
		else if (is_good(res))
			mark(res);
		else if (res->status != 404)
			fail(v, res);
		if (res->status != 404)
			return;
	}
	visit_folder(v, res);
}

static struct web_site site_of(const struct container_info *info)
{
	if (info->status / 100 != 2)
		return (struct web_site){ 0 };
	return (struct web_site){
		.index = str_trim(headers_get_lit(&info->meta, "web-index")),
		.error = str_trim(headers_get_lit(&info->meta, "web-error")),
		.listings = str_trim(headers_get_lit(&info->meta, "web-listings")),
		.css = str_trim(headers_get_lit(&info->meta, "web-listings-css")),
		.label = str_trim(headers_get_lit(&info->meta, "web-listings-label")),
		.directory_type = str_trim(headers_get_lit(&info->meta, "web-directory-type")),
	};
}

waits static void handle(struct middleware *mw, struct request *req, struct response *res)
{
	const struct proxy_request *p = proxy_request(req);
	bool tempurl = str_eq(p->user_id, S(".wsgi.tempurl"));
	bool is_read = req->method == HTTP_GET || req->method == HTTP_HEAD;

	/* Only what a client asked, of a container or object, without having logged in. */
	if (!p->authorize || p->subrequest || !is_read || p->path_error || !p->path.container.n ||
	    (p->user_id.n && !tempurl &&
	     !str_is_true(headers_get_lit(&req->headers, "X-Web-Mode")))) {
		middleware_next(mw, req, res);
		return;
	}
	const struct container_info *info =
		proxy_container_info(req, p->path.account, p->path.container);
	struct visit v = { .mw = mw, .req = req, .path = p->path, .site = site_of(info),
			   .by_tempurl = tempurl };

	if (!v.path.object.n)
		visit_container(&v, info, res);
	else if (v.site.index.n || v.site.listings.n)
		visit_object(&v, res);
	else
		middleware_next(mw, req, res);
}

static int start(struct middleware *mw, struct proxy *proxy, struct fault *why)
{
	(void)mw, (void)why;
	json_object_set_new(proxy->info, "staticweb", json_object());
	return 0;
}

const struct middleware_kind middleware_staticweb = {
	.name = "staticweb", .section = &section, .start = start, .handle = handle,
};
