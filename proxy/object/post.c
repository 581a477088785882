/* POST of an object: new metadata. Swift: POST in proxy/controllers/obj.py. */
#include "proxy/object/object.h"

static unsigned good_answers(const struct write *w)
{
	unsigned n = 0;

	for (unsigned i = 0; i < w->answered; i++)
		n += w->answers[i].status / 100 == 2;
	return n;
}

/* Primaries that wait for the object after a rebalance say 404. Those that had it before take the
 * metadata in their place and bring both home. */
waits static void post_previous(struct request *req, const struct write *w, struct timestamp ts,
				struct response *res)
{
	struct str type = headers_get_lit(&req->headers, "Content-Type");
	struct headers h;

	headers_init(&h, req->arena);
	headers_add_ref(&h, S("X-Trans-Id"), req->trans_id);
	object_common_headers(req, ts, &h);
	object_metadata_headers(req, &h);
	if (type.p)
		headers_add(&h, S("Content-Type"), type);
	unsigned previous = write_ask_previous(req, w, &h);

	if (previous == 0)
		return;
	response_init(res, req->arena);
	respond_status(res, previous + good_answers(w) >= quorum_size(w->n) ? 202 : 503);
}

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

	if (rc < 0) {
		proxy_respond_error(req, res, rc);
		return;
	}
	write_respond(req, w, res);
	if (res->status == 404 || res->status == 503)
		post_previous(req, w, ts, res);
}
