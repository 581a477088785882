/* How background work gives way to clients. */
#include "objectd/replicator/pressure.h"

#include <setjmp.h>
#include <cmocka.h>

/* A second in which all clients but one in a hundred waited that long. */
static unsigned second(struct pressure *p, uint64_t *now, uint64_t us, uint64_t late_us,
		       bool sending)
{
	for (unsigned i = 0; i < 200; i++)
		pressure_note(p, i % 50 == 0 ? late_us : us);
	*now += PRESSURE_WINDOW_MS;
	return pressure_share(p, *now, sending);
}

static void shrinks_and_recovers(void **state)
{
	struct pressure p;
	uint64_t now = 5000;
	unsigned share = 0, before;

	(void)state;
	pressure_init(&p, now);
	assert_int_equal(pressure_share(&p, now, false), PRESSURE_WHOLE);
	for (unsigned i = 0; i < 10; i++)
		share = second(&p, &now, 1000, 5000, false);
	assert_int_equal(share, PRESSURE_WHOLE);
	assert_in_range(p.usual_us, 4000, 6000);
	for (unsigned i = 0; i < 3; i++) {
		before = share;
		share = second(&p, &now, 1000, 50000, true);
		assert_true(share < before);
	}
	for (unsigned i = 0; i < 100; i++)
		share = second(&p, &now, 1000, 50000, true);
	assert_int_equal(share, PRESSURE_LEAST);
	for (unsigned i = 0; i < 40; i++)
		share = second(&p, &now, 1000, 5000, true);
	assert_int_equal(share, PRESSURE_WHOLE);
}

static void quick_clients_do_not_matter(void **state)
{
	struct pressure p;
	uint64_t now = 1;

	(void)state;
	pressure_init(&p, now);
	(void)second(&p, &now, 100, 100, false);
	/* Ten times slower, but nobody notices a millisecond. */
	assert_int_equal(second(&p, &now, 1000, 1000, true), PRESSURE_WHOLE);
}

static void a_few_requests_prove_nothing(void **state)
{
	struct pressure p;
	uint64_t now = 1;

	(void)state;
	pressure_init(&p, now);
	(void)second(&p, &now, 1000, 1000, false);
	for (unsigned i = 0; i < 5; i++)
		pressure_note(&p, 1000000);
	now += PRESSURE_WINDOW_MS;
	assert_int_equal(pressure_share(&p, now, true), PRESSURE_WHOLE);
}

static void long_silence(void **state)
{
	struct pressure p;
	uint64_t now = 1;

	(void)state;
	pressure_init(&p, now);
	for (unsigned i = 0; i < 5; i++)
		(void)second(&p, &now, 1000, 1000, false);
	for (unsigned i = 0; i < 50; i++)
		(void)second(&p, &now, 90000, 90000, true);
	assert_int_equal(p.share, PRESSURE_LEAST);
	now += 86400000;
	assert_int_equal(pressure_share(&p, now, false), PRESSURE_WHOLE);
	assert_int_equal(p.window_ms, now);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shrinks_and_recovers),
		cmocka_unit_test(quick_clients_do_not_matter),
		cmocka_unit_test(a_few_requests_prove_nothing),
		cmocka_unit_test(long_silence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
