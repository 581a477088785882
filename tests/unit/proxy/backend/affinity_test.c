/* Preferred regions and zones. */
#include "proxy/backend/affinity.h"

#include <setjmp.h>
#include <cmocka.h>

__attribute__((noinline)) static unsigned of(const struct affinity *a, unsigned region,
					     unsigned zone)
{
	const struct ring_dev dev = { .region = region, .zone = zone };

	return affinity_of(a, &dev);
}

static void the_lowest_number_that_matches(void **state)
{
	struct affinity a;

	(void)state;
	assert_int_equal(affinity_parse(S("r1z1=100, r1=200,r2z3=50"), true, &a, NULL), 0);
	assert_int_equal(a.n, 3);
	assert_int_equal(of(&a, 1, 1), 100);
	assert_int_equal(of(&a, 1, 2), 200);
	assert_int_equal(of(&a, 2, 3), 50);
	assert_int_equal(of(&a, 2, 1), UINT_MAX);
	assert_int_equal(of(&a, 3, 3), UINT_MAX);
}

static void for_writing_there_are_no_numbers(void **state)
{
	struct affinity a;

	(void)state;
	assert_int_equal(affinity_parse(S("r1, r2z1"), false, &a, NULL), 0);
	assert_int_equal(of(&a, 1, 7), 0);
	assert_int_equal(of(&a, 2, 1), 0);
	assert_int_equal(of(&a, 2, 2), UINT_MAX);
}

static void none(void **state)
{
	struct affinity a;

	(void)state;
	assert_int_equal(affinity_parse(STR_NONE, true, &a, NULL), 0);
	assert_int_equal(a.n, 0);
	assert_int_equal(affinity_parse(S(" , "), false, &a, NULL), 0);
	assert_int_equal(a.n, 0);
}

static void what_is_not_a_rule(void **state)
{
	static const char *const bad[] = { "r1",   "z1=1",  "r=1", "r1z=1",  "r1z1x=1",
					   "r1=x", "r1=-1", "1=1", "r1=1=1", "r99999999=1" };
	struct affinity a;
	struct fault why;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(affinity_parse(str_from(bad[i]), true, &a, &why), -EINVAL);
		assert_non_null(strstr(why.text, "r1z2=100"));
	}
	assert_int_equal(affinity_parse(S("r1=1"), false, &a, &why), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_lowest_number_that_matches),
		cmocka_unit_test(for_writing_there_are_no_numbers),
		cmocka_unit_test(none),
		cmocka_unit_test(what_is_not_a_rule),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
