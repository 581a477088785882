/* Reasons for humans. */
#include "lib/base/fault.h"

#undef fault_set

int fault_set(struct fault *why, int code, const char *fmt, ...)
{
	if (why) {
		va_list ap;

		va_start(ap, fmt);
		vsnprintf(why->text, sizeof why->text, fmt, ap);
		va_end(ap);
	}
	return code;
}
