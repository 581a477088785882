/* DELETE of a container. Swift: DELETE in proxy/controllers/container.py. */
#include "proxy/container/container.h"

void container_delete(struct request *req, struct response *res)
{
	const struct proxy_request *p = proxy_request(req);
	struct target t;

	if (container_check_account(req, res) < 0)
		return;
	target_container(req, p->path.account, p->path.container, &t);
	AUTO(write) w = write_new(req, &t, HTTP_DELETE, 0);

	for (unsigned i = 0; i < w->n; i++) {
		app_add_timestamp(&w->headers[i], app_timestamp(req));
		headers_addf(&w->headers[i], S("X-Backend-Storage-Policy-Default"), "%u",
			     cluster_default_policy(p->proxy->cluster)->index);
	}
	container_account_updates(req, w->headers, w->n);
	int rc = write_run(w);

	proxy_forget_container(p->proxy, p->path.account, p->path.container);
	if (rc < 0) {
		proxy_respond_error(req, res, rc);
		return;
	}
	write_respond(req, w, res);
	/* 202 says that no server had it. */
	if (res->status == 202)
		respond_status(res, 404);
}
