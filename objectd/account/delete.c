/* DELETE of an account: it is marked; the reaper takes its containers later. */
#include "objectd/account/account_server.h"

struct deletion {
	struct timestamp ts;
	struct db_info *info;           /* as it is afterwards */
};

static int apply_delete(struct db_batch *b, struct db_change *c)
{
	struct db_info *info = db_batch_info(b);
	struct deletion *d = c->arg;

	if (db_info_deleted(info)) {
		d->info = db_info_ref(info);
		return -ENOENT;
	}
	/* A deletion that lost against a later creation changes nothing, and is no error to
	 * Swift. */
	if (timestamp_cmp(d->ts, info->put_ts) > 0) {
		info->delete_ts = d->ts;
		db_info_clear_meta(info, d->ts);
		db_batch_touch(b);
	}
	d->info = db_info_copy(info);
	return 0;
}

void account_delete(struct db_request *r)
{
	struct deletion d = { .ts = r->ts };
	struct db_change c = { .apply = apply_delete, .arg = &d };
	int rc = db_change(r->o->dbs, &r->id, &c);

	if (rc == -ENOENT)
		account_respond_deleted(r, d.info, 404);
	else if (rc < 0)
		db_respond_error(r, rc);
	else
		r->res->status = 204;
	if (rc == 0 && db_info_deleted(d.info))
		headers_set(&r->res->headers, S("X-Account-Status"), S("Deleted"));
	db_info_unref(d.info);
}
