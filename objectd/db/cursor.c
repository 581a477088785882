/* Walks all rows of a database in name order: those that are listed and those that are
 * deletions. */
#include "objectd/db/internal.h"

void db_cursor_open(struct db_cursor *c, struct kv *kv, const struct db_id *id, struct str from)
{
	CLEANUP(buf_done) struct buf key = BUF(64);

	db_key(&key, id, 'r', STR_NONE);
	memcpy(c->head, key.p, DB_KEY_HEAD);
	c->rows = kv_iter_new(kv);
	c->dead = kv_iter_new(kv);
	db_cursor_seek(c, from);
}

void db_cursor_seek(struct db_cursor *c, struct str from)
{
	CLEANUP(buf_done) struct buf key = BUF(SIZE_MAX / 2);

	buf_add(&key, c->head, DB_KEY_HEAD);
	buf_add_str(&key, from);
	kv_iter_seek(c->rows, buf_str(&key));
	key.p[DB_KEY_HEAD - 1] = 't';
	kv_iter_seek(c->dead, buf_str(&key));
	c->on_dead = false;
}

void db_cursor_close(struct db_cursor *c)
{
	kv_iter_free(c->rows);
	kv_iter_free(c->dead);
}

/* The name under an iterator, absent behind the last row of its part. */
static struct str name_at(const struct db_cursor *c, const struct kv_iter *it, char part)
{
	if (!kv_iter_valid(it))
		return STR_NONE;
	struct str key = kv_iter_key(it);

	if (key.n < DB_KEY_HEAD || memcmp(key.p, c->head, DB_KEY_HEAD - 1) ||
	    key.p[DB_KEY_HEAD - 1] != part)
		return STR_NONE;
	return str_skip(key, DB_KEY_HEAD);
}

bool db_cursor_get(struct db_cursor *c, struct str *ret_name, struct str *ret_value)
{
	struct str live = name_at(c, c->rows, 'r'), dead = name_at(c, c->dead, 't');

	if (!live.p && !dead.p)
		return false;
	c->on_dead = !live.p || (dead.p && str_cmp(dead, live) < 0);
	*ret_name = c->on_dead ? dead : live;
	*ret_value = kv_iter_value(c->on_dead ? c->dead : c->rows);
	return true;
}

void db_cursor_next(struct db_cursor *c)
{
	kv_iter_next(c->on_dead ? c->dead : c->rows);
}

int db_cursor_error(const struct db_cursor *c)
{
	int rc = kv_iter_error(c->rows);

	return rc < 0 ? rc : kv_iter_error(c->dead);
}

/* ---- a page of rows ---- */

struct page_job {
	struct kv *kv;
	const struct db_id *id;
	struct str after;
	struct arena *arena;
	struct db_item *ret;
	unsigned max, n;
	int rc;
};

static void read_page(void *arg)
{
	struct page_job *j = arg;
	struct db_cursor c;
	struct str name, value;

	db_cursor_open(&c, j->kv, j->id, j->after);
	for (; j->n < j->max && db_cursor_get(&c, &name, &value); db_cursor_next(&c)) {
		if (j->after.p && str_eq(name, j->after))
			continue;
		j->ret[j->n++] = (struct db_item){ arena_str(j->arena, name),
						   arena_str(j->arena, value) };
	}
	j->rc = db_cursor_error(&c);
	db_cursor_close(&c);
}

int db_rows(struct dbs *dbs, const struct db_id *id, struct str after, unsigned max,
	    struct arena *a, struct db_item *ret, unsigned *ret_n)
{
	struct page_job j = { .kv = store_kv(dbs->store), .id = id, .after = after, .arena = a,
			      .ret = ret, .max = max };

	task_run_blocking("rows", read_page, &j);
	*ret_n = j.n;
	return j.rc < 0 ? j.rc : j.n == max;
}

int db_row(struct dbs *dbs, const struct db_id *id, struct str name, struct buf *ret)
{
	CLEANUP(buf_done) struct buf key = BUF(SIZE_MAX / 2);
	int rc;

	db_key(&key, id, 'r', name);
	rc = store_get(dbs->store, buf_str(&key), ret);
	if (rc != -ENOENT)
		return rc;
	key.p[DB_KEY_HEAD - 1] = 't';
	return store_get(dbs->store, buf_str(&key), ret);
}
