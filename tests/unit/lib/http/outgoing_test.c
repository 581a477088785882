/* Small things for sending. */
#include "lib/http/internal.h"
#include "lib/base/clock.h"

#include <setjmp.h>
#include <cmocka.h>

static void chunk_lines(void **state)
{
	static const size_t sizes[] = { 1, 15, 16, 4096, 0xabcdef, SIZE_MAX };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		char line[CHUNK_LINE_MAX], want[32];
		size_t n = chunk_line(line, sizes[i]);

		snprintf(want, sizeof want, "%zx\r\n", sizes[i]);
		assert_true(str_eq(str_of(line, n), str_from(want)));
	}
}

static void framing_headers(void **state)
{
	(void)state;
	assert_true(header_is_framing(S("content-length")));
	assert_true(header_is_framing(S("Transfer-Encoding")));
	assert_true(header_is_framing(S("CONNECTION")));
	assert_true(header_is_framing(S("Keep-Alive")));
	assert_false(header_is_framing(S("Content-Type")));
	assert_false(header_is_framing(S("Content-Lengths")));
	assert_false(header_is_framing(S("")));
}

static void date(void **state)
{
	int64_t then, now = clock_wall_s();

	(void)state;
	assert_int_equal(clock_http_date_parse(http_date_now(), &then), 0);
	assert_true(then >= now && then <= now + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chunk_lines),
		cmocka_unit_test(framing_headers),
		cmocka_unit_test(date),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
