/* proxy/middleware/width: a budget, of which everybody gets at least one. */
#include "proxy/middleware/width.h"
#include "tests/unit/cmocka.h"

static void shares(void **state)
{
	unsigned width[100], n = 0, sum = 0;

	(void)state;
	assert_int_equal(width_take(0), 1);
	width_give(1);
	while (n < ARRAY_LEN(width)) {
		width[n] = width_take(8);
		assert_true(width[n] >= 1 && width[n] <= 8);
		sum += width[n++] - 1;
	}
	assert_int_equal(width[0], 8);
	assert_int_equal(width[n - 1], 1);
	assert_int_equal(sum, WIDTH_BUDGET);
	assert_true(width_is_scarce());
	width_give(width[0]);
	assert_false(width_is_scarce());
	assert_int_equal(width_take(100), width[0]);
	while (n > 0)
		width_give(width[--n]);
	assert_int_equal(width_take(1000), 1 + WIDTH_BUDGET);
	width_give(1 + WIDTH_BUDGET);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(shares) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
