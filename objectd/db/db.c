/* Open databases, and the writer that applies what is queued for one with a single commit. */
#include "objectd/db/internal.h"
#include "lib/ring/ring.h"

enum { BATCH_CHANGES_MAX = 1024, BATCH_ITEMS_MAX = 8192 };

struct db_id db_id_of(struct str hash_prefix, struct str hash_suffix, struct str account,
		      struct str container)
{
	struct db_id id = { .kind = container.n ? DB_CONTAINER : DB_ACCOUNT };

	ring_hash_path(hash_prefix, hash_suffix, account, container, STR_NONE, id.hash);
	return id;
}

void db_key(struct buf *to, const struct db_id *id, char part, struct str name)
{
	buf_clear(to);
	buf_add_char(to, (char)id->kind);
	buf_add(to, id->hash, sizeof id->hash);
	buf_add_char(to, part);
	buf_add_str(to, name);
}

/* Kind and hash as the key of a table; made so by db_key's layout. */
static struct str id_key(const struct db_id *id, char room[1 + DB_HASH_SIZE])
{
	room[0] = (char)id->kind;
	memcpy(room + 1, id->hash, DB_HASH_SIZE);
	return str_of(room, 1 + DB_HASH_SIZE);
}

/* ---- open databases ---- */

static void db_free(void *p)
{
	struct db *db = p;

	assert(db->refs == 0 && list_empty(&db->queue));
	db_info_unref(db->info);
	free(db);
}

/* Closes what was not used for longest; what is in use goes to the front again. */
static void close_some(struct dbs *dbs)
{
	for (unsigned i = 0; i < 8 && map_count(dbs->open) > DB_OPEN_MAX; i++) {
		struct db *db = map_evict(dbs->open);
		char room[1 + DB_HASH_SIZE];

		if (db->refs == 0)
			db_free(db);
		else
			map_put(dbs->open, id_key(&db->id, room), db);
	}
}

struct db *db_ref(struct dbs *dbs, const struct db_id *id)
{
	char room[1 + DB_HASH_SIZE];
	struct db *db = map_get(dbs->open, id_key(id, room));

	if (!db) {
		db = xcalloc(1, sizeof *db);
		db->dbs = dbs;
		db->id = *id;
		list_init(&db->queue);
		waitq_init(&db->loaded);
		map_put(dbs->open, id_key(id, room), db);
	}
	db->refs++;
	close_some(dbs);
	return db;
}

void db_unref(struct db *db)
{
	assert(db->refs > 0);
	db->refs--;
}

/* Reads the info unless it is here already; one task reads, the others wait for it. */
int db_load(struct db *db)
{
	CLEANUP(buf_done) struct buf key = BUF(64), value = BUF(64 * MIB);
	int rc;

	while (db->loading) {
		rc = waitq_wait(&db->loaded, "another reader of a database's info", 0);
		if (rc < 0)
			return rc;
	}
	if (db->info)
		return 0;
	db->loading = true;
	db_key(&key, &db->id, 'i', STR_NONE);
	rc = store_get(db->dbs->store, buf_str(&key), &value);
	db->loading = false;
	waitq_wake_all(&db->loaded);
	if (rc == -ENOENT)
		db->info = db_info_new(db->id.kind);
	else if (rc < 0)
		return rc;
	else if (db_info_decode(buf_str(&value), &db->info) < 0)
		return -EIO;
	return 0;
}

int db_info_get(struct dbs *dbs, const struct db_id *id, struct db_info **ret)
{
	AUTO(db) db = db_ref(dbs, id);
	int rc = db_load(db);

	if (rc == 0)
		*ret = db_info_ref(db->info);
	return rc;
}

int dbs_open(struct store *s, struct dbs **ret)
{
	struct dbs *dbs = xcalloc(1, sizeof *dbs);

	dbs->store = s;
	dbs->open = map_new();
	dbs->reports = map_new();
	list_init(&dbs->due);
	dbs->spare = BUF(SIZE_MAX / 2);
	int rc = db_report_load(dbs);

	if (rc < 0)
		dbs_close(dbs);
	else
		*ret = dbs;
	return rc;
}

void dbs_close(struct dbs *dbs)
{
	if (!dbs)
		return;
	map_free(dbs->open, db_free);
	map_free(dbs->reports, db_report_free);
	buf_done(&dbs->spare);
	free(dbs);
}

struct store *dbs_store(struct dbs *dbs)
{
	return dbs->store;
}

void dbs_stats(const struct dbs *dbs, struct dbs_stats *ret)
{
	*ret = dbs->stats;
	ret->open = (unsigned)map_count(dbs->open);
	ret->unreported = (unsigned)map_count(dbs->reports);
}

/* ---- the writer ---- */

/* A row that a batch may change. Values are absent when there is none. */
struct batch_row {
	struct str name, old, value;
	bool changed;
};

struct db_batch {
	struct db *db;
	struct arena *arena;
	struct list changes;
	struct db_info *info;           /* being changed */
	bool touched, forget;
	struct batch_row *rows;         /* ordered by name */
	unsigned row_n;
	int read_error;
};

struct db_info *db_batch_info(struct db_batch *b)
{
	return b->info;
}

void db_batch_touch(struct db_batch *b)
{
	b->touched = true;
}

void db_batch_replace(struct db_batch *b, struct db_info *info)
{
	assert(info->kind == b->info->kind && info->exists);
	db_info_unref(b->info);
	b->info = info;
	b->touched = true;
}

/* What other changes of the batch did stays to be committed. */
void db_batch_undo(struct db_batch *b, struct db_info *before)
{
	db_info_unref(b->info);
	b->info = before;
}

void db_batch_forget(struct db_batch *b)
{
	static const unsigned char empty[DB_DIGEST_SIZE];

	assert(memcmp(b->info->digest, empty, sizeof empty) == 0);
	b->forget = b->touched = true;
	db_info_unref(b->info);
	b->info = db_info_new(b->db->id.kind);
}

static int row_cmp(const void *a, const void *b)
{
	return str_cmp(((const struct batch_row *)a)->name, ((const struct batch_row *)b)->name);
}

static struct batch_row *find_row(struct db_batch *b, struct str name)
{
	struct batch_row key = { .name = name };
	struct batch_row *row =
		b->row_n ? bsearch(&key, b->rows, b->row_n, sizeof key, row_cmp) : NULL;

	assert(row);
	return row;
}

static void replace_value(struct db_batch *b, struct batch_row *row, struct str value)
{
	enum db_kind kind = b->db->id.kind;

	db_info_count(b->info, row->value, -1);
	db_info_count(b->info, value, 1);
	if (row->value.n)
		row_value_digest(kind, row->name, row->value, b->info->digest);
	if (value.n)
		row_value_digest(kind, row->name, value, b->info->digest);
	row->value = value;
	row->changed = b->touched = true;
}

void db_batch_merge(struct db_batch *b, struct str name, struct str value)
{
	CLEANUP(buf_done) struct buf merged = BUF(ROW_VALUE_MAX);
	struct batch_row *row = find_row(b, name);

	assert(b->info->exists);
	row_value_merge(b->db->id.kind, row->value, value, &merged);
	/* Rows in so many policies that they pass the limit: what is there stays. */
	if (!buf_failed(&merged) && !str_eq(buf_str(&merged), row->value))
		replace_value(b, row, arena_str(b->arena, buf_str(&merged)));
}

bool db_batch_has(struct db_batch *b, struct str name)
{
	return find_row(b, name)->value.n > 0;
}

void db_batch_drop(struct db_batch *b, struct str name, struct str value)
{
	struct batch_row *row = find_row(b, name);

	assert(b->info->exists);
	if (row->value.n && str_eq(row->value, value))
		replace_value(b, row, STR_NONE);
}

static int apply_items(struct db_batch *b, struct db_change *c)
{
	if (!b->info->exists)
		return -ENOENT;
	for (unsigned i = 0; i < c->item_n; i++)
		db_batch_merge(b, c->items[i].name, c->items[i].value);
	return 0;
}

/* Takes changes from the queue: all, or as many as one commit should hold. */
static void take_changes(struct db_batch *b)
{
	struct db *db = b->db;
	unsigned changes = 0, items = 0;

	list_init(&b->changes);
	list_for_safe(n, &db->queue) {
		struct db_change *c = list_entry(n, struct db_change, node);

		if (changes &&
		    (changes == BATCH_CHANGES_MAX || items + c->item_n > BATCH_ITEMS_MAX))
			break;
		list_remove(n);
		list_append(&b->changes, n);
		changes++;
		items += c->item_n;
	}
	b->rows = arena_alloc(b->arena, (items + 1) * sizeof *b->rows);
	list_for(m, &b->changes) {
		struct db_change *c = list_entry(m, struct db_change, node);

		for (unsigned i = 0; i < c->item_n; i++)
			b->rows[b->row_n++] = (struct batch_row){ .name = c->items[i].name };
	}
	if (b->row_n)
		qsort(b->rows, b->row_n, sizeof *b->rows, row_cmp);
	unsigned kept = 0;

	for (unsigned i = 0; i < b->row_n; i++)
		if (i == 0 || !str_eq(b->rows[i].name, b->rows[kept - 1].name))
			b->rows[kept++] = b->rows[i];
	b->row_n = kept;
}

/* In the pool: the rows as they are now. */
static void read_rows(void *arg)
{
	CLEANUP(buf_done) struct buf key = BUF(SIZE_MAX / 2), value = BUF(SIZE_MAX / 2);
	struct db_batch *b = arg;
	struct kv *kv = store_kv(b->db->dbs->store);

	for (unsigned i = 0; i < b->row_n; i++) {
		struct batch_row *row = &b->rows[i];

		db_key(&key, &b->db->id, 'r', row->name);
		int rc = kv_get(kv, buf_str(&key), &value);

		if (rc == -ENOENT) {
			key.p[DB_KEY_HEAD - 1] = 't';
			rc = kv_get(kv, buf_str(&key), &value);
		}
		if (rc == 0 && row_value_check(b->db->id.kind, buf_str(&value)) < 0)
			rc = -EIO;
		if (rc == 0)
			row->old = row->value = arena_str(b->arena, buf_str(&value));
		else if (rc != -ENOENT)
			b->read_error = rc;
	}
}

static void add_row_to_txn(struct db_batch *b, struct store_txn *t, const struct batch_row *row,
			   struct buf *key)
{
	enum db_kind kind = b->db->id.kind;
	char was = !row->old.n ? 0 : row_value_live(kind, row->old) ? 'r' : 't';
	char is = !row->value.n ? 0 : row_value_live(kind, row->value) ? 'r' : 't';

	if (was && was != is) {
		db_key(key, &b->db->id, was, row->name);
		store_txn_delete(t, buf_str(key));
	}
	if (is) {
		db_key(key, &b->db->id, is, row->name);
		store_txn_put(t, buf_str(key), row->value);
	}
}

waits static int commit(struct db_batch *b)
{
	CLEANUP(buf_done) struct buf key = BUF(SIZE_MAX / 2), value = BUF(SIZE_MAX / 2);
	struct db *db = b->db;
	struct store_txn *t = store_txn_new(b->arena);

	for (unsigned i = 0; i < b->row_n; i++)
		if (b->rows[i].changed && !str_eq(b->rows[i].old, b->rows[i].value))
			add_row_to_txn(b, t, &b->rows[i], &key);
	db_key(&key, &db->id, 'i', STR_NONE);
	if (b->info->exists) {
		db_info_encode(&value, b->info);
		store_txn_put(t, buf_str(&key), buf_str(&value));
	} else if (db->info->exists) {
		store_txn_delete(t, buf_str(&key));
	}
	db_report_keys(t, &db->id, db->info, b->info);
	db->dbs->stats.commits++;
	int rc = store_txn_count(t) ? store_commit(db->dbs->store, t) : 0;

	if (rc < 0)
		return rc;
	struct db_info *before = db->info;

	db->info = TAKE(b->info);
	db_report_changed(db->dbs, &db->id, before, db->info);
	db_info_unref(before);
	return 0;
}

/* Reads, applies, commits: 0, or the error for all that were not refused on their own. */
waits static int run_batch(struct db_batch *b)
{
	int rc = db_load(b->db);

	if (rc < 0)
		return rc;
	if (b->row_n && b->db->info->exists) {
		task_run_blocking("rows of a database", read_rows, b);
		if (b->read_error)
			return b->read_error;
	}
	b->info = db_info_copy(b->db->info);
	list_for(n, &b->changes) {
		struct db_change *c = list_entry(n, struct db_change, node);

		c->result = c->apply ? c->apply(b, c) : apply_items(b, c);
		b->db->dbs->stats.changes++;
	}
	return b->touched ? commit(b) : 0;
}

static void finish(struct db_batch *b, int rc)
{
	struct list *n;

	while ((n = list_pop(&b->changes))) {
		struct db_change *c = list_entry(n, struct db_change, node);

		if (rc < 0)
			c->result = rc;
		c->done = true;
		if (c->waiter)
			task_wake(c->waiter);
	}
}

task_asserted static void writer(void *arg)
{
	struct db *db = arg;

	while (!list_empty(&db->queue)) {
		struct db_batch b = { .db = db, .arena = arena_new() };

		take_changes(&b);
		finish(&b, run_batch(&b));
		db_info_unref(b.info);
		arena_free(b.arena);
	}
	db->writing = false;
	db_unref(db);
}

void db_change_start(struct dbs *dbs, const struct db_id *id, struct db_change *c)
{
	struct db *db = db_ref(dbs, id);

	c->db = db;
	c->done = false;
	c->waiter = NULL;
	list_append(&db->queue, &c->node);
	if (db->writing)
		return;
	db->writing = true;
	db->refs++;
	task_spawn(NULL, "database writer", writer, db);
}

int db_change_end(struct db_change *c)
{
	c->waiter = task_self();
	while (!c->done)
		task_wait_masked("a database's writer");
	db_unref(c->db);
	return c->result;
}

int db_change(struct dbs *dbs, const struct db_id *id, struct db_change *c)
{
	db_change_start(dbs, id, c);
	return db_change_end(c);
}
