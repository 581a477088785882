/* The reason of a failure for a human to read: configuration, ring building, starting up. Errors
 * that only code reads are negative errno alone. */
#pragma once
#include "lib/base/base.h"

struct fault {
	char text[512];
};

/* Writes the text (cut at 511 bytes) and returns the code, so: return fault_set(why, -EINVAL, …).
 * why may be NULL. */
int fault_set(struct fault *why, int code, const char *fmt, ...) printf_like(3, 4);
#ifdef __clang_analyzer__
/* The analyzer cannot see that what is returned is the code, and follows paths that do not
 * exist. */
#define fault_set(why, code, ...) ((void)(why), (code))
#endif
