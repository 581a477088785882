/* A container's info as response headers. */
#include "objectd/container/container_server.h"

/* Those that a client may see are left out for a deleted container. */
void container_respond_info(struct db_request *r, const struct db_info *i)
{
	struct headers *h = &r->res->headers;

	db_respond_ts(r->res, S("X-Backend-Timestamp"), i->created_ts, true);
	db_respond_ts(r->res, S("X-Backend-PUT-Timestamp"), i->put_ts, true);
	db_respond_ts(r->res, S("X-Backend-DELETE-Timestamp"), i->delete_ts, true);
	db_respond_ts(r->res, S("X-Backend-Status-Changed-At"), db_info_status_changed(i), true);
	headers_setf(h, S("X-Backend-Storage-Policy-Index"), "%u", i->policy);
	db_respond_digest(r, i);
	if (db_info_deleted(i))
		return;
	headers_setf(h, S("X-Container-Object-Count"), "%" PRId64, db_info_objects(i));
	headers_setf(h, S("X-Container-Bytes-Used"), "%" PRId64, db_info_bytes(i));
	db_respond_ts(r->res, S("X-Timestamp"), i->created_ts, false);
	db_respond_ts(r->res, S("X-PUT-Timestamp"), i->put_ts, false);
	headers_set(h, S("X-Backend-Sharding-State"), S("unsharded"));
}
