/* Sets of header fields. */
#include "lib/http/headers.h"

#include <setjmp.h>
#include <cmocka.h>

static struct arena *A;

static int set_up(void **state)
{
	(void)state;
	A = arena_new();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_free(A);
	return 0;
}

#define assert_str(s, literal) assert_true(str_eq(s, S(literal)))

static void get_and_set(void **state)
{
	struct headers h;

	(void)state;
	headers_init(&h, A);
	assert_null(headers_get_lit(&h, "x").p);
	headers_add(&h, S("X-One"), S("1"));
	headers_add(&h, S("Two"), STR_NONE);
	headers_add(&h, S("x-one"), S("b"));
	assert_str(headers_get_lit(&h, "X-ONE"), "1");
	assert_true(headers_has(&h, S("two")));         /* empty, not absent */
	assert_str(headers_get_lit(&h, "two"), "");
	assert_int_equal(headers_count(&h, S("x-onE")), 2);
	assert_str(headers_joined(&h, S("X-One")), "1, b");
	assert_str(headers_joined(&h, S("Two")), "");
	assert_null(headers_joined(&h, S("Three")).p);
	/* The new value may be a view of the old. */
	headers_set(&h, S("X-One"), headers_get_lit(&h, "X-One"));
	assert_int_equal(headers_count(&h, S("X-One")), 1);
	assert_str(headers_get_lit(&h, "x-one"), "1");
	headers_setf(&h, S("X-One"), "%d%s", 7, "x");
	assert_str(headers_get_lit(&h, "x-one"), "7x");
	headers_addf(&h, S("Long"), "%0300d", 5);
	assert_int_equal(headers_get_lit(&h, "Long").n, 300);
	assert_int_equal(headers_remove(&h, S("x-one")), 1);
	assert_int_equal(headers_remove(&h, S("x-one")), 0);
	assert_int_equal(h.n, 2);
}

static void many_keep_their_order(void **state)
{
	struct headers h, copy;

	(void)state;
	headers_init(&h, A);
	headers_init(&copy, A);
	for (int i = 0; i < 200; i++)
		headers_addf(&h, S("X-Object-Meta-N"), "%d", i);
	headers_add(&h, S("Etag"), S("e"));
	headers_copy(&copy, &h);
	assert_int_equal(copy.n, 201);
	for (unsigned i = 0; i < 200; i++) {
		uint64_t v;

		assert_int_equal(str_to_u64(copy.v[i].value, &v), 0);
		assert_int_equal(v, i);
	}
	assert_int_equal(headers_remove_prefix(&copy, S("x-object-meta-")), 200);
	assert_str(copy.v[0].name, "Etag");
	assert_int_equal(h.n, 201);
}

static void tokens(void **state)
{
	struct headers h;

	(void)state;
	headers_init(&h, A);
	headers_add(&h, S("Connection"), S("keep-alive ,\tClose"));
	headers_add(&h, S("Connection"), S("upgrade"));
	assert_true(headers_has_token(&h, S("connection"), S("close")));
	assert_true(headers_has_token(&h, S("connection"), S("Keep-Alive")));
	assert_true(headers_has_token(&h, S("connection"), S("upgrade")));
	assert_false(headers_has_token(&h, S("connection"), S("keep")));
}

static void names_and_values(void **state)
{
	(void)state;
	assert_str(header_title(A, S("x-object-META-colour2red")), "X-Object-Meta-Colour2Red");
	assert_str(header_title(A, S("")), "");
	assert_true(header_name_valid(S("X_a-b.c!#$%&'*+^`|~09")));
	assert_false(header_name_valid(S("")));
	assert_false(header_name_valid(S("a b")));
	assert_false(header_name_valid(S("a:")));
	assert_false(header_name_valid(S("\xc3\xa9")));
	assert_false(header_name_valid(str_of("a\0", 2)));
	assert_true(header_value_valid(S("any thing \xc3\xa9\t")));
	assert_true(header_value_valid(STR_NONE));
	assert_false(header_value_valid(S("a\nb")));
	assert_false(header_value_valid(S("a\rb")));
	assert_false(header_value_valid(str_of("\0", 1)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(get_and_set, set_up, tear_down),
		cmocka_unit_test_setup_teardown(many_keep_their_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(tokens, set_up, tear_down),
		cmocka_unit_test_setup_teardown(names_and_values, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
