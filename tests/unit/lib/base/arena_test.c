/* lib/base/arena: alignment, big pieces, reuse. */
#include "lib/base/arena.h"

#include <setjmp.h>
#include <cmocka.h>

static void pieces(void **state)
{
	AUTO(arena) a = arena_new();
	char *before = NULL;

	(void)state;
	for (size_t n = 0; n < 3000; n++) {
		char *p = arena_alloc(a, n);

		assert_int_equal((uintptr_t)p % 16, 0);
		memset(p, 0xaa, n);
		assert_ptr_not_equal(p, before);
		before = n ? p : before;
	}
	char *big = arena_zalloc(a, MIB);

	for (size_t i = 0; i < MIB; i++)
		assert_int_equal(big[i], 0);
	assert_true(arena_used(a) >= 2999 * 3000 / 2 + MIB);
}

static void texts(void **state)
{
	AUTO(arena) a = arena_new();
	struct str s = arena_str(a, S("a\0b"));

	(void)state;
	assert_int_equal(s.n, 3);
	assert_memory_equal(s.p, "a\0b", 4);
	s = arena_str(a, STR_NONE);
	assert_int_equal(s.n, 0);
	assert_string_equal(arena_cstr(a, S("xy")), "xy");
	s = arena_join(a, (struct str[]){ S("a"), STR_NONE, S(""), S("b\0c"), S("d") }, 5);
	assert_int_equal(s.n, 5);
	assert_memory_equal(s.p, "ab\0cd", 6);
	assert_string_equal(arena_join(a, NULL, 0).p, "");
	s = arena_printf(a, "%s-%0500d", "n", 3);
	assert_int_equal(s.n, 502);
	assert_int_equal(s.p[502], 0);
}

static void many(void **state)
{
	struct arena *all[200];

	(void)state;
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < ARRAY_LEN(all); i++) {
			all[i] = arena_new();
			assert_int_equal(arena_used(all[i]), 0);
			memset(arena_alloc(all[i], 20000), 1, 20000);
		}
		for (size_t i = 0; i < ARRAY_LEN(all); i++)
			arena_free(all[i]);
	}
	arena_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces), cmocka_unit_test(texts), cmocka_unit_test(many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
