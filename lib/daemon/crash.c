/* What a dying process says: the task and request it was at, and the stack. Also the name in ps. */
#include "lib/daemon/internal.h"
#include "lib/log/log.h"

#include <execinfo.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || \
	__has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

/* No allocation here: the heap may be what is broken. */
static void print_context(void)
{
	struct task *t = task_self();

	if (t)
		dprintf(STDERR_FILENO, "in task %s, request %s, process %d\n", task_name(t),
			*task_trans_id() ? task_trans_id() : "-", (int)getpid());
	else
		dprintf(STDERR_FILENO, "outside of tasks, process %d\n", (int)getpid());
	log_access_flush();
}

static void on_crash(int number)
{
	static volatile sig_atomic_t crashing;
	void *frames[64];

	if (!crashing) {
		crashing = 1;
		dprintf(STDERR_FILENO, "signal %d (%s)\n", number, sigabbrev_np(number));
		backtrace_symbols_fd(frames, backtrace(frames, 64), STDERR_FILENO);
		print_context();
	}
	struct sigaction act = { .sa_handler = SIG_DFL };

	sigaction(number, &act, NULL);
	raise(number);
}

void daemon_catch_crashes(void)
{
	static const int numbers[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE };
	enum { STACK = 64 * KIB };
	void *frame[1];

	assert_set_context(print_context);
	if (SANITIZED)
		return;
	/* A task's stack may be what ran out. */
	stack_t alt = { .ss_size = STACK,
			.ss_sp = mmap(NULL, STACK, PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0) };
	struct sigaction act = { .sa_handler = on_crash, .sa_flags = SA_ONSTACK };

	if (alt.ss_sp == MAP_FAILED || sigaltstack(&alt, NULL) < 0)
		return;
	backtrace(frame, 1);            /* loads what it needs now, while allocating is safe */
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		sigaction(numbers[i], &act, NULL);
}

static struct {
	char *at;
	size_t room;
} title;

void daemon_title_init(int argc, char **argv)
{
	char *end = argv[0];

	for (int i = 0; i < argc; i++)
		if (argv[i] == end)
			end += strlen(argv[i]) + 1;
	title.at = argv[0];
	title.room = (size_t)(end - argv[0]);
}

void daemon_title_set(const char *program, const char *text)
{
	if (title.room == 0)
		return;
	memset(title.at, 0, title.room);
	snprintf(title.at, title.room, "%s: %s", program, text);
}
