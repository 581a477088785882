/* DELETE of a container: only an empty one, and it stays known as deleted. */
#include "objectd/container/container_server.h"

struct deletion {
	struct timestamp ts;
	bool existed;
	struct db_info *info;           /* as it is afterwards */
};

/* -ENOENT; -ENOTEMPTY; -EALREADY: it was created again later. */
static int apply_delete(struct db_batch *b, struct db_change *c)
{
	struct db_info *info = db_batch_info(b);
	struct deletion *d = c->arg;

	if (!info->exists)
		return -ENOENT;
	if (!db_info_empty(info))
		return -ENOTEMPTY;
	if (timestamp_cmp(d->ts, info->put_ts) <= 0 &&
	    timestamp_cmp(info->delete_ts, info->put_ts) <= 0)
		return -EALREADY;
	d->existed = timestamp_is_set(info->put_ts) && !db_info_deleted(info);
	if (timestamp_cmp(d->ts, info->delete_ts) > 0) {
		info->delete_ts = d->ts;
		db_info_clear_meta(info, d->ts);
		db_batch_touch(b);
	}
	d->info = db_info_copy(info);
	return 0;
}

waits static void tell_and_answer(struct db_request *r, const struct deletion *d)
{
	int rc = container_tell_account(r, d->info);

	if (rc == -EINVAL)
		respond_status(r->res, 400);
	else if (rc == -ENOENT || !d->existed)
		respond_status(r->res, 404);
	else
		r->res->status = 204;
}

void container_delete(struct db_request *r)
{
	struct deletion d = { .ts = r->ts };
	struct db_change c = { .apply = apply_delete, .arg = &d };
	int rc = db_change(r->o->dbs, &r->id, &c);

	if (rc == -ENOENT)
		respond_status(r->res, 404);
	else if (rc == -ENOTEMPTY || rc == -EALREADY)
		respond_status(r->res, 409);
	else if (rc < 0)
		db_respond_error(r, rc);
	else
		tell_and_answer(r, &d);
	db_info_unref(d.info);
}
