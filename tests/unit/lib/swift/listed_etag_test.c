/* ETags of container rows: parameters come out one by one, the rest stays as it was. */
#include "tests/unit/cmocka.h"
#include "lib/swift/listed_etag.h"

static void takes(const char *text, const char *name, const char *value, const char *left)
{
	char room[LISTED_ETAG_MAX];
	struct str s = str_from(text), got = listed_etag_take(&s, str_from(name), room);

	assert_int_equal(got.p != NULL, value != NULL);
	if (value)
		assert_true(str_eq(got, str_from(value)));
	if (!str_eq(s, str_from(left)))
		fail_msg("%s without %s is %.*s, not %s", text, name, STR(s), left);
}

static void parameters(void **state)
{
	(void)state;
	takes("abc", "slo_etag", NULL, "abc");
	takes("", "slo_etag", NULL, "");
	takes("abc; slo_etag=x", "slo_etag", "x", "abc");
	takes("abc; slo_etag=x; symlink_target=c/o", "slo_etag", "x", "abc; symlink_target=c/o");
	takes("abc; s3_etag=y; slo_etag=x", "slo_etag", "x", "abc; s3_etag=y");
	takes("abc; s3_etag=y;SLO_ETAG = x ; a=b", "slo_etag", "x", "abc; s3_etag=y; a=b");
	takes("abc; slo_etag", "slo_etag", NULL, "abc; slo_etag");
	takes("abc;slo_etag=", "slo_etag", "", "abc");
	takes("slo_etag=1", "slo_etag", NULL, "slo_etag=1");
}

static void one_after_another(void **state)
{
	char room[LISTED_ETAG_MAX], other[LISTED_ETAG_MAX];
	struct str s = S("abc; a=1; b=2; c=3");

	(void)state;
	assert_true(str_eq(listed_etag_take(&s, S("b"), room), S("2")));
	assert_true(str_eq(listed_etag_take(&s, S("a"), other), S("1")));
	assert_true(str_eq(s, S("abc; c=3")));
}

static void long_texts_stay(void **state)
{
	char room[LISTED_ETAG_MAX], text[LISTED_ETAG_MAX + 40];
	struct str s = str_of(text, sizeof text);

	(void)state;
	memset(text, 'a', sizeof text);
	memcpy(text + sizeof text - 12, "; slo_etag=x", 12);
	assert_null(listed_etag_take(&s, S("slo_etag"), room).p);
	assert_int_equal(s.n, sizeof text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parameters),
		cmocka_unit_test(one_after_another),
		cmocka_unit_test(long_texts_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
