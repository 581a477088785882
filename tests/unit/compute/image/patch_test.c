/* Tests compute/image/patch.c: both dialects, and what is none. */
#include "compute/image/patch.h"

#include <setjmp.h>
#include <cmocka.h>

static int parse(struct arena *a, const char *text, enum patch_dialect dialect,
		 struct patch_step **ret, size_t *ret_n, json_t **ret_doc)
{
	struct fault why;

	*ret_doc = json_text_parse(str_from(text));
	assert_non_null(*ret_doc);
	return patch_parse(a, *ret_doc, dialect, ret, ret_n, &why);
}

static void test_dialects(void **state)
{
	enum patch_dialect d;

	(void)state;
	assert_int_equal(patch_dialect_parse(S("application/openstack-images-v2.1-json-patch"),
					     &d), 0);
	assert_int_equal(d, PATCH_V21);
	assert_int_equal(patch_dialect_parse(
				 S("Application/OpenStack-images-v2.0-json-patch; charset=utf-8"),
				 &d), 0);
	assert_int_equal(d, PATCH_V20);
	assert_int_equal(patch_dialect_parse(S("application/json"), &d), -EINVAL);
	assert_int_equal(patch_dialect_parse(STR_NONE, &d), -EINVAL);
}

static void test_steps(void **state)
{
	AUTO(arena) a = arena_new();
	AUTO(json_text) doc = NULL;
	AUTO(json_text) old = NULL;
	struct patch_step *s;
	size_t n;

	(void)state;
	assert_int_equal(parse(a, "[{\"op\":\"add\",\"path\":\"/a~1b~0\",\"value\":1},"
				  "{\"op\":\"remove\",\"path\":\"/c\",\"value\":2},"
				  "{\"op\":\"replace\",\"path\":\"/~01\",\"value\":null}]",
			       PATCH_V21, &s, &n, &doc), 0);
	assert_int_equal(n, 3);
	assert_int_equal(s[0].op, PATCH_ADD);
	assert_true(str_eq(s[0].name, S("a/b~")));
	assert_int_equal(json_integer_value(s[0].value), 1);
	assert_int_equal(s[1].op, PATCH_REMOVE);
	assert_null(s[1].value);
	assert_true(str_eq(s[2].name, S("~1")));
	assert_true(json_is_null(s[2].value));
	assert_int_equal(parse(a, "[{\"replace\":\"/x\",\"value\":\"y\"},{\"remove\":\"/z\"}]",
			       PATCH_V20, &s, &n, &old), 0);
	assert_int_equal(s[0].op, PATCH_REPLACE);
	assert_true(str_eq(s[1].name, S("z")));
}

static void test_bad(void **state)
{
	static const char *const bad[] = {
		"{}", "[1]", "[{}]", "[{\"op\":\"add\",\"path\":\"/a\"}]",
		"[{\"op\":\"test\",\"path\":\"/a\",\"value\":1}]",
		"[{\"op\":\"add\",\"path\":\"a\",\"value\":1}]",
		"[{\"op\":\"add\",\"path\":\"/\",\"value\":1}]",
		"[{\"op\":\"add\",\"path\":\"/a/b\",\"value\":1}]",
		"[{\"op\":\"add\",\"path\":\"/a~\",\"value\":1}]",
		"[{\"op\":\"add\",\"path\":\"/a~3\",\"value\":1}]",
		"[{\"op\":\"add\",\"path\":1,\"value\":1}]",
		"[{\"add\":\"/a\",\"value\":1}]",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		AUTO(arena) a = arena_new();
		AUTO(json_text) doc = NULL;
		struct patch_step *s;
		size_t n;

		assert_int_equal(parse(a, bad[i], PATCH_V21, &s, &n, &doc), -EINVAL);
	}
	AUTO(arena) a = arena_new();
	AUTO(json_text) doc = NULL;
	struct patch_step *s;
	size_t n;

	assert_int_equal(parse(a, "[{\"add\":\"/a\",\"remove\":\"/b\",\"value\":1}]", PATCH_V20,
			       &s, &n, &doc), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dialects),
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
