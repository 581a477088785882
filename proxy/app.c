/* The proxy application: finds out what a request is about and calls the verb. Swift:
 * handle_request and get_controller in proxy/server.py. */
#include "proxy/app.h"
#include "proxy/pipeline.h"

waits int app_authorize(struct request *req, struct response *res, struct str acl)
{
	struct proxy_request *p = proxy_request(req);

	p->acl = acl;
	return p->authorize ? p->authorize(p->authorize_arg, req, res) : 0;
}

static bool management(const struct request *req, const struct verb *v, const struct verb *table)
{
	return table != account_verbs ||
	       proxy_request(req)->proxy->conf->allow_account_management ||
	       (v->method != HTTP_PUT && v->method != HTTP_DELETE);
}

struct str app_allowed(const struct request *req, const struct verb *table)
{
	struct str list = STR_NONE;

	for (const struct verb *v = table; v->handle; v++)
		if (management(req, v, table))
			list = arena_printf(req->arena, "%.*s%s%s", STR(list), list.n ? ", " : "",
					    http_method_name(v->method));
	return list;
}

static const struct verb *find_verb(const struct request *req, const struct verb *table)
{
	for (const struct verb *v = table; v->handle; v++)
		if (v->method == req->method && management(req, v, table))
			return v;
	return NULL;
}


/* Names with a NUL are old versions and their containers; only requests from inside have them. */
static bool is_forbidden(const struct request *req)
{
	const struct swift_path *p = &proxy_request(req)->path;

	return (str_chr(p->account, 0) >= 0 || str_chr(p->container, 0) >= 0 ||
		str_chr(p->object, 0) >= 0) &&
	       !str_is_true(headers_get_lit(&req->headers, "X-Backend-Allow-Reserved-Names"));
}

/* 0 when the path names something; else the answer is filled. */
static int check_path(const struct request *req, struct response *res)
{
	if (is_forbidden(req)) {
		respond_html(res, 412, "Invalid UTF8 or contains NULL");
		return -EILSEQ;
	}
	switch (proxy_request(req)->path_error) {
	case 0:
		return 0;
	case -EILSEQ:
		respond_html(res, 412, "Invalid UTF8 or contains NULL");
		break;
	case -EINVAL:
		respond_status(res, 400);
		break;
	case -EDOM:
		respond_html(res, 412, "Bad URL");
		break;
	default:
		respond_status(res, 404);
	}
	return -EINVAL;
}

static int check_host(const struct request *req, struct response *res)
{
	const struct conf_list *denied = &proxy_request(req)->proxy->conf->deny_host_headers;
	struct str host = headers_get_lit(&req->headers, "Host");

	if (denied->count == 0)
		return 0;
	host = str_cut(&host, ':');
	for (unsigned i = 0; i < denied->count; i++)
		if (str_ieq(host, denied->items[i])) {
			respond_text(res, 403, "Invalid host header");
			return -EACCES;
		}
	return 0;
}

/* Objects that have expired but are still there may be asked for. */
static void open_expired(struct request *req)
{
	if (proxy_request(req)->proxy->conf->allow_open_expired &&
	    str_is_true(headers_get_lit(&req->headers, "X-Open-Expired")))
		headers_set(&req->headers, S("X-Backend-Open-Expired"), S("true"));
}

/* The policy of the object's container, which every object verb needs. */
waits static int find_policy(struct request *req, struct response *res)
{
	struct proxy_request *p = proxy_request(req);
	struct str forced = headers_get_lit(&req->headers, "X-Backend-Storage-Policy-Index");
	const struct container_info *info =
		proxy_container_info(req, p->path.account, p->path.container);
	uint64_t index = info->policy_index;

	if (info->status == 503) {
		respond_status(res, 503);
		return -EHOSTDOWN;
	}
	if (forced.p && str_to_u64(forced, &index) < 0)
		index = UINT_MAX;
	const struct policy *policy = cluster_policy(p->proxy->cluster, (unsigned)index);

	if (!policy || !policy->ring) {
		respond_text(res, 503, "Unknown Storage Policy");
		return -EHOSTDOWN;
	}
	p->policy_index = (int)index;
	return 0;
}

/* Calls the verb; who was allowed already is not asked again, who was denied gets another chance
 * where the container's ACL matters. */
waits static void call(struct request *req, struct response *res, const struct verb *v)
{
	struct proxy_request *p = proxy_request(req);
	authorize_fn *authorize = p->authorize;

	if (authorize && app_authorize(req, res, STR_NONE) == 0)
		p->authorize = NULL;
	else if (authorize && !(v->flags & VERB_LATE_DENIAL))
		return;
	else if (authorize)
		response_init(res, req->arena);
	v->handle(req, res);
	p->authorize = authorize;
}

waits static void handle(struct middleware *mw, struct request *req, struct response *res)
{
	const struct swift_path *path = &proxy_request(req)->path;
	const struct verb *table, *v;

	(void)mw;
	if (str_eq(req->path, S("/info"))) {
		app_swift_info(req, res);
		return;
	}
	if (check_path(req, res) < 0)
		return;
	table = path->object.p ? object_verbs : path->container.p ? container_verbs : account_verbs;
	if (path->object.p && find_policy(req, res) < 0)
		return;
	if (check_host(req, res) < 0)
		return;
	if (path->object.p)
		open_expired(req);
	v = find_verb(req, table);
	if (!v) {
		respond_status(res, 405);
		headers_set(&res->headers, S("Allow"), app_allowed(req, table));
		return;
	}
	call(req, res, v);
	if (table != account_verbs && req->method != HTTP_OPTIONS &&
	    headers_has(&req->headers, S("Origin")))
		app_add_cors(req, res);
}

const struct middleware_kind proxy_app = { .name = "proxy-server", .handle = handle };

/* ---- what verbs share ---- */

/* "X-Remove-Container-Meta-Foo" removes "X-Container-Meta-Foo". */
static struct str removed_name(struct arena *a, struct str name)
{
	if (!str_istarts(name, S("X-Remove-")))
		return STR_NONE;
	return arena_printf(a, "X-%.*s", STR(str_skip(name, 9)));
}

void app_hide_owner_headers(const struct request *req, struct headers *h)
{
	unsigned kept = 0;

	if (proxy_request(req)->swift_owner)
		return;
	for (unsigned i = 0; i < h->n; i++) {
		struct str name = h->v[i].name, removed = removed_name(h->arena, name);

		if (!metadata_is_owner_header(removed.p ? removed : name))
			h->v[kept++] = h->v[i];
	}
	h->n = kept;
}

void app_accept_ranges(struct response *res)
{
	bool found = res->status / 100 == 2 || res->status == 304 || res->status == 416;

	if (found && !headers_has(&res->headers, S("Accept-Ranges")))
		headers_add_ref(&res->headers, S("Accept-Ranges"), S("bytes"));
}

struct timestamp app_timestamp(const struct request *req)
{
	struct str given = headers_get_lit(&req->headers, "X-Timestamp");
	struct timestamp ts;

	if (given.p && timestamp_parse(given, &ts) == 0)
		return ts;
	return proxy_request(req)->timestamp;
}

void app_add_timestamp(struct headers *h, struct timestamp ts)
{
	char text[TIMESTAMP_SIZE];

	timestamp_internal(ts, text);
	headers_add_ref(h, S("X-Timestamp"), arena_str(h->arena, str_from(text)));
}

int app_check_name(const struct request *req, struct response *res, enum swift_kind kind)
{
	const struct proxy_request *p = proxy_request(req);
	const struct swift_limits *l = &p->proxy->conf->limits;
	bool account = kind == SWIFT_ACCOUNT;
	struct str name = account ? p->path.account : p->path.container;
	unsigned max = account ? l->max_account_name_length : l->max_container_name_length;

	if (p->path.account.n && p->path.account.p[0] == '.')
		max *= 2;
	if (name.n <= max)
		return 0;
	respond_html(res, 400, "%s name length of %zu longer than %u",
		     account ? "Account" : "Container", name.n, max);
	return -EINVAL;
}

static bool in_list(const struct str *list, struct str name)
{
	for (; list && list->p; list++)
		if (str_ieq(*list, name))
			return true;
	return false;
}

void app_transfer_headers(const struct request *req, enum swift_kind kind, const struct str *more,
			  struct headers *to)
{
	struct str name = swift_kind_name(kind);
	struct str meta = arena_printf(req->arena, "x-%.*s-meta-", STR(name));
	struct str sysmeta = arena_printf(req->arena, "x-%.*s-sysmeta-", STR(name));

	for (unsigned i = 0; i < req->headers.n; i++) {
		const struct header *h = &req->headers.v[i];
		struct str removed = removed_name(req->arena, h->name);

		/* A header that sets it wins over one that removes it. */
		if (removed.p && (str_istarts(removed, meta) || in_list(more, removed)) &&
		    !headers_has(&req->headers, removed))
			headers_add(to, header_title(req->arena, removed), STR_NONE);
		if (str_istarts(h->name, meta) || str_istarts(h->name, sysmeta) ||
		    in_list(more, h->name))
			headers_add(to, header_title(req->arena, h->name), h->value);
		else if (str_istarts(h->name, S("X-Backend-")) && !headers_has(to, h->name))
			headers_add(to, h->name, h->value);
	}
}

static void append(struct headers *h, struct str name, struct str value)
{
	struct str old = headers_get(h, name);

	if (old.p) {
		value = arena_printf(h->arena, "%.*s,%.*s", STR(old), STR(value));
		headers_remove(h, name);
	}
	headers_add_ref(h, name, value);
}

void app_add_device(struct headers *h, struct str prefix, uint32_t part, const struct ring_dev *dev)
{
	/* Not in the arena: with these a write would need one chunk more. */
	static const struct device_names {
		struct str prefix, host, device, partition;
	} names[] = {
#define NAMES(p) \
	{ STR_INIT(p), STR_INIT(p "-Host"), STR_INIT(p "-Device"), STR_INIT(p "-Partition") }
		NAMES("X-Account"),
		NAMES("X-Container"),
		NAMES("X-Delete-At"),
#undef NAMES
	};
	const struct device_names *n = names, *end = names + ARRAY_LEN(names);
	struct arena *a = h->arena;
	bool v6 = strchr(dev->ip, ':');

	while (n < end && !str_eq(n->prefix, prefix))
		n++;
	assert(n < end);
	append(h, n->host,
	       arena_printf(a, "%s%s%s:%u", v6 ? "[" : "", dev->ip, v6 ? "]" : "", dev->port));
	append(h, n->device, arena_str(a, str_from(dev->device)));
	if (!headers_has(h, n->partition))
		headers_add_ref(h, n->partition, arena_printf(a, "%u", part));
}
