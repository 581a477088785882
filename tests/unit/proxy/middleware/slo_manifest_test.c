/* Manifests: the arithmetic of segments, the ETag, its JSON forms, and hostile texts. */
#include "tests/unit/cmocka.h"
#include "lib/crypto/digest.h"
#include "proxy/middleware/slo_manifest.h"

static const char stored[] =
	"[{\"name\": \"/c/a\", \"bytes\": 10, \"hash\": \"aa\", \"content_type\": \"t/t\"},"
	" {\"name\": \"/c/b\", \"bytes\": 100, \"hash\": \"bb\", \"range\": \"20-29\"},"
	" {\"data\": \"aGVsbG8=\"},"
	" {\"name\": \"/c/s\", \"bytes\": \"7\", \"hash\": \"cc\", \"sub_slo\": true},"
	" {\"name\": \"/c/e\", \"bytes\": 0, \"hash\": \"ee\"}]";

static struct slo_manifest *parse(const char *json)
{
	struct slo_manifest *m = NULL;

	assert_int_equal(slo_manifest_parse(str_from(json), &m), 0);
	return m;
}

/* Bytes before the segment with this index. */
static uint64_t offset_of(const struct slo_manifest *m, unsigned index)
{
	uint64_t offset = 0;

	for (unsigned i = 0; i < index; i++)
		offset += m->v[i].length;
	return offset;
}

static void reads(void **state)
{
	AUTO(slo_manifest) m = parse(stored);
	uint64_t size;

	(void)state;
	assert_int_equal(m->n, 5);
	assert_int_equal(slo_manifest_size(m, &size), 0);
	assert_int_equal(size, 32);
	assert_int_equal(m->v[1].first, 20);
	assert_int_equal(m->v[1].length, 10);
	assert_true(m->v[1].ranged && !m->v[0].ranged);
	assert_true(str_eq(m->v[2].data, S("hello")));
	assert_true(m->v[3].sub_slo && m->v[3].bytes == 7);
	assert_int_equal(offset_of(m, 3), 25);
}

/* The reader gives the same segments, whatever pieces the text comes in and wherever it begins. */
static void reads_pieces(void **state)
{
	AUTO(slo_manifest) m = parse(stored);
	uint64_t from[6] = { 0 };

	(void)state;
	for (size_t piece = 1; piece < sizeof stored; piece++)
		for (unsigned begin = 0; begin < m->n; begin++) {
			AUTO(arena) a = arena_new();
			CLEANUP(slo_reader_done) struct slo_reader r;
			struct str text = str_skip(str_from(stored), from[begin]), bytes;
			unsigned n = begin;

			slo_reader_init(&r, from[begin]);
			while (text.n) {
				struct slo_segment s;
				int rc;

				bytes = str_head(text, piece);
				text = str_skip(text, bytes.n);
				while ((rc = slo_reader_next(&r, &bytes, n % 2 ? a : NULL, &s)) >
				       0) {
					assert_true(str_eq(s.name, m->v[n].name));
					assert_true(str_eq(s.hash, m->v[n].hash));
					assert_true(str_eq(s.data, m->v[n].data));
					assert_int_equal(s.first, m->v[n].first);
					assert_int_equal(s.length, m->v[n].length);
					from[++n] = r.offset;
				}
				assert_int_equal(rc, 0);
				assert_int_equal(bytes.n, 0);
			}
			assert_int_equal(n, m->n);
			assert_true(r.ended);
			assert_int_equal(r.offset, sizeof stored - 1);
		}
}

static int read_pieces(struct str text, size_t piece)
{
	CLEANUP(slo_reader_done) struct slo_reader r;
	struct slo_segment s;
	int rc = 0;

	slo_reader_init(&r, 0);
	while (rc >= 0 && text.n) {
		struct str bytes = str_head(text, piece);

		text = str_skip(text, bytes.n);
		while ((rc = slo_reader_next(&r, &bytes, NULL, &s)) > 0)
			;
	}
	return rc < 0 ? rc : r.ended ? 0 : -EPIPE;
}

static void refuses_pieces(void **state)
{
	CLEANUP(buf_done) struct buf deep = BUF(MIB);

	(void)state;
	assert_int_equal(read_pieces(S(" [ ] \n"), 1), 0);
	assert_int_equal(read_pieces(S("[{\"data\": \"aGk=\"}"), 3), -EPIPE);
	assert_int_equal(read_pieces(S("{}"), 3), -EBADMSG);
	assert_int_equal(read_pieces(S("[1]"), 3), -EBADMSG);
	assert_int_equal(read_pieces(S("[{}]"), 3), -EBADMSG);
	assert_int_equal(read_pieces(S("[]]"), 3), -EBADMSG);
	assert_int_equal(read_pieces(S("[],"), 3), -EBADMSG);
	assert_int_equal(read_pieces(S("[{\"name\": \"/c/o\"}]"), 3), -EBADMSG);
	/* Not plain, so read by the library. */
	assert_int_equal(read_pieces(S("[{\"name\": \"/c/\\u00e4\", \"bytes\": 1, \"x\": "
				       "{\"}\": [1]}, \"hash\": \"e\"}]"), 1), 0);
	buf_add_lit(&deep, "[");
	for (unsigned i = 0; i < 1000; i++)
		buf_add_lit(&deep, "{\"a\": [");
	assert_int_equal(read_pieces(buf_str(&deep), 100), -EBADMSG);
}

static void makes_the_etag(void **state)
{
	AUTO(slo_manifest) m = parse(stored);
	CLEANUP(slo_sum_done) struct slo_sum sum;
	char etag[MD5_HEX_SIZE], want[MD5_HEX_SIZE];

	(void)state;
	/* 5d41… is the MD5 of "hello". */
	md5_hex(S("aabb:20-29;5d41402abc4b2a76b9719d911017c592ccee"), want);
	slo_sum_init(&sum, 2);
	for (unsigned i = 0; i < m->n; i++)
		assert_int_equal(slo_sum_add(&sum, &m->v[i]), 0);
	slo_sum_etag(&sum, etag);
	assert_string_equal(etag, want);
	assert_int_equal(sum.size, 32);
	assert_int_equal(sum.n, 5);
	assert_int_equal(sum.part_first, 10);
	assert_int_equal(sum.part_length, 10);
}

/* Every run of bytes is made of exactly the segments' bytes, counted one by one. */
static void walks(void **state)
{
	AUTO(slo_manifest) m = parse(stored);

	(void)state;
	for (uint64_t first = 0; first < 32; first++)
		for (uint64_t length = 1; first + length <= 32; length++) {
			struct slo_walk w = { .m = m, .skip = first, .left = length };
			uint64_t at = first, seg_first, seg_length;
			const struct slo_segment *s;

			while (slo_walk_next(&w, &s, &seg_first, &seg_length) > 0) {
				uint64_t offset = offset_of(m, (unsigned)(s - m->v));

				assert_true(seg_length > 0);
				assert_int_equal(offset + seg_first - s->first, at);
				assert_true(seg_first + seg_length <= s->first + s->length);
				at += seg_length;
			}
			assert_int_equal(at, first + length);
		}
}

static void ends_early(void **state)
{
	AUTO(slo_manifest) m = parse(stored);
	struct slo_walk w = { .m = m, .skip = 30, .left = 3 };
	const struct slo_segment *s;
	uint64_t first, length;

	(void)state;
	assert_int_equal(slo_walk_next(&w, &s, &first, &length), 1);
	assert_int_equal(length, 2);
	assert_int_equal(slo_walk_next(&w, &s, &first, &length), -EIO);
}

static void writes_raw(void **state)
{
	AUTO(slo_manifest) m = parse(stored);
	CLEANUP(buf_done) struct buf b = BUF(4096);

	(void)state;
	slo_manifest_raw(m, &b);
	assert_string_equal(b.p, "[{\"etag\": \"aa\", \"path\": \"/c/a\", \"size_bytes\": 10}, "
				 "{\"etag\": \"bb\", \"path\": \"/c/b\", \"range\": \"20-29\", "
				 "\"size_bytes\": 100}, "
				 "{\"data\": \"aGVsbG8=\"}, "
				 "{\"etag\": \"cc\", \"path\": \"/c/s\", \"size_bytes\": 7}, "
				 "{\"etag\": \"ee\", \"path\": \"/c/e\", \"size_bytes\": 0}]");
}

static void refuses_stored(void **state)
{
	static const char *const broken[] = {
		"",
		"{}",
		"[1]",
		"[{}]",
		"[{\"name\": \"/c/o\"}]",
		"[{\"data\": \"\"}]",
		"[{\"data\": 3}]",
		"[{\"name\": \"/c/o\", \"bytes\": -1, \"hash\": \"\"}]",
		"[{\"name\": \"/c/o\", \"bytes\": 5, \"hash\": \"\", \"range\": \"0-5\"}]",
		"[{\"name\": \"/c/o\", \"bytes\": 5, \"hash\": \"\", \"range\": \"3-2\"}]",
		("[{\"name\": \"/c/o\", \"bytes\": 9223372036854775807, \"hash\": \"\"},"
		 " {\"name\": \"/c/o\", \"bytes\": 1, \"hash\": \"\"}]"),
	};
	struct slo_manifest *m = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(broken); i++)
		assert_int_equal(slo_manifest_parse(str_from(broken[i]), &m), -EBADMSG);
}

static void too_complex(void **state)
{
	CLEANUP(buf_done) struct buf b = BUF(8 * MIB);
	struct slo_manifest *m = NULL;

	(void)state;
	for (unsigned i = 0; i < 4 * MIB; i++)
		buf_add_char(&b, '[');
	assert_int_equal(slo_manifest_parse(buf_str(&b), &m), -EBADMSG);
	buf_clear(&b);
	for (unsigned i = 0; i < MIB; i++)
		buf_add_lit(&b, "[{},");
	assert_int_equal(slo_manifest_parse(buf_str(&b), &m), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads),       cmocka_unit_test(makes_the_etag),
		cmocka_unit_test(walks),       cmocka_unit_test(ends_early),
		cmocka_unit_test(writes_raw),  cmocka_unit_test(refuses_stored),
		cmocka_unit_test(too_complex), cmocka_unit_test(reads_pieces),
		cmocka_unit_test(refuses_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
