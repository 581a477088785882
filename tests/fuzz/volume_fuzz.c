/* Volumes, records, rows, metadata and index values as a broken disk may return them: nothing is
 * read beyond its end, what is accepted is written back as the same bytes, and a scan comes to an
 * end. */
#include "objectd/store/internal.h"
#include "lib/crypto/digest.h"

#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_rows(struct str rows)
{
	struct str rest = rows, key, value;
	CLEANUP(buf_done) struct buf again = BUF(RECORD_ROWS_MAX);
	int rc;

	while ((rc = rows_next(&rest, &key, &value)) > 0) {
		char *p = buf_reserve(&again, rows_change_size(key, value));

		if (p)
			again.n += (size_t)(rows_change_write(p, key, value) - p);
	}
	/* Lengths may come in longer forms than ours, so only the shortest are the same again. */
	if (rc == 0 && again.n == rows.n)
		assert(str_eq(buf_str(&again), rows));
}

static void try_meta(struct str meta)
{
	CLEANUP(buf_done) struct buf once = BUF(RECORD_META_MAX), twice = BUF(RECORD_META_MAX);
	AUTO(arena) a = arena_new();
	struct headers h, h2;

	headers_init(&h, a);
	if (meta_decode(meta, &h) < 0)
		return;
	meta_encode(&h, &once);
	if (buf_failed(&once))
		return;
	headers_init(&h2, a);
	assert(meta_decode(buf_str(&once), &h2) == 0 && h2.n == h.n);
	meta_encode(&h2, &twice);
	assert(str_eq(buf_str(&once), buf_str(&twice)));
}

static void try_index(struct str value)
{
	struct index_entry e, again;
	char bytes[INDEX_VALUE_MAX];
	struct object_id id;
	int64_t at;

	if (index_value_parse(value, &e) == 0) {
		size_t n = index_value(&e, bytes);

		assert(index_value_parse(str_of(bytes, n), &again) == 0);
		assert(location_cmp(&e.data, &again.data) == 0 && e.e.size == again.e.size);
	}
	if (index_key_parse(value, &id) == 0) {
		index_key(&id, bytes);
		assert(memcmp(bytes, value.p, value.n) == 0);
	}
	if (expiry_key_parse('x', value, &at, &id) == 0 && at >= 0) {
		expiry_key('x', at, &id, bytes);
		assert(memcmp(bytes, value.p, value.n) == 0);
	}
}

/* Gives each record that could begin somewhere the right CRC, so that the parser gets beyond it. */
static void mend(char *p, size_t n, uint32_t salt)
{
	for (size_t at = VOLUME_HEADER; at + RECORD_FIXED <= n;) {
		struct record r;

		if (record_measure_bytes(p + at, RECORD_FIXED, &r) < 0 || at + r.len > n) {
			at += RECORD_ALIGN;
			continue;
		}
		uint64_t batch = 0;
		memcpy(&batch, p + at + 16, 6);
		r.at = at;
		r.batch = batch;
		r.batch_at = at - MIN(at, (size_t)(get_u32(p + at + 24) % 16) * RECORD_ALIGN);
		record_seal(p + at, &r, salt);
		at += r.len;
	}
}

static void use_record(struct scan *c, struct record *r)
{
	assert(r->at + r->len <= c->size && r->at % RECORD_ALIGN == 0);
	struct str rows = r->rows, meta = r->meta;

	try_rows(rows);
	try_meta(meta);
	/* Written again from its fields, it is the same record. */
	struct record copy = *r;
	CLEANUP(auto_chars_end) char *head = xmalloc(r->head_len + 64);
	record_measure(&copy);
	if (copy.head_len == r->head_len) {
		record_write(&copy, NULL, head);
		record_seal(head, r, c->salt);
		struct record again;
		assert(record_parse(head, copy.head_len, c->salt, r->at, &again) == 0);
		assert(again.size == r->size && timestamp_cmp(again.ts, r->ts) == 0);
	}
	(void)(scan_verify(c, r) == 0);
}

/* As opening the store does it, until the end of what may be a volume. */
static void try_volume(const char *bytes, size_t n, bool whole)
{
	struct scan c = {
		.fd = memfd_create("volume", MFD_CLOEXEC), .id = 1, .size = n, .at = VOLUME_HEADER
	};
	uint64_t batch_at, rounds = 0;
	struct record r;

	if (c.fd < 0 || file_write_at(c.fd, bytes, n, 0) < 0) {
		scan_close(&c);
		return;
	}
	c.salt = whole ? 0 : 12345;
	for (;;) {
		uint64_t at = c.at;
		int rc = scan_next(&c, &r);

		rounds++;
		assert(rounds <= n + 1);
		if (rc == 1) {
			use_record(&c, &r);
			continue;
		}
		c.at = at;
		if (rc == 0 || scan_resync(&c, 0, 0, &batch_at) < 0)
			break;
		assert(c.at > at);
	}
	scan_close(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str s = str_of((const char *)data, size);
	struct volume_header h;

	if (size > MIB)
		return 0;
	try_rows(s);
	try_meta(s);
	try_index(s);
	if (size < VOLUME_HEADER)
		return 0;
	if (volume_header_parse(s.p, &h) == 0)
		assert(h.salt == get_u32(s.p + 20));
	CLEANUP(auto_chars_end) char *bytes = xmemdupz(data, size);
	try_volume(bytes, size, true);
	mend(bytes, size, 12345);
	try_volume(bytes, size, false);
	return 0;
}
