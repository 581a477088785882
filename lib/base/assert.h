/* Assertions that stay on in production: a failed one is our own bug, prints where, what the
 * process was doing (see assert_set_context) and a backtrace, and aborts. Never for input from
 * outside. */
#pragma once

#undef assert
#define assert(expr) \
	(__builtin_expect(!!(expr), 1) ? (void)0 :                                           \
					 assert_failed(#expr, __FILE__, __LINE__, __func__))
/* A branch that cannot be reached, with the reason. */
#define unreachable(why) assert_failed("unreachable: " why, __FILE__, __LINE__, __func__)

__attribute__((noreturn, cold)) void assert_failed(const char *expr, const char *file, int line,
						    const char *func);

/* Called by a failing assertion, before the abort, to print what was going on (task, transaction
 * id). It must not allocate. Set once at start. */
void assert_set_context(void (*print)(void));
