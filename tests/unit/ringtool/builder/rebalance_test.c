/* ringtool/builder/rebalance: even, well spread, and nothing moves that need not. */
#include "ringtool/builder/plan.h"
#include "ringtool/builder/random.h"

#include <setjmp.h>
#include <cmocka.h>
#include <math.h>

static const int64_t hour_s = 3600, begin_s = 1700000000;

static int add(struct builder *b, unsigned region, unsigned zone, unsigned server, double weight)
{
	struct ring_dev dev = {
		.id = -1, .region = region, .zone = zone, .port = 6200, .weight = weight
	};
	struct fault why = { "" };

	snprintf(dev.ip, sizeof dev.ip, "10.%u.%u.%u", region, zone, server);
	memcpy(dev.replication_ip, dev.ip, sizeof dev.ip);
	snprintf(dev.device, sizeof dev.device, "d%u-%" PRId64, b->devs_n, b->version);
	int id = builder_dev_add(b, &dev, &why);
	assert_true(id >= 0);
	return id;
}

/* Rebalances at an hour since the beginning, and looks whether all is in order afterwards. */
static struct builder_moves run(struct builder *b, uint64_t seed, int64_t hour)
{
	struct builder_moves moves = { 0 };
	struct fault why = { "" };

	assert_int_equal(builder_rebalance(b, seed, begin_s + hour * hour_s, &moves, &why), 0);
	assert_int_equal(builder_validate(b, &why), 0);
	return moves;
}

static uint32_t *table_copy(const struct builder *b)
{
	return (uint32_t *)(void *)xmemdupz((const char *)b->table, b->cells * sizeof *b->table);
}

/* The most cells of one partition that differ. */
static unsigned moved_at_once(const struct builder *b, const uint32_t *before)
{
	unsigned most = 0;

	for (uint64_t part = 0; part < builder_parts(b); part++) {
		unsigned n = 0;

		for (uint64_t cell = part; cell < b->cells; cell += builder_parts(b))
			n += b->table[cell] != before[cell];
		most = MAX(most, n);
	}
	return most;
}

/* Every tier has as many copies of every partition as the plan says, or one more. */
static void check_plan(const struct builder *b)
{
	AUTO(plan) p = NULL;
	struct fault why = { "" };

	assert_int_equal(plan_new(b, &p, &why), 0);
	for (uint64_t part = 0; part < builder_parts(b); part++)
		for (uint32_t n = 0; n < p->nodes_n; n++) {
			unsigned count = 0;

			for (uint64_t cell = part; cell < b->cells; cell += builder_parts(b))
				count += plan_path(p, b->table[cell])[p->nodes[n].depth] == n;
			assert_in_range(count, p->nodes[n].min, p->nodes[n].max);
		}
}

static void test_all_in_one(void **state)
{
	AUTO(builder) b = builder_new(10, 3, 1);

	(void)state;
	for (unsigned zone = 1; zone <= 4; zone++)
		add(b, 1, zone, 1, 100);
	struct builder_moves m = run(b, 1, 0);
	assert_int_equal(m.cells, 3 * 1024);
	assert_int_equal(m.parts, 1024);
	assert_true(m.balance == 0 && b->dispersion == 0);
	for (unsigned id = 0; id < 4; id++)
		assert_int_equal(b->devs[id]->parts, 768);
}

/* The first placement keeps to the plan exactly, whatever the topology. */
static void test_random_topologies(void **state)
{
	static const double replicas[] = { 1, 2, 3, 3.5, 2.25, 4, 6 };
	struct random r = { 7 };

	(void)state;
	for (unsigned i = 0; i < 60; i++) {
		AUTO(builder)
		b = builder_new(7, replicas[random_below(&r, ARRAY_LEN(replicas))], 1);
		unsigned regions = 1 + (unsigned)random_below(&r, 3);

		b->overload = (double)random_below(&r, 3) / 5;
		for (unsigned region = 0; region < regions; region++)
			for (unsigned zone = (unsigned)random_below(&r, 3); zone < 4; zone++)
				for (unsigned n = 3 + (unsigned)random_below(&r, 9); n > 0; n--)
					add(b, region, zone, n % 3,
					    50 * (double)(1 + random_below(&r, 6)));
		run(b, i, 0);
		check_plan(b);
	}
}

static void test_new_device_gets_its_share(void **state)
{
	AUTO(builder) b = builder_new(10, 3, 1);

	(void)state;
	for (unsigned i = 0; i < 12; i++)
		add(b, 1, i % 4, i / 4, 100);
	run(b, 1, 0);
	AUTO(free) before = table_copy(b);
	int id = add(b, 1, 0, 9, 100);
	struct builder_moves m = run(b, 2, 2);
	/* Its share of 3 * 1024 cells among 13, and nothing else moved. */
	assert_in_range(m.cells, 236, 237);
	assert_int_equal(m.cells, b->devs[id]->parts);
	assert_int_equal(moved_at_once(b, before), 1);
	for (uint64_t cell = 0; cell < b->cells; cell++)
		assert_true(b->table[cell] == ((uint32_t *)before)[cell] ||
			    b->table[cell] == (uint32_t)id);
	assert_int_equal(run(b, 3, 4).cells, 0);
}

static void test_partitions_rest(void **state)
{
	AUTO(builder) b = builder_new(8, 3, 24);

	(void)state;
	for (unsigned i = 0; i < 6; i++)
		add(b, 1, i, 1, 100);
	run(b, 1, 0);
	add(b, 1, 7, 1, 100);
	assert_int_equal(run(b, 2, 23).cells, 0);
	assert_int_equal(builder_hours_seconds_left(b, begin_s + 24 * hour_s), 23 * hour_s);
	uint64_t moved = run(b, 3, 24).cells;
	assert_in_range(moved, 109, 110);
	/* What moved now rests; what did not may move. */
	AUTO(free) before = table_copy(b);
	add(b, 1, 8, 1, 1000);
	run(b, 4, 25);
	assert_int_equal(moved_at_once(b, before), 1);
	for (uint64_t part = 0; part < 256; part++)
		for (uint64_t cell = part; cell < b->cells; cell += 256)
			if (((uint32_t *)before)[cell] == 6)
				assert_int_equal(b->table[cell], 6);
	builder_hours_forget(b);
	assert_true(run(b, 5, 25).balance < 100);
}

static void test_removed_device_goes_at_once(void **state)
{
	AUTO(builder) b = builder_new(8, 3, 24);

	(void)state;
	for (unsigned i = 0; i < 8; i++)
		add(b, 1, i % 4, i, 100);
	run(b, 1, 0);
	AUTO(free) before = table_copy(b);
	uint32_t parts = b->devs[3]->parts;
	builder_dev_remove(b, b->devs[3]);
	struct builder_moves m = run(b, 2, 1);
	assert_int_equal(m.cells, parts);
	assert_int_equal(m.removed, 1);
	assert_null(b->devs[3]);
	for (uint64_t cell = 0; cell < b->cells; cell++)
		assert_true(b->table[cell] == ((uint32_t *)before)[cell] ||
			    ((uint32_t *)before)[cell] == 3);
	assert_int_equal(add(b, 1, 3, 3, 100), 3);      /* the id is used again */
}

static void test_drained_device(void **state)
{
	AUTO(builder) b = builder_new(8, 2, 1);

	(void)state;
	for (unsigned i = 0; i < 6; i++)
		add(b, 1, i % 3, i, 100);
	run(b, 1, 0);
	uint32_t parts = b->devs[2]->parts;
	b->devs[2]->dev.weight = 0;
	struct builder_moves m = run(b, 2, 2);
	assert_int_equal(b->devs[2]->parts, 0);
	assert_int_equal(m.cells, parts);
}

static void test_replicas_change(void **state)
{
	AUTO(builder) b = builder_new(6, 2, 24);

	(void)state;
	for (unsigned i = 0; i < 5; i++)
		add(b, 1, i, i, 100);
	run(b, 1, 0);
	AUTO(free) before = table_copy(b);
	b->replicas = 2.25;
	struct builder_moves m = run(b, 2, 1); /* new copies are no moves: nothing need rest */
	assert_int_equal(m.cells, 16);
	assert_int_equal(b->cells, 144);
	assert_memory_equal(before, b->table, 128 * sizeof *b->table);
	b->replicas = 1;
	m = run(b, 3, 2);
	assert_int_equal(b->cells, 64);
	b->replicas = 6;
	struct fault why = { "" };
	int64_t version = b->version;
	assert_int_equal(builder_rebalance(b, 1, begin_s, &m, &why), -EINVAL);
	assert_non_null(strstr(why.text, "more than 5 devices"));
	assert_int_equal(b->version, version);
	assert_int_equal(b->cells, 64);
}

/* Two zones, one of them with twice the weight: by weight some partitions have two copies in the
 * large one; with overload the small one takes more and none has. */
static void test_overload(void **state)
{
	AUTO(builder) b = builder_new(8, 2, 0);

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		add(b, 1, 1, i, 100);
	for (unsigned i = 0; i < 2; i++)
		add(b, 1, 2, i, 100);
	run(b, 1, 0);
	assert_true(b->dispersion > 16 && b->dispersion < 17);
	assert_true(builder_balance(b) < 1);
	b->overload = 1;
	run(b, 2, 1);
	assert_true(b->dispersion == 0);
	assert_int_equal(b->devs[4]->parts, 128);
	b->overload = 0.25;
	run(b, 3, 2);
	assert_true(b->dispersion > 8 && b->dispersion < 9);
}

static void test_seed(void **state)
{
	AUTO(builder) a = builder_new(8, 3, 1), b = builder_new(8, 3, 1), c = builder_new(8, 3, 1);

	(void)state;
	for (unsigned i = 0; i < 9; i++) {
		add(a, 1, i % 3, i, 100);
		add(b, 1, i % 3, i, 100);
		add(c, 1, i % 3, i, 100);
	}
	run(a, 5, 0);
	run(b, 5, 0);
	run(c, 6, 0);
	assert_memory_equal(a->table, b->table, a->cells * sizeof *a->table);
	assert_memory_not_equal(a->table, c->table, a->cells * sizeof *a->table);
}

/* All the others share the work when a device fails: no two devices hold the same partitions. */
static void test_partners(void **state)
{
	AUTO(builder) b = builder_new(12, 3, 1);
	bool partner[60] = { false };
	unsigned n = 0;

	(void)state;
	for (unsigned i = 0; i < 60; i++)
		add(b, 1, i % 6, i, 100);
	run(b, 1, 0);
	for (uint64_t part = 0; part < 4096; part++)
		for (uint64_t cell = part; cell < b->cells; cell += 4096)
			for (uint64_t other = part; other < b->cells; other += 4096)
				if (b->table[cell] == 0)
					partner[b->table[other]] = true;
	for (unsigned i = 0; i < 60; i++)
		n += partner[i];
	assert_int_equal(n, 51);                /* itself, and the 50 of the five other zones */
}

static void test_previous_owners(void **state)
{
	AUTO(builder) b = builder_new(6, 2, 1);

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		add(b, 1, i, i, 100);
	run(b, 1, 0);
	assert_int_equal(b->moved_n, 0);
	AUTO(free) before = table_copy(b);
	add(b, 1, 4, 4, 100);
	uint64_t moves = run(b, 2, 2).cells;
	assert_int_equal(b->moved_n, moves);
	for (size_t i = 0; i < b->moved_n; i++) {
		uint32_t part = b->moved[i].part, *was = before;

		assert_true(was[part] == b->moved[i].dev || was[64 + part] == b->moved[i].dev);
		assert_true(b->table[part] == 4 || b->table[64 + part] == 4);
	}
	/* A device that goes is no previous owner; after a week nobody is. */
	builder_dev_remove(b, b->devs[0]);
	run(b, 3, 4);
	for (size_t i = 0; i < b->moved_n; i++)
		assert_int_not_equal(b->moved[i].dev, 0);
	run(b, 4, 4 + BUILDER_PREVIOUS_HOURS + 1);
	assert_int_equal(b->moved_n, 0);
}

static void test_one_partition(void **state)
{
	AUTO(builder) b = builder_new(0, 1, 0);

	(void)state;
	add(b, 1, 1, 1, 1);
	assert_int_equal(run(b, 1, 0).cells, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_in_one),
		cmocka_unit_test(test_random_topologies),
		cmocka_unit_test(test_new_device_gets_its_share),
		cmocka_unit_test(test_partitions_rest),
		cmocka_unit_test(test_removed_device_goes_at_once),
		cmocka_unit_test(test_drained_device),
		cmocka_unit_test(test_replicas_change),
		cmocka_unit_test(test_overload),
		cmocka_unit_test(test_seed),
		cmocka_unit_test(test_partners),
		cmocka_unit_test(test_previous_owners),
		cmocka_unit_test(test_one_partition),
	};

	return cmocka_run_group_tests_name("ringtool/builder/rebalance", tests, NULL, NULL);
}
