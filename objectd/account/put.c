/* PUT of an account: it is created, or its metadata changes. */
#include "objectd/account/account_server.h"

struct put {
	struct str account;
	const struct db_meta *meta;
	unsigned meta_n;
	struct timestamp ts;
	bool created;
	struct db_info *deleted;        /* why it was refused */
};

/* A deleted account stays so until its containers have been reaped and it is forgotten. */
static int apply_put(struct db_batch *b, struct db_change *c)
{
	struct put *p = c->arg;
	AUTO(db_info) before = db_info_ref(db_batch_info(b)), copy = NULL;

	if (before->exists && db_info_deleted(before)) {
		p->deleted = TAKE(before);
		return -EALREADY;
	}
	copy = db_info_copy(before);
	p->created = !copy->exists;
	if (!copy->exists)
		db_info_create(copy, p->account, STR_NONE, p->ts, 0);
	if (timestamp_cmp(p->ts, copy->put_ts) > 0)
		copy->put_ts = p->ts;
	db_batch_replace(b, TAKE(copy));
	int rc = db_batch_meta(b, p->meta, p->meta_n);

	if (rc < 0)
		db_batch_undo(b, TAKE(before));
	return rc;
}

void account_put(struct db_request *r)
{
	struct put p = { .account = r->path->account, .ts = r->ts };
	struct db_meta *meta;

	p.meta_n = db_meta_take(r, &meta);
	p.meta = meta;
	struct db_change c = { .apply = apply_put, .arg = &p };
	int rc = db_change(r->o->dbs, &r->id, &c);

	if (rc == -EALREADY)
		account_respond_deleted(r, p.deleted, 403);
	else if (rc < 0)
		db_respond_error(r, rc);
	else
		respond_status(r->res, p.created ? 201 : 202);
	db_info_unref(p.deleted);
}
