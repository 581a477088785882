/* Which containers changed since their account was told: in memory, with a key each in the store
 * so that none is forgotten by a restart. */
#include "lib/base/clock.h"
#include "objectd/db/internal.h"

/* 'C' and the container's hash. */
static struct str report_key(const struct db_id *id, char room[1 + DB_HASH_SIZE])
{
	room[0] = 'C';
	memcpy(room + 1, id->hash, DB_HASH_SIZE);
	return str_of(room, 1 + DB_HASH_SIZE);
}

static struct str hash_key(const struct db_id *id)
{
	return str_of((const char *)id->hash, DB_HASH_SIZE);
}

void db_report_free(void *p)
{
	struct db_report *r = p;

	db_info_unref(r->known);
	free(r);
}

static void add(struct dbs *dbs, const struct db_id *id, uint64_t due_ms)
{
	struct db_report *r = map_peek(dbs->reports, hash_key(id));

	if (r)
		return;
	if (map_count(dbs->reports) >= DB_REPORT_MAX) {
		dbs->reports_dropped = true;
		return;
	}
	r = xcalloc(1, sizeof *r);
	r->id = *id;
	r->due_ms = due_ms;
	list_append(&dbs->due, &r->node);
	map_put(dbs->reports, hash_key(id), r);
}

static void drop(struct dbs *dbs, const struct db_id *id)
{
	struct db_report *r = map_remove(dbs->reports, hash_key(id));

	if (!r)
		return;
	list_remove(&r->node);
	db_report_free(r);
}

void db_report_keys(struct store_txn *t, const struct db_id *id, const struct db_info *before,
		    const struct db_info *after)
{
	bool was = db_info_unreported(before), is = db_info_unreported(after);
	char room[1 + DB_HASH_SIZE];

	if (is && !was)
		store_txn_put(t, report_key(id, room), S(""));
	else if (was && !is)
		store_txn_delete(t, report_key(id, room));
}

void db_report_changed(struct dbs *dbs, const struct db_id *id, const struct db_info *before,
		       const struct db_info *after)
{
	if (db_info_unreported(after))
		add(dbs, id, clock_mono_ms());
	else if (db_info_unreported(before))
		drop(dbs, id);
}

struct load {
	struct dbs *dbs;
	struct buf found;
	int rc;
};

static void load_keys(void *arg)
{
	struct load *l = arg;
	struct kv_iter *it = kv_iter_new(store_kv(l->dbs->store));

	for (kv_iter_seek(it, S("C")); kv_iter_valid(it); kv_iter_next(it)) {
		struct str key = kv_iter_key(it);

		if (key.n != 1 + DB_HASH_SIZE || key.p[0] != 'C')
			break;
		buf_add_str(&l->found, str_skip(key, 1));
	}
	l->rc = kv_iter_error(it);
	kv_iter_free(it);
}

int db_report_load(struct dbs *dbs)
{
	/* What does not fit is found by the next look, when these have been told. */
	struct load l = { .dbs = dbs, .found = BUF((size_t)DB_REPORT_MAX * DB_HASH_SIZE) };

	dbs->reports_dropped = false;
	task_run_blocking("unreported containers", load_keys, &l);
	for (struct str rest = buf_str(&l.found); rest.n; rest = str_skip(rest, DB_HASH_SIZE)) {
		struct db_id id = { .kind = DB_CONTAINER };

		memcpy(id.hash, rest.p, sizeof id.hash);
		add(dbs, &id, clock_mono_ms());
	}
	dbs->reports_dropped = buf_failed(&l.found);
	buf_done(&l.found);
	return l.rc;
}

unsigned db_report_take(struct dbs *dbs, uint64_t age_ms, struct db_id *ret, unsigned max)
{
	uint64_t now = clock_mono_ms();
	unsigned n = 0;

	list_for_safe(node, &dbs->due) {
		struct db_report *r = list_entry(node, struct db_report, node);

		if (n == max)
			break;
		if (r->due_ms + age_ms > now)
			continue;
		list_remove(node);
		r->taken = true;
		ret[n++] = r->id;
	}
	return n;
}

bool db_report_all_taken(const struct dbs *dbs)
{
	return dbs->reports_dropped && map_count(dbs->reports) == 0;
}

void db_report_known(struct dbs *dbs, const struct db_id *id, const struct db_info *told)
{
	struct db_report *r = map_peek(dbs->reports, hash_key(id));

	if (!r)
		return;
	db_info_unref(r->known);
	r->known = db_info_ref(told);
}

bool db_report_is_known(const struct dbs *dbs, const struct db_id *id, const struct db_info *now)
{
	const struct db_report *r = map_peek(dbs->reports, hash_key(id));
	const struct db_info *k = r ? r->known : NULL;

	return k && timestamp_cmp(k->put_ts, now->put_ts) == 0 &&
	       timestamp_cmp(k->delete_ts, now->delete_ts) == 0 &&
	       db_info_objects(k) == db_info_objects(now) && db_info_bytes(k) == db_info_bytes(now);
}

void db_report_later(struct dbs *dbs, const struct db_id *id, uint64_t delay_ms)
{
	struct db_report *r = map_peek(dbs->reports, hash_key(id));

	if (!r || !r->taken)
		return;
	r->taken = false;
	r->due_ms = clock_mono_ms() + delay_ms;
	list_append(&dbs->due, &r->node);
}

/* Records what was told; a later change than that keeps the container unreported. */
static int apply_told(struct db_batch *b, struct db_change *c)
{
	struct db_info *info = db_batch_info(b);
	const struct db_info *told = c->arg;

	if (!info->exists)
		return -ENOENT;
	info->reported_put_ts = told->put_ts;
	info->reported_delete_ts = told->delete_ts;
	info->reported_objects = db_info_objects(told);
	info->reported_bytes = db_info_bytes(told);
	db_batch_touch(b);
	return 0;
}

int db_report_done(struct dbs *dbs, const struct db_id *id, const struct db_info *told)
{
	AUTO(db_info) mine = db_info_ref(told);
	struct db_change c = { .apply = apply_told, .arg = mine };
	int rc = db_change(dbs, id, &c);

	if (rc == -ENOENT) {
		drop(dbs, id);
		return 0;
	}
	/* Still there: it changed since, or the commit failed. */
	db_report_later(dbs, id, 0);
	return rc;
}
