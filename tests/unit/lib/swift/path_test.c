/* lib/swift/path: which raw paths name what. */
#include "lib/swift/path.h"

#include <setjmp.h>
#include <cmocka.h>

static struct arena *arena;

static void is(const char *raw, const char *account, const char *container, const char *object)
{
	struct swift_path p;

	assert_int_equal(swift_path_parse(arena, str_from(raw), &p), 0);
	assert_true(str_eq(p.account, str_from(account)));
	assert_true(str_eq(p.container, str_from(container)));
	assert_int_equal(p.container.p == NULL, container == NULL);
	assert_true(str_eq(p.object, str_from(object)));
	assert_int_equal(p.object.p == NULL, object == NULL);
}

static void is_not(struct str raw, int rc)
{
	struct swift_path p;

	assert_int_equal(swift_path_parse(arena, raw, &p), rc);
}

static void public_paths(void **state)
{
	(void)state;
	is("/v1/a", "a", NULL, NULL);
	is("/v1.0/a/", "a", NULL, NULL);
	is("/v1/a//", "a", NULL, NULL);
	is("/v1/a/c", "a", "c", NULL);
	is("/v1/a/c/", "a", "c", NULL);
	is("/v1/a/c/o", "a", "c", "o");
	is("/v1/a/c//", "a", "c", "/");
	is("/v1/a/c/o/", "a", "c", "o/");
	is("/v1/a/../o//p/..", "a", "..", "o//p/..");
	is("/v1/a/c%2Fo", "a", "c", "o");
	is("/v1/AUTH_%C3%BC/c/%25%zz%0A", "AUTH_\xc3\xbc", "c", "%%zz\n");
	is("/v1/a/c/o?", "a", "c", "o?");
}

static void no_paths(void **state)
{
	(void)state;
	is_not(S(""), -ENOENT);
	is_not(S("/"), -ENOENT);
	is_not(S("//"), -ENOENT);
	is_not(S("v1/a"), -ENOENT);
	is_not(S("/v1//c"), -ENOENT);
	is_not(S("//v1/a"), -ENOENT);
	is_not(S("/v1"), -EDOM);
	is_not(S("/v1/"), -EDOM);
	is_not(S("/v2/"), -EDOM);
	is_not(S("/v1/a//o"), -ENOENT);
	is_not(S("/v2/a"), -EINVAL);
	is_not(S("/v1.1/a"), -EINVAL);
	is_not(S("/V1/a"), -EINVAL);
	is_not(S("/v1/a/c/%00"), -EILSEQ);
	is_not(S("/v1/a/c/\0"), -EILSEQ);
	is_not(S("/v1/a/%ff"), -EILSEQ);
	is_not(S("/v1/a/%ed%a0%80"), -EILSEQ);
	is_not(S("/%ff"), -EILSEQ);
}

static void joined(void **state)
{
	(void)state;
	assert_true(str_eq(swift_path_join(arena, S("a"), STR_NONE, STR_NONE), S("/a")));
	assert_true(str_eq(swift_path_join(arena, S("a"), S("c"), S("o p")), S("/a/c/o p")));
	assert_true(str_eq(swift_path_quote(arena, S("/v1"), S("a"), S("c"), S("o p/\xc3\xbc?%~")),
			   S("/v1/a/c/o%20p/%C3%BC%3F%25~")));
	assert_true(str_eq(swift_path_quote(arena, STR_NONE, S("a"), S("c"), STR_NONE), S("/a/c")));
	assert_true(
		str_eq(backend_path_quote(arena, S("sd b"), 4294967295u, S("a"), S("c"), S("o")),
		       S("/sd%20b/4294967295/a/c/o")));
}

static void backend(void **state)
{
	struct backend_path p;

	(void)state;
	assert_int_equal(backend_path_parse(arena, S("/sdb1/1023/AUTH_x/c/o/p%20q"), &p), 0);
	assert_true(str_eq(p.device, S("sdb1")) && p.partition == 1023);
	assert_true(str_eq(p.account, S("AUTH_x")) && str_eq(p.container, S("c")));
	assert_true(str_eq(p.object, S("o/p q")));
	assert_int_equal(backend_path_parse(arena, S("/d/0/a"), &p), 0);
	assert_null(p.container.p);
	assert_int_equal(backend_path_parse(arena, S("/d/0/a/c/"), &p), 0);
	assert_true(str_eq(p.container, S("c")) && !p.object.p);
	assert_int_equal(backend_path_parse(arena, S("/d/0/.a/%00c%00x"), &p), 0);
	assert_int_equal(p.container.n, 4);
	static const char *const bad[] = {
		"",        "/",        "/d",    "/d/0",    "/d/0/",  "/d/0//c",         "/d/0/a//o",
		"/./0/a",  "/../0/a",  "//0/a", "/d/-1/a", "/d/x/a", "/d/4294967296/a", "/d//a",
		"d/0/a/c", "/d%00/0/a"
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(backend_path_parse(arena, str_from(bad[i]), &p), -EINVAL);
	assert_int_equal(backend_path_parse(arena, S("/d/0/a/%ff"), &p), -EILSEQ);
}

static int setup(void **state)
{
	(void)state;
	arena = arena_new();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(public_paths),
		cmocka_unit_test(no_paths),
		cmocka_unit_test(joined),
		cmocka_unit_test(backend),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
