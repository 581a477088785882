/* Row updates: each becomes a row's value and a change of its container; changes of one container
 * share a commit. */
#include "objectd/container/container_server.h"

bool container_autocreates(struct str account, struct str header)
{
	if (header.n)
		return str_is_true(header);
	/* Shards are made by a sharder, never by a row that comes by. */
	return db_account_is_hidden(account) && !str_starts(account, S(".shards_"));
}

/* Bytes that are no text would make the whole listing unreadable. */
static struct str as_text(struct arena *a, struct str s)
{
	if (str_is_utf8(s))
		return s;
	char *p = arena_cstr(a, s);

	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)p[i] >= 0x80)
			p[i] = '?';
	return str_of(p, s.n);
}

static bool is_sound(const struct container_row_update *u)
{
	return u->account.n && u->container.n && u->object.n && u->object.n <= ROW_NAME_MAX &&
	       str_is_utf8(u->object) && u->content_type.n <= ROW_TEXT_MAX &&
	       u->etag.n <= ROW_TEXT_MAX && timestamp_is_set(u->ts);
}

/* The encoded row. Without timestamps of its own the content type is as old as the data, and the
 * metadata as the content type. */
static struct str encode(struct arena *a, const struct container_row_update *u)
{
	CLEANUP(buf_done) struct buf type = BUF(2 * ROW_TEXT_MAX), value = BUF(ROW_VALUE_MAX);
	struct row r = { .policy = u->policy_index, .deleted = u->deleted, .data_ts = u->ts,
			 .ctype_ts = u->ts, .size = u->size };

	if (timestamp_is_set(u->content_type_ts))
		r.ctype_ts = u->content_type_ts;
	r.meta_ts = timestamp_is_set(u->meta_ts) ? u->meta_ts : r.ctype_ts;
	row_split_content_type(as_text(a, u->content_type), &type, &r.swift_bytes);
	r.content_type = buf_str(&type);
	row_etag_set(&r.etag, as_text(a, u->etag));
	row_normalise(&r);
	row_encode(&value, &r);
	assert(!buf_failed(&type) && !buf_failed(&value));
	return arena_str(a, buf_str(&value));
}

struct row_change {
	struct db_change change;
	struct db_item item;
	const struct container_row_update *update;
	bool started;
};

static int apply_row(struct db_batch *b, struct db_change *c)
{
	const struct row_change *rc = c->arg;
	const struct container_row_update *u = rc->update;

	if (!db_batch_info(b)->exists) {
		if (!u->auto_create)
			return -ENOENT;
		db_info_create(db_batch_info(b), u->account, u->container, u->ts, u->policy_index);
		db_batch_touch(b);
	}
	db_batch_merge(b, rc->item.name, rc->item.value);
	return 0;
}

int container_apply_rows(struct objectd *o, const struct container_row_update *rows, unsigned n,
			 int *ret_status)
{
	AUTO(arena) a = arena_new();
	struct row_change *changes = arena_zalloc(a, (n + 1) * sizeof *changes);
	struct db_id id = { .kind = DB_CONTAINER };
	int error = 0;

	for (unsigned i = 0; i < n; i++) {
		const struct container_row_update *u = &rows[i];
		struct row_change *rc = &changes[i];

		if (!is_sound(u))
			continue;
		if (i == 0 || !str_eq(u->container, u[-1].container) ||
		    !str_eq(u->account, u[-1].account))
			id = db_id_of(o->cluster->hash_prefix, o->cluster->hash_suffix, u->account,
				      u->container);
		rc->item = (struct db_item){ u->object, encode(a, u) };
		rc->update = u;
		rc->change = (struct db_change){ .apply = apply_row, .arg = rc, .items = &rc->item,
						 .item_n = 1 };
		rc->started = true;
		db_change_start(o->dbs, &id, &rc->change);
	}
	for (unsigned i = 0; i < n; i++) {
		int rc = changes[i].started ? db_change_end(&changes[i].change) : -EINVAL;

		if (rc == 0)
			ret_status[i] = rows[i].deleted ? 204 : 201;
		else
			ret_status[i] = rc == -ENOENT ? 404 : rc == -EINVAL ? 400 : 507;
		if (rc < 0 && rc != -ENOENT && rc != -EINVAL)
			error = rc;
	}
	return error;
}
