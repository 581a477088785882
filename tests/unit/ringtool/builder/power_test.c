/* ringtool/builder/power: the partitions double where they are. */
#include "ringtool/builder/builder.h"

#include <setjmp.h>
#include <cmocka.h>

static struct builder *make(void)
{
	struct builder *b = builder_new(4, 2.5, 1);
	struct builder_moves moves;
	struct fault why = { "" };

	for (unsigned i = 0; i < 4; i++) {
		struct ring_dev dev = { .id = -1,
					.zone = i,
					.ip = "::1",
					.port = i,
					.replication_ip = "::1",
					.device = "a",
					.weight = 1 };

		assert_true(builder_dev_add(b, &dev, &why) >= 0);
	}
	assert_int_equal(builder_rebalance(b, 1, 1000000, &moves, &why), 0);
	b->devs[3]->dev.weight = 3;
	builder_hours_forget(b);
	assert_int_equal(builder_rebalance(b, 1, 1000000, &moves, &why), 0);
	return b;
}

static void test_doubling(void **state)
{
	AUTO(builder) b = make();
	struct fault why = { "" };
	uint64_t cells = b->cells;
	size_t moved_n = b->moved_n;
	AUTO(free) room = xmemdupz((const char *)b->table, cells * sizeof *b->table);
	uint32_t *before = room, parts = b->devs[0]->parts;

	(void)state;
	assert_int_equal(builder_power_increase(b), -EINVAL);
	assert_int_equal(builder_power_finish(b), -EINVAL);
	assert_int_equal(builder_power_prepare(b), 0);
	assert_int_equal(b->next_part_power, 5);
	assert_int_equal(builder_power_prepare(b), -EINVAL);
	assert_int_equal(builder_power_finish(b), -EINVAL);
	assert_int_equal(builder_power_increase(b), 0);
	assert_int_equal(b->part_power, 5);
	assert_int_equal(b->cells, 2 * cells);
	for (uint64_t cell = 0; cell < b->cells; cell++) {
		uint64_t part = cell % 32, row = cell / 32;

		assert_int_equal(b->table[cell], before[row * 16 + part / 2]);
	}
	assert_int_equal(b->devs[0]->parts, 2 * parts);
	assert_int_equal(b->moved_n, 2 * moved_n);
	for (size_t i = 1; i < b->moved_n; i++)
		assert_true(b->moved[i - 1].part <= b->moved[i].part);
	assert_int_equal(builder_validate(b, &why), 0);
	assert_int_equal(builder_power_increase(b), -EINVAL);
	assert_int_equal(builder_power_cancel(b), -EINVAL);
	assert_int_equal(builder_power_finish(b), 0);
	assert_int_equal(b->next_part_power, -1);
}

static void test_cancelling(void **state)
{
	AUTO(builder) b = make();

	(void)state;
	assert_int_equal(builder_power_cancel(b), -EINVAL);
	assert_int_equal(builder_power_prepare(b), 0);
	assert_int_equal(builder_power_cancel(b), 0);
	assert_int_equal(b->next_part_power, 4);
	assert_int_equal(builder_power_finish(b), 0);
	assert_int_equal(b->part_power, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_doubling),
					    cmocka_unit_test(test_cancelling) };

	return cmocka_run_group_tests_name("ringtool/builder/power", tests, NULL, NULL);
}
