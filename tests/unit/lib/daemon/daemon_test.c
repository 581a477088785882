/* lib/daemon with a small program: readiness, restarts, signals, and the sentences it ends with. */
#include "lib/daemon/daemon.h"
#include "lib/base/clock.h"
#include "lib/log/log.h"
#include "lib/metrics/metrics.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <cmocka.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef __has_feature
#define __has_feature(x) 0
#endif

struct toy_conf {
	int64_t workers, port;
	bool fail, die, hang, optional;
	const char *word;
};

static struct toy_conf conf;
static const struct conf_option toy_options[] = {
	OPT_INT(struct toy_conf, workers, "2", 1, 8, "Processes."),
	OPT_INT(struct toy_conf, port, "0", 0, 65535, "Port."),
	OPT_BOOL(struct toy_conf, fail, "no", "The second worker fails."),
	OPT_BOOL(struct toy_conf, die, "no", "Workers die at once."),
	OPT_BOOL(struct toy_conf, hang, "no", "Does not stop."),
	OPT_BOOL(struct toy_conf, optional, "no", "Unused."),
	OPT_STR(struct toy_conf, word, "hello", "Said at a reload."),
	OPT_END,
};
static const struct conf_section toy_section = {
	.name = "toy", .options = toy_options, .into = &conf, .size = sizeof conf
};
METRIC_COUNTER(starts, "toy_starts_total", "Starts.");

static void toy_add_conf(struct conf_spec *spec)
{
	conf_add(spec, &toy_section);
}

static int toy_prepare(struct daemon *d, bool reload, unsigned *ret_workers, struct fault *why)
{
	(void)d;
	(void)reload;
	if (strcmp(conf.word, "bad") == 0)
		return fault_set(why, -EINVAL, "no such word");
	*ret_workers = (unsigned)conf.workers;
	return 0;
}

static bool toy_address(struct daemon *d, unsigned i, struct daemon_address *ret)
{
	(void)d;
	*ret = (struct daemon_address){ .ip = "127.0.0.1", .port = (unsigned)conf.port,
					.set_by = "[toy] port" };
	return i == 0 && conf.port != 0;
}

waits static int toy_start(struct daemon *d, struct fault *why)
{
	if (conf.die)
		_exit(9);
	if (conf.fail && d->worker == 1)
		return fault_set(why, -EIO, "the disk is broken");
	if (task_sleep(1) < 0)
		return -ECANCELED;
	metric_add(&starts, 1);
	log_info("started %s, total %u", d->restarted ? "again" : "first",
		 (unsigned)metric_value_at(&starts, 0, 0));
	return 0;
}

waits static void toy_stop(struct daemon *d, uint64_t grace_ms)
{
	(void)d;
	while (conf.hang)
		task_wait_masked("never");
	log_info("stopped in %u ms", (unsigned)grace_ms);
}

waits static int toy_reload(struct daemon *d, struct fault *why)
{
	(void)why;
	log_info("worker %u says %s", d->worker, conf.word);
	return 0;
}

static const struct daemon_ops toy = {
	.program = "toy", .help = "A toy.", .add_conf = toy_add_conf, .prepare = toy_prepare,
	.address = toy_address, .worker_start = toy_start, .worker_stop = toy_stop,
	.worker_reload = toy_reload,
};
static struct daemon_ops toy_optional;

/* ---- running it in a child process ---- */

static char dir[] = "/tmp/needletail-daemon-XXXXXX";
static struct buf output;

struct run {
	pid_t pid;
	int ready, out;
};

static void write_conf(const char *text)
{
	char path[128];

	snprintf(path, sizeof path, "%s/toy.conf", dir);
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	fprintf(f, "[cluster]\nhome = %s\nstop_timeout = 200ms\n[log]\ndir = log\n[toy]\n%s\n", dir,
		text);
	assert_int_equal(fclose(f), 0);
}

static struct run start_with(const struct daemon_ops *ops, const char *more)
{
	char path[128], log[128], fd[16];
	int ready[2], out[2];

	snprintf(log, sizeof log, "%s/log/toy.log", dir);
	unlink(log);
	snprintf(path, sizeof path, "%s/toy.conf", dir);
	assert_int_equal(pipe2(ready, 0), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	snprintf(fd, sizeof fd, "%d", ready[1]);
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		char *argv[] = { (char[]){ "toy-with-a-name-that-is-long" },
				 (char[]){ "--conf" },
				 path,
				 (char[]){ "--ready-fd" },
				 fd,
				 more ? strdup(more) : NULL,
				 NULL };

		dup2(out[1], STDOUT_FILENO);
		dup2(out[1], STDERR_FILENO);
		close(ready[0]);
		fcntl(ready[1], F_SETFD, FD_CLOEXEC);
		int code = daemon_main(more ? 6 : 5, argv, ops);

		fflush(NULL);
		_exit(code);
	}
	close(ready[1]);
	close(out[1]);
	return (struct run){ .pid = pid, .ready = ready[0], .out = out[0] };
}

static struct run start(const char *text)
{
	write_conf(text);
	return start_with(&toy, NULL);
}

static void wait_ready(struct run *r)
{
	struct pollfd p = { .fd = r->ready, .events = POLLIN };
	char text[8] = "";

	assert_int_equal(poll(&p, 1, 10000), 1);
	assert_int_equal(read(r->ready, text, 6), 6);
	assert_string_equal(text, "ready\n");
}

/* Its exit code; what it printed is in output. */
static int finish(struct run *r)
{
	int status;

	buf_done(&output);
	output = BUF(MIB);
	for (ssize_t n = 1; n > 0; output.n += (size_t)n) {
		char *room = buf_reserve(&output, 4 * KIB);

		assert_non_null(room);
		n = read(r->out, room, 4 * KIB);
		assert_true(n >= 0);
	}
	output.p[output.n] = 0;
	assert_int_equal(waitpid(r->pid, &status, 0), r->pid);
	close(r->ready);
	close(r->out);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* Reads the log until it has the text so many times. */
static void log_has(const char *text, unsigned times)
{
	static char log[256 * KIB];
	uint64_t end = clock_mono_ms() + 10000;
	char path[128];
	unsigned n = 0;

	snprintf(path, sizeof path, "%s/log/toy.log", dir);
	while (clock_mono_ms() < end) {
		int fd = open(path, O_RDONLY);
		ssize_t got = fd >= 0 ? read(fd, log, sizeof log - 1) : 0;

		if (fd >= 0)
			close(fd);
		log[MAX(got, (ssize_t)0)] = 0;
		n = 0;
		for (const char *at = log; (at = strstr(at, text)); at++)
			n++;
		if (n >= times)
			return;
		usleep(5000);
	}
	fail_msg("\"%s\" stands %u times, not %u, in\n%s", text, n, times, log);
}

static void log_lacks(const char *text)
{
	char path[128], line[512];

	snprintf(path, sizeof path, "%s/log/toy.log", dir);
	FILE *f = fopen(path, "re");

	assert_non_null(f);
	while (fgets(line, sizeof line, f))
		if (strstr(line, text))
			fail_msg("%s", line);
	fclose(f);
}

/* The process id in the first log line of worker n: "toy[1 4711]". */
static pid_t worker_pid(unsigned worker)
{
	char path[128], line[512], head[16];
	pid_t pid = 0;

	snprintf(path, sizeof path, "%s/log/toy.log", dir);
	snprintf(head, sizeof head, "toy[%u ", worker);
	FILE *f = fopen(path, "re");

	assert_non_null(f);
	while (fgets(line, sizeof line, f)) {
		const char *at = strstr(line, head);
		uint64_t v;
		struct str rest = str_from(at ? at + strlen(head) : NULL);

		if (at && strstr(line, "started") && str_to_u64(str_cut(&rest, ']'), &v) == 0)
			pid = (pid_t)v;
	}
	fclose(f);
	assert_true(pid > 0);
	return pid;
}

static void runs_and_stops(void **state)
{
	struct run r = start("");

	(void)state;
	wait_ready(&r);
	log_has("started first, total 1", 2);
	log_has("ready with 2 of 2 workers", 1);
	kill(r.pid, SIGTERM);
	assert_int_equal(finish(&r), 0);
	assert_string_equal(output.p, "");
	log_has("stopped in 200 ms", 2);
	log_lacks("Sanitizer");
	log_lacks("were left");
}

static void restarts(void **state)
{
	struct run r = start("");

	(void)state;
	wait_ready(&r);
	kill(worker_pid(1), SIGKILL);
	log_has("was killed by SIGKILL; starting it again\n", 1);
	log_has("started again, total 2", 1);
	kill(worker_pid(1), SIGABRT);
	log_has("was killed by SIGABRT; starting it again in 1 s", 1);
	log_has("started again, total 3", 1);
	kill(r.pid, SIGINT);
	assert_int_equal(finish(&r), 0);
}

/* Sanitizers report crashes themselves. */
static void crash(void **state)
{
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && \
	!__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)
	struct run r = start("");

	wait_ready(&r);
	kill(worker_pid(0), SIGSEGV);
	log_has("signal 11 (SEGV)", 1);
	log_has("outside of tasks", 1);
	log_has("was killed by SIGSEGV; starting it again\n", 1);
	kill(r.pid, SIGTERM);
	assert_int_equal(finish(&r), 0);
#endif
	(void)state;
}

static void signals(void **state)
{
	struct run r = start("word = one");

	(void)state;
	wait_ready(&r);
	kill(r.pid, SIGUSR2);
	log_has("beat", 2);
	write_conf("word = two");
	kill(r.pid, SIGHUP);
	log_has("worker 0 says two", 1);
	log_has("worker 1 says two", 1);
	write_conf("wrod = three");
	kill(r.pid, SIGHUP);
	log_has("unknown key \"wrod\" in [toy]; did you mean \"word\"?; going on", 1);
	write_conf("word = bad");
	kill(r.pid, SIGHUP);
	log_has("no such word; going on", 1);
	char from[128], to[128];

	snprintf(from, sizeof from, "%s/log/toy.log", dir);
	snprintf(to, sizeof to, "%s/log/old.log", dir);
	assert_int_equal(rename(from, to), 0);
	kill(r.pid, SIGUSR1);
	while (access(from, F_OK) < 0)
		usleep(1000);
	usleep(100000);
	kill(r.pid, SIGTERM);
	assert_int_equal(finish(&r), 0);
	log_has("stopped in", 2);
	log_lacks("Sanitizer");
	unlink(to);
}

static void stops_at_once(void **state)
{
	struct run r = start("hang = yes");
	uint64_t since;

	(void)state;
	wait_ready(&r);
	kill(r.pid, SIGTERM);
	log_has("stopping", 1);
	usleep(100000);
	since = clock_mono_ms();
	kill(r.pid, SIGTERM);
	assert_int_equal(finish(&r), 0);
	assert_in_range(clock_mono_ms() - since, 0, 2000);
	log_has("stopping at once", 1);
}

static void dies_with_master(void **state)
{
	struct run r = start("");

	(void)state;
	wait_ready(&r);
	log_has("started first", 2);
	pid_t worker = worker_pid(0);

	kill(r.pid, SIGKILL);
	log_has("stopped in", 2);
	for (int i = 0; i < 1000 && kill(worker, 0) == 0; i++)
		usleep(1000);
	assert_int_equal(waitpid(r.pid, NULL, 0), r.pid);
	close(r.ready);
	close(r.out);
}

static void start_fails(void **state)
{
	struct run r = start("fail = yes");

	(void)state;
	assert_int_equal(finish(&r), 1);
	assert_string_equal(output.p, "toy: the disk is broken\n");
	r = start("die = yes\nworkers = 1");
	assert_int_equal(finish(&r), 1);
	assert_string_equal(output.p, "toy: a worker dies again and again while it starts\n");
}

static void optional_worker(void **state)
{
	(void)state;
	write_conf("fail = yes");
	toy_optional = toy;
	toy_optional.workers_optional = true;
	struct run r = start_with(&toy_optional, NULL);

	wait_ready(&r);
	log_has("worker 1 could not start: the disk is broken", 1);
	log_has("ready with 1 of 2 workers", 1);
	log_has("ended with status 3; starting it again", 1);
	kill(r.pid, SIGTERM);
	assert_int_equal(finish(&r), 0);
}

static void busy_port(void **state)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof sa;
	char text[64], expected[256];
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	(void)state;
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, size), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &size), 0);
	snprintf(text, sizeof text, "port = %u", ntohs(sa.sin_port));
	struct run r = start(text);

	assert_int_equal(finish(&r), 1);
	snprintf(expected, sizeof expected,
		 "toy: 127.0.0.1:%u is in use by daemon_test (process %d); choose "
		 "another with [toy] port\n",
		 ntohs(sa.sin_port), (int)getpid());
	assert_string_equal(output.p, expected);
	close(fd);
}

static int run_option(const char *conf_text, const char *option)
{
	write_conf(conf_text);
	struct run r = start_with(&toy, option);

	return finish(&r);
}

static void options(void **state)
{
	char expected[256];

	(void)state;
	assert_int_equal(run_option("", "--version"), 0);
	assert_int_equal(strncmp(output.p, "toy ", 4), 0);
	assert_int_equal(run_option("", "--check-config"), 0);
	assert_non_null(strstr(output.p, "/toy.conf is good\n"));
	assert_int_equal(run_option("workers = 9", "--check-config"), 1);
	snprintf(expected, sizeof expected,
		 "toy: %s/toy.conf:7: workers = 9 is out of range: 1 to 8\n", dir);
	assert_string_equal(output.p, expected);
	assert_int_equal(run_option("", "--nonsense"), 2);
	assert_int_equal(run_option("", "--help"), 0);
	assert_non_null(strstr(output.p, "usage: toy --conf FILE"));
	assert_int_equal(run_option("", "--print-config-reference"), 0);
	assert_non_null(strstr(output.p, "# toy\n\nA toy.\n\n## [cluster]\n"));
	assert_non_null(strstr(output.p, "| `workers` | number, 1 to 8 | `2` | Processes. |\n"));
	assert_int_equal(run_option("", "--print-config-reference=own"), 0);
	assert_non_null(strstr(output.p, "# toy\n\nA toy.\n\n## [toy]\n"));
}

static int setup(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	static const char *const names[] = { "log/toy.log", "log/toy.access.log", "toy.conf", "log",
					     "" };

	(void)state;
	buf_done(&output);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char path[128];

		snprintf(path, sizeof path, "%s/%s", dir, names[i]);
		remove(path);
	}
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs_and_stops), cmocka_unit_test(restarts),
		cmocka_unit_test(crash),          cmocka_unit_test(signals),
		cmocka_unit_test(stops_at_once),  cmocka_unit_test(dies_with_master),
		cmocka_unit_test(start_fails),    cmocka_unit_test(optional_worker),
		cmocka_unit_test(busy_port),      cmocka_unit_test(options),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
