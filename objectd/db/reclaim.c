/* Taking things away for good: old deletions, and databases that live elsewhere now. */
#include "objectd/db/internal.h"

enum { DROP_MAX = 1000, LIST_MAX = 256, LOOK_MAX = 100000 };

/* Old deletions read by one pool job, to be dropped by one change. */
struct drop_job {
	struct kv *kv;
	const struct db_id *id;
	struct arena *arena;
	struct buf *after;              /* the name of the last row looked at; empty: none */
	struct timestamp before;
	struct db_item items[DROP_MAX];
	unsigned n;
	bool more;
	int rc;
};

/* Deletions have keys of their own, so live rows cost nothing here. */
static void read_old_deletions(void *arg)
{
	CLEANUP(buf_done) struct buf key = BUF(SIZE_MAX / 2);
	struct drop_job *j = arg;
	struct kv_iter *it = kv_iter_new(j->kv);
	unsigned looked = 0;

	db_key(&key, j->id, 't', buf_str(j->after));
	for (kv_iter_seek(it, buf_str(&key)); kv_iter_valid(it); kv_iter_next(it)) {
		struct str k = kv_iter_key(it), value = kv_iter_value(it);

		if (k.n < DB_KEY_HEAD || memcmp(k.p, key.p, DB_KEY_HEAD))
			break;
		if (j->n == DROP_MAX || looked == LOOK_MAX) {
			j->more = true;
			break;
		}
		looked++;
		buf_clear(j->after);
		buf_add_str(j->after, str_skip(k, DB_KEY_HEAD));
		if (!row_value_live(j->id->kind, value) &&
		    timestamp_cmp(row_value_newest(j->id->kind, value), j->before) < 0)
			j->items[j->n++] = (struct db_item){ arena_str(j->arena, buf_str(j->after)),
							     arena_str(j->arena, value) };
	}
	j->rc = kv_iter_error(it);
	kv_iter_free(it);
}

static int apply_drop(struct db_batch *b, struct db_change *c)
{
	struct db_info *info = db_batch_info(b);
	const struct timestamp *before = c->arg;

	if (!info->exists)
		return -ENOENT;
	for (unsigned i = 0; i < c->item_n; i++)
		db_batch_drop(b, c->items[i].name, c->items[i].value);
	if (before && db_info_reclaim_meta(info, *before))
		db_batch_touch(b);
	return 0;
}

/* In pieces: rows dropped or an error. */
waits static int64_t drop_old_deletions(struct dbs *dbs, const struct db_id *id,
					struct timestamp before)
{
	CLEANUP(buf_done) struct buf after = BUF(SIZE_MAX / 2);
	AUTO(free) room = xmalloc(sizeof(struct drop_job));
	struct drop_job *j = room;
	int64_t dropped = 0;
	int rc = 0;

	do {
		AUTO(arena) a = arena_new();

		*j = (struct drop_job){ .kv = store_kv(dbs->store),
					.id = id,
					.arena = a,
					.after = &after,
					.before = before };
		task_run_blocking("old deletions", read_old_deletions, j);
		if (j->rc < 0)
			return j->rc;
		struct db_change c = { .apply = apply_drop, .arg = &before, .items = j->items,
				       .item_n = j->n };

		rc = db_change(dbs, id, &c);
		dropped += j->n;
	} while (rc == 0 && j->more);
	return rc < 0 ? rc : dropped;
}

struct forget {
	const struct timestamp *before;         /* only when deleted before that; or NULL */
	const struct db_info *same;             /* only when unchanged but for rows; or NULL */
};

static bool same_but_rows(const struct db_info *a, const struct db_info *b)
{
	unsigned char x[DB_DIGEST_SIZE], y[DB_DIGEST_SIZE];
	AUTO(db_info) bare = db_info_copy(b);

	memcpy(bare->digest, a->digest, sizeof bare->digest);
	db_info_digest(a, x);
	db_info_digest(bare, y);
	return memcmp(x, y, sizeof x) == 0;
}

/* Whether no row is left is known from the digest: no other value has a sum of nothing. */
static int apply_forget(struct db_batch *b, struct db_change *c)
{
	static const unsigned char empty[DB_DIGEST_SIZE];
	struct db_info *info = db_batch_info(b);
	const struct forget *f = c->arg;

	if (!info->exists)
		return -ENOENT;
	if (f->before &&
	    (!db_info_deleted(info) || timestamp_cmp(info->delete_ts, *f->before) >= 0))
		return -EAGAIN;
	if (f->same && !same_but_rows(info, f->same))
		return -EAGAIN;
	if (memcmp(info->digest, empty, sizeof empty) != 0)
		return -EAGAIN;
	db_batch_forget(b);
	return 0;
}

/* All rows as they were at one moment: first their digest, then piece by piece to be dropped.
 * What is written after that moment has another value, or was not there: it stays. */
struct forget_job {
	struct kv *kv;
	const struct db_id *id;
	struct db_cursor cursor;
	struct arena *arena;
	unsigned char digest[DB_DIGEST_SIZE];
	struct db_item items[DROP_MAX];
	unsigned n;
	bool open, end;
};

static void digest_snapshot(void *arg)
{
	struct forget_job *j = arg;
	struct str name, value;

	if (!j->open)
		db_cursor_open(&j->cursor, j->kv, j->id, STR_NONE);
	j->open = true;
	j->end = true;
	for (unsigned n = 0; db_cursor_get(&j->cursor, &name, &value); db_cursor_next(&j->cursor)) {
		if (n++ == LOOK_MAX) {
			j->end = false;
			return;
		}
		row_value_digest(j->id->kind, name, value, j->digest);
	}
	db_cursor_seek(&j->cursor, STR_NONE);
}

static void read_snapshot(void *arg)
{
	struct forget_job *j = arg;
	struct str name, value;

	j->n = 0;
	while (j->n < DROP_MAX && db_cursor_get(&j->cursor, &name, &value)) {
		j->items[j->n++] =
			(struct db_item){ arena_str(j->arena, name), arena_str(j->arena, value) };
		db_cursor_next(&j->cursor);
	}
}

static void close_snapshot(void *arg)
{
	struct forget_job *j = arg;

	if (j->open)
		db_cursor_close(&j->cursor);
}

waits static int drop_snapshot(struct dbs *dbs, struct forget_job *j, const unsigned char *expected)
{
	do {
		task_run_blocking("digest of a database", digest_snapshot, j);
	} while (!j->end);
	int rc = db_cursor_error(&j->cursor);

	if (rc == 0 && memcmp(j->digest, expected, DB_DIGEST_SIZE) != 0)
		rc = -EALREADY;
	while (rc == 0) {
		AUTO(arena) a = arena_new();

		j->arena = a;
		task_run_blocking("rows to forget", read_snapshot, j);
		rc = db_cursor_error(&j->cursor);
		if (rc < 0 || j->n == 0)
			break;
		struct db_change c = { .apply = apply_drop, .items = j->items, .item_n = j->n };

		rc = db_change(dbs, j->id, &c);
	}
	return rc;
}

int db_forget(struct dbs *dbs, const struct db_id *id, const unsigned char digest[DB_DIGEST_SIZE])
{
	unsigned char now[DB_DIGEST_SIZE];
	AUTO(db_info) info = NULL;
	int rc = db_info_get(dbs, id, &info);

	if (rc < 0)
		return rc;
	if (!info->exists)
		return -ENOENT;
	db_info_digest(info, now);
	if (memcmp(now, digest, sizeof now) != 0)
		return -EALREADY;
	AUTO(free) room = xcalloc(1, sizeof(struct forget_job));
	struct forget_job *j = room;

	j->kv = store_kv(dbs->store);
	j->id = id;
	rc = drop_snapshot(dbs, j, info->digest);
	task_run_blocking("rows to forget", close_snapshot, j);
	if (rc < 0)
		return rc;
	struct forget f = { .same = info };
	struct db_change c = { .apply = apply_forget, .arg = &f };

	return db_change(dbs, id, &c);
}

waits static int reclaim_one(struct dbs *dbs, const struct db_listed *l, struct timestamp before,
			     struct db_reclaimed *ret)
{
	int64_t dropped = drop_old_deletions(dbs, &l->id, before);

	if (dropped < 0)
		return dropped == -ENOENT ? 0 : (int)dropped;
	ret->databases++;
	ret->rows += (uint64_t)dropped;
	if (!l->deleted)
		return 0;
	struct forget f = { .before = &before };
	struct db_change c = { .apply = apply_forget, .arg = &f };
	int rc = db_change(dbs, &l->id, &c);

	ret->forgotten += rc == 0;
	return rc == -EAGAIN || rc == -ENOENT ? 0 : rc;
}

int dbs_reclaim(struct dbs *dbs, struct timestamp before, struct db_reclaimed *ret)
{
	static const enum db_kind kinds[] = { DB_ACCOUNT, DB_CONTAINER };
	AUTO(free) room = xcalloc(LIST_MAX, sizeof(struct db_listed));
	struct db_listed *listed = room;

	*ret = (struct db_reclaimed){ .rows = 0 };
	for (unsigned k = 0; k < ARRAY_LEN(kinds); k++) {
		unsigned char from[DB_HASH_SIZE] = { 0 }, last[DB_HASH_SIZE];
		int n = LIST_MAX;

		memset(last, 0xff, sizeof last);
		while (n == LIST_MAX) {
			n = db_list(dbs, kinds[k], from, last, listed, LIST_MAX);
			for (int i = 0; i < n; i++) {
				int rc = reclaim_one(dbs, &listed[i], before, ret);

				if (rc < 0)
					return rc;
			}
			if (n < 0)
				return n;
			if (n && !db_hash_next(listed[n - 1].id.hash, from))
				break;
		}
	}
	return 0;
}

/* ---- counting again ---- */

struct verify_job {
	struct kv *kv;
	const struct db_id *id;
	struct db_info *counted;
	int rc;
};

static void count_rows(void *arg)
{
	struct verify_job *j = arg;
	struct str name, value;
	struct db_cursor c;

	db_cursor_open(&c, j->kv, j->id, STR_NONE);
	for (; db_cursor_get(&c, &name, &value); db_cursor_next(&c)) {
		if (row_value_check(j->id->kind, value) < 0 ||
		    row_value_live(j->id->kind, value) == c.on_dead)
			j->rc = -EBADMSG;
		db_info_count(j->counted, value, 1);
		row_value_digest(j->id->kind, name, value, j->counted->digest);
	}
	if (j->rc == 0)
		j->rc = db_cursor_error(&c);
	db_cursor_close(&c);
}

/* Policies that count nothing may be missing on either side. */
static bool counters_equal(const struct db_info *a, const struct db_info *b)
{
	for (unsigned i = 0; i < a->stat_n; i++) {
		const struct db_stat *x = &a->stats[i], *y = db_info_stat(b, x->policy);
		static const struct db_stat nothing;

		if (!y)
			y = &nothing;
		if (x->containers != y->containers || x->objects != y->objects ||
		    x->bytes != y->bytes)
			return false;
	}
	return true;
}

int db_verify(struct dbs *dbs, const struct db_id *id)
{
	AUTO(db_info) info = NULL, counted = db_info_new(id->kind);
	struct verify_job j = { .kv = store_kv(dbs->store), .id = id, .counted = counted };
	int rc = db_info_get(dbs, id, &info);

	if (rc < 0)
		return rc;
	task_run_blocking("counting rows again", count_rows, &j);
	if (j.rc < 0)
		return j.rc;
	return memcmp(info->digest, counted->digest, DB_DIGEST_SIZE) == 0 &&
	       counters_equal(info, counted) && counters_equal(counted, info) ? 0 : -EBADMSG;
}
