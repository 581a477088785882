/* Tasks: starting and joining, waiting, cancelling, deadlines, groups, queues, the
 * blocking pool. */
#include "lib/task/task.h"
#include "lib/base/clock.h"
#include "tests/unit/lib/http/wire.h"

#include <setjmp.h>
#include <cmocka.h>
#include <unistd.h>

/* What happened, in order. */
static char trace[256];
static void note(const char *what)
{
	size_t n = strlen(trace);

	snprintf(trace + n, sizeof trace - n, "%s ", what);
}

static void note_name(void *arg)
{
	note(arg);
}

/* A task whose wait's result is kept. */
struct sleeper {
	uint64_t ms;
	bool masked, started;
	int rc, again;
	struct task *self;
};

waits static void sleeper(void *arg)
{
	struct sleeper *s = arg;

	s->self = task_self();
	s->started = true;
	if (s->masked) {
		task_wait_masked("a wake");
		s->rc = 1;
	} else {
		s->rc = task_sleep(s->ms);
	}
	s->again = task_wait("more", 1);
}

waits static void runs_in_order(void)
{
	trace[0] = 0;
	TASK_GROUP(g);

	task_spawn(&g, "a", note_name, (char[]){ "a" });
	task_spawn(&g, "b", note_name, (char[]){ "b" });
	task_spawn(NULL, "c", note_name, (char[]){ "c" });
	note("first");
	int rc = task_group_join(&g);
	assert(rc == 0 && g.live == 0);
	task_yield();
	assert(strcmp(trace, "first a b c ") == 0);
	assert(tasks_live() == 1);
}

waits static void sleeps(void)
{
	uint64_t begin = clock_mono_ms();
	int rc = task_sleep(30);

	assert(rc == 0);
	uint64_t ms = clock_mono_ms() - begin;
	assert(ms >= 29 && ms < 500);
	rc = task_wait("nothing", 20);
	assert(rc == -ETIMEDOUT);
	/* A wake that came before the wait is not lost, and counts once. */
	task_wake(task_self());
	task_wake(task_self());
	rc = task_wait("a wake", 1000);
	assert(rc == 0);
	rc = task_wait("nothing", 5);
	assert(rc == -ETIMEDOUT);
}

waits static void cancelling(void)
{
	struct sleeper s = { .ms = 60000 }, early = { .ms = 60000 }, masked = { .masked = true };
	TASK_GROUP(g);

	task_spawn(&g, "s", sleeper, &s);
	task_cancel(task_spawn(&g, "early", sleeper, &early));  /* before it ran */
	task_spawn(&g, "masked", sleeper, &masked);
	task_yield();
	task_yield();
	assert(s.started && early.started && masked.started);
	task_group_cancel(&g);
	task_yield();
	task_yield();
	assert(s.rc == -ECANCELED && s.again == -ECANCELED);    /* it stays cancelled */
	assert(early.rc == -ECANCELED);
	assert(masked.rc == 0 && g.live == 1);
	task_wake(masked.self);
	int rc = task_group_join(&g);
	assert(rc == 0 && masked.rc == 1 && masked.again == -ECANCELED);
}

waits static void leave_scope_early(struct sleeper *s)
{
	TASK_GROUP(g);

	task_spawn(&g, "s", sleeper, s);
	task_yield();
	task_yield();
}

waits static void groups_end_with_their_scope(void)
{
	struct sleeper s = { .ms = 60000 };

	leave_scope_early(&s);
	assert(s.rc == -ECANCELED && tasks_live() == 1);
}

waits static void owner(void *arg)
{
	struct sleeper *children = arg;
	TASK_GROUP(g);

	task_spawn(&g, "one", sleeper, &children[0]);
	task_spawn(&g, "two", sleeper, &children[1]);
	children[2].rc = task_group_join(&g);
}

/* Cancelling the owner of a group ends the children too. */
waits static void cancelling_goes_down(void)
{
	struct sleeper s[3] = { { .ms = 60000 }, { .ms = 60000 } };
	TASK_GROUP(g);
	struct task *t = task_spawn(&g, "owner", owner, s);

	task_yield();
	task_yield();
	task_cancel(t);
	int rc = task_group_join(&g);
	assert(rc == 0);
	assert(s[0].rc == -ECANCELED && s[1].rc == -ECANCELED && s[2].rc == -ECANCELED);
}

waits static int nested(uint64_t outer_ms, uint64_t inner_ms)
{
	TASK_DEADLINE(outer_ms);
	TASK_DEADLINE(inner_ms);

	return task_sleep(300);
}

waits static void deadlines(void)
{
	uint64_t begin = clock_mono_ms();
	int rc = nested(20, 60000);

	assert(rc == -ETIMEDOUT);
	rc = nested(60000, 20);
	assert(rc == -ETIMEDOUT && clock_mono_ms() - begin < 250);
	{
		TASK_DEADLINE(0);
		rc = task_wait("anything", 0);
		assert(rc == -ETIMEDOUT);
		/* Over is over, also for waits with a limit of their own; a wake still counts. */
		rc = task_wait("anything", 50);
		assert(rc == -ETIMEDOUT);
		task_wake(task_self());
		rc = task_wait("anything", 50);
		assert(rc == 0);
		/* Children get the rest of their parent's time. */
		struct sleeper s = { .ms = 300 };
		TASK_GROUP(g);
		task_spawn(&g, "s", sleeper, &s);
		task_yield();
		task_yield();
		assert(s.rc == -ETIMEDOUT);
	}
	rc = task_sleep(5);
	assert(rc == 0);
}

static bool stop_yielding;

waits static void yielder(void *arg)
{
	unsigned *turns = arg;

	while (!stop_yielding) {
		(*turns)++;
		task_yield();
	}
}

static void on_timer(uv_timer_t *t)
{
	stop_yielding = true;
	uv_close((uv_handle_t *)t, NULL);
}

/* Tasks that yield all the time do not keep the loop from its events. */
waits static void yielding_lets_events_in(void)
{
	uv_timer_t timer;
	unsigned turns = 0;
	TASK_GROUP(g);

	stop_yielding = false;
	uv_timer_init(tasks_loop(), &timer);
	uv_timer_start(&timer, on_timer, 10, 0);
	task_spawn(&g, "y", yielder, &turns);
	task_spawn(&g, "y", yielder, &turns);
	int rc = task_group_join(&g);
	assert(rc == 0 && turns > 10);
	rc = task_sleep(1);             /* the close callback */
	assert(rc == 0);
}

struct in_queue {
	struct waitq *q;
	const char *name;
	struct task *self;
	int rc;
};

waits static void queue_up(void *arg)
{
	struct in_queue *w = arg;

	w->self = task_self();
	w->rc = waitq_wait(w->q, "turn", 0);
	note(w->name);
}

waits static void queues(void)
{
	struct waitq q = WAITQ_INIT(q);
	struct in_queue w[4] = {
		{ &q, "a", 0, 0 }, { &q, "b", 0, 0 }, { &q, "c", 0, 0 }, { &q, "d", 0, 0 }
	};
	TASK_GROUP(g);

	trace[0] = 0;
	for (int i = 0; i < 4; i++)
		task_spawn(&g, w[i].name, queue_up, &w[i]);
	task_yield();
	task_yield();
	waitq_wake_one(&q);
	task_yield();
	assert(strcmp(trace, "a ") == 0);
	/* The turn of one that is cancelled at that moment goes to the next. */
	waitq_wake_one(&q);
	task_cancel(w[1].self);
	task_yield();
	assert(w[1].rc == -ECANCELED && strcmp(trace, "a b c ") == 0);
	waitq_wake_all(&q);
	int rc = task_group_join(&g);
	assert(rc == 0 && w[3].rc == 0);
	waitq_wake_all(&q);             /* nobody waits: nothing happens */
	rc = waitq_wait(&q, "nobody", 5);
	assert(rc == -ETIMEDOUT && list_empty(&q.waiters));
}

static struct task_sem sem;
static unsigned inside, inside_max;

waits static void enter(void *arg)
{
	(void)arg;
	if (task_sem_take(&sem, 0) < 0)
		return;
	inside++;
	inside_max = MAX(inside_max, inside);
	if (task_sleep(1) < 0)
		note("cancelled");
	inside--;
	task_sem_give(&sem);
}

waits static void semaphores(void)
{
	TASK_GROUP(g);

	inside = inside_max = 0;
	task_sem_init(&sem, 3);
	for (int i = 0; i < 20; i++)
		task_spawn(&g, "in", enter, NULL);
	int rc = task_group_join(&g);
	assert(rc == 0 && inside_max == 3 && sem.free == 3);
	for (int i = 0; i < 3; i++) {
		rc = task_sem_take(&sem, 0);
		assert(rc == 0);
	}
	rc = task_sem_take(&sem, 5);
	assert(rc == -ETIMEDOUT && sem.free == 0);
}

static void block(void *arg)
{
	usleep(20000);
	*(int *)arg = 7;
}

struct blocked {
	int value;
	bool done;
};

waits static void blocked(void *arg)
{
	struct blocked *b = arg;

	task_run_blocking("usleep", block, &b->value);
	b->done = true;
}

/* The loop goes on meanwhile, and cancelling does not take the argument away from the thread. */
waits static void blocking(void)
{
	struct blocked b = { 0 };
	TASK_GROUP(g);
	struct task *t = task_spawn(&g, "b", blocked, &b);
	int rc = task_sleep(5);

	assert(rc == 0 && !b.done);
	task_cancel(t);
	task_yield();
	assert(!b.done);
	rc = task_group_join(&g);
	assert(rc == 0 && b.done && b.value == 7);
}

waits static void note_id(void *arg)
{
	(void)arg;
	note(task_trans_id());
}

waits static void transaction_ids(void)
{
	static const char long_id[] =
		"0123456789012345678901234567890123456789012345678901234567890123456789";
	TASK_GROUP(g);

	trace[0] = 0;
	task_set_trans_id(S("tx1"));
	task_spawn(&g, "child", note_id, NULL);
	task_set_trans_id(S("tx2"));    /* the child keeps what it was born with */
	int rc = task_group_join(&g);
	assert(rc == 0 && strcmp(trace, "tx1 ") == 0);
	task_set_trans_id(str_from(long_id));
	assert(strlen(task_trans_id()) == 63);
}

static unsigned slow_ms;
static char slow_name[32];

static void on_slow(const char *name, const char *after, unsigned ms)
{
	(void)after;
	slow_ms = ms;
	snprintf(slow_name, sizeof slow_name, "%s", name);
}

static void hog(void *arg)
{
	(void)arg;
	usleep(80000);
}

waits static void watchdog(void)
{
	TASK_GROUP(g);

	tasks_set_watchdog(on_slow);
	task_spawn(&g, "hog", hog, NULL);
	int rc = task_group_join(&g);
	assert(rc == 0 && slow_ms >= 75 && strcmp(slow_name, "hog") == 0);
	tasks_set_watchdog(NULL);
}

waits static void dump(void)
{
	struct sleeper s = { .ms = 60000 };
	char text[1024];
	int p[2];
	TASK_GROUP(g);

	task_set_trans_id(S("tx-dump"));
	task_spawn(&g, "lazy", sleeper, &s);
	task_yield();
	task_yield();
	int rc = pipe(p);
	assert(rc == 0);
	tasks_dump(p[1]);
	close(p[1]);
	ssize_t n = read(p[0], text, sizeof text - 1);
	close(p[0]);
	assert(n > 0);
	text[n] = 0;
	expect_begins(text, "2 tasks\n");
	expect_holds(text, "lazy                 sleep ");
	expect_holds(text, "tx-dump");
	expect_holds(text, "running");
}

/* More than the pool keeps; each with its own values on its own stack. */
enum { MANY = 3000 };

waits static void deep(void *arg)
{
	volatile char page[2000];
	unsigned *sum = arg;

	for (size_t i = 0; i < sizeof page; i++)
		page[i] = (char)(i % 100);
	task_yield();
	for (size_t i = 0; i < sizeof page; i++)
		assert(page[i] == (char)(i % 100));
	(*sum)++;
}

waits static void many(void)
{
	unsigned sum = 0;

	for (int round = 0; round < 3; round++) {
		TASK_GROUP(g);

		for (int i = 0; i < MANY; i++)
			task_spawn(&g, "one of many", deep, &sum);
		int rc = task_group_join(&g);
		assert(rc == 0);
	}
	assert(sum == 3 * MANY && tasks_live() == 1);
}

/* Floating-point and other callee-saved state survives a switch. */
waits static void compute(void *arg)
{
	double x = 1.5, *ret = arg;

	for (int i = 0; i < 50; i++) {
		double before = x * 1.25;

		task_yield();
		x = before - 0.1;
	}
	*ret = x;
}

waits static void registers(void)
{
	double a = 0, b = 1;
	TASK_GROUP(g);

	task_spawn(&g, "a", compute, &a);
	task_spawn(&g, "b", compute, &b);
	int rc = task_group_join(&g);
	assert(rc == 0 && a == b && a > 1000);
}

#define IN_TASK(name) static void test_##name(void **state) { (void)state; run_in_task(name); }
#define TESTS(X)                                                                            \
	X(runs_in_order)                                                                    \
	X(sleeps) X(cancelling) X(groups_end_with_their_scope) X(cancelling_goes_down)      \
		X(deadlines) X(yielding_lets_events_in) X(queues) X(semaphores) X(blocking) \
			X(transaction_ids) X(watchdog) X(dump) X(many) X(registers)
TESTS(IN_TASK)

int main(void)
{
#define ENTRY(name) cmocka_unit_test(test_##name),
	const struct CMUnitTest tests[] = { TESTS(ENTRY) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
