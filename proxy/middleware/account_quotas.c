/* Quotas that the reseller sets on accounts: X-Account-Quota-Bytes, -Count and the same per policy
 * (-Policy-<name>), and the older X-Account-Meta-Quota-Bytes; and the limits that Keystone has for
 * the account's project. They hold for chunked uploads too.
 * Swift: common/middleware/account_quotas.py */
#include "proxy/identity/limits.h"
#include "proxy/middleware/kinds.h"
#include "proxy/middleware/limited_body.h"

#include <jansson.h>

#define META S("X-Account-Meta-Quota-Bytes")
#define PUBLIC S("X-Account-Quota-")
#define SYSMETA S("X-Account-Sysmeta-Quota-")

static bool is_quota_header(struct str name)
{
	return str_ieq(name, META) || str_istarts(name, PUBLIC) ||
	       str_ieq(name, S("X-Remove-Account-Meta-Quota-Bytes")) ||
	       str_istarts(name, S("X-Remove-Account-Quota-"));
}

/* X-Account-Quota-* becomes system metadata; removals become empty values. 0, or -EINVAL/-EPERM
 * answered. */
static int take_headers(struct request *req, struct response *res)
{
	bool reseller = proxy_request(req)->reseller_request;
	unsigned n = req->headers.n;

	for (unsigned i = 0; i < n; i++) {
		struct header h = req->headers.v[i];
		bool removes = str_istarts(h.name, S("X-Remove-"));
		uint64_t v;

		if (!is_quota_header(h.name))
			continue;
		if (!reseller) {
			respond_status(res, 403);
			return -EPERM;
		}
		if (!removes && h.value.n && str_to_u64(h.value, &v) < 0) {
			respond_status(res, 400);
			return -EINVAL;
		}
		struct str rest =
			str_skip(h.name, removes ? sizeof "X-Remove-Account-Quota-" - 1 : PUBLIC.n);

		if (str_istarts(h.name, PUBLIC) ||
		    str_istarts(h.name, S("X-Remove-Account-Quota-")))
			headers_add(&req->headers,
				    arena_printf(req->arena, "%.*s%.*s", STR(SYSMETA), STR(rest)),
				    removes ? S("") : h.value);
	}
	headers_remove_prefix(&req->headers, PUBLIC);
	return 0;
}

static void show_headers(struct request *req, struct response *res)
{
	unsigned n = res->headers.n;

	for (unsigned i = 0; i < n; i++) {
		struct header h = res->headers.v[i];

		if (str_istarts(h.name, SYSMETA))
			headers_add(&res->headers,
				    arena_printf(req->arena, "%.*s%.*s", STR(PUBLIC),
						 STR(str_skip(h.name, SYSMETA.n))),
				    h.value);
	}
}

/* An authorize that, once the caller's rights are proven, says 413. */
struct reject {
	authorize_fn *authorize;
	void *arg;
};

static int reject(void *arg, struct request *req, struct response *res)
{
	const struct reject *r = arg;

	if (r->authorize && r->authorize(r->arg, req, res) < 0)
		return -EACCES;
	respond_html(res, 413, "Upload exceeds quota.");
	return -EACCES;
}

static void refuse(struct request *req)
{
	struct proxy_request *p = proxy_request(req);
	struct reject *r = arena_zalloc(req->arena, sizeof *r);

	r->authorize = p->authorize;
	r->arg = p->authorize_arg;
	p->authorize = reject;
	p->authorize_arg = r;
}

static bool quota_of(const struct headers *from, struct str name, uint64_t *ret)
{
	return str_to_u64(headers_get(from, name), ret) == 0;
}

/* used + wanted must stay within the quota; a chunked body is counted while it comes. */
static bool fits(struct request *req, uint64_t used, uint64_t quota, uint64_t wanted)
{
	if (used > quota || quota - used < wanted)
		return false;
	if (req->chunked && wanted == 0)
		req->body = body_limited(req->arena, req->body, quota - used);
	return true;
}

/* The quotas that hold for one policy; others do not count what is in it. */
waits static bool fits_policy(struct request *req, const struct account_info *info, uint64_t length)
{
	const struct proxy_request *p = proxy_request(req);
	const struct container_info *c =
		proxy_container_info(req, p->path.account, p->path.container);
	const struct policy *policy = cluster_policy(p->proxy->cluster, c->policy_index);
	struct arena *a = req->arena;
	uint64_t quota, used = 0;

	if (c->status != 200 || !policy)
		return true;
	struct str name = policy->name;

	(void)!str_to_u64(headers_get(&info->policies,
				      arena_printf(a, "%.*s-bytes-used", STR(name))), &used);
	if (quota_of(&info->sysmeta, arena_printf(a, "quota-bytes-policy-%.*s", STR(name)),
		     &quota) &&
	    !fits(req, used, quota, length))
		return false;
	used = 0;
	(void)!str_to_u64(headers_get(&info->policies,
				      arena_printf(a, "%.*s-object-count", STR(name))), &used);
	return !quota_of(&info->sysmeta, arena_printf(a, "quota-count-policy-%.*s", STR(name)),
			 &quota) ||
	       used < quota;
}

static bool has_quota(const struct account_info *info)
{
	for (unsigned i = 0; i < info->sysmeta.n; i++)
		if (str_starts(info->sysmeta.v[i].name, S("quota-")))
			return true;
	return headers_has(&info->meta, S("quota-bytes"));
}

/* Keystone's limits of the account's project. */
static bool has_limit(struct str account)
{
	uint64_t any;

	return identity_account_limit(account, S("account_bytes"), &any) ||
	       identity_account_limit(account, S("account_objects"), &any);
}

static bool within_limits(struct request *req, const struct account_info *info, uint64_t length)
{
	struct str account = proxy_request(req)->path.account;
	uint64_t limit;

	if (identity_account_limit(account, S("account_bytes"), &limit) &&
	    !fits(req, info->bytes_used, limit, length))
		return false;
	return !identity_account_limit(account, S("account_objects"), &limit) ||
	       info->object_count < limit;
}

/* Usage changes with every upload, so what is cached does not do where there is a quota. */
waits static const struct account_info *usage(struct request *req)
{
	struct proxy_request *p = proxy_request(req);
	const struct account_info *info = proxy_account_info(req, p->path.account);
	bool fresh = p->infocache_fresh;

	if (info->status != 200 || (!has_quota(info) && !has_limit(p->path.account)))
		return info;
	p->infocache_fresh = true;
	info = proxy_account_info(req, p->path.account);
	p->infocache_fresh = fresh;
	return info;
}

waits static bool upload_fits(struct request *req)
{
	const struct account_info *info = usage(req);
	uint64_t quota, length = req->content_length > 0 ? (uint64_t)req->content_length : 0;

	if (!within_limits(req, info, length))
		return false;
	if (info->status != 200)
		return true;
	if ((quota_of(&info->sysmeta, S("quota-bytes"), &quota) ||
	     quota_of(&info->meta, S("quota-bytes"), &quota)) &&
	    !fits(req, info->bytes_used, quota, length))
		return false;
	if (quota_of(&info->sysmeta, S("quota-count"), &quota) && info->object_count >= quota)
		return false;
	return fits_policy(req, info, length);
}

waits static void handle(struct middleware *mw, struct request *req, struct response *res)
{
	const struct proxy_request *p = proxy_request(req);
	bool account = p->path.account.n && !p->path.container.p;

	if (account && (req->method == HTTP_PUT || req->method == HTTP_POST) &&
	    take_headers(req, res) < 0)
		return;
	if (p->path.object.p && req->method == HTTP_PUT && !p->reseller_request &&
	    !upload_fits(req))
		refuse(req);
	middleware_next(mw, req, res);
	if (account)
		show_headers(req, res);
}

static int start(struct middleware *mw, struct proxy *proxy, struct fault *why)
{
	(void)mw, (void)why;
	json_object_set_new(proxy->info, "account_quotas", json_object());
	return 0;
}

const struct middleware_kind middleware_account_quotas = { .name = "account_quotas",
							   .start = start,
							   .handle = handle };
