/* Tests lib/json/json_text.c. */
#include "lib/json/json_text.h"
#include "lib/base/buf.h"

#include <setjmp.h>
#include <cmocka.h>

static void test_parse(void **state)
{
	AUTO(json_text) doc = json_text_parse(S("{\"a\": \"b\", \"n\": 1}"));

	(void)state;
	assert_non_null(doc);
	assert_true(str_eq(json_str(doc, "a"), S("b")));
	assert_null(json_str(doc, "n").p);
	assert_null(json_str(doc, "x").p);
	assert_null(json_str(NULL, "x").p);
	assert_null(json_text_parse(S("")));
	assert_null(json_text_parse(S("{")));
	assert_null(json_text_parse(S("[] []")));
}

/* n brackets of each kind, with brackets in a string between them, which do not count. */
static json_t *nested(unsigned n)
{
	CLEANUP(buf_done) struct buf b = BUF(64 * KIB);

	for (unsigned i = 0; i < n; i++)
		buf_add_char(&b, '[');
	buf_add_lit(&b, "\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[\"");
	for (unsigned i = 0; i < n; i++)
		buf_add_char(&b, ']');
	return json_text_parse(buf_str(&b));
}

static void test_depth(void **state)
{
	(void)state;
	AUTO(json_text) deep = nested(24);

	assert_non_null(deep);
	assert_null(nested(25));
	assert_null(nested(10000));
}

static void test_print(void **state)
{
	AUTO(arena) a = arena_new();
	AUTO(json_text) doc = json_text_parse(S("{ \"a\" : [ 1, null ] }"));
	AUTO(json_text) broken = json_of(S("\xff"));
	AUTO(json_text) absent = json_of(STR_NONE);

	(void)state;
	assert_true(str_eq(json_text_of(a, doc), S("{\"a\":[1,null]}")));
	assert_true(json_is_null(broken));
	assert_true(json_is_null(absent));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_print),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
