/* Stackful tasks over one libuv loop: stacks, the ready queue, waiting, groups, the
 * blocking pool. */
#include "lib/task/task.h"
#include "lib/base/clock.h"

#include <sys/mman.h>
#include <unistd.h>
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define VALGRIND_STACK_REGISTER(a, b) 0
#define VALGRIND_STACK_DEREGISTER(a) (void)(a)
#endif
#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define ASAN 1
#define asan_leave(save, base, size) __sanitizer_start_switch_fiber(save, base, size)
#define asan_enter(save, base, size) __sanitizer_finish_switch_fiber(save, base, size)
#define asan_clean(p, n) __asan_unpoison_memory_region(p, n)
#else
#define ASAN 0
#define asan_leave(save, base, size) ((void)(save), (void)(base), (void)(size))
#define asan_enter(save, base, size) ((void)(save), (void)(base), (void)(size))
#define asan_clean(p, n) ((void)(p), (void)(n))
#endif
#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
#include <sanitizer/tsan_interface.h>
#define TSAN 1
#endif
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102          /* Linux 6.13 */
#endif

enum {
	STACK_SIZE = (ASAN ? 512 : 128) * KIB,
	GUARD = 4096,
	POOL_HOT = 64,                  /* stacks kept with their pages, used first */
	POOL_COLD = 960,                /* and without */
	ROUNDS_MAX = 4096,              /* task runs between two polls */
	SLOW_MS = 50,
	LONG_MS = 200,                  /* a task that waits so long gives back what it can */
	TASK_MAGIC = 0x7a51c0de,
};

/* Saves the registers and sp of the caller, continues at the other's. lib/task/switch_*.S */
void task_switch(void **save_sp, void *load_sp);

struct task {
	unsigned magic;
	bool ready, parked, woken, timed_out, cancelled, done;
	bool trimmed;                   /* since it was parked */
	void *sp;
	char *stack;
	unsigned vg_id;
	void *asan_fake, *tsan;
	task_fn *fn;
	void *arg;
	const char *name, *why;
	struct task *next_ready;
	struct list sibling, all;
	struct task_group *group;
	uint64_t deadline_ms, parked_at_ms;
	uv_timer_t timer;
	char trans_id[64];
};

static struct {
	uv_loop_t *loop;
	uv_check_t check;
	uv_idle_t idle;                 /* active while tasks are ready: the loop must not block */
	uv_timer_t trimmer;
	bool trimming;                  /* the timer is set */
	struct task *current, *head, **tail;
	struct task *yielded, **yielded_tail;   /* to run after the next poll */
	struct list all;
	unsigned live;
	void *sp, *asan_fake, *tsan;
	const void *base;
	size_t size;
	struct task *hot[POOL_HOT], *cold[POOL_COLD];
	int hot_n, cold_n;
	void (*watchdog)(const char *name, const char *after, unsigned ms);
} S_;

struct task *task_self(void)
{
	return S_.current;
}

uv_loop_t *tasks_loop(void)
{
	return S_.loop;
}

unsigned tasks_live(void)
{
	return S_.live;
}

const char *task_name(const struct task *t)
{
	return t->name;
}

bool task_cancelled(void)
{
	return S_.current && S_.current->cancelled;
}

static void on_idle(uv_idle_t *i)
{
	(void)i;
}

static void enqueue(struct task *t, struct task ***tail)
{
	t->ready = true;
	t->next_ready = NULL;
	**tail = t;
	*tail = &t->next_ready;
	if (!uv_is_active((uv_handle_t *)&S_.idle))
		uv_idle_start(&S_.idle, on_idle);
}

static void make_ready(struct task *t)
{
	assert(t->magic == TASK_MAGIC);
	if (!t->ready && !t->done)
		enqueue(t, &S_.tail);
}

void task_wake(struct task *t)
{
	t->woken = true;
	if (t->parked)
		make_ready(t);
}

void task_cancel(struct task *t)
{
	t->cancelled = true;
	if (t->parked)
		make_ready(t);
}

static void on_timer(uv_timer_t *timer)
{
	struct task *t = timer->data;

	assert(t->magic == TASK_MAGIC);
	t->timed_out = true;
	if (t->parked)
		make_ready(t);
}

static void task_free(struct task *t)
{
	VALGRIND_STACK_DEREGISTER(t->vg_id);
	munmap(t->stack, STACK_SIZE);
	free(t);
}

static void on_timer_closed(uv_handle_t *h)
{
	task_free(h->data);
}

/* Back into the pool; its timer stays initialised. */
static void reap(struct task *t)
{
	uv_timer_stop(&t->timer);
	list_remove(&t->all);
	S_.live--;
	if (t->group) {
		list_remove(&t->sibling);
		t->group->live--;
		if (t->group->owner)
			task_wake(t->group->owner);
	}
#ifdef TSAN
	__tsan_destroy_fiber(t->tsan);
#endif
	asan_clean(t->stack + GUARD, STACK_SIZE - GUARD);
	if (S_.hot_n < POOL_HOT) {
		S_.hot[S_.hot_n++] = t;
	} else if (S_.cold_n < POOL_COLD) {
		madvise(t->stack + GUARD, STACK_SIZE - GUARD, MADV_DONTNEED);
		S_.cold[S_.cold_n++] = t;
	} else {
		uv_close((uv_handle_t *)&t->timer, on_timer_closed);
	}
}

static void watch(struct task *t, const char *after, uint64_t since)
{
	uint64_t ms = (clock_mono_ns() - since) / 1000000;

	if (ms > SLOW_MS && S_.watchdog)
		S_.watchdog(t->name, after, (unsigned)ms);
}

static void run(struct task *t)
{
	assert(!S_.current && t->ready && t->magic == TASK_MAGIC);
	const char *after = t->why;
	uint64_t since = clock_mono_ns();

	t->ready = t->parked = false;
	S_.current = t;
#ifdef TSAN
	S_.tsan = __tsan_get_current_fiber();
	__tsan_switch_to_fiber(t->tsan, 0);
#endif
	asan_leave(&S_.asan_fake, t->stack + GUARD, STACK_SIZE - GUARD);
	task_switch(&S_.sp, t->sp);
	asan_enter(S_.asan_fake, NULL, NULL);
	S_.current = NULL;
	watch(t, after, since);
	if (t->done)
		reap(t);
}

static void on_check(uv_check_t *c)
{
	(void)c;
	if (S_.yielded) {
		*S_.tail = S_.yielded;
		S_.tail = S_.yielded_tail;
		S_.yielded = NULL;
		S_.yielded_tail = &S_.yielded;
	}
	for (int i = 0; S_.head && i < ROUNDS_MAX; i++) {
		struct task *t = S_.head;

		S_.head = t->next_ready;
		if (!S_.head)
			S_.tail = &S_.head;
		run(t);
	}
	if (!S_.head && !S_.yielded)
		uv_idle_stop(&S_.idle);
}

static void leave(struct task *t)
{
	asan_leave(t->done ? NULL : &t->asan_fake, S_.base, S_.size);
#ifdef TSAN
	__tsan_switch_to_fiber(S_.tsan, 0);
#endif
	task_switch(&t->sp, S_.sp);
	asan_enter(t->asan_fake, &S_.base, &S_.size);
}

static void entry(void)
{
	asan_enter(NULL, &S_.base, &S_.size);
	struct task *t = S_.current;

	t->fn(t->arg);
	t->done = true;
	leave(t);
	unreachable("a task that ended runs again");
}

static struct task *task_new(void)
{
	if (S_.hot_n > 0)
		return S_.hot[--S_.hot_n];
	if (S_.cold_n > 0)
		return S_.cold[--S_.cold_n];
	struct task *t = xcalloc(1, sizeof *t);

	t->stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
	if (t->stack == MAP_FAILED ||
	    (madvise(t->stack, GUARD, MADV_GUARD_INSTALL) && mprotect(t->stack, GUARD, PROT_NONE)))
		unreachable("no memory for the stack of a task");
	t->vg_id = VALGRIND_STACK_REGISTER(t->stack + GUARD, t->stack + STACK_SIZE);
	uv_timer_init(S_.loop, &t->timer);
	t->timer.data = t;
	return t;
}

/* A frame that task_switch can return into: six zeroed registers below the address of entry. */
static void *first_frame(char *stack_end)
{
#if defined(__x86_64__)
	uint64_t *sp = (uint64_t *)stack_end;

	*--sp = 0;                      /* return address: none; also aligns the stack */
	for (int i = 0; i < 6; i++)
		*--sp = 0;
	*--sp = (uint64_t)(uintptr_t)entry;
	return sp;
#elif defined(__aarch64__)
	uint64_t *sp = (uint64_t *)(stack_end - 160);

	memset(sp, 0, 160);
	sp[11] = (uint64_t)(uintptr_t)entry;    /* x30 */
	return sp;
#else
#error "lib/task: write switch_<machine>.S and its first frame"
#endif
}

struct task *task_spawn(struct task_group *g, const char *name, task_fn *fn, void *arg)
{
	struct task *t = task_new(), *parent = S_.current;

	t->magic = TASK_MAGIC;
	t->ready = t->woken = t->timed_out = t->cancelled = t->done = false;
	t->parked = t->trimmed = true;
	t->name = name;
	t->why = "start";
	t->fn = fn;
	t->arg = arg;
	t->asan_fake = NULL;
	t->deadline_ms = parent && g ? parent->deadline_ms : 0;
	t->parked_at_ms = uv_now(S_.loop);
	memcpy(t->trans_id, parent ? parent->trans_id : "", parent ? sizeof t->trans_id : 1);
	t->group = g;
	list_init(&t->sibling);
	if (g) {
		list_append(&g->children, &t->sibling);
		g->live++;
	}
	list_append(&S_.all, &t->all);
	S_.live++;
#ifdef TSAN
	t->tsan = __tsan_create_fiber(0);
#endif
	t->sp = first_frame(t->stack + STACK_SIZE);
	make_ready(t);
	return t;
}

/* What lies below the stack pointer of a parked task was needed once, deep in some call, and is
 * rarely needed again soon. */
static void trim_stack(struct task *t)
{
	char *low = t->stack + GUARD, *used = (char *)((uintptr_t)t->sp & ~(uintptr_t)(GUARD - 1));

	t->trimmed = true;
	if (!ASAN && used > low)
		madvise(low, (size_t)(used - low), MADV_DONTNEED);
}

/* Thousands of requests that wait for slow clients would keep all their stacks ever touched. */
static void on_trim(uv_timer_t *timer)
{
	uint64_t now = uv_now(S_.loop);
	bool more = false;

	(void)timer;
	list_for(n, &S_.all) {
		struct task *t = list_entry(n, struct task, all);

		if (!t->parked || t->trimmed)
			continue;
		if (now - t->parked_at_ms >= LONG_MS)
			trim_stack(t);
		else
			more = true;
	}
	S_.trimming = more;
	if (more)
		uv_timer_start(&S_.trimmer, on_trim, LONG_MS, 0);
}

static void park(struct task *t, const char *why)
{
	t->why = why;
	t->parked = true;
	t->trimmed = false;
	t->parked_at_ms = uv_now(S_.loop);
	if (!S_.trimming) {
		S_.trimming = true;
		uv_timer_start(&S_.trimmer, on_trim, LONG_MS, 0);
	}
	leave(t);
}

/* Milliseconds to wait at most: the given limit cut by the task's deadline; 0 for no limit. *past
 * is set when the deadline is over. */
static uint64_t effective_timeout(struct task *t, uint64_t timeout_ms, bool *past)
{
	*past = false;
	if (t->deadline_ms == 0)
		return timeout_ms;
	uint64_t now = clock_mono_ms();

	if (now >= t->deadline_ms) {
		*past = true;
		return 0;
	}
	uint64_t left = t->deadline_ms - now;
	return timeout_ms ? MIN(timeout_ms, left) : left;
}

int task_wait(const char *why, uint64_t timeout_ms)
{
	struct task *t = S_.current;
	bool past;

	assert(t && t->magic == TASK_MAGIC);
	timeout_ms = effective_timeout(t, timeout_ms, &past);
	t->timed_out = past;
	if (timeout_ms && !t->woken && !t->cancelled) {
		uv_update_time(S_.loop);
		uv_timer_start(&t->timer, on_timer, timeout_ms, 0);
	}
	while (!t->woken && !t->cancelled && !t->timed_out)
		park(t, why);
	if (timeout_ms)
		uv_timer_stop(&t->timer);
	int rc = t->cancelled ? -ECANCELED : t->woken ? 0 : -ETIMEDOUT;
	t->woken = false;
	return rc;
}

void task_wait_masked(const char *why)
{
	struct task *t = S_.current;

	assert(t && t->magic == TASK_MAGIC);
	while (!t->woken)
		park(t, why);
	t->woken = false;
}

int task_sleep(uint64_t ms)
{
	uint64_t end = clock_mono_ms() + MAX(ms, (uint64_t)1);

	for (;;) {
		uint64_t now = clock_mono_ms();

		if (now >= end)
			return 0;
		int rc = task_wait("sleep", end - now);
		if (rc == -ECANCELED)
			return rc;
		if (rc == -ETIMEDOUT && clock_mono_ms() < end)
			return rc;
	}
}

void task_yield(void)
{
	struct task *t = S_.current;
	bool woken = t->woken;

	enqueue(t, &S_.yielded_tail);
	park(t, "yield");
	t->woken |= woken;
}

struct task_deadline task_deadline_set(uint64_t ms)
{
	struct task *t = S_.current;
	uint64_t at = clock_mono_ms() + ms;

	assert(t);
	struct task_deadline d = { .saved = t->deadline_ms };
	if (t->deadline_ms == 0 || at < t->deadline_ms)
		t->deadline_ms = at;
	return d;
}

void task_deadline_restore(struct task_deadline *d)
{
	S_.current->deadline_ms = d->saved;
}

void task_group_init(struct task_group *g)
{
	g->owner = S_.current;
	list_init(&g->children);
	g->live = 0;
}

int task_group_join(struct task_group *g)
{
	while (g->live > 0) {
		int rc = task_wait("join", 0);

		if (rc < 0)
			return rc;
	}
	return 0;
}

void task_group_cancel(struct task_group *g)
{
	list_for(n, &g->children)
		task_cancel(list_entry(n, struct task, sibling));
}

void task_group_end(struct task_group *g)
{
	assert(g->live == 0 || g->owner == S_.current);
	task_group_cancel(g);
	while (g->live > 0)
		task_wait_masked("end of group");
}

struct blocking {
	uv_work_t work;
	void (*fn)(void *arg);
	void *arg;
	struct task *task;
	bool done;
};

static void blocking_work(uv_work_t *w)
{
	struct blocking *b = container_of(w, struct blocking, work);

	b->fn(b->arg);
}

static void blocking_done(uv_work_t *w, int status)
{
	struct blocking *b = container_of(w, struct blocking, work);

	(void)status;
	b->done = true;
	task_wake(b->task);
}

void task_run_blocking(const char *why, void (*fn)(void *arg), void *arg)
{
	struct blocking b = { .fn = fn, .arg = arg, .task = S_.current };
	bool woken = S_.current->woken;
	int rc = uv_queue_work(S_.loop, &b.work, blocking_work, blocking_done);

	assert(rc == 0);
	while (!b.done)
		task_wait_masked(why);
	S_.current->woken = woken;
}

void task_set_trans_id(struct str id)
{
	struct task *t = S_.current;

	assert(t);
	id = str_head(id, sizeof t->trans_id - 1);
	if (id.n)
		memcpy(t->trans_id, id.p, id.n);
	t->trans_id[id.n] = 0;
}

const char *task_trans_id(void)
{
	return S_.current ? S_.current->trans_id : "";
}

struct waiter {
	struct list node;
	struct task *task;
	bool chosen;
};

int waitq_wait(struct waitq *q, const char *why, uint64_t timeout_ms)
{
	struct waiter w = { .task = S_.current };
	int rc = 0;

	list_append(&q->waiters, &w.node);
	while (!w.chosen && rc == 0)
		rc = task_wait(why, timeout_ms);
	if (w.chosen && rc < 0) {
		waitq_wake_one(q);      /* the turn that was given to us goes to the next */
	} else if (!w.chosen) {
		list_remove(&w.node);
	}
	return rc;
}

void waitq_wake_one(struct waitq *q)
{
	struct list *n = list_pop(&q->waiters);

	if (n) {
		struct waiter *w = list_entry(n, struct waiter, node);

		w->chosen = true;
		task_wake(w->task);
	}
}

void waitq_wake_all(struct waitq *q)
{
	while (!list_empty(&q->waiters))
		waitq_wake_one(q);
}

void task_sem_init(struct task_sem *s, unsigned n)
{
	s->free = n;
	waitq_init(&s->q);
}

int task_sem_take(struct task_sem *s, uint64_t timeout_ms)
{
	while (s->free == 0) {
		int rc = waitq_wait(&s->q, "semaphore", timeout_ms);

		if (rc < 0)
			return rc;
	}
	s->free--;
	return 0;
}

void task_sem_give(struct task_sem *s)
{
	s->free++;
	waitq_wake_one(&s->q);
}

void tasks_start(uv_loop_t *loop)
{
	assert(!S_.loop);
	S_.loop = loop;
	S_.tail = &S_.head;
	S_.yielded_tail = &S_.yielded;
	list_init(&S_.all);
	uv_check_init(loop, &S_.check);
	uv_idle_init(loop, &S_.idle);
	uv_timer_init(loop, &S_.trimmer);
	uv_unref((uv_handle_t *)&S_.trimmer);
	uv_check_start(&S_.check, on_check);
	uv_unref((uv_handle_t *)&S_.check);
}

void tasks_stop(void)
{
	assert(S_.live == 0);
	uv_close((uv_handle_t *)&S_.check, NULL);
	uv_close((uv_handle_t *)&S_.idle, NULL);
	uv_close((uv_handle_t *)&S_.trimmer, NULL);
	while (S_.hot_n > 0)
		uv_close((uv_handle_t *)&S_.hot[--S_.hot_n]->timer, on_timer_closed);
	while (S_.cold_n > 0)
		uv_close((uv_handle_t *)&S_.cold[--S_.cold_n]->timer, on_timer_closed);
	uv_run(S_.loop, UV_RUN_DEFAULT);
	memset(&S_, 0, sizeof S_);
}

void tasks_run(task_fn *fn, void *arg)
{
	uv_loop_t loop;
	int rc = uv_loop_init(&loop);

	assert(rc == 0);
	tasks_start(&loop);
	task_spawn(NULL, "main", fn, arg);
	while (S_.live)
		uv_run(&loop, UV_RUN_DEFAULT);
	tasks_stop();
	rc = uv_loop_close(&loop);
	assert(rc == 0);
}

void tasks_dump(int fd)
{
	if (!S_.loop)
		return;
	dprintf(fd, "%u tasks\n", S_.live);
	list_for(n, &S_.all) {
		struct task *t = list_entry(n, struct task, all);

		dprintf(fd, "  %-20s %-24s %8" PRIu64 " ms %s\n", t->name,
			t == S_.current ? "running" : t->why, uv_now(S_.loop) - t->parked_at_ms,
			t->trans_id);
	}
}

void tasks_set_watchdog(void (*report)(const char *name, const char *after, unsigned ms))
{
	S_.watchdog = report;
}
