/* Listings. */
#include "proxy/container/container.h"

int container_listing(struct request *req, const struct target *t, const struct headers *h,
		      struct response *res)
{
	struct get g = {
		.target = t,
		.query = req->query,
		.headers = h,
		.newest = str_is_true(headers_get_lit(&req->headers, "X-Newest")),
	};

	return backend_get(req, &g, res);
}
