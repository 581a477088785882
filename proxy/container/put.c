/* PUT of a container; its account comes into being with it. Swift: PUT in
 * proxy/controllers/container.py. */
#include "lib/log/log.h"
#include "proxy/account/account.h"
#include "proxy/container/container.h"

/* The policy that the client names: *ret stays as it is when it names none. */
static int find_policy(struct request *req, struct response *res, int *ret)
{
	struct str name = headers_get_lit(&req->headers, "X-Storage-Policy");

	if (name.n == 0)
		return 0;
	const struct policy *policy =
		cluster_policy_named(proxy_request(req)->proxy->cluster, name);

	if (!policy) {
		respond_text(res, 400, "Invalid X-Storage-Policy '%.*s'", STR(name));
		return -EINVAL;
	}
	if (policy->deprecated) {
		respond_text(res, 400, "Storage Policy '%.*s' is deprecated", STR(policy->name));
		return -EINVAL;
	}
	*ret = (int)policy->index;
	return 0;
}

waits static int make_account(struct request *req, struct response *res)
{
	struct proxy_request *p = proxy_request(req);
	const struct account_info *info;

	if (p->path.account.p[0] == '.')
		return 0;
	if (p->path.account.n > p->proxy->conf->limits.max_account_name_length) {
		respond_status(res, 404);
		return -ENAMETOOLONG;
	}
	info = proxy_account_info(req, p->path.account);
	/* Deleted, and what it had is not reaped yet. */
	if (info->status == 410) {
		respond_status(res, 503);
		return -ESTALE;
	}
	if (!(info->status == 200 && info->fake))
		return container_check_account(req, res);
	if (account_autocreate(req, p->path.account) < 0) {
		respond_status(res, 503);
		return -EHOSTDOWN;
	}
	return 0;
}

/* max_containers_per_account */
waits static int check_room(struct request *req, struct response *res)
{
	const struct proxy_request *p = proxy_request(req);
	const struct proxy_conf *conf = p->proxy->conf;

	if (conf->max_containers_per_account <= 0 ||
	    proxy_account_info(req, p->path.account)->container_count <
		    (uint64_t)conf->max_containers_per_account)
		return 0;
	for (unsigned i = 0; i < conf->max_containers_whitelist.count; i++)
		if (str_eq(conf->max_containers_whitelist.items[i], p->path.account))
			return 0;
	if (proxy_container_info(req, p->path.account, p->path.container)->status == 200)
		return 0;
	respond_text(res, 403, "Reached container limit of %" PRId64,
		     conf->max_containers_per_account);
	return -EACCES;
}

static void fill_headers(struct request *req, struct headers *h, int policy)
{
	const struct cluster *c = proxy_request(req)->proxy->cluster;

	app_add_timestamp(h, app_timestamp(req));
	if (policy >= 0)
		headers_addf(h, S("X-Backend-Storage-Policy-Index"), "%d", policy);
	else
		headers_addf(h, S("X-Backend-Storage-Policy-Default"), "%u",
			     cluster_default_policy(c)->index);
	app_transfer_headers(req, SWIFT_CONTAINER, container_headers, h);
}

void container_put(struct request *req, struct response *res)
{
	const struct swift_path *path = &proxy_request(req)->path;
	struct target t;
	int policy = -1;

	if (container_check_headers(req, res) < 0 || find_policy(req, res, &policy) < 0 ||
	    app_check_name(req, res, SWIFT_CONTAINER) < 0 || make_account(req, res) < 0 ||
	    check_room(req, res) < 0)
		return;
	target_container(req, path->account, path->container, &t);
	AUTO(write) w = write_new(req, &t, HTTP_PUT, 0);

	for (unsigned i = 0; i < w->n; i++)
		fill_headers(req, &w->headers[i], policy);
	container_account_updates(req, w->headers, w->n);
	int rc = write_run(w);

	proxy_forget_container(proxy_request(req)->proxy, path->account, path->container);
	if (rc < 0)
		proxy_respond_error(req, res, rc);
	else
		write_respond(req, w, res);
}
