/* Where the files of an archive go. */
#include "proxy/middleware/archive_name.h"
#include "tests/unit/cmocka.h"

static void base_test(void **state)
{
	AUTO(arena) a = arena_new();

	(void)state;
	assert_str(archive_base(a, STR_NONE, STR_NONE), "");
	assert_str(archive_base(a, S("c"), STR_NONE), "c");
	assert_str(archive_base(a, S("c"), S("o")), "c/o");
	assert_str(archive_base(a, S("c"), S("o/p//")), "c/o/p");
	assert_str(archive_base(a, S("c"), S("/")), "c");
}

static void target_test(void **state)
{
	static const struct {
		const char *base, *name, *path;
	} cases[] = {
		{ "", "c/o", "c/o" },     { "", "./c/o", "c/o" },     { "", "/c/o", "c/o" },
		{ "", ".//c/o", "c/o" },  { "", "o", NULL },          { "", "./o", NULL },
		{ "", "c/", NULL },       { "", "", NULL },           { "c", "o", "c/o" },
		{ "c", "/o", "c/o" },     { "c", "", NULL },          { "c", "./", NULL },
		{ "c/p", "o", "c/p/o" },  { "c", "../o", "c/../o" },  { "c", "a//b", "c/a//b" },
	};
	AUTO(arena) a = arena_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct str path = STR_NONE;
		bool found = archive_target(a, str_from(cases[i].base), str_from(cases[i].name),
					    &path);

		assert_int_equal(found, cases[i].path != NULL);
		assert_true(!found || str_eq(path, str_from(cases[i].path)));
	}
}

static void attribute_test(void **state)
{
	AUTO(arena) a = arena_new();

	(void)state;
	assert_str(archive_attribute_header(a, S("user.meta.lunch")), "X-Object-Meta-lunch");
	assert_str(archive_attribute_header(a, S("user.mime_type")), "Content-Type");
	assert_null(archive_attribute_header(a, S("user.stuff")).p);
	assert_null(archive_attribute_header(a, S("security.selinux")).p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(base_test),
		cmocka_unit_test(target_test),
		cmocka_unit_test(attribute_test),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
