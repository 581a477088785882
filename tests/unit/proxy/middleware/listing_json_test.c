/* Listings that were read are written again as storage servers write them; queries are edited. */
#include "tests/unit/cmocka.h"
#include "proxy/middleware/listing_json.h"

static const char json[] =
	"[{\"name\": \"a<b\", \"hash\": \"h\", \"bytes\": 12, \"content_type\": \"t/t\", "
	"\"last_modified\": \"2026-11-22T09:19:12.075580\"}, {\"subdir\": \"d&/\"}]";

/* Bytes at hand are pulled without waiting. */
task_asserted static void writes(void **state)
{
	AUTO(arena) a = arena_new();
	json_t *rows = listing_parse(str_from(json));
	struct response res;

	(void)state;
	assert_non_null(rows);
	response_init(&res, a);
	listing_write(&res, rows);
	assert_int_equal(res.content_length, sizeof json - 1);
	listing_write_xml(&res, rows, S("c&d"));
	assert_non_null(res.body);
	struct str text;

	assert_int_equal(body_next(res.body, &text), 1);
	assert_true(str_eq(
		text,
		S("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<container name=\"c&amp;d\"><object>"
		  "<name>a&lt;b</name><hash>h</hash><bytes>12</bytes><content_type>t/t"
		  "</content_type><last_modified>2026-11-22T09:19:12.075580</last_modified>"
		  "</object>"
		  "<subdir name=\"d&amp;/\"><name>d&amp;/</name></subdir></container>")));
	json_decref(rows);
	assert_null(listing_parse(S("{}")));
	assert_null(listing_parse(S("[")));
}

task_asserted static void accounts(void **state)
{
	AUTO(arena) a = arena_new();
	json_t *rows = listing_parse(
		S("[{\"name\": \"c<\", \"count\": 2, \"bytes\": 30, \"last_modified\": \"L\", "
		  "\"storage_policy\": \"gold\"}, {\"subdir\": \"d/\"}]"));
	struct response res;
	struct str text;

	(void)state;
	response_init(&res, a);
	listing_write_account_xml(&res, rows, S("AUTH_a&b"));
	assert_int_equal(body_next(res.body, &text), 1);
	assert_true(str_eq(
		text, S("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<account "
			"name=\"AUTH_a&amp;b\">\n<container><name>c&lt;</name><count>2</count>"
			"<bytes>30</bytes><last_modified>L</last_modified>"
			"<storage_policy>gold</storage_policy></container>\n"
			"<subdir name=\"d/\" />\n</account>")));
	json_decref(rows);
}

static void queries(void **state)
{
	AUTO(arena) a = arena_new();

	(void)state;
	assert_true(str_eq(query_with(a, STR_NONE, S("x"), S("a b/c")), S("x=a%20b%2Fc")));
	assert_true(str_eq(query_with(a, S("x=1&y=2&x=3"), S("x"), S("4")), S("y=2&x=4")));
	assert_true(str_eq(query_with(a, S("x=1&y"), S("x"), STR_NONE), S("y")));
	assert_true(str_eq(query_with(a, S("x"), S("x"), STR_NONE), S("")));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(writes), cmocka_unit_test(accounts),
					    cmocka_unit_test(queries) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
