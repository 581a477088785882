/* Symbolic links: empty objects that stand for another one. Dynamic links point at a name, static
 * ones at what was there when they were made. Swift: common/middleware/symlink.py;
 * docs/swift/symlinks.md */
#include "proxy/middleware/symlink.h"
#include "lib/base/encode.h"
#include "lib/swift/conditional.h"
#include "proxy/middleware/internal_request.h"
#include "proxy/middleware/kinds.h"

#include <jansson.h>

#define UPDATE_ETAG S("X-Object-Sysmeta-Container-Update-Override-Etag")
#define MD5_OF_NOTHING S("d41d8cd98f00b204e9800998ecf8427e")

struct symlink_conf {
	int64_t symloop_max;
};
static struct symlink_conf conf;
static const struct conf_option options[] = {
	OPT_INT(struct symlink_conf, symloop_max, "2", 1, 100,
		"How many links are followed, one after the other."),
	OPT_END,
};
static const struct conf_section section = {
	.name = "symlink",
	.help = "Symbolic links.",
	.options = options,
	.into = &conf,
	.size = sizeof conf,
};

int symlink_target_parse(struct arena *a, struct str value, bool reserved,
			 struct str *ret_container, struct str *ret_object)
{
	struct str object = percent_decode(a, value), container = str_cut(&object, '/');

	if (container.n == 0 || object.n == 0 || !str_is_utf8(container) || !str_is_utf8(object))
		return -EINVAL;
	if (!reserved && (str_chr(container, 0) >= 0 || str_chr(object, 0) >= 0))
		return -EINVAL;
	*ret_container = container;
	*ret_object = object;
	return 0;
}

void symlink_drop_privileges(struct headers *h)
{
	headers_remove(h, SYMLINK_EXTEND);
	headers_remove(h, SYMLINK_RESERVED);
	headers_remove(h, SYMLINK_VERSIONS);
}

/* ---- following ---- */

/* One hop after the other; each is a sub-request of the client's. */
struct walk {
	struct middleware *mw;
	struct request *req;    /* the client's */
	struct request *at;     /* whose answer it is about */
	struct str location;    /* where the last hop went; absent: nowhere yet */
	struct str etag;        /* what the last link promised of its target */
	int64_t hops;
	bool of_version;        /* the last link was a version's: its ETag is of what is stored */
	bool statics_only;      /* dynamic links are ends */
};

static void conflict(const struct walk *w, struct response *res, const char *text)
{
	response_init(res, w->req->arena);
	respond_text(res, 409, "%s", text);
	if (w->location.p)
		headers_set(&res->headers, S("Content-Location"), w->location);
}

/* The same request, of the target. NULL when the link is broken (412 is filled). */
static struct request *next_hop(struct walk *w, struct response *res)
{
	struct arena *a = w->req->arena;
	struct str target = headers_get(&res->headers, SYMLINK_STORED_TARGET);
	struct str account = headers_get(&res->headers, SYMLINK_STORED_ACCOUNT);
	bool reserved = headers_has(&res->headers, SYMLINK_RESERVED);
	struct str container, object;

	account = account.n ? percent_decode(a, account) : proxy_request(w->at)->path.account;
	if (symlink_target_parse(a, target, reserved, &container, &object) < 0) {
		response_init(res, a);
		respond_html(res, 412, "Invalid UTF8 or contains NULL");
		return NULL;
	}
	struct request *sub = proxy_subrequest_new(w->req, w->at->method, account, container,
						   object, STR_NONE, S("SYM"));

	headers_init(&sub->headers, a);
	headers_copy(&sub->headers, &w->at->headers);
	headers_remove(&sub->headers, S("X-Backend-Storage-Policy-Index"));
	headers_remove(&sub->headers, ALLOW_RESERVED_NAMES);
	proxy_request(sub)->newest = proxy_request(w->req)->newest;
	if (reserved) {
		request_authorize(sub);
		request_allow_reserved(sub);
	}
	w->location = sub->path;
	return sub;
}

enum hop { HOP_NONE, HOP_NEXT, HOP_REFUSED };

/* Follows the link that res is. Refused: res was filled with the reason. */
static enum hop take_hop(struct walk *w, struct response *res)
{
	struct str target = headers_get(&res->headers, SYMLINK_STORED_TARGET);
	struct str promised = headers_get(&res->headers, SYMLINK_STORED_ETAG);
	struct str own = etag_unquoted(headers_get_lit(&res->headers, "ETag"));

	if (!target.n || (w->statics_only && !promised.n))
		return HOP_NONE;
	if (w->etag.n && !str_eq(w->etag, promised.n && !w->of_version ? promised : own)) {
		conflict(w, res, "X-Symlink-Target-Etag headers do not match");
		return HOP_REFUSED;
	}
	if (w->hops >= conf.symloop_max) {
		response_init(res, w->req->arena);
		respond_text(res, 409,
			     "Too many levels of symbolic links, maximum allowed is %" PRId64,
			     conf.symloop_max);
		return HOP_REFUSED;
	}
	w->etag = promised;
	w->of_version = str_is_true(headers_get(&res->headers, SYMLINK_EXTEND));
	w->hops += !w->of_version;
	w->at = next_hop(w, res);
	return w->at ? HOP_NEXT : HOP_REFUSED;
}

/* The answer of the last hop must be what the link to it promised. */
waits static void finish(const struct walk *w, struct response *res)
{
	struct str etag = etag_unquoted(headers_get_lit(&res->headers, "ETag"));

	if (etag.n && w->etag.n && !str_eq(etag, w->etag)) {
		etag = arena_printf(w->req->arena,
				    "Object Etag '%.*s' does not match X-Symlink-Target-Etag "
				    "header '%.*s'",
				    STR(etag), STR(w->etag));
		body_close(res->body);
		conflict(w, res, etag.p);
	} else if (w->location.p) {
		headers_set(&res->headers, S("Content-Location"), w->location);
	}
}

/* From w->at on, to the end of the links. */
waits static void walk(struct walk *w, struct response *res)
{
	enum hop hop = HOP_NEXT;

	while (hop == HOP_NEXT) {
		if (w->at == w->req)
			middleware_next(w->mw, w->at, res);
		else
			middleware_call(w->mw, w->at, res);
		struct body *body = res->body;

		hop = take_hop(w, res);
		if (hop == HOP_NONE)
			finish(w, res);
		else
			body_close(body);
	}
}

static void show(struct headers *h, struct str stored, struct str shown)
{
	struct str value = headers_get(h, stored);

	if (!value.p)
		return;
	headers_set(h, shown, value);
	headers_remove(h, stored);
}

waits static void get(struct middleware *mw, struct request *req, struct response *res)
{
	struct walk w = { .mw = mw, .req = req, .at = req };

	if (str_eq(request_query_lit(req, "symlink"), S("get"))) {
		middleware_next(mw, req, res);
		show(&res->headers, SYMLINK_STORED_TARGET, SYMLINK_TARGET);
		show(&res->headers, SYMLINK_STORED_ACCOUNT, SYMLINK_ACCOUNT);
		show(&res->headers, SYMLINK_STORED_ETAG, SYMLINK_ETAG);
		show(&res->headers, SYMLINK_STORED_BYTES, SYMLINK_BYTES);
		return;
	}
	struct str ignore = S("X-Backend-Ignore-Range-If-Metadata-Present");
	struct str old = headers_get(&req->headers, ignore);

	headers_set(&req->headers, ignore,
		    arena_printf(req->arena, "%.*s%s%.*s", STR(old), old.n ? "," : "",
				 STR(SYMLINK_STORED_TARGET)));
	walk(&w, res);
}

/* ---- making ---- */

static int refuse(struct response *res, int status, const char *text)
{
	if (status == 412)
		respond_html(res, status, "%s", text);
	else
		respond_text(res, status, "%s", text);
	return -EINVAL;
}

waits static int check_body(struct request *req, struct response *res)
{
	struct str chunk;
	int rc = req->content_length > 0;

	if (req->content_length < 0 || req->chunked)
		rc = body_next(req->body, &chunk);
	if (rc > 0)
		return refuse(res, 400, "Symlink requests require a zero byte body");
	if (rc < 0) {
		proxy_respond_error(req, res, rc);
		return rc;
	}
	req->chunked = false;
	req->content_length = 0;
	headers_remove(&req->headers, S("Transfer-Encoding"));
	headers_set(&req->headers, S("Content-Length"), S("0"));
	return 0;
}

struct target {
	struct str account, container, object;
	bool account_given;
	struct str etag;        /* a static link's */
};

static int read_account(const struct request *req, struct response *res, struct target *t)
{
	struct str value = headers_get(&req->headers, SYMLINK_ACCOUNT);

	t->account = proxy_request(req)->path.account;
	t->account_given = value.p;
	if (!value.p)
		return 0;
	t->account = percent_decode(req->arena, value);
	if (t->account.n == 0)
		return refuse(res, 412, "Account name cannot be empty");
	if (str_chr(t->account, '/') >= 0)
		return refuse(res, 412, "Account name cannot contain slashes");
	if (!str_is_utf8(t->account) || str_chr(t->account, 0) >= 0)
		return refuse(res, 412, "Invalid UTF8 or contains NULL");
	return 0;
}

static bool by_us(const struct request *req)
{
	struct str source = proxy_request(req)->source;

	return str_eq(source, S("OV")) || str_eq(source, S("VW"));
}

static int read_target(struct request *req, struct response *res, struct target *t)
{
	const struct swift_path *p = &proxy_request(req)->path;
	struct str etag = etag_unquoted(headers_get(&req->headers, SYMLINK_ETAG));

	if (symlink_target_parse(req->arena, headers_get(&req->headers, SYMLINK_TARGET), by_us(req),
				 &t->container, &t->object) < 0)
		return refuse(res, 412, "X-Symlink-Target header must be of the form "
					"<container name>/<object name>");
	if (read_account(req, res, t) < 0)
		return -EINVAL;
	if (str_eq(t->account, p->account) && str_eq(t->container, p->container) &&
	    str_eq(t->object, p->object))
		return refuse(res, 400, "Symlink cannot target itself");
	if (str_chr(etag, ';') >= 0 || str_chr(etag, '"') >= 0 || str_chr(etag, '\\') >= 0)
		return refuse(res, 400, "Bad X-Symlink-Target-Etag format");
	t->etag = etag.n ? etag : STR_NONE;
	if (!etag.n && headers_get_lit(&req->headers, "Content-Type").n == 0)
		headers_set(&req->headers, S("Content-Type"), S("application/symlink"));
	return 0;
}

static void answer_instead(const struct request *req, struct response *res, int status)
{
	response_init(res, req->arena);
	respond_status(res, status);
}

/* What the listing shall say of the target of a static link. */
static void note_target(struct request *req, const struct target *t, const struct response *got)
{
	struct str listed = headers_get(&got->headers, UPDATE_ETAG);
	struct str slo = headers_get_lit(&got->headers, "X-Object-Sysmeta-Slo-Etag");
	struct str size = headers_get_lit(&got->headers, "X-Object-Sysmeta-Slo-Size");

	if (listed.p) {
		struct str plain = symlink_etag_plain(req->arena, listed);
		ssize_t at = str_chr(plain, ';');

		headers_setf(&req->headers, UPDATE_ETAG, "%.*s%.*s", STR(MD5_OF_NOTHING),
			     STR(at < 0 ? S("") : str_skip(plain, (size_t)at)));
	} else if (slo.n) {
		headers_setf(&req->headers, UPDATE_ETAG, "%.*s; slo_etag=%.*s", STR(MD5_OF_NOTHING),
			     STR(slo));
	}
	if (size.n)
		headers_set(&req->headers, SYMLINK_STORED_BYTES, size);
	else
		headers_setf(&req->headers, SYMLINK_STORED_BYTES, "%" PRId64,
			     MAX(got->content_length, (int64_t)0));
	headers_set(&req->headers, SYMLINK_STORED_ETAG, t->etag);
	if (headers_get_lit(&req->headers, "Content-Type").n == 0)
		headers_set(&req->headers, S("Content-Type"),
			    headers_get_lit(&got->headers, "Content-Type"));
}

/* A static link's target must be there, and be what the client thinks it is. */
waits static int check_static(struct middleware *mw, struct request *req, struct response *res,
			      const struct target *t)
{
	struct request *head = proxy_subrequest_new(req, HTTP_HEAD, t->account, t->container,
						    t->object, STR_NONE, S("SYM"));
	struct walk w = { .mw = mw,
			  .req = req,
			  .at = head,
			  .location = head->path,
			  .etag = t->etag,
			  .statics_only = true };

	if (str_is_true(headers_get(&req->headers, ALLOW_RESERVED_NAMES)))
		request_allow_reserved(head);
	walk(&w, res);
	body_close(res->body);
	if (res->status == 409)
		return -EINVAL;
	if (res->status == 404) {
		conflict(&w, res, "X-Symlink-Target does not exist");
		return -EINVAL;
	}
	if (res->status / 100 != 2) {
		answer_instead(req, res, res->status);
		return -EINVAL;
	}
	note_target(req, t, res);
	response_init(res, req->arena);
	return 0;
}

/* The row in the listing says that this is a link, in its ETag. */
static void set_row_etag(struct request *req)
{
	struct headers *h = &req->headers;
	struct str listed = headers_get(h, UPDATE_ETAG);
	struct str account = headers_get(h, SYMLINK_STORED_ACCOUNT);
	struct str etag = headers_get(h, SYMLINK_STORED_ETAG);

	listed = listed.p ? symlink_etag_plain(req->arena, listed) : MD5_OF_NOTHING;
	listed = arena_printf(req->arena, "%.*s; symlink_target=%.*s", STR(listed),
			      STR(headers_get(h, SYMLINK_STORED_TARGET)));
	if (account.p)
		listed = arena_printf(req->arena, "%.*s; symlink_target_account=%.*s", STR(listed),
				      STR(account));
	if (etag.p)
		listed = arena_printf(req->arena,
				      "%.*s; symlink_target_etag=%.*s; symlink_target_bytes=%.*s",
				      STR(listed), STR(etag),
				      STR(headers_get(h, SYMLINK_STORED_BYTES)));
	headers_set(h, UPDATE_ETAG, listed);
}

static void set_stored(struct request *req, const struct target *t)
{
	struct str path = swift_path_quote(req->arena, STR_NONE, t->container, t->object, STR_NONE);

	headers_set(&req->headers, SYMLINK_STORED_TARGET, str_skip(path, 1));
	if (t->account_given) {
		path = swift_path_quote(req->arena, STR_NONE, t->account, STR_NONE, STR_NONE);
		headers_set(&req->headers, SYMLINK_STORED_ACCOUNT, str_skip(path, 1));
	}
	headers_remove(&req->headers, SYMLINK_TARGET);
	headers_remove(&req->headers, SYMLINK_ACCOUNT);
	headers_remove(&req->headers, SYMLINK_ETAG);
	headers_remove(&req->headers, SYMLINK_BYTES);
}

/* A static link that is kept as an old version, or comes back from there. */
static void keep_promise(struct request *req, const struct target *t)
{
	headers_set(&req->headers, SYMLINK_STORED_ETAG, t->etag);
	headers_set(&req->headers, SYMLINK_STORED_BYTES, headers_get(&req->headers, SYMLINK_BYTES));
}

waits static void put(struct middleware *mw, struct request *req, struct response *res)
{
	struct target t = { 0 };

	if (!by_us(req)) {
		symlink_drop_privileges(&req->headers);
		headers_remove_prefix(&req->headers, SYMLINK_STORED_TARGET);
	}
	if (!headers_has(&req->headers, SYMLINK_TARGET)) {
		middleware_next(mw, req, res);
		return;
	}
	if (check_body(req, res) < 0 || read_target(req, res, &t) < 0)
		return;
	if (t.etag.p && by_us(req))
		keep_promise(req, &t);
	else if (t.etag.p && check_static(mw, req, res, &t) < 0)
		return;
	set_stored(req, &t);
	set_row_etag(req);
	middleware_next(mw, req, res);
}

/* Whoever changes a link's metadata has probably meant its target's. */
waits static void post(struct middleware *mw, struct request *req, struct response *res)
{
	struct response done;

	if (headers_has(&req->headers, SYMLINK_TARGET)) {
		(void)refuse(res, 400, "A PUT request is required to set a symlink target");
		return;
	}
	middleware_next(mw, req, res);
	struct str target = headers_get(&res->headers, SYMLINK_STORED_TARGET);
	struct str account = headers_get(&res->headers, SYMLINK_STORED_ACCOUNT);
	struct str etag = headers_get(&res->headers, SYMLINK_STORED_ETAG);

	if (res->status / 100 != 2 || !target.n)
		return;
	if (!account.n) {
		account = swift_path_quote(req->arena, STR_NONE, proxy_request(req)->path.account,
					   STR_NONE, STR_NONE);
		account = str_skip(account, 1);
	}
	done = *res;
	body_close(res->body);
	response_init(res, req->arena);
	respond_html(res, 307,
		     "The requested POST was applied to a symlink. POST directly to the target to "
		     "apply requested metadata.");
	headers_setf(&res->headers, S("Location"), "/v1/%.*s/%.*s", STR(account), STR(target));
	if (etag.n)
		headers_set(&res->headers, SYMLINK_ETAG, etag);
	for (unsigned i = 0; i < done.headers.n; i++)
		if (str_istarts(done.headers.v[i].name, S("X-Object-Sysmeta-")))
			headers_add(&res->headers, done.headers.v[i].name,
				    done.headers.v[i].value);
}

waits static void handle(struct middleware *mw, struct request *req, struct response *res)
{
	const struct swift_path *p = &proxy_request(req)->path;

	if (p->object.p && (req->method == HTTP_GET || req->method == HTTP_HEAD)) {
		get(mw, req, res);
	} else if (p->object.p && req->method == HTTP_PUT) {
		put(mw, req, res);
	} else if (p->object.p && req->method == HTTP_POST) {
		post(mw, req, res);
	} else {
		middleware_next(mw, req, res);
		if (p->container.p && !p->object.p && req->method == HTTP_GET)
			symlink_rows(mw, req, res);
	}
}

static int start(struct middleware *mw, struct proxy *proxy, struct fault *why)
{
	json_t *info = json_object();

	(void)mw, (void)why;
	json_object_set_new(info, "symloop_max", json_integer(conf.symloop_max));
	json_object_set_new(info, "static_links", json_true());
	json_object_set_new(proxy->info, "symlink", info);
	return 0;
}

const struct middleware_kind middleware_symlink = {
	.name = "symlink",
	.section = &section,
	.start = start,
	.handle = handle,
};
