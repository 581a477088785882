/* Objects as bytes between replicators, many of them in one request: each with a length and a CRC
 * of its own, because neither disk nor network is trusted. */
#include "objectd/replicator/internal.h"

#include "lib/crypto/digest.h"

enum { HEAD_SIZE = 8, PAIRS_MAX = 1024 };

static void write_text(struct buf *to, struct str s)
{
	wire_u32(to, (uint32_t)s.n);
	buf_add_str(to, s);
}

static void write_ts(struct buf *to, struct timestamp ts)
{
	wire_u64(to, ts.t);
	wire_u64(to, ts.offset);
}

size_t bulk_begin(struct buf *to, const struct bulk_item *i, uint32_t data_len)
{
	size_t at = to->n;

	wire_u64(to, 0);                /* length and CRC, when they are known */
	buf_add_char(to, (char)i->what);
	wire_u32(to, i->policy);
	write_ts(to, i->data_ts);
	write_ts(to, i->meta_ts);
	write_text(to, i->name);
	wire_u32(to, i->metadata.n);
	for (unsigned k = 0; k < i->metadata.n; k++) {
		write_text(to, i->metadata.v[k].name);
		write_text(to, i->metadata.v[k].value);
	}
	wire_u32(to, data_len);
	return at;
}

void bulk_end(struct buf *to, size_t at)
{
	CLEANUP(buf_done) struct buf head = BUF(HEAD_SIZE);
	size_t n;

	if (buf_failed(to))
		return;
	assert(at + HEAD_SIZE <= to->n);
	n = to->n - at - HEAD_SIZE;
	wire_u32(&head, (uint32_t)n);
	wire_u32(&head, crc32c(0, to->p + at + HEAD_SIZE, n));
	memcpy(to->p + at, head.p, HEAD_SIZE);
}

static int take_text(struct str *rest, struct str *ret)
{
	uint32_t n;

	if (wire_take_u32(rest, &n) < 0 || n > rest->n)
		return -EBADMSG;
	*ret = str_head(*rest, n);
	*rest = str_skip(*rest, n);
	return 0;
}

static int take_ts(struct str *rest, struct timestamp *ret)
{
	return wire_take_u64(rest, &ret->t) < 0 || wire_take_u64(rest, &ret->offset) < 0 ? -EBADMSG
											  : 0;
}

static int take_metadata(struct str *rest, struct headers *to)
{
	uint32_t n;

	if (wire_take_u32(rest, &n) < 0 || n > PAIRS_MAX)
		return -EBADMSG;
	for (uint32_t i = 0; i < n; i++) {
		struct str name, value;

		if (take_text(rest, &name) < 0 || take_text(rest, &value) < 0 ||
		    !header_name_valid(name) || !header_value_valid(value))
			return -EBADMSG;
		headers_add_ref(to, name, value);
	}
	return 0;
}

static bool is_known(int what)
{
	return what == BULK_DATA || what == BULK_METADATA || what == BULK_TOMBSTONE;
}

/* "/a/c/o" */
static bool name_is_whole(struct str name)
{
	struct str rest = name, part;

	if (!str_is_utf8(name) || !str_cut(&rest, '/').p)
		return false;
	part = str_cut(&rest, '/');
	if (part.n == 0)
		return false;
	part = str_cut(&rest, '/');
	return part.n > 0 && rest.n > 0 && name.p[0] == '/';
}

int bulk_take(struct str *rest, struct arena *a, struct bulk_item *ret)
{
	struct bulk_item i = { .what = 0 };
	uint32_t n, crc, policy;
	struct str body;

	if (wire_take_u32(rest, &n) < 0 || wire_take_u32(rest, &crc) < 0 || n > rest->n || n == 0)
		return -EBADMSG;
	body = str_head(*rest, n);
	if (crc32c(0, body.p, body.n) != crc)
		return -EBADMSG;
	*rest = str_skip(*rest, n);
	i.what = (enum bulk_what)body.p[0];
	body = str_skip(body, 1);
	headers_init(&i.metadata, a);
	if (!is_known((int)i.what) || wire_take_u32(&body, &policy) < 0 || policy > UINT16_MAX ||
	    take_ts(&body, &i.data_ts) < 0 || take_ts(&body, &i.meta_ts) < 0 ||
	    take_text(&body, &i.name) < 0 || take_metadata(&body, &i.metadata) < 0 ||
	    take_text(&body, &i.data) < 0 || body.n || !name_is_whole(i.name))
		return -EBADMSG;
	i.policy = (uint16_t)policy;
	*ret = i;
	return 0;
}
