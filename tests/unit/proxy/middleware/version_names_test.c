/* Names of old versions: as Swift writes them, in the order that listings need, and back. */
#include "tests/unit/cmocka.h"
#include "proxy/middleware/version_names.h"

static struct timestamp at(const char *text)
{
	struct timestamp ts = { 0 };

	assert_int_equal(timestamp_parse(str_from(text), &ts), 0);
	return ts;
}

static void as_swift_writes_them(void **state)
{
	AUTO(arena) a = arena_new();
	struct str name = version_name(a, S("o/b"), at("1402464677.04188"));

	(void)state;
	assert_true(str_eq(name, str_of("\0o/b\0" "8597535322.95811", 21)));
	assert_true(str_eq(versions_container_name(a, S("c")), str_of("\0versions\0c", 11)));
	assert_true(str_eq(versions_container_of(str_of("\0versions\0c", 11)), S("c")));
	assert_true(str_eq(versions_container_of(S("c")), S("c")));
}

static void legacy_names(void **state)
{
	AUTO(arena) a = arena_new();

	(void)state;
	assert_true(str_eq(legacy_version_prefix(a, S("o/b")), S("003o/b/")));
	/* The length is that of bytes, of which ä has two. */
	assert_true(str_eq(legacy_version_name(a, S("\xc3\xa4"), at("1402464677.04188")),
			   S("002\xc3\xa4/1402464677.04188")));
}

static void newest_first(void **state)
{
	AUTO(arena) a = arena_new();
	struct str old = version_name(a, S("o"), at("1402464677.04188"));
	struct str new = version_name(a, S("o"), at("1402464677.04189"));
	struct str longer = version_name(a, S("oo"), at("9999999999.00000"));

	(void)state;
	assert_true(str_cmp(new, old) < 0);
	assert_true(str_cmp(old, longer) < 0);
}

static void splits(void **state)
{
	AUTO(arena) a = arena_new();
	struct timestamp ts;
	struct str object;

	(void)state;
	assert_true(version_name_split(version_name(a, S("o"), at("1402464677.04188")), &object,
				       &ts));
	assert_true(str_eq(object, S("o")));
	assert_int_equal(timestamp_cmp(ts, at("1402464677.04188")), 0);
	assert_false(version_name_split(S("o"), &object, &ts));
	assert_false(version_name_split(S(""), &object, &ts));
	assert_false(version_name_split(str_of("\0o", 2), &object, &ts));
	assert_false(version_name_split(str_of("\0o\0x", 4), &object, &ts));
	assert_false(version_name_split(str_of("\0o\0" "1.0_0000000000000001", 23), &object, &ts));
}

static void ids(void **state)
{
	struct timestamp ts;

	(void)state;
	assert_int_equal(version_id_parse(S("1402464677.04188"), &ts), 0);
	assert_int_equal(timestamp_cmp(ts, at("1402464677.04188")), 0);
	assert_int_equal(version_id_parse(S("null"), &ts), -EINVAL);
	assert_int_equal(version_id_parse(S(""), &ts), -EINVAL);
	assert_int_equal(version_id_parse(S("1402464677.04188_0000000000000001"), &ts), -EINVAL);
}

static void locations(void **state)
{
	AUTO(arena) a = arena_new();

	(void)state;
	assert_true(str_eq(legacy_location(a, S("archive")), S("archive")));
	assert_true(str_eq(legacy_location(a, S("an%20archive/x")), S("an archive")));
	assert_true(str_eq(legacy_location(a, S("a%2Fb")), S("a")));
	assert_int_equal(legacy_location(a, S("%00versions%00c")).n, 0);
	assert_int_equal(legacy_location(a, S("/")).n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_swift_writes_them), cmocka_unit_test(legacy_names),
		cmocka_unit_test(newest_first),         cmocka_unit_test(splits),
		cmocka_unit_test(ids),                  cmocka_unit_test(locations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
