/* The master process: forks the workers, starts dead ones again with growing pauses, passes signals
 * on. It has no loop and no threads, so forking is safe at any time. */
#include "lib/base/clock.h"
#include "lib/daemon/internal.h"
#include "lib/log/log.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	LIVED_MS = 10000,
	PAUSE_MIN_MS = 1000,
	PAUSE_MAX_MS = 30000,
	WEDGED_MS = 60000,
	TICK_MS = 10000,
	KILL_AFTER_MS = 5000
};

static const int signal_numbers[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD };

static void signals_set(sigset_t *set)
{
	sigemptyset(set);
	for (size_t i = 0; i < ARRAY_LEN(signal_numbers); i++)
		sigaddset(set, signal_numbers[i]);
}

void master_unblock_signals(void)
{
	sigset_t set;

	signals_set(&set);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* In the child: nothing of the master's stays but the blocked signals, until there are handlers. */
static void leave_master(struct master *m, int report)
{
	close(m->signals);
	if (m->ready_fd >= 0)
		close(m->ready_fd);
	for (unsigned i = 0; i < m->d->workers; i++)
		if (m->workers[i].report >= 0 && m->workers[i].report != report)
			close(m->workers[i].report);
}

static void start_worker(struct master *m, unsigned index)
{
	struct worker *w = &m->workers[index];
	int ends[2];

	w->restart_ms = 0;
	if (pipe2(ends, O_CLOEXEC) < 0) {
		log_error("cannot make a pipe for a worker: %s", strerror(errno));
		w->restart_ms = clock_mono_ms() + PAUSE_MAX_MS;
		return;
	}
	atomic_store(&m->beats[index], clock_mono_ms());
	pid_t pid = fork();

	if (pid == 0) {
		close(ends[0]);
		leave_master(m, ends[1]);
		m->d->restarted = w->started_once;
		worker_run(m, index, ends[1]);
	}
	close(ends[1]);
	if (pid < 0) {
		log_error("cannot start worker %s: %s", w->name, strerror(errno));
		close(ends[0]);
		w->restart_ms = clock_mono_ms() + PAUSE_MAX_MS;
		return;
	}
	w->pid = pid;
	w->report = ends[0];
	w->started_once = true;
	w->ready = false;
	w->started_ms = clock_mono_ms();
	w->wedged_ms = 0;
}

static void signal_workers(const struct master *m, int number)
{
	for (unsigned i = 0; i < m->d->workers; i++)
		if (m->workers[i].pid > 0)
			kill(m->workers[i].pid, number);
}

static void stop(struct master *m)
{
	uint64_t patience = KILL_AFTER_MS + (m->stopping ? 0 : daemon_conf()->stop_timeout);

	m->stopping = true;
	m->kill_ms = clock_mono_ms() + patience;
	for (unsigned i = 0; i < m->d->workers; i++)
		m->workers[i].restart_ms = 0;
	signal_workers(m, SIGTERM);
}

/* Before the program was ever ready nobody has relied on it: it ends with the reason. */
static void give_up(struct master *m, const char *reason)
{
	if (log_fd() != STDERR_FILENO)
		fprintf(stderr, "%s: %s\n", m->d->program, reason);
	m->exit_code = 1;
	if (!m->stopping)
		stop(m);
}

static void check_ready(struct master *m)
{
	unsigned reported = 0, ready = 0;

	for (unsigned i = 0; i < m->d->workers; i++) {
		reported += m->workers[i].reported;
		ready += m->workers[i].ready;
	}
	if (m->ready || m->stopping || reported < m->d->workers)
		return;
	if (ready == 0) {
		give_up(m, m->last_failure.text[0] ? m->last_failure.text :
						     "no worker could start");
		return;
	}
	m->ready = true;
	log_info("ready with %u of %u workers", ready, m->d->workers);
	if (m->ready_fd >= 0) {
		if (write(m->ready_fd, "ready\n", 6) != 6)
			log_debug("nobody waits for readiness any more, ignoring");
		close(m->ready_fd);
		m->ready_fd = -1;
	}
}

/* What a worker says in its pipe; the pipe's end is nothing: its death comes as a signal. */
static void on_report(struct master *m, struct worker *w)
{
	char text[sizeof(struct fault) + 1];
	ssize_t n = read(w->report, text, sizeof text - 1);

	if (n <= 0) {
		close(w->report);
		w->report = -1;
		return;
	}
	text[n] = 0;
	w->reported = true;
	if (text[0] == REPORT_READY) {
		w->ready = true;
	} else {
		fault_set(&m->last_failure, 0, "%s", text + 1);
		log_error("worker %s could not start: %s", w->name, text + 1);
		if (!m->ready && !m->ops->workers_optional)
			give_up(m, text + 1);
	}
	check_ready(m);
}

static void plan_restart(struct master *m, struct worker *w, const char *how)
{
	uint64_t now = clock_mono_ms();

	if (now - w->started_ms >= LIVED_MS)
		w->pause_ms = 0;
	w->restart_ms = now + w->pause_ms;
	log_error("worker %s (process %d) %s; starting it again%s%.0d%s", w->name, (int)w->pid, how,
		  w->pause_ms ? " in " : "", (int)(w->pause_ms / 1000), w->pause_ms ? " s" : "");
	w->pause_ms = w->pause_ms ? 2 * w->pause_ms : (unsigned)PAUSE_MIN_MS;
	w->pause_ms = (unsigned)MIN((uint64_t)w->pause_ms, daemon_conf()->restart_pause_max);
	(void)m;
}

static void on_death(struct master *m, struct worker *w, int status)
{
	char how[64];

	if (w->report >= 0)
		on_report(m, w);
	if (w->report >= 0)
		close(w->report);
	w->report = -1;
	w->ready = false;
	if (WIFSIGNALED(status))
		snprintf(how, sizeof how, "was killed by SIG%s", sigabbrev_np(WTERMSIG(status)));
	else
		snprintf(how, sizeof how, "ended with status %d", WEXITSTATUS(status));
	if (!m->stopping) {
		w->reported |= m->ops->workers_optional;
		if (!m->ready && !m->ops->workers_optional && w->pause_ms > PAUSE_MIN_MS)
			give_up(m, "a worker dies again and again while it starts");
		else
			plan_restart(m, w, how);
	} else if (status != 0 && m->exit_code == 0) {
		log_warn("worker %s (process %d) %s while it was stopping", w->name, (int)w->pid,
			 how);
	}
	w->pid = 0;
	check_ready(m);
}

static void reap(struct master *m)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (unsigned i = 0; i < m->d->workers; i++)
			if (m->workers[i].pid == pid)
				on_death(m, &m->workers[i], status);
}

static void reopen_log(void)
{
	struct fault why;

	if (log_reopen(&why) < 0)
		log_error("%s; the old log files stay open", why.text);
}

static void reload(struct master *m)
{
	struct fault why;

	reopen_log();
	if (daemon_read_conf(m, &why) < 0 ||
	    (m->ops->prepare && m->ops->prepare(m->d, true, &(unsigned){ 0 }, &why) < 0)) {
		log_error("%s; going on with the configuration that was read before", why.text);
		signal_workers(m, SIGUSR1);
		return;
	}
	log_info("configuration read again");
	signal_workers(m, SIGHUP);
}

static void on_signal(struct master *m)
{
	struct signalfd_siginfo info;

	while (read(m->signals, &info, sizeof info) == (ssize_t)sizeof info) {
		if (info.ssi_signo == SIGCHLD) {
			reap(m);
		} else if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT) {
			log_info("stopping%s", m->stopping ? " at once" : "");
			stop(m);
		} else if (m->stopping) {
			continue;
		} else if (info.ssi_signo == SIGHUP) {
			reload(m);
		} else if (info.ssi_signo == SIGUSR1) {
			reopen_log();
			signal_workers(m, SIGUSR1);
		} else {
			signal_workers(m, SIGUSR2);
		}
	}
}

/* Starts what is due, kills what will not end, reports loops that stand still. */
static void look_after(struct master *m)
{
	uint64_t now = clock_mono_ms();

	for (unsigned i = 0; i < m->d->workers; i++) {
		struct worker *w = &m->workers[i];
		uint64_t beat = atomic_load(&m->beats[i]);

		if (!m->stopping && w->pid == 0 && w->restart_ms && w->restart_ms <= now)
			start_worker(m, i);
		if (w->pid > 0 && m->stopping && now >= m->kill_ms) {
			log_error("worker %s (process %d) does not stop: killing it", w->name,
				  (int)w->pid);
			kill(w->pid, SIGKILL);
		}
		if (w->pid > 0 && now > beat + WEDGED_MS && now > w->wedged_ms + WEDGED_MS) {
			w->wedged_ms = now;
			log_error("worker %s (process %d) has not run its loop for %" PRIu64 " s",
				  w->name, (int)w->pid, (now - beat) / 1000);
		}
	}
}

static int next_timeout(const struct master *m)
{
	uint64_t now = clock_mono_ms(), next = now + TICK_MS;

	for (unsigned i = 0; i < m->d->workers; i++)
		if (m->workers[i].restart_ms && m->workers[i].pid == 0)
			next = MIN(next, m->workers[i].restart_ms);
	if (m->stopping)
		next = MIN(next, MAX(m->kill_ms, now + 100));
	return (int)(next > now ? next - now : 0);
}

static bool any_left(const struct master *m)
{
	for (unsigned i = 0; i < m->d->workers; i++)
		if (m->workers[i].pid > 0 || m->workers[i].restart_ms)
			return true;
	return !m->stopping;
}

int master_run(struct master *m)
{
	struct pollfd *polls = xcalloc(m->d->workers + 1, sizeof *polls);
	sigset_t set;

	signals_set(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	m->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (m->signals < 0)
		unreachable("signalfd failed");
	for (unsigned i = 0; i < m->d->workers; i++)
		start_worker(m, i);
	while (any_left(m)) {
		polls[0] = (struct pollfd){ .fd = m->signals, .events = POLLIN };
		for (unsigned i = 0; i < m->d->workers; i++)
			polls[1 + i] =
				(struct pollfd){ .fd = m->workers[i].report, .events = POLLIN };
		if (poll(polls, m->d->workers + 1, next_timeout(m)) < 0 && errno != EINTR)
			unreachable("poll failed");
		for (unsigned i = 0; i < m->d->workers; i++)
			if (polls[1 + i].revents && m->workers[i].report >= 0)
				on_report(m, &m->workers[i]);
		if (polls[0].revents)
			on_signal(m);
		look_after(m);
	}
	log_info("stopped");
	log_access_flush();
	free(polls);
	return m->exit_code;
}
