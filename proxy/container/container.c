/* What the container verbs share: checks, and the account's updates. */
#include "proxy/container/container.h"
#include "lib/swift/acl.h"

const struct verb container_verbs[] = {
	{ HTTP_GET, VERB_LATE_DENIAL, container_get },
	{ HTTP_HEAD, VERB_LATE_DENIAL, container_get },
	{ HTTP_PUT, 0, container_put },
	{ HTTP_POST, 0, container_post },
	{ HTTP_DELETE, 0, container_delete },
	{ HTTP_OPTIONS, 0, app_options },
	{ 0 },
};

const struct str container_headers[] = {
	STR_INIT("X-Container-Read"),     STR_INIT("X-Container-Write"),
	STR_INIT("X-Container-Sync-Key"), STR_INIT("X-Container-Sync-To"),
	STR_INIT("X-Versions-Location"),  { NULL, 0 },
};

int container_check_account(struct request *req, struct response *res)
{
	struct str account = proxy_request(req)->path.account;

	if (account.p[0] == '.')
		return 0;
	const struct account_info *info = proxy_account_info(req, account);

	if (info->status == 200 && !info->fake)
		return 0;
	respond_status(res, info->status == 503 ? 503 : 404);
	return -ENOENT;
}

static int clean_acl(struct request *req, struct response *res, struct str name, bool write)
{
	struct str value = headers_get(&req->headers, name), clean;
	struct fault why;

	if (!value.p)
		return 0;
	if (acl_clean(req->arena, value, write, &clean, &why) < 0) {
		respond_html(res, 400, "%s", why.text);
		return -EINVAL;
	}
	headers_set(&req->headers, name, clean);
	return 0;
}

int container_check_headers(struct request *req, struct response *res)
{
	const struct proxy_request *p = proxy_request(req);
	struct str sharding = headers_get_lit(&req->headers, "X-Container-Sharding");

	if (clean_acl(req, res, S("X-Container-Read"), false) < 0 ||
	    clean_acl(req, res, S("X-Container-Write"), true) < 0 ||
	    metadata_check(&p->proxy->conf->limits, SWIFT_CONTAINER, req, res) < 0)
		return -EINVAL;
	app_hide_owner_headers(req, &req->headers);
	if (sharding.p && p->reseller_request)
		headers_set(&req->headers, S("X-Container-Sysmeta-Sharding"),
			    str_is_true(sharding) ? S("True") : S("False"));
	return 0;
}

void container_account_updates(struct request *req, struct headers *sets, unsigned n)
{
	const struct ring_dev *devs[RING_REPLICAS_MAX];
	struct target t;

	target_account(req, proxy_request(req)->path.account, &t);
	unsigned count = target_primaries(&t, devs, RING_REPLICAS_MAX);

	for (unsigned i = 0; n && i < count; i++)
		app_add_device(&sets[i % n], S("X-Account"), t.part, devs[i]);
}
