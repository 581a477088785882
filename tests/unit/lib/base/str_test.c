/* lib/base/str: views, numbers, UTF-8. */
#include "lib/base/base.h"

#include <setjmp.h>
#include <cmocka.h>

static void compare(void **state)
{
	(void)state;
	assert_true(str_eq(S(""), STR_NONE) && !str_eq(S("a"), S("b")) && !str_eq(S("a"), S("ab")));
	assert_true(str_ieq(S("X-Auth-TOKEN"), S("x-auth-token")) && !str_ieq(S("["), S("{")));
	assert_true(str_cmp(S("a"), S("ab")) < 0 && str_cmp(S("b"), S("ab")) > 0);
	assert_true(str_cmp(S("\x7f"), S("\x80")) < 0 && str_cmp(STR_NONE, S("")) == 0);
	assert_true(str_starts(S("abc"), S("ab")) && !str_starts(S("a"), S("ab")));
	assert_true(str_istarts(S("ABC"), S("ab")) && str_ends(S("abc"), S("bc")));
	assert_true(!str_ends(S("c"), S("bc")) && str_starts(STR_NONE, S("")));
	assert_true(str_eq_secret(S("abc"), S("abc")) && !str_eq_secret(S("abc"), S("abd")));
	assert_false(str_eq_secret(S("abc"), S("abcd")));
}

static void search(void **state)
{
	(void)state;
	assert_int_equal(str_chr(S("a/b/c"), '/'), 1);
	assert_int_equal(str_rchr(S("a/b/c"), '/'), 3);
	assert_int_equal(str_chr(STR_NONE, '/'), -1);
	assert_int_equal(str_chr(S("a\0b"), 'b'), 2);
	assert_int_equal(str_find(S("hello"), S("ll")), 2);
	assert_int_equal(str_find(S("hello"), S("")), 0);
	assert_int_equal(str_find(S("he"), S("hello")), -1);
	assert_true(str_eq(str_skip(S("abc"), 9), S("")));
	assert_true(str_eq(str_head(S("abc"), 2), S("ab")));
	assert_true(str_eq(str_trim(S(" \t a b\r\n ")), S("a b")));
	assert_null(str_skip(STR_NONE, 1).p);
}

static void cut(void **state)
{
	struct str rest = S("a,,b"), none = STR_NONE;

	(void)state;
	assert_true(str_eq(str_cut(&rest, ','), S("a")));
	struct str part = str_cut(&rest, ',');

	assert_true(part.p && part.n == 0);
	assert_true(str_eq(str_cut(&rest, ','), S("b")));
	assert_null(rest.p);
	assert_null(str_cut(&rest, ',').p);
	assert_null(str_cut(&none, ',').p);
	rest = S("a,");
	str_cut(&rest, ',');
	part = str_cut(&rest, ',');
	assert_true(part.p && part.n == 0 && !rest.p);
}

static void numbers(void **state)
{
	uint64_t u = 7;
	int64_t i = 7;
	double d;

	(void)state;
	assert_int_equal(str_to_u64(S("18446744073709551615"), &u), 0);
	assert_true(u == UINT64_MAX);
	assert_int_equal(str_to_u64(S("18446744073709551616"), &u), -ERANGE);
	assert_int_equal(str_to_u64(S("00"), &u), 0);
	assert_int_equal(u, 0);
	static const char *const bad[] = { "", " 1", "1 ", "+1", "-1", "0x1", "1e3", "1.0" };

	for (size_t k = 0; k < ARRAY_LEN(bad); k++)
		assert_int_equal(str_to_u64(str_from(bad[k]), &u), -EINVAL);
	assert_int_equal(str_to_i64(S("-9223372036854775808"), &i), 0);
	assert_true(i == INT64_MIN);
	assert_int_equal(str_to_i64(S("-9223372036854775809"), &i), -ERANGE);
	assert_int_equal(str_to_i64(S("9223372036854775808"), &i), -ERANGE);
	assert_int_equal(str_to_i64(S("--1"), &i), -EINVAL);
	assert_int_equal(str_to_double(S("-1.5e3"), &d), 0);
	assert_true(d == -1500);
	assert_int_equal(str_to_double(S("inf"), &d), -EINVAL);
	assert_int_equal(str_to_double(S("1x"), &d), -EINVAL);
	assert_int_equal(str_to_double(S(" 1"), &d), -EINVAL);
	assert_true(str_is_true(S("Yes")) && str_is_true(S("1")) && !str_is_true(S("10")));
}

static void utf8(void **state)
{
	static const char *const good[] = { "", "a", "\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\xa6\xa0",
					    "\xf4\x8f\xbf\xbf", "\xed\x9f\xbf", "\xee\x80\x80" };
	static const char *const bad[] = { "\x80", "\xc0\xaf", "\xc1\xbf", "\xc3", "\xe0\x9f\xbf",
					   "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80",
					   "\xf5\x80\x80\x80", "\xff", "\xe2\x82", ("\xc3" "a") };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_true(str_is_utf8(str_from(good[i])));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(str_is_utf8(str_from(bad[i])));
}

static void distance(void **state)
{
	(void)state;
	assert_int_equal(str_distance(S("wokers"), S("workers")), 1);
	assert_int_equal(str_distance(S("kitten"), S("sitting")), 3);
	assert_int_equal(str_distance(S(""), S("abc")), 3);
	assert_int_equal(str_distance(S("abc"), S("abc")), 0);
}

static void copies(void **state)
{
	char *copy = str_dup(S("a\0b"));

	(void)state;
	assert_memory_equal(copy, "a\0b", 4);
	free(copy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(compare), cmocka_unit_test(search), cmocka_unit_test(cut),
		cmocka_unit_test(numbers), cmocka_unit_test(utf8), cmocka_unit_test(distance),
		cmocka_unit_test(copies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
