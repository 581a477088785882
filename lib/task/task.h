/* A task is a function with its own stack, run by this process's one libuv loop. It gives the loop
 * back whenever it waits, and only then. docs/tasks.md has the rules (T1 to T13).
 *
 * A function that may wait is declared `waits`; clang's -Wthread-safety reports every caller that
 * is not. After a call that waits, anything this task does not own may have changed. */
#pragma once
#include "lib/base/base.h"
#include "lib/base/list.h"

#include <uv.h>

#ifdef __clang__
struct __attribute__((capability("task context"))) task_context {
	int unused;
};
extern struct task_context in_task;
#define waits __attribute__((requires_capability(in_task)))
/* For a plain function that is known to run in a task (a cleanup function). */
#define task_asserted __attribute__((no_thread_safety_analysis))
#else
#define waits
#define task_asserted
#endif

struct task;
typedef void task_fn(void *arg);

/* Children never outlive their group: leaving its scope cancels and joins them, so children may
 * point into their parent's frame. TASK_GROUP(g); task_spawn(&g, …); */
struct task_group {
	struct task *owner;
	struct list children;
	unsigned live;
};

/* Prepares tasks on the loop; once per process, before the first task. */
void tasks_start(uv_loop_t *loop);
/* After the last task ended: closes what tasks_start opened and runs the loop until that
 * is done. */
void tasks_stop(void);
/* Runs fn(arg) as a task on a loop of its own until it and all others have ended: for programs
 * that are no servers. */
void tasks_run(task_fn *fn, void *arg);
/* Tasks alive now. */
unsigned tasks_live(void);
/* The loop that tasks_start was given. */
uv_loop_t *tasks_loop(void);

/* Starts a task; it runs when the caller waits or returns to the loop. g may be NULL for a task
 * that nobody joins. name must outlive the task. Inherits the caller's transaction id. */
struct task *task_spawn(struct task_group *g, const char *name, task_fn *fn, void *arg);
/* Waits until all children have ended: 0, or -ECANCELED / -ETIMEDOUT (deadline) when this task's
 * wait ended before that. */
waits must_check int task_group_join(struct task_group *g);
/* Cancels all children and waits, masked, until they have ended. */
waits void task_group_end(struct task_group *g);
void task_group_cancel(struct task_group *g);
void task_group_init(struct task_group *g);
task_asserted static inline void task_group_endp(struct task_group *g) { task_group_end(g); }
#define TASK_GROUP(g)                                               \
	__attribute__((cleanup(task_group_endp))) struct task_group g; \
	task_group_init(&g)

/* The running task; NULL outside of tasks. */
struct task *task_self(void);
const char *task_name(const struct task *t);
/* Makes the task's current wait, and all later ones that are not masked, return -ECANCELED. */
void task_cancel(struct task *t);
bool task_cancelled(void);

/* Waits for task_wake: 0, -ETIMEDOUT after timeout_ms (0: no limit but the deadline's) or
 * -ECANCELED. Wakes may be spurious: wait in a loop on a condition. why is shown by the
 * task dump. */
waits must_check int task_wait(const char *why, uint64_t timeout_ms);
/* Only a wake ends it. */
waits void task_wait_masked(const char *why);
/* Remembered when the task is not waiting now. Not from other threads. */
void task_wake(struct task *t);
/* Waits that long: 0 or -ECANCELED / -ETIMEDOUT (deadline). */
waits must_check int task_sleep(uint64_t ms);
/* Lets the other ready tasks and the loop's events go first. */
waits void task_yield(void);

/* A limit over all waits of a scope: TASK_DEADLINE(5000); inner deadlines only shorten
 * outer ones. */
struct task_deadline {
	uint64_t saved;
};
struct task_deadline task_deadline_set(uint64_t ms);
void task_deadline_restore(struct task_deadline *d);
#define TASK_DEADLINE(ms)                                                                   \
	__attribute__((cleanup(task_deadline_restore), unused)) struct task_deadline \
		CONCAT(deadline_, __LINE__) =                                               \
		task_deadline_set(ms)

/* Runs fn(arg) in the thread pool and waits, masked, until it is done (so arg may be on the stack).
 * For disk, LevelDB, key derivation, getaddrinfo. fn must not touch tasks or the loop. */
waits void task_run_blocking(const char *why, void (*fn)(void *arg), void *arg);

/* The transaction id that log lines of this task carry (at most 63 bytes are kept). */
void task_set_trans_id(struct str id);
const char *task_trans_id(void);

/* Tasks that wait for something that any of them may get. */
struct waitq {
	struct list waiters;
};
#define WAITQ_INIT(q) { { &(q).waiters, &(q).waiters } }
static inline void waitq_init(struct waitq *q) { list_init(&q->waiters); }
waits must_check int waitq_wait(struct waitq *q, const char *why, uint64_t timeout_ms);
void waitq_wake_one(struct waitq *q);
void waitq_wake_all(struct waitq *q);

/* A counting semaphore with first-come order is not promised; the count may be taken by whoever
 * runs first. */
struct task_sem {
	unsigned free;
	struct waitq q;
};
void task_sem_init(struct task_sem *s, unsigned n);
waits must_check int task_sem_take(struct task_sem *s, uint64_t timeout_ms);
void task_sem_give(struct task_sem *s);

/* Writes every task with what it waits for and for how long (SIGUSR2, failed assertions). */
void tasks_dump(int fd);
/* Called with the name of a task that ran longer than 50 ms without waiting, and
 * the milliseconds. */
void tasks_set_watchdog(void (*report)(const char *name, const char *after, unsigned ms));
