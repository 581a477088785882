/* What the replicator needs: which databases are here, what is in them, and merging another's. */
#include "objectd/db/internal.h"
#include "objectd/db/varint.h"

/* ---- which are here ---- */

void db_partition_range(unsigned part_power, uint32_t partition, unsigned char from[DB_HASH_SIZE],
			unsigned char last[DB_HASH_SIZE])
{
	uint32_t low = part_power ? partition << (32 - part_power) : 0;
	uint32_t high = part_power < 32 ? low | (UINT32_MAX >> part_power) : low;

	memset(from, 0, DB_HASH_SIZE);
	memset(last, 0xff, DB_HASH_SIZE);
	for (unsigned i = 0; i < 4; i++) {
		from[i] = (unsigned char)(low >> (24 - 8 * i));
		last[i] = (unsigned char)(high >> (24 - 8 * i));
	}
}

struct list_job {
	struct kv *kv;
	struct db_id id;
	const unsigned char *last;
	struct db_listed *ret;
	unsigned max, n;
	int rc;
};

static int list_one(struct list_job *j, struct str value)
{
	AUTO(db_info) info = NULL;

	if (db_info_decode(value, &info) < 0)
		return -EIO;
	struct db_stat sum = db_info_total(info);
	struct db_listed *l = &j->ret[j->n++];

	l->id = j->id;
	l->rows = j->id.kind == DB_CONTAINER ? sum.objects : sum.containers;
	l->deleted = db_info_deleted(info);
	db_info_digest(info, l->digest);
	return 0;
}

bool db_hash_next(const unsigned char hash[DB_HASH_SIZE], unsigned char ret[DB_HASH_SIZE])
{
	memmove(ret, hash, DB_HASH_SIZE);
	for (unsigned i = DB_HASH_SIZE; i--;)
		if (++ret[i])
			return true;
	return false;
}

/* One seek per database: the rows in between are jumped over. */
static void list_databases(void *arg)
{
	CLEANUP(buf_done) struct buf key = BUF(64);
	struct list_job *j = arg;
	struct kv_iter *it = kv_iter_new(j->kv);

	while (j->n < j->max && j->rc == 0) {
		db_key(&key, &j->id, 'i', STR_NONE);
		kv_iter_seek(it, buf_str(&key));
		if (!kv_iter_valid(it))
			break;
		struct str found = kv_iter_key(it);

		if (found.n < DB_KEY_HEAD || found.p[0] != (char)j->id.kind ||
		    memcmp(found.p + 1, j->last, DB_HASH_SIZE) > 0)
			break;
		memcpy(j->id.hash, found.p + 1, DB_HASH_SIZE);
		if (found.n == DB_KEY_HEAD && found.p[DB_KEY_HEAD - 1] == 'i')
			j->rc = list_one(j, kv_iter_value(it));
		if (!db_hash_next(j->id.hash, j->id.hash))
			break;
	}
	if (j->rc == 0)
		j->rc = kv_iter_error(it);
	kv_iter_free(it);
}

int db_list(struct dbs *dbs, enum db_kind kind, const unsigned char from[DB_HASH_SIZE],
	    const unsigned char last[DB_HASH_SIZE], struct db_listed *ret, unsigned max)
{
	struct list_job j = { .kv = store_kv(dbs->store), .id.kind = kind, .last = last, .ret = ret,
			      .max = max };

	memcpy(j.id.hash, from, DB_HASH_SIZE);
	task_run_blocking("list of databases", list_databases, &j);
	return j.rc < 0 ? j.rc : (int)j.n;
}

/* ---- sending ---- */

/* Frames: 'I' length info, or 'R' length name length value. */
int db_export_info(struct dbs *dbs, const struct db_id *id, struct buf *to)
{
	CLEANUP(buf_done) struct buf value = BUF(64 * MIB);
	AUTO(db_info) info = NULL;
	int rc = db_info_get(dbs, id, &info);

	if (rc < 0)
		return rc;
	if (!info->exists)
		return -ENOENT;
	db_info_encode(&value, info);
	buf_add_char(to, 'I');
	varint_add_str(to, buf_str(&value));
	return 0;
}

struct rows_job {
	struct kv *kv;
	const struct db_id *id;
	struct str after, until;
	size_t max_bytes;
	uint64_t max_rows;
	struct buf *to, *last;
	struct db_range *range;
	bool more;
	int rc;
};

/* Whether the range goes on behind this row. */
static bool within(const struct rows_job *j, size_t start)
{
	assert(j->range || j->to);
	return j->range ? j->range->rows < j->max_rows : j->to->n - start < j->max_bytes;
}

static void walk_rows(void *arg)
{
	struct rows_job *j = arg;
	size_t start = j->to ? j->to->n : 0;
	struct str name, value;
	struct db_cursor c;

	db_cursor_open(&c, j->kv, j->id, j->after);
	while (db_cursor_get(&c, &name, &value)) {
		if (j->after.p && str_eq(name, j->after)) {
			db_cursor_next(&c);
			continue;
		}
		if (j->until.p && str_cmp(name, j->until) > 0)
			break;
		if (!within(j, start)) {
			j->more = true;
			break;
		}
		if (j->range) {
			row_value_digest(j->id->kind, name, value, j->range->digest);
			j->range->rows++;
		} else {
			buf_add_char(j->to, 'R');
			varint_add_str(j->to, name);
			varint_add_str(j->to, value);
		}
		buf_clear(j->last);
		buf_add_str(j->last, name);
		db_cursor_next(&c);
	}
	j->rc = db_cursor_error(&c);
	db_cursor_close(&c);
}

waits static int run_rows_job(struct dbs *dbs, struct rows_job *j)
{
	/* ret_last may be what after is a view of. */
	CLEANUP(buf_done) struct buf after = BUF(SIZE_MAX / 2);

	if (j->after.p) {
		buf_add_str(&after, j->after);
		j->after = buf_str(&after);
	}
	j->kv = store_kv(dbs->store);
	task_run_blocking("rows of a database", walk_rows, j);
	if (j->rc == 0 && j->to && buf_failed(j->to))
		return -EFBIG;
	return j->rc < 0 ? j->rc : j->more;
}

int db_export_rows(struct dbs *dbs, const struct db_id *id, struct str after, size_t max,
		   struct buf *to, struct buf *ret_last)
{
	struct rows_job j = { .id = id,
			      .after = after,
			      .until = STR_NONE,
			      .max_bytes = max,
			      .to = to,
			      .last = ret_last };

	return run_rows_job(dbs, &j);
}

int db_digest_range(struct dbs *dbs, const struct db_id *id, struct str after, struct str until,
		    uint64_t max_rows, struct db_range *ret, struct buf *ret_last)
{
	struct rows_job j = { .id = id, .after = after, .until = until, .max_rows = max_rows,
			      .range = ret, .last = ret_last };

	*ret = (struct db_range){ .rows = 0 };
	return run_rows_job(dbs, &j);
}

/* ---- receiving ---- */

struct import {
	struct db_info *info;           /* or NULL */
	struct timestamp reclaim_before;
};

static bool too_old(enum db_kind kind, struct str value, struct timestamp before)
{
	return !row_value_live(kind, value) &&
	       timestamp_cmp(row_value_newest(kind, value), before) < 0;
}

static int apply_import(struct db_batch *b, struct db_change *c)
{
	const struct import *im = c->arg;
	struct db_info *info = db_batch_info(b);

	if (!info->exists &&
	    (!im->info || (db_info_deleted(im->info) &&
			   timestamp_cmp(im->info->delete_ts, im->reclaim_before) < 0)))
		return im->info ? 0 : -ENOENT;
	if (im->info && db_info_merge(info, im->info))
		db_batch_touch(b);
	for (unsigned i = 0; i < c->item_n; i++) {
		const struct db_item *item = &c->items[i];

		/* A deletion that was reclaimed here stays reclaimed; if there is a live row it
		 * still has to go. */
		if (too_old(info->kind, item->value, im->reclaim_before) &&
		    !db_batch_has(b, item->name))
			continue;
		db_batch_merge(b, item->name, item->value);
	}
	return 0;
}

static int take_frame(enum db_kind kind, struct str *rest, struct import *im, struct db_item *item,
		      bool *ret_is_row)
{
	char frame = rest->p[0];
	struct str bytes;

	*rest = str_skip(*rest, 1);
	*ret_is_row = frame == 'R';
	if (frame == 'I') {
		if (im->info || varint_take_str(rest, &bytes) < 0)
			return -EBADMSG;
		return db_info_decode(bytes, &im->info) < 0 || im->info->kind != kind ? -EBADMSG
										      : 0;
	}
	if (frame != 'R' || varint_take_str(rest, &item->name) < 0 ||
	    varint_take_str(rest, &item->value) < 0)
		return -EBADMSG;
	if (item->name.n == 0 || item->name.n > ROW_NAME_MAX || !str_is_utf8(item->name))
		return -EBADMSG;
	return row_value_check(kind, item->value);
}

int db_import(struct dbs *dbs, const struct db_id *id, struct str bytes,
	      struct timestamp reclaim_before)
{
	struct import im = { .reclaim_before = reclaim_before };
	AUTO(free) items = NULL;
	unsigned n = 0, cap = 0;
	int rc = 0;

	for (struct str rest = bytes; rest.n && rc == 0;) {
		struct db_item item;
		bool is_row;

		rc = take_frame(id->kind, &rest, &im, &item, &is_row);
		if (rc < 0 || !is_row)
			continue;
		if (n == cap) {
			cap = cap ? 2 * cap : 64;
			items = xreallocarray(items, cap, sizeof item);
		}
		((struct db_item *)items)[n++] = item;
	}
	struct db_change c = { .apply = apply_import, .arg = &im, .items = items, .item_n = n };

	if (rc == 0)
		rc = db_change(dbs, id, &c);
	db_info_unref(im.info);
	return rc;
}
