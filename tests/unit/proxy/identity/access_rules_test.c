/* Tests of proxy/identity/access_rules.c. */
#include "proxy/identity/access_rules.h"
#include "tests/unit/cmocka.h"

static bool matches(const char *pattern, const char *path)
{
	return access_path_matches(str_from(pattern), str_from(path));
}

static void test_literal(void **state)
{
	(void)state;
	assert_true(matches("/v1/a", "/v1/a"));
	assert_false(matches("/v1/a", "/v1/ab"));
	assert_false(matches("/v1/a", "/v1/"));
	assert_false(matches("/v1/a", "/v1/b"));
	assert_false(matches("", "/"));
	assert_true(matches("", ""));
}

static void test_one_part(void **state)
{
	(void)state;
	assert_true(matches("/v1/*/c", "/v1/AUTH_x/c"));
	assert_false(matches("/v1/*/c", "/v1//c"));
	assert_false(matches("/v1/*/c", "/v1/a/b/c"));
	assert_true(matches("/v1/{account}/c", "/v1/AUTH_x/c"));
	assert_false(matches("/v1/{account}/c", "/v1/a/b/c"));
	assert_true(matches("/v1/*", "/v1/a"));
	assert_false(matches("/v1/*", "/v1/"));
	assert_true(matches("/a*c", "/abc"));
	assert_true(matches("/a*c", "/abcc"));
	assert_false(matches("/a*c", "/ac"));
	assert_true(matches("/{open", "/{open"));
}

static void test_any_parts(void **state)
{
	(void)state;
	assert_true(matches("**", ""));
	assert_true(matches("/**", "/a/b/c"));
	assert_true(matches("/v1/**/o", "/v1/a/c/o"));
	assert_true(matches("/v1/**/o", "/v1//o"));
	assert_false(matches("/v1/**/o", "/v1/o"));
	assert_false(matches("/v1/**/o", "/v1/a/c/p"));
	assert_true(matches("/v1/***", "/v1/ab"));
	assert_true(matches("/**/**/**/x", "/1/2/3/4/5/x"));
}

static void test_limits(void **state)
{
	char longest[ACCESS_PATH_MAX + 2];

	(void)state;
	memset(longest, 'a', sizeof longest);
	assert_true(access_path_matches(S("**"), str_of(longest, ACCESS_PATH_MAX)));
	assert_true(access_path_matches(S("*"), str_of(longest, ACCESS_PATH_MAX)));
	assert_false(access_path_matches(S("**"), str_of(longest, ACCESS_PATH_MAX + 1)));
	assert_false(access_path_matches(str_of(longest, ACCESS_PATH_MAX + 1), S("a")));
}

static void test_rules(void **state)
{
	json_t *rules = json_pack("[{s:s, s:s, s:s}, {s:s, s:s, s:s}]", "service", "object-store",
				  "method", "GET", "path", "/v1/**", "service", "compute",
				  "method", "POST", "path", "/v2.1/servers");

	(void)state;
	assert_true(access_rules_allow(rules, S("object-store"), S("GET"), S("/v1/a")));
	assert_false(access_rules_allow(rules, S("object-store"), S("PUT"), S("/v1/a")));
	assert_false(access_rules_allow(rules, S("compute"), S("GET"), S("/v1/a")));
	assert_false(access_rules_allow(rules, S("object-store"), S("POST"), S("/v2.1/servers")));
	assert_false(access_rules_allow(NULL, S("object-store"), S("GET"), S("/v1/a")));
	json_decref(rules);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_literal), cmocka_unit_test(test_one_part),
		cmocka_unit_test(test_any_parts), cmocka_unit_test(test_limits),
		cmocka_unit_test(test_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
