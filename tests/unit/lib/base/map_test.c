/* lib/base/map: a table of many, and its order of use. */
#include "lib/base/map.h"

#include <setjmp.h>
#include <cmocka.h>

static char values[5000];

static void many(void **state)
{
	struct map *m = map_new();
	char key[16];

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(values); i++) {
		snprintf(key, sizeof key, "key%u", i);
		assert_null(map_put(m, str_from(key), &values[i]));
	}
	assert_int_equal(map_count(m), ARRAY_LEN(values));
	for (unsigned i = 0; i < ARRAY_LEN(values); i++) {
		snprintf(key, sizeof key, "key%u", i);
		assert_ptr_equal(map_peek(m, str_from(key)), &values[i]);
		if (i % 2)
			assert_ptr_equal(map_remove(m, str_from(key)), &values[i]);
		if (i % 2)
			assert_null(map_remove(m, str_from(key)));
	}
	assert_int_equal(map_count(m), ARRAY_LEN(values) / 2);
	assert_null(map_get(m, S("key1")));
	assert_ptr_equal(map_put(m, S("key0"), &values[1]), &values[0]);
	assert_null(map_put(m, STR_NONE, &values[3]));
	assert_ptr_equal(map_get(m, S("")), &values[3]);
	map_free(m, NULL);
	map_free(NULL, NULL);
}

static unsigned freed;

static void count(void *value)
{
	(void)value;
	freed++;
}

static void note(void *arg, struct str key, void *value)
{
	char *order = arg;
	size_t n = strlen(order);

	(void)value;
	order[n] = key.p[0];
	order[n + 1] = 0;
}

static void order_of_use(void **state)
{
	struct map *m = map_new();
	char order[8] = "";

	(void)state;
	map_put(m, S("a"), &values[0]);
	map_put(m, S("b"), &values[1]);
	map_put(m, S("c"), &values[2]);
	map_get(m, S("a"));
	map_peek(m, S("b"));
	map_each(m, note, order);
	assert_string_equal(order, "acb");
	assert_ptr_equal(map_evict(m), &values[1]);
	map_put(m, S("c"), &values[2]);
	assert_ptr_equal(map_evict(m), &values[0]);
	map_free(m, count);
	assert_int_equal(freed, 1);
	m = map_new();
	assert_null(map_evict(m));
	map_free(m, count);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(many),
					    cmocka_unit_test(order_of_use) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
