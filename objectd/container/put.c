/* PUT of a container: it is created, comes back after a deletion, or has its metadata changed. */
#include "objectd/container/container_server.h"

struct put {
	const struct backend_path *path;
	const struct db_meta *meta;
	unsigned meta_n;
	struct timestamp ts;
	bool policy_given;
	unsigned policy;                /* asked for */
	unsigned new_policy;            /* for a new container */
	/* filled in: */
	bool created;
	unsigned policy_now;
	struct db_info *info;           /* as it is afterwards */
};

/* 0: go on; 1: it has to come back; -EEXIST: it is there in another policy, -EALREADY: it was
 * deleted later (both 409). */
static int check(const struct db_info *info, struct put *p)
{
	if (!info->exists)
		return 1;
	p->policy_now = info->policy;
	if (!db_info_deleted(info))
		return p->policy_given && p->policy != info->policy ? -EEXIST : 0;
	return timestamp_cmp(p->ts, info->delete_ts) > 0 ? 1 : -EALREADY;
}

static void bring_up(struct db_info *info, const struct put *p)
{
	if (!info->exists)
		return db_info_create(info, p->path->account, p->path->container, p->ts,
				      p->new_policy);
	info->policy = p->new_policy;
	info->born_ts = p->ts;
	db_info_stat_add(info, p->new_policy);
}

static int apply_put(struct db_batch *b, struct db_change *c)
{
	struct put *p = c->arg;
	int rc = check(db_batch_info(b), p);

	if (rc < 0)
		return rc;
	/* On a copy, because bad metadata must leave no trace. */
	AUTO(db_info) before = db_info_ref(db_batch_info(b)), copy = db_info_copy(before);

	p->created = rc;
	if (rc)
		bring_up(copy, p);
	if (timestamp_cmp(p->ts, copy->put_ts) > 0)
		copy->put_ts = p->ts;
	db_batch_replace(b, TAKE(copy));
	rc = db_batch_meta(b, p->meta, p->meta_n);
	if (rc < 0) {
		db_batch_undo(b, TAKE(before));
		return rc;
	}
	p->policy_now = db_batch_info(b)->policy;
	p->info = db_info_copy(db_batch_info(b));
	return 0;
}

static int default_policy(struct db_request *r, unsigned *ret)
{
	struct str text = db_header(r, "X-Backend-Storage-Policy-Default");
	uint64_t v;

	*ret = cluster_default_policy(r->o->cluster)->index;
	if (!text.p)
		return 0;
	if (str_to_u64(text, &v) < 0 || v > POLICY_INDEX_MAX) {
		respond_text(r->res, 400, "Invalid X-Backend-Storage-Policy-Default '%.*s'",
			     STR(text));
		return -EINVAL;
	}
	*ret = (unsigned)v;
	return 0;
}

static void respond_policy(struct db_request *r, int status, unsigned policy)
{
	respond_status(r->res, status);
	headers_setf(&r->res->headers, S("X-Backend-Storage-Policy-Index"), "%u", policy);
}

waits static void put(struct db_request *r, struct put *p)
{
	struct db_change c = { .apply = apply_put, .arg = p };
	int rc = db_change(r->o->dbs, &r->id, &c);

	if (rc == -EEXIST)
		return respond_policy(r, 409, p->policy_now);
	if (rc == -EALREADY)
		return respond_status(r->res, 409);
	if (rc < 0)
		return db_respond_error(r, rc);
	rc = container_tell_account(r, p->info);
	if (rc == -ENOENT)
		return respond_status(r->res, 404);
	if (rc == -EINVAL)
		return respond_status(r->res, 400);
	respond_policy(r, p->created ? 201 : 202, p->policy_now);
}

void container_put(struct db_request *r)
{
	struct db_meta *meta;
	struct put p = { .path = r->path, .ts = r->ts };

	if (container_check_sync_to(r) < 0)
		return;
	if (str_ieq(db_header(r, "X-Backend-Record-Type"), S("shard")))
		return respond_status(r->res, 501);
	if (db_policy_index(r, &p.policy_given, &p.policy) < 0 ||
	    default_policy(r, &p.new_policy) < 0)
		return;
	if (p.policy_given)
		p.new_policy = p.policy;
	p.meta_n = db_meta_take(r, &meta);
	p.meta = meta;
	put(r, &p);
	db_info_unref(p.info);
}
