/* DELETE of an object. A replica that does not know it agrees (404 counts as 204 where that is
 * needed for a quorum). Swift: DELETE in proxy/controllers/obj.py. */
#include "proxy/object/condition.h"
#include "proxy/object/object.h"

/* Devices that were away, and handoffs, do not know the object: one that had it outweighs them, and
 * without a quorum of primaries nobody can say that it was not there. Deleted it is in any case. */
static bool may_have_been_there(const struct write *w)
{
	unsigned without = 0;

	for (unsigned i = 0; i < w->answered; i++) {
		if (w->answers[i].status == 204)
			return true;
		without += w->answers[i].status == 404 && !w->answers[i].handoff;
	}
	return without < quorum_size(w->n);
}

/* After a rebalance the object may be where no primary is any more. The primaries' tombstones keep
 * it from coming back; the client is told that there was something to delete. */
waits static void delete_previous(struct request *req, const struct write *w, struct timestamp ts,
				  struct response *res)
{
	struct headers h;

	headers_init(&h, req->arena);
	headers_add_ref(&h, S("X-Trans-Id"), req->trans_id);
	object_common_headers(req, ts, &h);
	if (write_ask_previous(req, w, &h) > 0) {
		response_init(res, req->arena);
		respond_status(res, 204);
	}
}

void object_delete(struct request *req, struct response *res)
{
	struct str condition = headers_get_lit(&req->headers, "X-If-Delete-At");
	struct timestamp ts = app_timestamp(req);
	struct condition c;
	struct target t;

	if (object_may_write(req, res) < 0 || object_target(req, res, &t) < 0)
		return;
	if (condition_read(req, ts, &c) && condition_hold(req, &t, &c, res) < 0)
		return;
	AUTO(write) w = write_new(req, &t, HTTP_DELETE, 0);

	for (unsigned i = 0; i < w->n; i++) {
		object_common_headers(req, ts, &w->headers[i]);
		condition_add_header(&c, &w->headers[i]);
		if (condition.p)
			headers_add(&w->headers[i], S("X-If-Delete-At"), condition);
	}
	object_container_updates(req, w->headers, w->n);
	w->override_from = 404;
	w->override_to = 204;
	int rc = write_run(w);

	if (rc < 0) {
		proxy_respond_error(req, res, rc);
		return;
	}
	write_respond(req, w, res);
	if (res->status != 404 || condition.p)
		return;
	if (may_have_been_there(w)) {
		response_init(res, req->arena);
		respond_status(res, 204);
	} else {
		delete_previous(req, w, ts, res);
	}
}
