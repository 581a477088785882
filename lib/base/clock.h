/* Time: the wall clock in microseconds (may jump), the monotonic clock, HTTP dates. */
#pragma once
#include "lib/base/base.h"

/* Microseconds since 1970 / seconds since 1970. */
int64_t clock_wall_us(void);
int64_t clock_wall_s(void);
/* Nanoseconds and milliseconds of the monotonic clock. */
uint64_t clock_mono_ns(void);
uint64_t clock_mono_ms(void);

/* "Sun, 06 Nov 1994 08:49:37 GMT": 29 bytes and a NUL. */
enum { HTTP_DATE_SIZE = 30 };
void clock_http_date(int64_t seconds, char text[HTTP_DATE_SIZE]);
/* Accepts the three forms of RFC 9110 5.6.7. 0 or -EINVAL. */
int clock_http_date_parse(struct str s, int64_t *ret_seconds);
/* "2026-11-22T09:19:12.075580": 26 bytes and a NUL. */
enum { ISO_DATE_SIZE = 27 };
void clock_iso_us(int64_t us, char text[ISO_DATE_SIZE]);
/* "2026-11-22T09:19:12Z" (the Z and a fraction are optional). 0 or -EINVAL. */
int clock_iso_parse(struct str s, int64_t *ret_us);
