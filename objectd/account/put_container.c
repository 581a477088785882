/* PUT of a container's row in its account, as container servers send it. */
#include "objectd/account/account_server.h"

struct put {
	struct str account, name;
	struct str value;
	struct timestamp ts;
	bool auto_create, override_deleted;
	struct db_item item;
};

static int apply_put(struct db_batch *b, struct db_change *c)
{
	struct db_info *info = db_batch_info(b);
	const struct put *p = c->arg;

	if (!info->exists && p->auto_create) {
		db_info_create(info, p->account, STR_NONE, p->ts, 0);
		db_batch_touch(b);
	}
	if (!info->exists || (db_info_deleted(info) && !p->override_deleted))
		return -ENOENT;
	db_batch_merge(b, p->item.name, p->item.value);
	return 0;
}

static int take_row(struct db_request *r, struct account_row *ret)
{
	struct account_row row = { .stats_ts = r->ts };
	uint64_t policy = 0;
	struct str index = db_header(r, "X-Backend-Storage-Policy-Index");

	if (db_header_timestamp(r, S("X-Put-Timestamp"), &row.put_ts) < 0 ||
	    db_header_timestamp(r, S("X-Delete-Timestamp"), &row.delete_ts) < 0 ||
	    str_to_u64(db_header(r, "X-Object-Count"), &row.objects) < 0 ||
	    row.objects > INT64_MAX || str_to_u64(db_header(r, "X-Bytes-Used"), &row.bytes) < 0 ||
	    row.bytes > INT64_MAX ||
	    (index.p && (str_to_u64(index, &policy) < 0 || policy > POLICY_INDEX_MAX))) {
		respond_text(r->res, 400, "Missing or invalid container headers");
		return -EINVAL;
	}
	row.policy = (unsigned)policy;
	*ret = row;
	return 0;
}

void account_put_container(struct db_request *r)
{
	CLEANUP(buf_done) struct buf value = BUF(ROW_VALUE_MAX);
	struct str override = db_header(r, "X-Account-Override-Deleted");
	struct account_row row;
	struct put p = { .account = r->path->account, .name = r->path->container,
			 .auto_create = db_account_is_hidden(r->path->account),
			 .override_deleted = str_ieq(override, S("yes")) };

	/* Swift's container servers do not say when they counted: now, then. */
	if (!db_header(r, "X-Timestamp").p)
		r->ts = timestamp_now();
	else if (objectd_timestamp(r->req, r->res, &r->ts) < 0)
		return;
	if (take_row(r, &row) < 0)
		return;
	account_row_encode(&value, &row);
	p.ts = r->ts;
	p.item = (struct db_item){ r->path->container, buf_str(&value) };
	struct db_change c = { .apply = apply_put, .arg = &p, .items = &p.item, .item_n = 1 };
	int rc = db_change(r->o->dbs, &r->id, &c);

	if (rc == -ENOENT)
		return respond_status(r->res, 404);
	if (rc < 0)
		return db_respond_error(r, rc);
	respond_status(r->res, timestamp_cmp(row.delete_ts, row.put_ts) > 0 ? 204 : 201);
}
