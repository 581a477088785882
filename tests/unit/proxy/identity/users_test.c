/* Users of the configuration file. */
#include "tests/unit/cmocka.h"
#include "proxy/identity/users.h"

static struct users *load(struct conf_pair *pairs, unsigned n, int want)
{
	struct conf_pairs all = { pairs, n };
	struct users *u = NULL;
	struct fault why = { "" };

	assert_int_equal(users_new(&all, &u, &why), want);
	if (want < 0)
		assert_non_null(strstr(why.text, "line 7"));
	return u;
}

static void known(void **state)
{
	struct conf_pair pairs[] = {
		{ S("user_test_tester"), S("testing .admin"), 1 },
		{ S("user_test_tester3"), S("testing3"), 2 },
		{ S("user_admin_admin"), S("admin  .admin .reseller_admin http://h:1/v1/X_a"), 3 },
		{ S("user64_dW5kZXJfc2NvcmU_YV9i"), S("secret"), 4 },
	};
	struct users *u = load(pairs, 4, 0);

	(void)state;
	assert_str(users_find(u, S("test:tester"))->key, "testing");
	assert_str(users_find(u, S("test:tester3"))->key, "testing3");
	assert_null(users_find(u, S("test:nobody")));
	assert_str(users_find(u, S("admin:admin"))->groups, ".admin,.reseller_admin");
	assert_str(users_find(u, S("admin:admin"))->url, "http://h:1/v1/X_a");
	assert_str(users_find(u, S("test:tester3"))->groups, "");
	assert_str(users_find(u, S("under_score:a_b"))->key, "secret");
	users_free(u);
}

static void bad(void **state)
{
	struct conf_pair cases[] = {
		{ S("user_test"), S("testing"), 7 },   { S("user_a_b_c"), S("x"), 7 },
		{ S("user_test_tester"), S(""), 7 },   { S("user64_!!_YQ"), S("x"), 7 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		load(&cases[i], 1, -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(known), cmocka_unit_test(bad) };

	return cmocka_run_group_tests_name("proxy/identity/users", tests, NULL, NULL);
}
