/* In which order servers are asked. */
#include "tests/unit/proxy/backend/fake.h"

#include <setjmp.h>
#include <cmocka.h>

#define IN_TASK(name, ...)                     \
	waits static void name##_task(void)    \
	{                                      \
		set_up_fakes();                \
		__VA_ARGS__                    \
		tear_down_fakes();             \
	}                                      \
	static void name(void **state)         \
	{                                      \
		(void)state;                   \
		run_in_task(name##_task);      \
	}

/* The order as digits, handoffs behind a bar: "201|34". */
static const char *order(enum nodes_for what)
{
	static char text[32];
	struct nodes n;
	struct node node;
	size_t at = 0;
	bool bar = false;

	nodes_start(&n, F.proxy.backend, &F.target, what);
	while (nodes_next(&n, &node)) {
		if (node.handoff && !bar) {
			text[at++] = '|';
			bar = true;
		}
		text[at++] = node.dev->device[1];
	}
	text[at] = 0;
	nodes_done(&n);
	return text;
}

static const struct ring_dev *device(int id)
{
	return ring_dev_by_id(F.target.ring, id);
}

static bool is_one_of(char c, const char *of)
{
	return c && strchr(of, c);
}

IN_TASK(primaries_first_and_shuffled, {
	unsigned first[3] = { 0 };

	for (unsigned i = 0; i < 300; i++) {
		const char *o = order(NODES_FOR_READ);

		assert(strlen(o) == 6 && o[3] == '|');
		for (unsigned j = 0; j < 3; j++)
			assert(is_one_of(o[j], "012"));
		assert(is_one_of(o[4], "34") && is_one_of(o[5], "34") && o[4] != o[5]);
		first[o[0] - '0']++;
	}
	for (unsigned j = 0; j < 3; j++)
		assert(first[j] > 50);
})

IN_TASK(without_those_in_trouble, {
	node_failed(F.proxy.backend, device(1), 507, "test");
	node_failed(F.proxy.backend, device(3), 507, "test");
	const char *o = order(NODES_FOR_WRITE);

	assert(strlen(o) == 4 && o[2] == '|' && o[3] == '4');
	assert(is_one_of(o[0], "02") && is_one_of(o[1], "02"));
})

IN_TASK(those_that_refuse_come_last, {
	node_failed(F.proxy.backend, device(1), -ECONNREFUSED, "test");
	const char *o = order(NODES_FOR_READ);

	assert(strlen(o) == 6 && o[5] == '1');
})

/* What it missed may not have come home yet. */
IN_TASK(who_was_away_is_read_last, {
	node_failed(F.proxy.backend, device(1), -ECONNREFUSED, "test");
	node_connected(F.proxy.backend, device(1));
	assert(!node_limited(F.proxy.backend, device(1)));
	for (unsigned i = 0; i < 20; i++) {
		const char *o = order(NODES_FOR_READ);

		assert(strlen(o) == 6 && o[2] == '1');
	}
})

IN_TASK(trouble_is_forgotten, {
	F.conf.error_suppression_interval = 50;
	node_failed(F.proxy.backend, device(1), 507, "test");
	assert(node_limited(F.proxy.backend, device(1)));
	assert(task_sleep(80) == 0);
	assert(!node_limited(F.proxy.backend, device(1)));
})

IN_TASK(three_timeouts_or_eleven_errors, {
	for (unsigned i = 0; i < 2; i++)
		node_failed(F.proxy.backend, device(0), -ETIMEDOUT, "test");
	for (unsigned i = 0; i < 10; i++)
		node_failed(F.proxy.backend, device(1), 500, "test");
	assert(!node_limited(F.proxy.backend, device(0)));
	assert(!node_limited(F.proxy.backend, device(1)));
	node_failed(F.proxy.backend, device(0), -ETIMEDOUT, "test");
	node_failed(F.proxy.backend, device(1), 500, "test");
	assert(node_limited(F.proxy.backend, device(0)));
	assert(node_limited(F.proxy.backend, device(1)));
	node_failed(F.proxy.backend, device(2), -ECANCELED, "test");
	assert(!node_limited(F.proxy.backend, device(2)));
})

IN_TASK(a_preferred_one, {
	for (unsigned i = 0; i < 20; i++) {
		struct nodes n;
		struct node node;

		nodes_start(&n, F.proxy.backend, &F.target, NODES_FOR_READ);
		nodes_prefer(&n, device(2));
		assert(nodes_next(&n, &node) && node.dev == device(2));
		nodes_done(&n);
	}
})

waits static bool becomes_limited(int id, bool limited)
{
	for (unsigned i = 0; i < 100; i++) {
		if (node_limited(F.proxy.backend, device(id)) == limited)
			return true;
		assert(task_sleep(50) == 0);
	}
	return false;
}

IN_TASK(a_late_one_that_hangs_is_put_aside, {
	fakes[1].hangs = true;
	node_suspect(F.proxy.backend, device(1));
	assert(!node_limited(F.proxy.backend, device(1)));
	assert(node_is_slow(F.proxy.backend, device(1)));
	assert(becomes_limited(1, true));
	const char *o = order(NODES_FOR_READ);

	assert(strlen(o) == 5 && !strchr(o, '1'));
	/* For a write it is the last resort. */
	o = order(NODES_FOR_WRITE);
	assert(strlen(o) == 6 && o[5] == '1');
	fakes[1].hangs = false;
	assert(becomes_limited(1, false));
})

IN_TASK(a_late_one_that_answers_is_read_last, {
	node_suspect(F.proxy.backend, device(1));
	for (unsigned i = 0; i < 100 && fakes[1].probes == 0; i++)
		assert(task_sleep(20) == 0);
	assert(task_sleep(50) == 0);
	assert(fakes[1].probes == 1);
	assert(!node_limited(F.proxy.backend, device(1)));
	for (unsigned i = 0; i < 20; i++) {
		const char *o = order(NODES_FOR_READ);

		assert(strlen(o) == 6 && o[2] == '1');
	}
})

/* Zones are 1 to 5. */
IN_TASK(near_ones_are_read_first, {
	F.conf.sorting_method = SORT_AFFINITY;
	assert(affinity_parse(S("r1z3=1, r1z2=2"), true, &F.proxy.backend->read, NULL) == 0);
	for (unsigned i = 0; i < 20; i++)
		assert(strncmp(order(NODES_FOR_READ), "210|", 4) == 0);
})

IN_TASK(writes_stay_near, {
	assert(affinity_parse(S("r1z2, r1z4, r1z5"), false, &F.proxy.backend->write, NULL) == 0);
	for (unsigned i = 0; i < 20; i++) {
		const char *o = order(NODES_FOR_WRITE);

		assert(strlen(o) == 5 && o[0] == '1');
		assert(is_one_of(o[1], "34") && is_one_of(o[2], "34"));
		assert(is_one_of(o[3], "02") && is_one_of(o[4], "02"));
	}
})

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(primaries_first_and_shuffled),
		cmocka_unit_test(without_those_in_trouble),
		cmocka_unit_test(those_that_refuse_come_last),
		cmocka_unit_test(who_was_away_is_read_last),
		cmocka_unit_test(trouble_is_forgotten),
		cmocka_unit_test(three_timeouts_or_eleven_errors),
		cmocka_unit_test(a_preferred_one),
		cmocka_unit_test(a_late_one_that_hangs_is_put_aside),
		cmocka_unit_test(a_late_one_that_answers_is_read_last),
		cmocka_unit_test(near_ones_are_read_first),
		cmocka_unit_test(writes_stay_near),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
