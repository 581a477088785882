/* Which answer wins. */
#include "proxy/backend/backend.h"

#include <setjmp.h>
#include <cmocka.h>

#define BEST(quorum, ...)                                                                     \
	({                                                                                    \
		const int s_[] = { __VA_ARGS__ };                                             \
		int i_ = quorum_best(s_, NULL, ARRAY_LEN(s_), quorum);                        \
		i_ < 0 ? 503 : s_[i_];                                                        \
	})
#define REACHED(quorum, ...)                                                                  \
	({                                                                                    \
		const int s_[] = { __VA_ARGS__ };                                             \
		quorum_reached(s_, ARRAY_LEN(s_), quorum);                                    \
	})

static void sizes(void **state)
{
	static const unsigned want[] = { 0, 1, 1, 2, 2, 3, 3, 4 };

	(void)state;
	for (unsigned n = 1; n < ARRAY_LEN(want); n++)
		assert_int_equal(quorum_size(n), want[n]);
}

static void the_first_class_with_a_quorum(void **state)
{
	(void)state;
	assert_int_equal(BEST(2, 201, 201, 503), 201);
	assert_int_equal(BEST(2, 201, 202, 404), 202);          /* the highest of its class */
	assert_int_equal(BEST(2, 404, 404, 201), 404);
	assert_int_equal(BEST(2, 404, 409, 503), 409);
	assert_int_equal(BEST(2, 201, 404, 503), 503);
	assert_int_equal(BEST(2, 507, 507, 507), 503);
	assert_int_equal(BEST(1, 404, 201), 201);               /* successes before refusals */
	assert_int_equal(BEST(2, 304, 304, 404), 304);
}

static void nobody_answered(void **state)
{
	(void)state;
	assert_int_equal(quorum_best(NULL, NULL, 0, 0), -1);
	assert_false(quorum_reached(NULL, 0, 1));
}

static void early_decision(void **state)
{
	(void)state;
	assert_false(REACHED(2, 201));
	assert_false(REACHED(2, 201, 404));
	assert_true(REACHED(2, 201, 404, 201));
	assert_true(REACHED(2, 404, 404));
	assert_false(REACHED(2, 503, 503));
}

/* A 404 that stands for a 204 counts, but is not the one that is shown. */
static void avoided(void **state)
{
	const int statuses[] = { 204, 204, 503 };
	const bool avoid[] = { true, false, false }, all[] = { true, true, false };

	(void)state;
	assert_int_equal(quorum_best(statuses, avoid, 3, 2), 1);
	assert_int_equal(quorum_best(statuses, all, 3, 2), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes),
		cmocka_unit_test(the_first_class_with_a_quorum),
		cmocka_unit_test(nobody_answered),
		cmocka_unit_test(early_decision),
		cmocka_unit_test(avoided),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
