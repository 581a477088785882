/* Range headers against sizes, and multipart bodies, with swob's answers as the expectation. */
#include "lib/swift/range.h"

#include <setjmp.h>
#include <cmocka.h>

static int count(const char *header, uint64_t size)
{
	struct range r[RANGES_MAX];

	return ranges_parse(str_from(header), size, r);
}

static void single_ranges(void **state)
{
	static const struct {
		const char *header;
		uint64_t first, last;
	} good[] = {
		{ "bytes=0-3", 0, 3 },     { "bytes=5-", 5, 9 },          { "bytes=-3", 7, 9 },
		{ "bytes=8-100", 8, 9 },   { "bytes=-100", 0, 9 },        { "BYTES=0-3", 0, 3 },
		{ "bytes = 0 - 3", 0, 3 }, { "bytes=0-99999999999999999999999", 0, 9 },
		{ "bytes=-99999999999999999999999", 0, 9 }, { "bytes=50-60,1-2", 1, 2 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct range r[RANGES_MAX];

		assert_int_equal(ranges_parse(str_from(good[i].header), 10, r), 1);
		assert_int_equal(r[0].first, good[i].first);
		assert_int_equal(r[0].last, good[i].last);
	}
}

static void ignored_ranges(void **state)
{
	static const char *const bad[] = {
		"", "bytes", "bytes=", "bytes=a-b", "bytes=5-3", "lines=0-3", "bytes=-", "bytes=45",
		"bytes=0-3,", "bytes=0-3,x", "bytes=--1", "bytes=1--2", "bytes=1-2-3", "0-3",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(count(bad[i], 10), 0);
		assert_false(range_header_valid(str_from(bad[i])));
	}
	assert_int_equal(ranges_parse(STR_NONE, 10, NULL), 0);
	assert_true(range_header_valid(S("bytes=100-200")));
}

static void unsatisfiable_ranges(void **state)
{
	(void)state;
	assert_int_equal(count("bytes=10-", 10), -ERANGE);
	assert_int_equal(count("bytes=20-30", 10), -ERANGE);
	assert_int_equal(count("bytes=-0", 10), -ERANGE);
	assert_int_equal(count("bytes=0-", 0), -ERANGE);
	assert_int_equal(count("bytes=-5", 0), 0);
	assert_int_equal(count("bytes=99999999999999999999-", 10), -ERANGE);
}

static void many_ranges(void **state)
{
	CLEANUP(buf_done) struct buf b = BUF(4096);

	(void)state;
	assert_int_equal(count("bytes=0-1,4-5", 10), 2);
	/* Three overlapping pairs are too many; identical ranges do not overlap. */
	assert_int_equal(count("bytes=0-5,1-6", 10), 2);
	assert_int_equal(count("bytes=0-5,1-6,2-7", 10), -ERANGE);
	assert_int_equal(count("bytes=0-5,0-5,0-5,0-5", 10), 4);
	/* Eight that are not ascending. */
	assert_int_equal(count("bytes=12-12,10-10,8-8,6-6,4-4,2-2,0-0", 20), 7);
	assert_int_equal(count("bytes=14-14,12-12,10-10,8-8,6-6,4-4,2-2,0-0", 20), -ERANGE);
	buf_add_lit(&b, "bytes=");
	for (unsigned i = 0; i < 50; i++)
		buf_addf(&b, "%s%u-%u", i ? "," : "", 2 * i, 2 * i);
	assert_int_equal(count(b.p, 1000), 50);
	buf_add_lit(&b, ",500-501");
	assert_int_equal(count(b.p, 1000), -ERANGE);
	/* Those beyond the end do not count. */
	assert_int_equal(count(b.p, 100), 50);
}

static struct body *open_bytes(void *arg, uint64_t first, uint64_t last)
{
	static const char text[] = "0123456789";

	return body_bytes(arg, str_of(text + first, (size_t)(last - first + 1)));
}

task_asserted static void multipart(void **state)
{
	AUTO(arena) a = arena_new();
	static const struct range ranges[] = { { 0, 1 }, { 4, 9 } };
	struct body *b =
		ranges_multipart_body(a, ranges, 2, 10, S("text/plain"), S("xyz"), open_bytes, a);
	CLEANUP(buf_done) struct buf all = BUF(4096);
	static const char want[] =
		"--xyz\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-1/10\r\n\r\n"
		"01\r\n--xyz\r\nContent-Type: text/plain\r\n"
		"Content-Range: bytes 4-9/10\r\n\r\n456789\r\n--xyz--";

	(void)state;
	assert_int_equal(b->left, sizeof want - 1);
	assert_int_equal(ranges_multipart_length(ranges, 2, 10, S("text/plain"), S("xyz")),
			 sizeof want - 1);
	assert_int_equal(body_read_all(b, &all), 0);
	body_close(b);
	assert_int_equal(b->left, 0);
	assert_string_equal(all.p, want);
	assert_int_equal(range_boundary(a).n, 32);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(single_ranges), cmocka_unit_test(ignored_ranges),
		cmocka_unit_test(unsatisfiable_ranges), cmocka_unit_test(many_ranges),
		cmocka_unit_test(multipart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
