/* ACLs: cleaning as Swift's examples show, and who is let in. */
#include "tests/unit/cmocka.h"
#include "lib/swift/acl.h"

static void clean(const char *in, bool write, const char *want)
{
	AUTO(arena) a = arena_new();
	struct fault why = { "" };
	struct str out = STR_NONE;
	int rc = acl_clean(a, str_from(in), write, &out, &why);

	if (!want) {
		assert_int_equal(rc, -EINVAL);
		assert_true(why.text[0] != 0);
		return;
	}
	assert_int_equal(rc, 0);
	if (!str_eq(out, str_from(want)))
		fail_msg("%s became %.*s, not %s", in, STR(out), want);
}

static void cleaning(void **state)
{
	(void)state;
	clean("bob, sue", false, "bob,sue");
	clean("bob , sue", false, "bob,sue");
	clean("bob,,,sue", false, "bob,sue");
	clean(".referrer : *", false, ".r:*");
	clean(".ref:*.example.com", false, ".r:.example.com");
	clean(".r:*, .rlistings", false, ".r:*,.rlistings");
	clean(".r:- *.example.com", false, ".r:-.example.com");
	clean("test:tester", true, "test:tester");
	clean("", false, "");
	clean(".r:", false, NULL);
	clean(".r:-", false, NULL);
	clean(".r:*.", false, NULL);
	clean(".r:*", true, NULL);
	clean(".unknown:a", false, NULL);
}

static bool referrer(const char *acl, const char *referer)
{
	AUTO(arena) a = arena_new();

	return acl_referrer_allowed(a, str_from(acl), str_from(referer));
}

static void referrers(void **state)
{
	(void)state;
	assert_true(referrer(".r:*", NULL));
	assert_false(referrer("", NULL));
	assert_true(referrer(".r:example.com", "http://example.com/page"));
	assert_true(referrer(".r:example.com", "https://EXAMPLE.com:8080/"));
	assert_true(referrer(".r:example.com", "http://user@example.com"));
	assert_false(referrer(".r:example.com", "http://www.example.com/"));
	assert_true(referrer(".r:.example.com", "http://www.example.com/"));
	assert_false(referrer(".r:.example.com", "http://example.com/"));
	assert_false(referrer(".r:*,.r:-bad.com", "http://bad.com/"));
	/* The last item that matches wins. */
	assert_true(referrer(".r:-bad.com,.r:*", "http://bad.com/"));
	assert_false(referrer(".r:example.com", NULL));
	assert_true(referrer(".r:unknown", NULL));
}

static void groups(void **state)
{
	AUTO(arena) a = arena_new();

	(void)state;
	assert_true(acl_group_allowed(a, S("test:tester3"), S("test,test:tester3")));
	assert_true(acl_group_allowed(a, S("other,test"), S("test,test:tester3")));
	assert_false(acl_group_allowed(a, S("test:tester"), S("test,test:tester3")));
	assert_true(acl_group_allowed(a, S("test%3Atester3"), S("test,test:tester3")));
	assert_false(acl_group_allowed(a, S(".r:test"), S("test")));
	assert_false(acl_group_allowed(a, S("*:*"), S("test,test:tester")));
	assert_true(acl_name_allowed(a, S("x,test2%3Atester2"), S("test2:tester2")));
	assert_false(acl_name_allowed(a, S("test2:tester2"), S("x,test2:tester2")));
	assert_false(acl_name_allowed(a, S("test2:tester2"), S("test2:tester2,y")));
	assert_true(acl_name_allowed(a, S("a%2Cb:c"), S("a,b:c")));
	assert_false(acl_name_allowed(a, S(".r:*"), S(".r:*")));
	assert_true(acl_has(S(".r:*,.rlistings"), S(".rlistings")));
	assert_false(acl_has(S(".r:*,.rlistingsx"), S(".rlistings")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cleaning), cmocka_unit_test(referrers), cmocka_unit_test(groups),
	};

	return cmocka_run_group_tests_name("lib/swift/acl", tests, NULL, NULL);
}
