/* POST to an account: metadata. */
#include "objectd/account/account_server.h"

struct post {
	const struct db_meta *meta;
	unsigned meta_n;
	struct db_info *deleted;        /* why it was refused */
};

static int apply_post(struct db_batch *b, struct db_change *c)
{
	struct post *p = c->arg;

	if (!db_info_deleted(db_batch_info(b)))
		return db_batch_meta(b, p->meta, p->meta_n);
	p->deleted = db_info_ref(db_batch_info(b));
	return -ENOENT;
}

void account_post(struct db_request *r)
{
	struct post p = { .deleted = NULL };
	struct db_meta *meta;

	p.meta_n = db_meta_take(r, &meta);
	p.meta = meta;
	struct db_change c = { .apply = apply_post, .arg = &p };
	int rc = db_change(r->o->dbs, &r->id, &c);

	if (rc == -ENOENT)
		account_respond_deleted(r, p.deleted, 404);
	else if (rc < 0)
		db_respond_error(r, rc);
	else
		r->res->status = 204;
	db_info_unref(p.deleted);
}
