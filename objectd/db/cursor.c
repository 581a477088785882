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
