/* Writes and reads listing rows as bytes. */
#include "objectd/updater/row_wire.h"

enum { FLAG_DELETED = 1, FLAG_AUTO_CREATE = 2, FLAGS_KNOWN = 3 };

static void add_u32(struct buf *b, uint32_t v)
{
	unsigned char p[4] = { (unsigned char)v, (unsigned char)(v >> 8), (unsigned char)(v >> 16),
			       (unsigned char)(v >> 24) };

	buf_add(b, p, sizeof p);
}

static void add_u64(struct buf *b, uint64_t v)
{
	add_u32(b, (uint32_t)v);
	add_u32(b, (uint32_t)(v >> 32));
}

static void add_ts(struct buf *b, struct timestamp ts)
{
	add_u64(b, ts.t);
	add_u64(b, ts.offset);
}

static void add_text(struct buf *b, struct str s)
{
	add_u32(b, (uint32_t)s.n);
	buf_add_str(b, s);
}

void row_write(struct buf *b, const struct container_row_update *row)
{
	add_u32(b, (row->deleted ? FLAG_DELETED : 0) | (row->auto_create ? FLAG_AUTO_CREATE : 0));
	add_u32(b, row->partition);
	add_u32(b, row->policy_index);
	add_ts(b, row->ts);
	add_ts(b, row->content_type_ts);
	add_ts(b, row->meta_ts);
	add_u64(b, row->size);
	add_text(b, row->account);
	add_text(b, row->container);
	add_text(b, row->object);
	add_text(b, row->content_type);
	add_text(b, row->etag);
}

/* Reads on although bytes are missing; `bad` is looked at once at the end. */
struct reader {
	struct str rest;
	bool bad;
};

static uint32_t get_u32(struct reader *r)
{
	const unsigned char *p = (const unsigned char *)r->rest.p;

	if (r->rest.n < 4) {
		r->bad = true;
		return 0;
	}
	r->rest = str_skip(r->rest, 4);
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint64_t get_u64(struct reader *r)
{
	uint64_t low = get_u32(r);

	return low | (uint64_t)get_u32(r) << 32;
}

static struct timestamp get_ts(struct reader *r)
{
	struct timestamp ts;

	ts.t = get_u64(r);
	ts.offset = get_u64(r);
	return ts;
}

static struct str get_text(struct reader *r)
{
	uint32_t n = get_u32(r);
	struct str s;

	if (n > ROW_BYTES_MAX || n > r->rest.n) {
		r->bad = true;
		return S("");
	}
	s = str_head(r->rest, n);
	r->rest = str_skip(r->rest, n);
	return s;
}

int row_read(struct str *rest, struct container_row_update *ret)
{
	struct reader r = { .rest = *rest };
	struct container_row_update row = { 0 };
	uint32_t flags = get_u32(&r);

	row.deleted = flags & FLAG_DELETED;
	row.auto_create = flags & FLAG_AUTO_CREATE;
	row.partition = get_u32(&r);
	row.policy_index = get_u32(&r);
	row.ts = get_ts(&r);
	row.content_type_ts = get_ts(&r);
	row.meta_ts = get_ts(&r);
	row.size = get_u64(&r);
	row.account = get_text(&r);
	row.container = get_text(&r);
	row.object = get_text(&r);
	row.content_type = get_text(&r);
	row.etag = get_text(&r);
	if (r.bad || (flags & ~(uint32_t)FLAGS_KNOWN) || !timestamp_is_set(row.ts))
		return -EBADMSG;
	if (row.account.n == 0 || row.container.n == 0 || row.object.n == 0)
		return -EBADMSG;
	*rest = r.rest;
	*ret = row;
	return 0;
}

int rows_read(struct arena *a, struct str bytes, struct container_row_update **ret)
{
	unsigned n = 0, cap = 64;
	struct container_row_update *rows = arena_alloc(a, cap * sizeof *rows);

	while (bytes.n) {
		if (n == ROWS_MAX)
			return -EFBIG;
		if (n == cap) {
			struct container_row_update *more = arena_alloc(a, 2 * cap * sizeof *rows);

			memcpy(more, rows, n * sizeof *rows);
			rows = more;
			cap *= 2;
		}
		int rc = row_read(&bytes, &rows[n]);

		if (rc < 0)
			return rc;
		n++;
	}
	*ret = rows;
	return (int)n;
}

struct container_row_update row_copy(struct arena *a, const struct container_row_update *row)
{
	struct container_row_update copy = *row;

	copy.account = arena_str(a, row->account);
	copy.container = arena_str(a, row->container);
	copy.object = arena_str(a, row->object);
	copy.content_type = arena_str(a, row->content_type);
	copy.etag = arena_str(a, row->etag);
	return copy;
}
