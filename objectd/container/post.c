/* POST to a container: metadata. */
#include "objectd/container/container_server.h"

struct post {
	const struct db_meta *meta;
	unsigned meta_n;
	struct timestamp ts;
};

static int apply_post(struct db_batch *b, struct db_change *c)
{
	struct db_info *info = db_batch_info(b);
	const struct post *p = c->arg;

	if (db_info_deleted(info))
		return -ENOENT;
	int rc = db_batch_meta(b, p->meta, p->meta_n);

	if (rc < 0)
		return rc;
	info = db_batch_info(b);
	if (timestamp_cmp(p->ts, info->put_ts) > 0) {
		info->put_ts = p->ts;
		db_batch_touch(b);
	}
	return 0;
}

void container_post(struct db_request *r)
{
	struct db_meta *meta;
	struct post p = { .ts = r->ts };

	if (container_check_sync_to(r) < 0)
		return;
	p.meta_n = db_meta_take(r, &meta);
	p.meta = meta;
	struct db_change c = { .apply = apply_post, .arg = &p };
	int rc = db_change(r->o->dbs, &r->id, &c);

	if (rc == -ENOENT)
		respond_status(r->res, 404);
	else if (rc < 0)
		db_respond_error(r, rc);
	else
		r->res->status = 204;
}
