/* POST of a container: metadata. Swift: POST in proxy/controllers/container.py. */
#include "proxy/container/container.h"

void container_post(struct request *req, struct response *res)
{
	const struct swift_path *path = &proxy_request(req)->path;
	struct target t;

	if (container_check_headers(req, res) < 0 || container_check_account(req, res) < 0)
		return;
	target_container(req, path->account, path->container, &t);
	AUTO(write) w = write_new(req, &t, HTTP_POST, 0);

	for (unsigned i = 0; i < w->n; i++) {
		app_add_timestamp(&w->headers[i], app_timestamp(req));
		app_transfer_headers(req, SWIFT_CONTAINER, container_headers, &w->headers[i]);
	}
	int rc = write_run(w);

	proxy_forget_container(proxy_request(req)->proxy, path->account, path->container);
	if (rc < 0)
		proxy_respond_error(req, res, rc);
	else
		write_respond(req, w, res);
}
