/* Cleanup by scope. DEFINE_AUTO(conn, struct conn *, conn_close) once after the destructor's
 * declaration, then AUTO(conn) c = …; the destructor runs on every way out, unless TAKE(c) handed
 * the thing over. Destructors accept NULL and half-built objects. */
#pragma once
#include <stdlib.h>

#define DEFINE_AUTO(name, type, destroy)                                    \
	typedef type auto_##name;                                           \
	static inline void auto_##name##_end(auto_##name *p)                \
	{                                                                   \
		if (*p)                                                     \
			destroy(*p);                                        \
	}                                                                   \
	_Static_assert(1, "")

#define AUTO(name) __attribute__((cleanup(auto_##name##_end))) auto_##name
/* For structs that live on the stack: CLEANUP(buf_done) struct buf b = …; */
#define CLEANUP(fn) __attribute__((cleanup(fn)))

/* Hands the pointer over: its value, with the variable set to NULL. */
#define TAKE(p) ({ __typeof__(p) take_value = (p); (p) = NULL; take_value; })

DEFINE_AUTO(free, void *, free);
static inline void auto_chars_end(char **p)
{
	free(*p);
}
typedef char *auto_chars;
