/* Locks by key: one holder at a time, others in turn, cancelled waiters leave no trace. */
#include "objectd/locks.h"

#include <setjmp.h>
#include <cmocka.h>

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

struct holder {
	struct locks *locks;
	struct str key;
	unsigned *inside, *most, *done;
	int rc;
};

task_asserted static void hold(void *arg)
{
	struct holder *h = arg;
	AUTO(lock) lock = NULL;

	h->rc = lock_take(h->locks, h->key, &lock);
	if (h->rc < 0)
		return;
	++*h->inside;
	*h->most = MAX(*h->most, *h->inside);
	(void)!task_sleep(1);
	--*h->inside;
	++*h->done;
}

task_asserted static void exclusive_task(void *arg)
{
	struct locks *l = locks_new();
	unsigned inside = 0, most = 0, done = 0;
	struct holder h[20];

	(void)arg;
	{
		TASK_GROUP(g);
		for (unsigned i = 0; i < 20; i++) {
			h[i] = (struct holder){ l, S("same"), &inside, &most, &done, 0 };
			task_spawn(&g, "holder", hold, &h[i]);
		}
		assert_int_equal(task_group_join(&g), 0);
	}
	assert_int_equal(done, 20);
	assert_int_equal(most, 1);
	locks_free(l);
}

task_asserted static void others_task(void *arg)
{
	struct locks *l = locks_new();
	struct lock *a = NULL, *b = NULL;

	(void)arg;
	assert_int_equal(lock_take(l, S("a"), &a), 0);
	assert_int_equal(lock_take(l, S("b"), &b), 0);
	lock_give(a);
	lock_give(b);
	lock_give(NULL);
	locks_free(l);
}

/* The first waiter is cancelled: the next gets its turn. */
task_asserted static void cancelled_task(void *arg)
{
	struct locks *l = locks_new();
	unsigned inside = 0, most = 0, done = 0;
	struct holder h[3];
	struct lock *mine = NULL;
	struct task *first;

	(void)arg;
	assert_int_equal(lock_take(l, S("k"), &mine), 0);
	{
		TASK_GROUP(g);
		for (unsigned i = 0; i < 3; i++)
			h[i] = (struct holder){ l, S("k"), &inside, &most, &done, 0 };
		first = task_spawn(&g, "first", hold, &h[0]);
		task_spawn(&g, "second", hold, &h[1]);
		task_spawn(&g, "third", hold, &h[2]);
		task_yield();
		lock_give(mine);
		task_cancel(first);
		assert_int_equal(task_group_join(&g), 0);
	}
	assert_int_equal(h[1].rc, 0);
	assert_int_equal(h[2].rc, 0);
	assert_int_equal(most, 1);
	assert_true(done >= 2);
	locks_free(l);
}

static void exclusive(void **state)
{
	(void)state;
	run(exclusive_task);
}

static void others(void **state)
{
	(void)state;
	run(others_task);
}

static void cancelled(void **state)
{
	(void)state;
	run(cancelled_task);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exclusive), cmocka_unit_test(others), cmocka_unit_test(cancelled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
