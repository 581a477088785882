/* What a unit test includes: the project's ground, then cmocka (which wants these headers before
 * it, and its own assertions are named assert_*, so ours stay untouched). */
#pragma once
#include "lib/base/base.h"

#include <setjmp.h>
#include <cmocka.h>

#define assert_str(a, literal)                                                          \
	do {                                                                            \
		struct str got_str = (a);                                               \
		if (!str_eq(got_str, S(literal)))                                       \
			fail_msg("\"%.*s\" is not \"%s\"", STR(got_str), "" literal);   \
	} while (0)
