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
	assert_int_equal(slo_manifest_offset(m, 3), 25);
}

static void makes_the_etag(void **state)
{
	AUTO(slo_manifest) m = parse(stored);
	char etag[MD5_HEX_SIZE], want[MD5_HEX_SIZE];

	(void)state;
	/* 5d41… is the MD5 of "hello". */
	md5_hex(S("aabb:20-29;5d41402abc4b2a76b9719d911017c592ccee"), want);
	slo_manifest_etag(m, etag);
	assert_string_equal(etag, want);
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
				uint64_t offset = slo_manifest_offset(m, (unsigned)(s - m->v));

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
		cmocka_unit_test(too_complex),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
