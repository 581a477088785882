/* The record: from bytes to fields and back. */
#include "objectd/store/record.h"
#include "lib/crypto/digest.h"

enum {
	RECORD_MAGIC = 0x3152544e, /* "NTR1" */
	FORMAT = 1,
	/* Fields that most records do not need: a flag each, and eight bytes when it is set. */
	HAS_OFFSET = 1,
	HAS_DELETE_AT = 2,
	HAS_SIZE = 4,
	HAS_AUX0 = 8,
	HAS_AUX1 = 16,
	HAS_ALL = 31,
	BATCH_BYTES = 6,
	/* Places in the fixed part. */
	AT_CRC = 4,
	AT_KIND = 8,
	AT_FLAGS = 9,
	AT_POLICY = 10,
	AT_PLACE = 12,
	AT_BATCH = 16,
	AT_NAME = 22,
	AT_INTO = 24,
	AT_META = 28,
	AT_ROWS = 32,
	AT_DATA = 36,
	AT_TS = 40,
	AT_HASH = 48,
};

static const char volume_magic[8] = "NTVOLUME";

static uint64_t align(uint64_t n)
{
	return (n + RECORD_ALIGN - 1) & ~(uint64_t)(RECORD_ALIGN - 1);
}

size_t varint_size(uint64_t v)
{
	size_t n = 1;

	for (; v >= 0x80; v >>= 7)
		n++;
	return n;
}

char *varint_write(char *to, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		*to++ = (char)(v | 0x80);
	*to++ = (char)v;
	return to;
}

int varint_read(struct str *rest, uint64_t *ret)
{
	uint64_t v = 0;

	for (size_t i = 0; i < rest->n && i < VARINT_MAX; i++) {
		unsigned char c = (unsigned char)rest->p[i];

		if (i == VARINT_MAX - 1 && c > 1)
			return -EBADMSG;
		v |= (uint64_t)(c & 0x7f) << (7 * i);
		if (c < 0x80) {
			*rest = str_skip(*rest, i + 1);
			*ret = v;
			return 0;
		}
	}
	return -EBADMSG;
}

static unsigned flags_of(const struct record *r)
{
	return (r->ts.offset ? HAS_OFFSET : 0) | (r->delete_at ? HAS_DELETE_AT : 0) |
	       (r->size != r->data_len ? HAS_SIZE : 0) | (r->aux[0] ? HAS_AUX0 : 0) |
	       (r->aux[1] ? HAS_AUX1 : 0);
}

static void measure(struct record *r, unsigned flags)
{
	r->head_len =
		(uint32_t)align(RECORD_FIXED + 8U * (unsigned)__builtin_popcount(flags) +
				r->name.n + r->meta.n + r->rows.n + 4 * record_blocks(r->data_len));
	r->len = (uint32_t)(r->head_len + align(r->data_len));
}

void record_measure(struct record *r)
{
	assert(r->name.n <= RECORD_NAME_MAX && r->meta.n <= RECORD_META_MAX &&
	       r->rows.n <= RECORD_ROWS_MAX && r->data_len <= RECORD_DATA_MAX);
	measure(r, flags_of(r));
}

static char *put_word(char *p, bool set, uint64_t v)
{
	if (!set)
		return p;
	put_u64(p, v);
	return p + 8;
}

static char *put_bytes(char *p, struct str s)
{
	if (s.n)
		memcpy(p, s.p, s.n);
	return p + s.n;
}

void record_write(const struct record *r, const void *data, char *head)
{
	unsigned flags = flags_of(r);
	size_t blocks = record_blocks(r->data_len);
	char *p = head + RECORD_FIXED;

	memset(head, 0, RECORD_FIXED);
	put_u32(head, RECORD_MAGIC);
	head[AT_KIND] = (char)r->kind;
	head[AT_FLAGS] = (char)flags;
	put_u16(head + AT_POLICY, r->policy);
	put_u16(head + AT_NAME, (uint16_t)r->name.n);
	put_u32(head + AT_META, (uint32_t)r->meta.n);
	put_u32(head + AT_ROWS, (uint32_t)r->rows.n);
	put_u32(head + AT_DATA, r->data_len);
	put_u64(head + AT_TS, r->ts.t);
	memcpy(head + AT_HASH, r->hash, 16);
	p = put_word(p, flags & HAS_OFFSET, r->ts.offset);
	p = put_word(p, flags & HAS_DELETE_AT, (uint64_t)r->delete_at);
	p = put_word(p, flags & HAS_SIZE, r->size);
	p = put_word(p, flags & HAS_AUX0, r->aux[0]);
	p = put_word(p, flags & HAS_AUX1, r->aux[1]);
	p = put_bytes(put_bytes(put_bytes(p, r->name), r->meta), r->rows);
	for (size_t i = 0; i < blocks; i++, p += 4) {
		size_t at = i * RECORD_BLOCK;

		if (r->crcs)
			memcpy(p, r->crcs + 4 * i, 4);
		else
			put_u32(p, crc32c(0, (const char *)data + at,
					  MIN(r->data_len - at, (size_t)RECORD_BLOCK)));
	}
	assert(p <= head + r->head_len && head + r->head_len - p < RECORD_ALIGN);
	memset(p, 0, (size_t)(head + r->head_len - p));
}

void record_seal(char *head, const struct record *r, uint32_t salt)
{
	uint32_t head_len = r->head_len;

	assert(r->at % RECORD_ALIGN == 0 && r->at >= r->batch_at && get_u32(head) == RECORD_MAGIC);
	put_u32(head + AT_PLACE, (uint32_t)(r->at / RECORD_ALIGN));
	memcpy(head + AT_BATCH, &r->batch, BATCH_BYTES);
	put_u32(head + AT_INTO, (uint32_t)((r->at - r->batch_at) / RECORD_ALIGN));
	put_u32(head + AT_CRC, crc32c(salt, head + AT_KIND, head_len - AT_KIND));
}

int record_measure_bytes(const void *bytes, size_t n, struct record *ret)
{
	const char *p = bytes;
	struct record r = { 0 };

	assert(n >= RECORD_FIXED);
	unsigned flags = (unsigned char)p[AT_FLAGS];
	r.kind = (enum record_kind)(unsigned char)p[AT_KIND];
	r.name.n = get_u16(p + AT_NAME);
	r.meta.n = get_u32(p + AT_META);
	r.rows.n = get_u32(p + AT_ROWS);
	r.data_len = get_u32(p + AT_DATA);
	if (get_u32(p) != RECORD_MAGIC || r.kind < RECORD_DATA || r.kind >= RECORD_KINDS ||
	    (flags & ~HAS_ALL) || r.name.n > RECORD_NAME_MAX || r.meta.n > RECORD_META_MAX ||
	    r.rows.n > RECORD_ROWS_MAX || r.data_len > RECORD_DATA_MAX)
		return -EBADMSG;
	measure(&r, flags);
	*ret = r;
	return 0;
}

static uint64_t get_word(const char **p, bool set, uint64_t otherwise)
{
	if (!set)
		return otherwise;
	*p += 8;
	return get_u64(*p - 8);
}

static struct str get_bytes(const char **p, size_t n)
{
	*p += n;
	return str_of(*p - n, n);
}

int record_parse(const void *bytes, size_t n, uint32_t salt, uint64_t at, struct record *ret)
{
	const char *head = bytes, *p = head + RECORD_FIXED;
	struct record r;

	if (n < RECORD_FIXED) {
		ret->head_len = RECORD_FIXED;
		return -ENODATA;
	}
	int rc = record_measure_bytes(bytes, n, &r);
	if (rc < 0)
		return rc;
	if (get_u32(head + AT_PLACE) != at / RECORD_ALIGN)
		return -EBADMSG;
	if (n < r.head_len) {
		ret->head_len = r.head_len;
		return -ENODATA;
	}
	if (get_u32(head + AT_CRC) != crc32c(salt, head + AT_KIND, r.head_len - AT_KIND))
		return -EBADMSG;
	unsigned flags = (unsigned char)head[AT_FLAGS];
	r.at = at;
	r.batch = 0;
	memcpy(&r.batch, head + AT_BATCH, BATCH_BYTES);
	r.batch_at = at - MIN(at, (uint64_t)get_u32(head + AT_INTO) * RECORD_ALIGN);
	r.policy = get_u16(head + AT_POLICY);
	r.ts.t = get_u64(head + AT_TS);
	memcpy(r.hash, head + AT_HASH, 16);
	r.ts.offset = get_word(&p, flags & HAS_OFFSET, 0);
	r.delete_at = (int64_t)get_word(&p, flags & HAS_DELETE_AT, 0);
	r.size = get_word(&p, flags & HAS_SIZE, r.data_len);
	r.aux[0] = get_word(&p, flags & HAS_AUX0, 0);
	r.aux[1] = get_word(&p, flags & HAS_AUX1, 0);
	r.name = get_bytes(&p, r.name.n);
	r.meta = get_bytes(&p, r.meta.n);
	r.rows = get_bytes(&p, r.rows.n);
	r.crcs = (const unsigned char *)p;
	*ret = r;
	return 0;
}

bool record_block_ok(const unsigned char *crcs, size_t i, const void *p, size_t n)
{
	return get_u32(crcs + 4 * i) == crc32c(0, p, n);
}

/* A change: length of the key, key, length of the value plus one (0: delete), value. */
int rows_next(struct str *rest, struct str *ret_key, struct str *ret_value)
{
	struct str s = *rest, key;
	uint64_t n;

	if (s.n == 0)
		return 0;
	if (varint_read(&s, &n) < 0 || n > s.n)
		return -EBADMSG;
	key = str_head(s, (size_t)n);
	s = str_skip(s, (size_t)n);
	if (varint_read(&s, &n) < 0 || (n > 0 && n - 1 > s.n))
		return -EBADMSG;
	*ret_key = key;
	*ret_value = n == 0 ? STR_NONE : str_head(s, (size_t)n - 1);
	*rest = n == 0 ? s : str_skip(s, (size_t)n - 1);
	return 1;
}

size_t rows_change_size(struct str key, struct str value)
{
	return varint_size(key.n) + key.n + varint_size(value.p ? value.n + 1 : 0) + value.n;
}

char *rows_change_write(char *to, struct str key, struct str value)
{
	to = put_bytes(varint_write(to, key.n), key);
	return put_bytes(varint_write(to, value.p ? value.n + 1 : 0), value);
}

void volume_header_write(const struct volume_header *h, char to[VOLUME_HEADER])
{
	memset(to, 0, VOLUME_HEADER);
	memcpy(to, volume_magic, 8);
	put_u32(to + 12, FORMAT);
	put_u32(to + 16, h->id);
	put_u32(to + 20, h->salt);
	memcpy(to + 24, h->store, 16);
	put_u32(to + 8, crc32c(0, to + 12, VOLUME_HEADER - 12));
}

int volume_header_parse(const char from[VOLUME_HEADER], struct volume_header *ret)
{
	if (memcmp(from, volume_magic, 8) != 0 ||
	    get_u32(from + 8) != crc32c(0, from + 12, VOLUME_HEADER - 12))
		return -EBADMSG;
	if (get_u32(from + 12) != FORMAT)
		return -EPROTONOSUPPORT;
	ret->id = get_u32(from + 16);
	ret->salt = get_u32(from + 20);
	memcpy(ret->store, from + 24, 16);
	return 0;
}
