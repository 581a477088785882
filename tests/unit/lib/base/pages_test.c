/* lib/base/pages: sizes by what is in use, reuse. */
#include "lib/base/pages.h"

#include <setjmp.h>
#include <cmocka.h>

static void sizes(void **state)
{
	char *p[64];
	size_t n = 0;

	(void)state;
	assert_int_equal(pages_fit(1), PAGES_SMALL);
	assert_int_equal(pages_fit(PAGES_SMALL + 1), PAGES_MIDDLE);
	assert_int_equal(pages_fit(SIZE_MAX), PAGES_LARGE);
	while (pages_fit(SIZE_MAX) == PAGES_LARGE)
		p[n++] = pages_take(PAGES_LARGE);
	assert_int_equal(pages_in_use(), PAGES_LARGE_BUDGET);
	assert_int_equal(n, PAGES_LARGE_BUDGET / PAGES_LARGE);
	/* Smaller ones are left for longer. */
	for (size_t i = 0; i < n; i++)
		pages_give(p[i], PAGES_LARGE);
	for (n = 0; !pages_scarce(); n++) {
		assert_int_equal(pages_fit(PAGES_MIDDLE), PAGES_MIDDLE);
		p[n] = pages_take(PAGES_MIDDLE);
	}
	assert_int_equal(pages_in_use(), PAGES_BUDGET);
	assert_int_equal(pages_fit(SIZE_MAX), PAGES_SMALL);
	while (n > 0)
		pages_give(p[--n], PAGES_MIDDLE);
	assert_int_equal(pages_in_use(), 0);
	assert_false(pages_scarce());
}

static void reuse(void **state)
{
	static const size_t all[] = { PAGES_SMALL, PAGES_MIDDLE, PAGES_LARGE };
	char *p[100];

	(void)state;
	pages_give(NULL, PAGES_SMALL);
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		char *first = pages_take(all[i]);

		memset(first, 1, all[i]);
		pages_give(first, all[i]);
		assert_ptr_equal(pages_take(all[i]), first);
		pages_give(first, all[i]);
		/* More than are kept. */
		for (size_t j = 0; j < ARRAY_LEN(p); j++) {
			p[j] = pages_take(all[i]);
			p[j][0] = p[j][all[i] - 1] = 'x';
		}
		for (size_t j = 0; j < ARRAY_LEN(p); j++)
			pages_give(p[j], all[i]);
	}
	assert_int_equal(pages_in_use(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes),
		cmocka_unit_test(reuse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
