/* POST of an object: new metadata. Swift: POST in proxy/controllers/obj.py. */
#include "proxy/object/object.h"

void object_post(struct request *req, struct response *res)
{
	const struct swift_limits *limits = &proxy_request(req)->proxy->conf->limits;
	struct str type = headers_get_lit(&req->headers, "Content-Type");
	struct timestamp ts = app_timestamp(req);
	struct target t;

	if (object_may_write(req, res) < 0 || metadata_check(limits, SWIFT_OBJECT, req, res) < 0 ||
	    delete_headers_check(req, ts, res) < 0 || object_target(req, res, &t) < 0)
		return;
	AUTO(write) w = write_new(req, &t, HTTP_POST, 0);

	for (unsigned i = 0; i < w->n; i++) {
		object_common_headers(req, ts, &w->headers[i]);
		object_metadata_headers(req, &w->headers[i]);
		if (type.p)
			headers_add(&w->headers[i], S("Content-Type"), type);
	}
	object_container_updates(req, w->headers, w->n);
	object_expiry_updates(req, w->headers, w->n);
	int rc = write_run(w);

	if (rc < 0)
		proxy_respond_error(req, res, rc);
	else
		write_respond(req, w, res);
}
