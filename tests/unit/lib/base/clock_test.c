/* lib/base/clock: dates as HTTP and Swift write them. */
#include "lib/base/clock.h"

#include <setjmp.h>
#include <cmocka.h>

static void http(void **state)
{
	static const char *const forms[] = { "Sun, 06 Nov 1994 08:49:37 GMT",
					     "Sunday, 06-Nov-94 08:49:37 GMT",
					     "Sun Nov  6 08:49:37 1994" };
	static const char *const bad[] = { "", "yesterday", "Sun, 06 Nov 1994 08:49:37",
					   "784111777", "Sun, 06 Nov 1994 08:49:37 GMT+1" };
	char text[HTTP_DATE_SIZE];
	int64_t s = 0;

	(void)state;
	clock_http_date(784111777, text);
	assert_string_equal(text, forms[0]);
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		assert_int_equal(clock_http_date_parse(str_from(forms[i]), &s), 0);
		assert_int_equal(s, 784111777);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(clock_http_date_parse(str_from(bad[i]), &s), -EINVAL);
	clock_http_date(INT64_MAX, text);
	assert_int_equal(strlen(text), 29);
	clock_http_date(0, text);
	assert_string_equal(text, "Thu, 01 Jan 1970 00:00:00 GMT");
}

static void iso(void **state)
{
	char text[ISO_DATE_SIZE];
	int64_t us = 0;

	(void)state;
	clock_iso_us(1402464677041880, text);
	assert_string_equal(text, "2014-06-11T05:31:17.041880");
	assert_int_equal(clock_iso_parse(str_from(text), &us), 0);
	assert_true(us == 1402464677041880);
	assert_int_equal(clock_iso_parse(S("2014-06-11T05:31:17Z"), &us), 0);
	assert_true(us == 1402464677000000);
	assert_int_equal(clock_iso_parse(S("2014-06-11T05:31:17.5Z"), &us), 0);
	assert_true(us == 1402464677500000);
	assert_int_equal(clock_iso_parse(S("2014-06-11"), &us), -EINVAL);
	assert_int_equal(clock_iso_parse(S("2014-06-11T05:31:17Zx"), &us), -EINVAL);
	assert_int_equal(clock_iso_parse(S(""), &us), -EINVAL);
	clock_iso_us(-1, text);
	assert_string_equal(text, "1970-01-01T00:00:00.000000");
}

static void clocks(void **state)
{
	uint64_t before = clock_mono_ns();

	(void)state;
	assert_true(clock_mono_ns() >= before && clock_mono_ms() >= before / 1000000);
	assert_true(clock_wall_s() > 1700000000 && clock_wall_us() / 1000000 >= clock_wall_s() - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(http), cmocka_unit_test(iso), cmocka_unit_test(clocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
