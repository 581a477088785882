/* Targets of links as clients write them, and ETags of rows without what they say of links. */
#include "tests/unit/cmocka.h"
#include "proxy/middleware/symlink.h"

static void good(const char *value, const char *container, const char *object)
{
	AUTO(arena) a = arena_new();
	struct str c, o;

	assert_int_equal(symlink_target_parse(a, str_from(value), false, &c, &o), 0);
	assert_true(str_eq(c, str_from(container)));
	assert_true(str_eq(o, str_from(object)));
}

static void bad(const char *value)
{
	AUTO(arena) a = arena_new();
	struct str c, o;

	assert_int_equal(symlink_target_parse(a, str_from(value), false, &c, &o), -EINVAL);
}

static void targets(void **state)
{
	AUTO(arena) a = arena_new();
	struct str c, o;

	(void)state;
	good("c/o", "c", "o");
	good("c//o/", "c", "/o/");
	good("c%2Fo", "c", "o");
	good("%C3%A4/%25", "\xc3\xa4", "%");
	bad("");
	bad("c");
	bad("c/");
	bad("/c/o");
	bad("%2Fc/o");
	bad("c/%FF");
	bad("%00c/o");
	assert_int_equal(symlink_target_parse(a, S("%00c/%00o"), true, &c, &o), 0);
}

static void plain_etags(void **state)
{
	AUTO(arena) a = arena_new();

	(void)state;
	assert_true(str_eq(symlink_etag_plain(a, S("aa")), S("aa")));
	assert_true(str_eq(symlink_etag_plain(a, S("aa; symlink_target=c/o")), S("aa")));
	assert_true(str_eq(symlink_etag_plain(a, S("aa; symlink_target=c/o;slo_etag=bb; "
						   "symlink_target_etag=cc")),
			   S("aa; slo_etag=bb")));
}

static void privileges_go(void **state)
{
	AUTO(arena) a = arena_new();
	struct headers h;

	(void)state;
	headers_init(&h, a);
	headers_add(&h, S("x-object-sysmeta-allow-reserved-names"), S("true"));
	headers_add(&h, S("X-Object-Sysmeta-Symloop-Extend"), S("true"));
	headers_add(&h, S("X-Object-Sysmeta-Versions-Symlink"), S("true"));
	headers_add(&h, S("X-Object-Meta-A"), S("b"));
	symlink_drop_privileges(&h);
	assert_int_equal(h.n, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(targets),
					    cmocka_unit_test(plain_etags),
					    cmocka_unit_test(privileges_go) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
