/* What every file includes first: the C library, this project's assertions, allocation that cannot
 * fail, cleanup attributes, string views; and after them the functions nobody may call. */
#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>
#include <sys/types.h>
#include <time.h>

#include "lib/base/assert.h"
#include "lib/base/alloc.h"
#include "lib/base/auto.h"
#include "lib/base/str.h"

#define must_check __attribute__((warn_unused_result))
#define printf_like(fmt, args) __attribute__((format(printf, fmt, args)))
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define CONCAT_(a, b) a##b
#define CONCAT(a, b) CONCAT_(a, b)
#define PICK_(a, op, b, x, y) ({ __typeof__(a) x = (a); __typeof__(b) y = (b); x op y ? x : y; })
/* <sys/param.h>, which libuv includes, has ones that evaluate their arguments twice. */
#undef MIN
#undef MAX
#define MIN(a, b) PICK_(a, <, b, CONCAT(min_a, __COUNTER__), CONCAT(min_b, __COUNTER__))
#define MAX(a, b) PICK_(a, >, b, CONCAT(max_a, __COUNTER__), CONCAT(max_b, __COUNTER__))
#define container_of(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))

enum { KIB = 1024, MIB = 1024 * 1024 };
#define GIB (1024ULL * MIB)

#include "lib/base/banned.h"
