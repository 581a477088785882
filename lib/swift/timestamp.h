/* Swift's timestamps: seconds since 1970 with exactly five decimals ("1402464677.04188"), so
 * that text order is time order; internally followed by "_" and 16 hex digits when an offset is
 * set (common/utils/timestamp.py). */
#pragma once
#include "lib/base/base.h"

struct timestamp {
	uint64_t t;             /* units of 10 microseconds; 0: none */
	uint64_t offset;
};

enum { TIMESTAMP_SIZE = 34 };           /* internal text form and a NUL */

/* Now; never the same twice in this process, and never backwards. */
struct timestamp timestamp_now(void);
struct timestamp timestamp_of_us(int64_t us);
static inline bool timestamp_is_set(struct timestamp a) { return a.t != 0; }
/* <0, 0, >0 */
int timestamp_cmp(struct timestamp a, struct timestamp b);
/* Accepts both forms, and any number of decimals as Swift does (rounded to five).
 * 0 or -EINVAL (also for times at or beyond 10^10 s). */
int timestamp_parse(struct str s, struct timestamp *ret);
/* "1402464677.04188", without offset / with "_offset" when there is one. */
void timestamp_normal(struct timestamp ts, char text[TIMESTAMP_SIZE]);
void timestamp_internal(struct timestamp ts, char text[TIMESTAMP_SIZE]);
/* Whole seconds, rounded up: what Last-Modified shows. */
int64_t timestamp_ceil_s(struct timestamp ts);
/* Microseconds since 1970. */
int64_t timestamp_us(struct timestamp ts);
/* "2026-11-22T09:19:12.075580" as listings show it (27 bytes). */
void timestamp_iso(struct timestamp ts, char text[27]);
