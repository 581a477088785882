/* Rows: transactions of keys and values, and reading single ones. */
#include "objectd/store/internal.h"
#include "lib/base/clock.h"

enum { SLOW_NS = 2000000, SLOW_FOR_MS = 1000 };

struct store_txn {
	struct arena *arena;
	char *p;
	size_t n, cap;
	unsigned count;
};

struct store_txn *store_txn_new(struct arena *a)
{
	struct store_txn *t = arena_zalloc(a, sizeof *t);

	t->arena = a;
	return t;
}

static void add(struct store_txn *t, struct str key, struct str value)
{
	size_t n = rows_change_size(key, value);

	assert(key.n > 0 && key.p[0] != 'o' && key.p[0] != 'v');
	if (t->n + n > t->cap) {
		size_t cap = MAX(2 * t->cap, t->n + n + 256);
		char *p = arena_alloc(t->arena, cap);

		if (t->n)
			memcpy(p, t->p, t->n);
		t->p = p;
		t->cap = cap;
	}
	t->n = (size_t)(rows_change_write(t->p + t->n, key, value) - t->p);
	t->count++;
}

void store_txn_put(struct store_txn *t, struct str key, struct str value)
{
	add(t, key, value.p ? value : S(""));
}

void store_txn_delete(struct store_txn *t, struct str key)
{
	add(t, key, STR_NONE);
}

unsigned store_txn_count(const struct store_txn *t)
{
	return t->count;
}

struct str txn_rows(const struct store_txn *t)
{
	return t ? str_of(t->p, t->n) : STR_NONE;
}

int store_commit(struct store *s, struct store_txn *t)
{
	struct op op = { .kind = OP_ROWS, .rows = txn_rows(t), .urgent = true };

	if (op.rows.n == 0)
		return 0;
	if (op.rows.n > RECORD_ROWS_MAX)
		return -E2BIG;
	return commit_run(s, &op);
}

struct get {
	struct store *s;
	struct str key;
	struct buf *value;
	int result;
};

static void get_job(void *arg)
{
	struct get *g = arg;

	g->result = kv_get(g->s->kv, g->key, g->value);
}

/* A row is nearly always in memory, where fetching it costs less than asking the pool to; after one
 * that had to come from the disk, the pool is asked for a while, so that the loop does
 * not stall. */
int row_get(struct store *s, struct str key, struct buf *ret_value)
{
	struct get g = { .s = s, .key = key, .value = ret_value };
	uint64_t began = clock_mono_ns();

	if (began / 1000000 < s->slow_until_ms) {
		task_run_blocking("row", get_job, &g);
		return g.result;
	}
	get_job(&g);
	uint64_t now = clock_mono_ns();
	if (now - began > SLOW_NS)
		s->slow_until_ms = now / 1000000 + SLOW_FOR_MS;
	return g.result;
}

int store_get(struct store *s, struct str key, struct buf *ret_value)
{
	assert(s->magic == STORE_MAGIC);
	return row_get(s, key, ret_value);
}

struct kv *store_kv(struct store *s)
{
	return s->kv;
}

int entry_get(struct store *s, const struct object_id *id, struct index_entry *ret)
{
	CLEANUP(buf_done) struct buf value = BUF(KIB);
	char key[INDEX_KEY_SIZE];

	pthread_mutex_lock(&s->lock);
	uint64_t generation = s->generation;
	bool cached = index_cache_get(s->cache, id, ret);
	pthread_mutex_unlock(&s->lock);
	if (cached)
		return 0;
	index_key(id, key);
	int rc = row_get(s, str_of(key, sizeof key), &value);
	if (rc < 0)
		return rc;
	if (index_value_parse(buf_str(&value), ret) < 0)
		return -EIO;
	pthread_mutex_lock(&s->lock);
	/* Only when the committer has changed nothing meanwhile is this surely the
	 * present entry. */
	if (generation == s->generation)
		index_cache_put(s->cache, id, ret);
	pthread_mutex_unlock(&s->lock);
	return 0;
}

int store_lookup(struct store *s, const struct object_id *id, struct object_entry *ret)
{
	struct index_entry e;
	int rc = entry_get(s, id, &e);

	if (rc == 0)
		*ret = e.e;
	return rc;
}
