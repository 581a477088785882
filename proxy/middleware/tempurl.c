/* Temporary URLs: a signed link lets anyone do one method on one path for a while.
 * Swift: common/middleware/tempurl.py; docs/swift/tempurl.md */
#include "lib/base/clock.h"
#include "lib/base/encode.h"
#include "lib/metrics/metrics.h"
#include "lib/swift/tempurl.h"
#include "proxy/key_uses.h"
#include "proxy/middleware/kinds.h"

#include <jansson.h>

struct tempurl_conf {
	struct conf_list methods, incoming_remove_headers, incoming_allow_headers;
	struct conf_list outgoing_remove_headers, outgoing_allow_headers, allowed_digests;
	bool count_accounts;
};

static struct tempurl_conf conf;
static const struct conf_option options[] = {
	OPT_LIST(struct tempurl_conf, methods, "GET HEAD PUT POST DELETE",
		 "Methods that temporary URLs may be signed for."),
	OPT_LIST(struct tempurl_conf, incoming_remove_headers, "x-timestamp x-open-expired",
		 "Request headers that are dropped; a name may end with '*'."),
	OPT_LIST(struct tempurl_conf, incoming_allow_headers, "",
		 "Exceptions from incoming_remove_headers."),
	OPT_LIST(struct tempurl_conf, outgoing_remove_headers, "x-object-meta-*",
		 "Response headers that are dropped; a name may end with '*'."),
	OPT_LIST(struct tempurl_conf, outgoing_allow_headers, "x-object-meta-public-*",
		 "Exceptions from outgoing_remove_headers."),
	OPT_LIST(struct tempurl_conf, allowed_digests, "sha1 sha256 sha512",
		 "Digests that signatures may use."),
	OPT_BOOL(struct tempurl_conf, count_accounts, "yes",
		 "Count uses of keys by account in /metrics (no: all accounts together, so that "
		 "the page names none)."),
	OPT_END,
};
static const struct conf_section section = {
	.name = "tempurl",
	.help = "Temporary URLs.",
	.options = options,
	.into = &conf,
	.size = sizeof conf,
};

/* Why a link was refused. What depends on the account is one reason, so that the counts tell nobody
 * which accounts have keys. */
enum refusal { MALFORMED, EXPIRED, DIGEST, TARGET, ADDRESS, SIGNATURE };
static const char *const refusals[] = { "malformed", "expired",   "digest", "target",
					"address",   "signature", NULL };
METRIC_COUNTER_BY(refused, "needletail_tempurl_refused_total",
		  "Temporary URLs that were answered with 401, by what was wrong.", "reason",
		  refusals);

/* The parameters of a link, in the order of parameter_names. */
enum parameter { SIG, EXPIRES, PREFIX, IP_RANGE, FILENAME, INLINE, PARAMETERS };
static const struct str parameter_names[PARAMETERS] = {
	[SIG] = STR_INIT("temp_url_sig"),
	[EXPIRES] = STR_INIT("temp_url_expires"),
	[PREFIX] = STR_INIT("temp_url_prefix"),
	[IP_RANGE] = STR_INIT("temp_url_ip_range"),
	[FILENAME] = STR_INIT("filename"),
	[INLINE] = STR_INIT("inline"),
};

struct link {
	struct str given[PARAMETERS];
	struct tempurl_signature signature;
	int64_t expires;
	struct str prefix, ip_range;
	struct key_used key;
	struct str account, container;  /* what the key's scope allows; container absent: all */
};

static bool list_matches(const struct conf_list *list, struct str name)
{
	for (unsigned i = 0; i < list->count; i++) {
		struct str item = list->items[i];

		if (str_ends(item, S("*")) ? str_istarts(name, str_head(item, item.n - 1))
					   : str_ieq(name, item))
			return true;
	}
	return false;
}

static void remove_listed(struct headers *h, const struct conf_list *remove,
			  const struct conf_list *allow)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < h->n; i++)
		if (!list_matches(remove, h->v[i].name) || list_matches(allow, h->v[i].name))
			h->v[kept++] = h->v[i];
	h->n = kept;
}

static void refuse(const struct request *req, struct response *res, enum refusal why)
{
	metric_add_at(&refused, why, 1);
	respond(res, 401, S("text/html; charset=UTF-8"), S("401 Unauthorized: Temp URL invalid\n"));
	proxy_add_realm(res, proxy_request(req)->path.account);
}

/* As with Swift, of a parameter that stands there twice the first counts. */
static void take_parameters(const struct request *req, struct link *l)
{
	struct str rest = req->query, name, value;

	while (request_next_query(req->arena, &rest, &name, &value))
		for (unsigned i = 0; i < PARAMETERS; i++)
			if (!l->given[i].p && str_eq(name, parameter_names[i]))
				l->given[i] = value;
}

/* The query's parameters: 1 when this is a temporary URL, 0 when not, negative when it is a bad
 * one. */
static int link_parse(const struct request *req, struct link *l, enum refusal *ret_why)
{
	if (str_find(req->query, S("temp")) < 0 && str_chr(req->query, '%') < 0)
		return 0;
	take_parameters(req, l);
	if (!l->given[SIG].p && !l->given[EXPIRES].p)
		return 0;
	*ret_why = MALFORMED;
	if (tempurl_expires_parse(l->given[EXPIRES], &l->expires) < 0 ||
	    tempurl_signature_parse(l->given[SIG], &l->signature) < 0)
		return -EACCES;
	*ret_why = EXPIRED;
	if (l->expires <= clock_wall_s())
		return -EACCES;
	*ret_why = DIGEST;
	if (!list_matches(&conf.allowed_digests, tempurl_digest_name(l->signature.digest)))
		return -EACCES;
	l->prefix = l->given[PREFIX];
	if (l->given[IP_RANGE].n)
		l->ip_range = l->given[IP_RANGE];
	return 1;
}

static bool is_only_slashes(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] != '/')
			return false;
	return true;
}

static bool signed_with(const struct request *req, const struct link *l, struct str key,
			struct str path)
{
	static const struct str head_also[] = { STR_INIT("HEAD"), STR_INIT("GET"), STR_INIT("POST"),
						STR_INIT("PUT") };
	size_t n = req->method == HTTP_HEAD ? ARRAY_LEN(head_also) : 1;

	for (size_t i = 0; i < n; i++) {
		struct str method = req->method == HTTP_HEAD ? head_also[i] : req->method_name;
		struct str message =
			tempurl_message(req->arena, l->ip_range, method, l->expires, path);

		if (tempurl_signature_matches(&l->signature, key, message))
			return true;
	}
	return false;
}

/* The number of the key that it is signed with, or 0. */
static unsigned signed_with_any(const struct request *req, const struct link *l,
				const struct headers *meta, struct str path)
{
	static const struct str names[] = { STR_INIT("temp-url-key"), STR_INIT("temp-url-key-2") };

	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		struct str key = headers_get(meta, names[i]);

		if (key.n && signed_with(req, l, key, path))
			return i + 1;
	}
	return 0;
}

/* A container itself is shown to who may see all of it, and only as a web site. */
static bool is_site(const struct request *req, const struct link *l)
{
	return !proxy_request(req)->path.object.p && l->prefix.p && l->prefix.n == 0 &&
	       (req->method == HTTP_GET || req->method == HTTP_HEAD);
}

/* Whether the link is signed with a key of the account or container for this request. */
waits static bool link_signed(struct request *req, struct link *l)
{
	const struct swift_path *p = &proxy_request(req)->path;
	struct str object = l->prefix.p ? l->prefix : p->object;
	const struct str parts[] = { l->prefix.p ? S("prefix:/v1/") : S("/v1/"), p->account,
				     S("/"), p->container, S("/"), object };
	struct str path = arena_join(req->arena, parts, ARRAY_LEN(parts));

	l->account = p->account;
	l->key.number = signed_with_any(req, l, &proxy_account_info(req, p->account)->meta, path);
	if (l->key.number)
		return true;
	l->key.scope = KEY_SCOPE_CONTAINER;
	l->container = p->container;
	l->key.number = signed_with_any(
		req, l, &proxy_container_info(req, p->account, p->container)->meta, path);
	return l->key.number != 0;
}

/* 0, or -EACCES with what is wrong. */
waits static int link_check(struct request *req, struct link *l, enum refusal *ret_why)
{
	const struct swift_path *p = &proxy_request(req)->path;

	*ret_why = TARGET;
	if (proxy_request(req)->path_error || !list_matches(&conf.methods, req->method_name) ||
	    !str_eq(p->version, S("v1")) || !p->container.n ||
	    (is_only_slashes(p->object) && !is_site(req, l)) ||
	    (l->prefix.p && !str_starts(p->object, l->prefix)))
		return -EACCES;
	*ret_why = ADDRESS;
	if (l->ip_range.p && !tempurl_ip_in_range(req->peer_ip, l->ip_range))
		return -EACCES;
	*ret_why = SIGNATURE;
	return link_signed(req, l) ? 0 : -EACCES;
}

/* Whether a request (this one, or a sub-request such as a copy's source) stays in the
 * key's scope. */
static int authorize(void *arg, struct request *req, struct response *res)
{
	const struct link *l = arg;
	const struct swift_path *p = &proxy_request(req)->path;

	if (str_eq(p->account, l->account) &&
	    (!l->container.p || str_eq(p->container, l->container)))
		return 0;
	respond_status(res, 401);
	return -EACCES;
}

static bool has_pointer_headers(const struct request *req, struct response *res)
{
	static const struct str names[] = { STR_INIT("X-Object-Manifest"),
					    STR_INIT("X-Symlink-Target") };

	if (req->method == HTTP_GET || req->method == HTTP_HEAD)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (headers_has(&req->headers, names[i])) {
			respond_html(res, 400, "The header '%.*s' is not allowed in this tempurl",
				     STR(names[i]));
			return true;
		}
	return false;
}

static void add_disposition(struct buf *to, const char *kind, struct str filename)
{
	buf_addf(to, "%s; filename=\"", kind);
	percent_encode(to, filename, S(" /"));
	buf_add_lit(to, "\"; filename*=UTF-8''");
	percent_encode(to, filename, S("/"));
}

static struct str basename_of(struct str name)
{
	while (str_ends(name, S("/")))
		name.n--;
	return str_skip(name, (size_t)(str_rchr(name, '/') + 1));
}

/* Static web made it, or chose it. */
static bool is_generated(const struct response *res)
{
	return headers_has(&res->headers, S("X-Backend-Content-Generator"));
}

static void decorate(const struct request *req, const struct link *l, struct response *res)
{
	CLEANUP(buf_done) struct buf value = BUF(16 * KIB);
	struct str stored = headers_get_lit(&res->headers, "Content-Disposition");
	struct str filename = l->given[FILENAME];
	bool is_inline = l->given[INLINE].p || is_generated(res);
	char date[HTTP_DATE_SIZE];

	remove_listed(&res->headers, &conf.outgoing_remove_headers, &conf.outgoing_allow_headers);
	if ((req->method != HTTP_GET && req->method != HTTP_HEAD) || res->status / 100 != 2)
		return;
	if (is_inline && filename.n)
		add_disposition(&value, "inline", filename);
	else if (is_inline)
		buf_add_lit(&value, "inline");
	else if (filename.n)
		add_disposition(&value, "attachment", filename);
	else if (stored.p)
		buf_add_str(&value, stored);
	else
		add_disposition(&value, "attachment", basename_of(proxy_request(req)->path.object));
	clock_http_date(l->expires, date);
	headers_set(&res->headers, S("Content-Disposition"), buf_str(&value));
	headers_set(&res->headers, S("Expires"), str_from(date));
}

/* A request with a good signature. */
waits static void follow(struct middleware *mw, struct request *req, struct response *res,
			 struct link *l)
{
	struct proxy_request *p = proxy_request(req);

	if (has_pointer_headers(req, res))
		return;
	remove_listed(&req->headers, &conf.incoming_remove_headers, &conf.incoming_allow_headers);
	p->authorize = authorize;
	p->authorize_arg = l;
	p->authorize_override = true;
	p->user_id = S(".wsgi.tempurl");
	req->query = STR_NONE; /* no other parameter (multipart-manifest …) has a meaning here */
	middleware_next(mw, req, res);
	if (!p->path.object.p && res->status / 100 == 2 && !is_generated(res)) {
		body_close(res->body);
		response_init(res, req->arena);
		refuse(req, res, TARGET);
		return;
	}
	decorate(req, l, res);
}

waits static void handle(struct middleware *mw, struct request *req, struct response *res)
{
	enum refusal why = MALFORMED;

	if (!req->query.n || req->method == HTTP_OPTIONS) {
		middleware_next(mw, req, res);
		return;
	}
	struct link *l = arena_zalloc(req->arena, sizeof *l);
	int rc = link_parse(req, l, &why);

	if (rc == 0) {
		middleware_next(mw, req, res);
		return;
	}
	if (rc > 0)
		rc = link_check(req, l, &why);
	if (rc < 0) {
		refuse(req, res, why);
		return;
	}
	follow(mw, req, res, l);
	key_uses_count(KEY_USE_TEMPURL, conf.count_accounts ? l->account : STR_NONE, l->key,
		       res->status);
}

static json_t *list_json(const struct conf_list *list)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < list->count; i++)
		json_array_append_new(array, json_stringn(list->items[i].p, list->items[i].n));
	return array;
}

static int start(struct middleware *mw, struct proxy *proxy, struct fault *why)
{
	json_t *info = json_object(), *deprecated = json_array();

	(void)mw, (void)why;
	json_object_set_new(info, "methods", list_json(&conf.methods));
	json_object_set_new(info, "incoming_remove_headers",
			    list_json(&conf.incoming_remove_headers));
	json_object_set_new(info, "incoming_allow_headers",
			    list_json(&conf.incoming_allow_headers));
	json_object_set_new(info, "outgoing_remove_headers",
			    list_json(&conf.outgoing_remove_headers));
	json_object_set_new(info, "outgoing_allow_headers",
			    list_json(&conf.outgoing_allow_headers));
	json_object_set_new(info, "allowed_digests", list_json(&conf.allowed_digests));
	if (list_matches(&conf.allowed_digests, S("sha1")))
		json_array_append_new(deprecated, json_string("sha1"));
	json_object_set_new(info, "deprecated_digests", deprecated);
	json_object_set_new(proxy->info, "tempurl", info);
	return 0;
}

const struct middleware_kind middleware_tempurl = {
	.name = "tempurl", .section = &section, .start = start, .handle = handle,
};
