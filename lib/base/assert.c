/* The failing path of assertions: say what is known and abort. */
#include "lib/base/base.h"

#include <execinfo.h>
#include <unistd.h>

static void (*print_context)(void);

void assert_set_context(void (*print)(void))
{
	print_context = print;
}

void assert_failed(const char *expr, const char *file, int line, const char *func)
{
	static int failing;
	void *frames[64];

	if (failing++ == 0) {
		dprintf(STDERR_FILENO, "%s:%d: %s: assertion failed: %s\n", file, line, func, expr);
		if (print_context)
			print_context();
		backtrace_symbols_fd(frames, backtrace(frames, 64), STDERR_FILENO);
	}
	abort();
}
