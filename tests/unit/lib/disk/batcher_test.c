/* Group commit: all that arrived while a batch ran is the next one, in order, within the limits. */
#include "lib/disk/batcher.h"

#include <setjmp.h>
#include <cmocka.h>
#include <unistd.h>

struct seen {
	unsigned batches, items, largest;
	size_t bytes_largest;
	unsigned order[4000];
	unsigned us;                    /* how long a batch takes */
};

struct item {
	struct batch_item b;
	unsigned number;
};

static void run_batch(void *arg, struct batch_item *first, unsigned count)
{
	struct seen *s = arg;
	unsigned n = 0;
	size_t bytes = 0;

	for (struct batch_item *i = first; i; i = i->next, n++) {
		s->order[s->items++] = container_of(i, struct item, b)->number;
		bytes += i->bytes;
	}
	assert(n == count);
	s->batches++;
	s->largest = MAX(s->largest, n);
	s->bytes_largest = MAX(s->bytes_largest, bytes);
	usleep(s->us);
}

struct user {
	struct batcher *batcher;
	unsigned *next;
	unsigned times;
	size_t bytes;
};

task_asserted static void use(void *arg)
{
	struct user *u = arg;

	for (unsigned i = 0; i < u->times; i++) {
		struct item it = { .b.bytes = u->bytes, .number = (*u->next)++ };

		batcher_run(u->batcher, &it.b);
		assert(it.b.done);
	}
}

waits static struct batcher *new_batcher(struct seen *s, unsigned items, size_t bytes, size_t queue)
{
	return batcher_new(&(struct batcher_options){ .name = "test", .run = run_batch, .arg = s,
						      .items_max = items, .bytes_max = bytes,
						      .queue_bytes_max = queue });
}

static struct seen seen;

waits static void use_from(unsigned tasks, unsigned times, size_t bytes, struct batcher *b)
{
	unsigned next = 0;
	struct user u = { .batcher = b, .next = &next, .times = times, .bytes = bytes };
	TASK_GROUP(g);

	for (unsigned i = 0; i < tasks; i++)
		task_spawn(&g, "user", use, &u);
	assert_int_equal(task_group_join(&g), 0);
}

task_asserted static void grouping(void *arg)
{
	(void)arg;
	seen = (struct seen){ .us = 300 };
	struct batcher *b = new_batcher(&seen, 1000, MIB, MIB);
	use_from(40, 50, 100, b);
	batcher_free(b);
	assert_int_equal(seen.items, 2000);
	assert_true(seen.batches < 1000);
	assert_true(seen.largest > 10);
	for (unsigned i = 0; i < seen.items; i++)
		assert_int_equal(seen.order[i], i);
}

task_asserted static void limits(void *arg)
{
	(void)arg;
	seen = (struct seen){ .us = 200 };
	struct batcher *b = new_batcher(&seen, 8, 1000, 5000);
	use_from(40, 20, 100, b);
	assert_int_equal(seen.items, 800);
	assert_true(seen.largest <= 8);
	seen = (struct seen){ .us = 200 };
	use_from(40, 10, 400, b);
	assert_true(seen.largest <= 2);
	assert_true(seen.bytes_largest <= 1000);
	/* One that is larger than everything goes alone. */
	seen = (struct seen){ .us = 200 };
	use_from(10, 1, 100000, b);
	assert_int_equal(seen.items, 10);
	assert_int_equal(seen.largest, 1);
	batcher_free(b);
}

task_asserted static void several_at_once(void *arg)
{
	struct item items[100];

	(void)arg;
	seen = (struct seen){ .us = 10 };
	struct batcher *b = new_batcher(&seen, 30, MIB, MIB);
	for (unsigned i = 0; i < ARRAY_LEN(items); i++)
		items[i] = (struct item){ .number = i,
					  .b.next = i + 1 < ARRAY_LEN(items) ? &items[i + 1].b
									     : NULL };
	batcher_run_all(b, &items[0].b);
	for (unsigned i = 0; i < ARRAY_LEN(items); i++)
		assert_true(items[i].b.done);
	assert_int_equal(seen.items, 100);
	assert_int_equal(seen.batches, 4);
	for (unsigned i = 0; i < seen.items; i++)
		assert_int_equal(seen.order[i], i);
	batcher_free(b);
}

/* A task that is cancelled still waits for its batch: the item is on its stack. */
task_asserted static void cancelled(void *arg)
{
	unsigned next = 0;

	(void)arg;
	seen = (struct seen){ .us = 20000 };
	struct batcher *b = new_batcher(&seen, 30, MIB, MIB);
	struct user u = { .batcher = b, .next = &next, .times = 1, .bytes = 1 };
	{
		TASK_GROUP(g);

		for (unsigned i = 0; i < 5; i++)
			task_spawn(&g, "user", use, &u);
		assert_int_equal(task_sleep(5), 0);
	}
	assert_int_equal(seen.items, 5);
	batcher_free(b);
}

static void run(task_fn *fn)
{
	uv_loop_t loop;

	assert_int_equal(uv_loop_init(&loop), 0);
	tasks_start(&loop);
	task_spawn(NULL, "test", fn, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(tasks_live(), 0);
	tasks_stop();
	assert_int_equal(uv_loop_close(&loop), 0);
}

#define TEST(name)                              \
	static void test_##name(void **state)   \
	{                                       \
		(void)state;                    \
		run(name);                      \
	}
TEST(grouping)
TEST(limits)
TEST(several_at_once)
TEST(cancelled)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grouping),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_several_at_once),
		cmocka_unit_test(test_cancelled),
	};

	return cmocka_run_group_tests_name("batcher", tests, NULL, NULL);
}
