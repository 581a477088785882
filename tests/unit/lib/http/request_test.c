/* Methods and query parameters. */
#include "lib/http/request.h"

#include <setjmp.h>
#include <cmocka.h>

#define assert_str(s, literal) assert_true(str_eq(s, S(literal)))

static void methods(void **state)
{
	(void)state;
	assert_int_equal(http_method_parse(S("GET")), HTTP_GET);
	assert_int_equal(http_method_parse(S("REPLICATE")), HTTP_REPLICATE);
	assert_int_equal(http_method_parse(S("get")), HTTP_OTHER);
	assert_int_equal(http_method_parse(S("")), HTTP_OTHER);
	for (int m = HTTP_GET; m <= HTTP_UPDATE; m++)
		assert_int_equal(http_method_parse(str_from(http_method_name((enum http_method)m))),
				 m);
}

static void query(void **state)
{
	AUTO(arena) a = arena_new();
	struct request req = { .arena = a };

	(void)state;
	assert_null(request_query_lit(&req, "format").p);
	req.query = S("a=1&b=x%20y+z&empty=&flag&a=2&%62b=3&c=d=e&&plus=%2B");
	assert_str(request_query_lit(&req, "a"), "2");
	assert_str(request_query_lit(&req, "b"), "x y z");
	assert_str(request_query_lit(&req, "bb"), "3");
	assert_str(request_query_lit(&req, "c"), "d=e");
	assert_str(request_query_lit(&req, "plus"), "+");
	assert_non_null(request_query_lit(&req, "empty").p);
	assert_str(request_query_lit(&req, "empty"), "");
	assert_true(request_has_query(&req, S("flag")));
	assert_str(request_query_lit(&req, "flag"), "");
	assert_false(request_has_query(&req, S("x")));
	assert_false(request_has_query(&req, S("")));
	req.query = S("");
	assert_false(request_has_query(&req, S("a")));
}

static void each_parameter(void **state)
{
	static const char *const want[][2] = {
		{ "a", "1" }, { "flag", "" }, { "a", "x y" }, { "", "z" }, { "b", "c=d" }
	};
	AUTO(arena) a = arena_new();
	struct str rest = S("a=1&&flag&%61=x+y&=z&b=c=d&"), name, value;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		assert_true(request_next_query(a, &rest, &name, &value));
		assert_true(str_eq(name, str_from(want[i][0])));
		assert_true(str_eq(value, str_from(want[i][1])));
		assert_non_null(value.p);
	}
	assert_false(request_next_query(a, &rest, &name, &value));
	rest = STR_NONE;
	assert_false(request_next_query(a, &rest, &name, &value));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(methods),
		cmocka_unit_test(query),
		cmocka_unit_test(each_parameter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
