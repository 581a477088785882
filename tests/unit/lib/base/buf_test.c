/* lib/base/buf: growth, limits, failure. */
#include "lib/base/buf.h"

#include <setjmp.h>
#include <cmocka.h>

static void grows(void **state)
{
	CLEANUP(buf_done) struct buf b = BUF(1000);

	(void)state;
	assert_string_equal(b.p, "");
	buf_add_lit(&b, "one ");
	buf_addf(&b, "%d %s ", 2, "three");
	buf_add_u64(&b, 0);
	buf_add_char(&b, ' ');
	buf_add_u64(&b, UINT64_MAX);
	assert_string_equal(b.p, "one 2 three 0 18446744073709551615");
	buf_consume(&b, 4);
	assert_true(str_eq(str_head(buf_str(&b), 2), S("2 ")));
	buf_consume(&b, b.n);
	assert_string_equal(b.p, "");
	buf_addf(&b, "%0600d", 7);
	assert_int_equal(b.n, 600);
	assert_int_equal(b.p[600], 0);
	assert_false(buf_failed(&b));
}

static void limited(void **state)
{
	CLEANUP(buf_done) struct buf b = BUF(8);

	(void)state;
	buf_add_lit(&b, "12345678");
	assert_false(buf_failed(&b));
	buf_add_char(&b, '9');
	assert_true(buf_failed(&b));
	assert_string_equal(b.p, "12345678");
	assert_null(buf_reserve(&b, 0));
	buf_clear(&b);
	assert_false(buf_failed(&b));
	buf_addf(&b, "%s", "123456789");
	assert_true(buf_failed(&b));
	assert_int_equal(b.n, 0);
	buf_clear(&b);
	assert_null(buf_reserve(&b, SIZE_MAX));
}

static void reserve_and_take(void **state)
{
	CLEANUP(buf_done) struct buf b = BUF(100);
	char *room = buf_reserve(&b, 3);

	(void)state;
	assert_non_null(room);
	memcpy(room, "abc", 4);
	b.n += 3;
	char *taken = buf_take(&b);

	assert_string_equal(taken, "abc");
	assert_string_equal(b.p, "");
	free(taken);
	taken = buf_take(&b);
	assert_string_equal(taken, "");
	free(taken);
	buf_add(&b, NULL, 0);
	assert_int_equal(b.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grows),
		cmocka_unit_test(limited),
		cmocka_unit_test(reserve_and_take),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
