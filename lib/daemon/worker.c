/* The body of a worker process: its loop, its signals, its first and last task. */
#include "lib/base/clock.h"
#include "lib/daemon/internal.h"
#include "lib/log/log.h"
#include "lib/metrics/metrics.h"

#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { BEAT_MS = 2000, SIGNALS = 4, ALARM_S = 10 };

static struct {
	struct master *m;
	int report;
	int exit_code;
	uv_loop_t loop;
	uv_signal_t signals[SIGNALS];
	struct task *main_task;
	bool reloading, reload_again;
} W;

static void report(char kind, const char *text)
{
	char line[sizeof(struct fault) + 1];
	int n = snprintf(line, sizeof line, "%c%s", kind, text);

	if (write(W.report, line, MIN((size_t)n, sizeof line - 1)) < 0)
		log_warn("the master does not listen: %s", strerror(errno));
	close(W.report);
	W.report = -1;
}

/* Standard error goes where messages go, so that reports of crashes and sanitizers are found. */
static void join_streams(void)
{
	if (log_fd() != STDERR_FILENO)
		dup2(log_fd(), STDERR_FILENO);
}

static void reopen_log(void)
{
	struct fault why;

	if (log_reopen(&why) < 0)
		log_error("%s; the old log files stay open", why.text);
	join_streams();
}

waits static void reload_task(void *arg)
{
	struct master *m = arg;
	struct fault why = { "" };

	do {
		W.reload_again = false;
		reopen_log();
		if (daemon_read_conf(m, &why) < 0 ||
		    (m->ops->worker_reload && m->ops->worker_reload(m->d, &why) < 0))
			log_error("reload: %s; going on as before", why.text);
	} while (W.reload_again && !task_cancelled());
	W.reloading = false;
}

static void begin_stop(void)
{
	if (W.m->d->stopping) {
		log_access_flush();
		_exit(W.exit_code);
	}
	W.m->d->stopping = true;
	/* The master kills what does not stop, but it may be gone. */
	alarm((unsigned)(daemon_conf()->stop_timeout / 1000) + ALARM_S);
	if (W.main_task)
		task_wake(W.main_task);
}

static void on_signal(uv_signal_t *s, int number)
{
	(void)s;
	if (number == SIGTERM) {
		begin_stop();
	} else if (number == SIGUSR1) {
		reopen_log();
	} else if (number == SIGUSR2) {
		tasks_dump(log_fd());
	} else if (number == SIGHUP && !W.m->d->stopping) {
		W.reload_again = true;
		if (!W.reloading) {
			W.reloading = true;
			task_spawn(NULL, "reload", reload_task, W.m);
		}
	}
}

static void watch_signals(void)
{
	static const int numbers[SIGNALS] = { SIGTERM, SIGHUP, SIGUSR1, SIGUSR2 };
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	/* A terminal sends it to the whole group; the master says when to stop. */
	sigaction(SIGINT, &ignore, NULL);
	for (int i = 0; i < SIGNALS; i++) {
		uv_signal_init(&W.loop, &W.signals[i]);
		uv_signal_start(&W.signals[i], on_signal, numbers[i]);
	}
	master_unblock_signals();
}

waits static void beat_task(void *arg)
{
	struct master *m = arg;

	do {
		atomic_store(&m->beats[m->d->worker], clock_mono_ms());
		log_tell_held();
	} while (task_sleep(BEAT_MS) == 0);
}

static void on_slow(const char *name, const char *after, unsigned ms)
{
	log_warn("task %s ran %u ms without waiting, after \"%s\"", name, ms, after);
}

/* The first task, and the last to end. */
waits static void main_task(void *arg)
{
	struct master *m = arg;
	struct fault why = { "it did not say why" };
	TASK_GROUP(g);

	task_spawn(&g, "beat", beat_task, m);
	log_access_start(&g);
	int rc = m->ops->worker_start(m->d, &why);

	if (rc < 0) {
		report(REPORT_FAILED, why.text);
		W.exit_code = WORKER_START_FAILED;
	} else {
		report(REPORT_READY, "");
		while (!m->d->stopping)
			task_wait_masked("signals");
		m->ops->worker_stop(m->d, daemon_conf()->stop_timeout);
	}
	W.main_task = NULL;
	task_group_end(&g);
	uv_stop(&W.loop);
}

/* Closes everything, for leak checkers, unless tasks are left over. */
static void end_loop(struct master *m)
{
	while (W.reloading)
		uv_run(&W.loop, UV_RUN_ONCE);
	log_access_flush();
	if (tasks_live() > 0) {
		log_warn("%u tasks were left when worker %s ended, ignoring", tasks_live(),
			 m->workers[m->d->worker].name);
		tasks_dump(log_fd());
		_exit(W.exit_code);
	}
	for (int i = 0; i < SIGNALS; i++)
		uv_close((uv_handle_t *)&W.signals[i], NULL);
	tasks_stop();
	if (uv_loop_close(&W.loop) < 0)
		log_debug("handles were left open in the loop, ignoring");
	log_access_flush();
}

void worker_run(struct master *m, unsigned index, int report_fd)
{
	const char *name = m->workers[index].name;

	W.m = m;
	W.report = report_fd;
	m->d->worker = index;
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != m->pid)
		_exit(WORKER_ORPHANED);
	daemon_title_set(m->d->program, name);
	log_set_worker(name);
	join_streams();
	metrics_set_worker(index);
	if (uv_loop_init(&W.loop) < 0)
		unreachable("no event loop");
	tasks_start(&W.loop);
	tasks_set_watchdog(on_slow);
	watch_signals();
	W.main_task = task_spawn(NULL, "main", main_task, m);
	while (W.main_task)
		uv_run(&W.loop, UV_RUN_DEFAULT);
	end_loop(m);
	exit(W.exit_code);
}

void daemon_stop(void)
{
	kill(getppid(), SIGTERM);
}
