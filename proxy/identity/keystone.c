/* The middleware of the identity service: Keystone's paths on the proxy's ports, and Keystone's
 * tokens on the Swift API. */
#include "lib/base/clock.h"
#include "lib/base/encode.h"
#include "proxy/identity/authtoken.h"
#include "proxy/identity/store.h"
#include "proxy/middleware/kinds.h"
#include "proxy/middleware/tempauth_rules.h"

static const char updated[] = "2020-04-07T00:00:00Z";

/* ---- answers ---- */

void ident_respond(struct ident_call *c, int status, json_t *doc)
{
	assert(doc);
	respond(c->res, status, S("application/json"), json_text_of(c->req->arena, doc));
	json_decref(doc);
}

void ident_no_content(struct ident_call *c)
{
	c->res->status = 204;
	c->res->content_length = 0;
}

void ident_error(struct ident_call *c, int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	struct str text = arena_vprintf(c->req->arena, fmt, ap);
	va_end(ap);
	ident_respond(c, status,
		      json_pack("{s:{s:i, s:o, s:o}}", "error", "code", status, "message",
				json_of(text), "title", json_of(http_reason(status))));
	if (status == 401)
		headers_setf(&c->res->headers, S("WWW-Authenticate"), "Keystone uri=\"%.*s\"",
			     STR(ident_base(c->req)));
}

void ident_unauthorized(struct ident_call *c)
{
	ident_error(c, 401, "The request you have made requires authentication.");
}

void ident_refused(struct ident_call *c, int error)
{
	if (error == -EPERM) {
		ident_error(c, 403, "You are not authorized to perform the requested action.");
		return;
	}
	if (error != -EBUSY) {
		ident_unauthorized(c);
		return;
	}
	ident_error(c, 429, "Too many failed attempts; try again in some seconds.");
	headers_set(&c->res->headers, S("Retry-After"), S("5"));
}

void ident_not_found(struct ident_call *c, const char *what, struct str id)
{
	ident_error(c, 404, "Could not find %s: %.*s.", what, STR(id));
}

struct str ident_base(const struct request *req)
{
	struct str host = headers_get_lit(&req->headers, "X-Forwarded-Host");
	struct str scheme = headers_get_lit(&req->headers, "X-Forwarded-Proto");

	if (!host.n)
		host = headers_get_lit(&req->headers, "Host");
	return arena_printf(req->arena, "%.*s://%.*s", STR(scheme.n ? scheme : req->scheme),
			    STR(host.n ? host : S("127.0.0.1")));
}

json_t *ident_view(const struct ident_call *c, enum record_kind kind, const json_t *doc)
{
	struct str base = ident_base(c->req);
	json_t *view = json_object(), *value;
	const char *key;

	json_object_foreach((json_t *)doc, key, value)
		if (*key != '_')
			json_object_set(view, key, value);
	bool has_owner = kind == RECORD_CREDENTIAL || kind == RECORD_ACCESS_RULE;
	struct str owner = has_owner ? json_str(doc, "user_id") : STR_NONE;
	const char *extension = kind == RECORD_TRUST	      ? "OS-TRUST/" :
				kind == RECORD_ENDPOINT_GROUP ? "OS-EP-FILTER/" :
								"";
	struct str self_url = arena_printf(c->req->arena, "%.*s/v3/%s%s%.*s%s%s/%.*s", STR(base),
					   extension, owner.n ? "users/" : "", STR(owner),
					   owner.n ? "/" : "", record_plurals[kind],
					   STR(json_str(doc, "id")));

	json_object_set_new(view, "links", json_pack("{s:o}", "self", json_of(self_url)));
	return view;
}

static int by_id(const void *a, const void *b)
{
	json_t *const *x = a, *const *y = b;

	return str_cmp(json_str(*x, "id"), json_str(*y, "id"));
}

static json_t *sorted(const json_t *list)
{
	size_t n = json_array_size(list);
	json_t **v = xcalloc(n + 1, sizeof(json_t *)), *to = json_array();

	for (size_t i = 0; i < n; i++)
		v[i] = json_array_get(list, i);
	qsort(v, n, sizeof *v, by_id);
	for (size_t i = 0; i < n; i++)
		json_array_append(to, v[i]);
	free(v);
	return to;
}

/* The part that limit and marker (an id) ask for, in the order of ids, and the last id when there
 * is more. Takes the reference. NULL: limit is not a number. */
static json_t *page_of(const struct request *req, json_t *all, struct str *ret_last)
{
	AUTO(json_text) given = all;
	struct str marker = request_query_lit(req, "marker");
	struct str limit = request_query_lit(req, "limit");
	size_t from = 0, n = json_array_size(given), to = n;
	uint64_t most;

	*ret_last = STR_NONE;
	if (limit.n && (str_to_u64(limit, &most) < 0 || most == 0))
		return NULL;
	if ((!limit.n && !marker.n) || !json_str(json_array_get(given, 0), "id").p)
		return json_incref(given);
	AUTO(json_text) list = sorted(given);

	while (marker.n && from < n &&
	       str_cmp(json_str(json_array_get(list, from), "id"), marker) <= 0)
		from++;
	if (limit.n && most < n - from) {
		to = from + most;
		*ret_last = arena_str(req->arena, json_str(json_array_get(list, to - 1), "id"));
	}
	json_t *page = json_array();

	for (size_t i = from; i < to; i++)
		json_array_append(page, json_array_get(list, i));
	return page;
}

/* This list's URL, with another marker. */
static json_t *next_url(const struct request *req, struct str last)
{
	CLEANUP(buf_done) struct buf url = BUF(64 * KIB);
	struct str rest = req->query, pair;

	if (!last.n)
		return json_null();
	buf_addf(&url, "%.*s%.*s?", STR(ident_base(req)), STR(req->path));
	while (rest.p && (pair = str_cut(&rest, '&')).p)
		if (!str_starts(pair, S("marker=")))
			buf_addf(&url, "%.*s&", STR(pair));
	buf_add_lit(&url, "marker=");
	percent_encode(&url, last, S(""));
	return json_of(buf_str(&url));
}

void ident_respond_list(struct ident_call *c, const char *plural, json_t *list)
{
	struct str url = arena_printf(c->req->arena, "%.*s%.*s", STR(ident_base(c->req)),
				      STR(c->req->target));
	struct str last;

	list = page_of(c->req, list, &last);
	if (!list) {
		ident_error(c, 400, "Invalid input for field 'limit'.");
		return;
	}
	ident_respond(c, 200,
		      json_pack("{s:o, s:{s:o, s:o, s:n}}", plural, list, "links", "next",
				next_url(c->req, last), "self", json_of(url), "previous"));
}

/* ---- who asks ---- */

bool ident_need_login(struct ident_call *c)
{
	struct str text = headers_get_lit(&c->req->headers, "X-Auth-Token");

	if (session_open(c->id, c->req->arena, text, &c->session) < 0 ||
	    !session_allows(c->id, &c->session, S("identity"), c->req)) {
		ident_unauthorized(c);
		return false;
	}
	c->roles = session_roles(c->id, &c->session);
	c->admin = roles_have(c->roles, S("admin"));
	return true;
}

bool ident_need_admin(struct ident_call *c)
{
	if (!ident_need_login(c))
		return false;
	if (!c->admin)
		ident_error(c, 403,
			    "You are not authorized to perform the requested action.");
	return c->admin;
}

json_t *ident_body(struct ident_call *c)
{
	enum { BODY_MAX = 256 * KIB };
	CLEANUP(buf_done) struct buf text = BUF(BODY_MAX);
	int rc = body_read_all(c->req->body, &text);

	if (rc == -EFBIG) {
		ident_error(c, 413, "Request is too large.");
		return NULL;
	}
	if (rc < 0) {
		proxy_respond_error(c->req, c->res, rc);
		return NULL;
	}
	json_t *doc = json_text_parse(buf_str(&text));

	if (!json_is_object(doc)) {
		ident_error(c, 400,
			    "Expecting to find valid JSON object in request body. The server "
			    "could not comply with the request since it is either malformed or "
			    "otherwise incorrect. The client is assumed to be in error.");
		json_decref(doc);
		return NULL;
	}
	return doc;
}

/* ---- versions ---- */

static json_t *version_doc(const struct request *req, const char *id, const char *path,
			   const char *status)
{
	struct str url = arena_printf(req->arena, "%.*s%s", STR(ident_base(req)), path);
	const char *type = path[2] == '3' ? "application/vnd.openstack.identity-v3+json" :
					    "application/vnd.openstack.identity-v2.0+json";

	return json_pack("{s:s, s:s, s:s, s:[{s:s, s:o}], s:[{s:s, s:s}]}", "id", id, "status",
			 status, "updated", updated, "links", "rel", "self", "href", json_of(url),
			 "media-types", "base", "application/json", "type", type);
}

static void versions(struct ident_call *c)
{
	ident_respond(c, 300,
		      json_pack("{s:{s:[o, o]}}", "versions", "values",
				version_doc(c->req, "v3.14", "/v3/", "stable"),
				version_doc(c->req, "v2.0", "/v2.0/", "deprecated")));
	headers_setf(&c->res->headers, S("Location"), "%.*s/v3/", STR(ident_base(c->req)));
}

/* ---- routing ---- */

static void split(struct ident_call *c, struct str path)
{
	struct str part;

	while (path.n && c->parts < IDENTITY_PARTS_MAX) {
		part = str_cut(&path, '/');
		if (part.n)
			c->part[c->parts++] = percent_decode(c->req->arena, part);
	}
}

static bool reads(const struct request *req)
{
	return req->method == HTTP_GET || req->method == HTTP_HEAD;
}

waits static void route_v3(struct ident_call *c)
{
	if (c->parts == 0 && reads(c->req))
		ident_respond(c, 200,
			      json_pack("{s:o}", "version",
					version_doc(c->req, "v3.14", "/v3/", "stable")));
	else if (c->parts == 2 && str_eq(c->part[0], S("auth")) &&
		 str_eq(c->part[1], S("tokens")))
		ident_tokens(c);
	else if (c->parts == 2 && str_eq(c->part[0], S("auth")) && reads(c->req))
		ident_auth_lists(c);
	else
		ident_v3(c);
}

waits static void route_v2(struct ident_call *c)
{
	if (c->parts == 0 && reads(c->req))
		ident_respond(c, 200,
			      json_pack("{s:o}", "version",
					version_doc(c->req, "v2.0", "/v2.0/", "deprecated")));
	else
		ident_v2(c);
}

static bool is_below(struct str path, struct str root)
{
	return str_starts(path, root) && (path.n == root.n || path.p[root.n] == '/');
}

/* Whether the path is the identity service's: then it was answered. */
waits static bool serve(struct request *req, struct response *res)
{
	struct ident_call c = { .id = identity_self(), .req = req, .res = res };

	if (authtoken_enabled())
		return false;
	if (is_below(req->path, S("/v3")) || is_below(req->path, S("/v2.0")))
		store_refresh(c.id);
	if (is_below(req->path, S("/v3"))) {
		split(&c, str_skip(req->path, 3));
		route_v3(&c);
	} else if (is_below(req->path, S("/v2.0"))) {
		split(&c, str_skip(req->path, 5));
		route_v2(&c);
	} else if (str_eq(req->path, S("/")) && reads(req)) {
		versions(&c);
	} else {
		return false;
	}
	json_decref(c.roles);
	headers_set(&res->headers, S("Vary"), S("X-Auth-Token"));
	return true;
}

/* The caller's token, and that of the service that asks for him: with it, his own may have expired
 * while the service was at work. */
static int open_tokens(struct request *req, struct str text, struct session *ret,
		       struct session *ret_service)
{
	struct identity *id = identity_self();
	struct str service = headers_get_lit(&req->headers, "X-Service-Token");
	int64_t late = 0;
	int rc = 0;

	if (session_is_token(service)) {
		rc = session_open(id, req->arena, service, ret_service);
		if (rc < 0)
			return rc;
		AUTO(json_text) roles = session_roles(id, ret_service);

		if (roles_have(roles, S("service")))
			late = (int64_t)(identity_conf.allow_expired_window / 1000);
	}
	rc = session_open_late(id, req->arena, text, late, ret);
	/* What a service does for a user is not bound by the user's rules for requests of his. */
	if (rc == 0 && !ret_service->user.p && !session_allows(id, ret, S("object-store"), req))
		rc = -EACCES;
	return rc;
}

/* A Keystone token on the Swift API: false when it is not good and 401 was answered. */
waits static bool identify(struct request *req, struct response *res)
{
	struct proxy_request *p = proxy_request(req);
	struct str text = headers_get_lit(&req->headers, "X-Auth-Token");
	struct session s, service = { .user = STR_NONE };

	if (!text.n)
		text = headers_get_lit(&req->headers, "X-Storage-Token");
	if (authtoken_enabled())
		return !text.n || tempauth_is_token(req->arena, text) ||
		       authtoken_identify(req, res, text);
	if (!session_is_token(text))
		return true;
	store_refresh(identity_self());
	if (open_tokens(req, text, &s, &service) < 0) {
		respond_status(res, 401);
		headers_setf(&res->headers, S("Www-Authenticate"), "Swift realm=\"%.*s\"",
			     STR(p->path.account.n ? p->path.account : S("unknown")));
		return false;
	}
	p->token = text;
	identity_authorize(identity_self(), req, &s, service.user.p ? &service : NULL);
	return true;
}

waits static void handle(struct middleware *mw, struct request *req, struct response *res)
{
	struct proxy_request *p = proxy_request(req);

	if (p->authorize_override) {
		middleware_next(mw, req, res);
		return;
	}
	if (!p->subrequest && str_eq(p->path.account, S(".identity"))) {
		respond_status(res, 403);
		return;
	}
	if (!p->subrequest && serve(req, res))
		return;
	if (identify(req, res))
		middleware_next(mw, req, res);
}

static int start(struct middleware *mw, struct proxy *proxy, struct fault *why)
{
	(void)mw, (void)proxy;
	return authtoken_start(why);
}

const struct middleware_kind middleware_keystone = {
	.name = "keystone", .section = &identity_section, .start = start, .handle = handle,
};
