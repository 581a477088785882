/* PUT and DELETE of an object's row, as object servers send them. */
#include "objectd/container/container_server.h"

/* An optional timestamp: 0 or -EINVAL. */
static int optional_ts(const struct db_request *r, struct str name, struct timestamp *ret)
{
	struct str text = headers_get(&r->req->headers, name);

	*ret = (struct timestamp){ .t = 0 };
	return text.n ? timestamp_parse(text, ret) : 0;
}

static int refuse(struct db_request *r, const char *what)
{
	respond_text(r->res, 400, "Missing or invalid %s header", what);
	return -EINVAL;
}

static int take_data(struct db_request *r, struct container_row_update *u)
{
	u->content_type = db_header(r, "X-Content-Type");
	u->etag = db_header(r, "X-Etag");
	if (str_to_u64(db_header(r, "X-Size"), &u->size) < 0 || u->size > INT64_MAX)
		return refuse(r, "X-Size");
	if (!u->content_type.p)
		return refuse(r, "X-Content-Type");
	if (!u->etag.p)
		return refuse(r, "X-Etag");
	if (optional_ts(r, S("X-Content-Type-Timestamp"), &u->content_type_ts) < 0)
		return refuse(r, "X-Content-Type-Timestamp");
	if (optional_ts(r, S("X-Meta-Timestamp"), &u->meta_ts) < 0)
		return refuse(r, "X-Meta-Timestamp");
	return 0;
}

void container_row(struct db_request *r)
{
	const struct backend_path *p = r->path;
	struct container_row_update u = {
		.account = p->account,
		.container = p->container,
		.object = p->object,
		.partition = p->partition,
		.deleted = r->req->method == HTTP_DELETE,
		.ts = r->ts,
		.auto_create =
			container_autocreates(p->account, db_header(r, "X-Backend-Auto-Create")),
	};
	bool given;
	int status;

	if (db_policy_index(r, &given, &u.policy_index) < 0)
		return;
	if (!u.deleted && take_data(r, &u) < 0)
		return;
	int rc = container_apply_rows(r->o, &u, 1, &status);

	if (rc < 0)
		return db_respond_error(r, rc);
	respond_status(r->res, status);
}
