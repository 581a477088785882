/* Clocks and date formats. */
#include "lib/base/clock.h"

static const char day_names[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
static const char month_names[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
					 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };

int64_t clock_wall_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t clock_wall_s(void)
{
	return clock_wall_us() / 1000000;
}

uint64_t clock_mono_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t clock_mono_ms(void)
{
	return clock_mono_ns() / 1000000;
}

static char *put_two(char *p, int v)
{
	p[0] = (char)('0' + v / 10 % 10);
	p[1] = (char)('0' + v % 10);
	return p + 2;
}

/* By hand: every message has a date or two, and snprintf takes ten times as long. */
void clock_http_date(int64_t seconds, char text[HTTP_DATE_SIZE])
{
	struct tm tm;
	time_t t = (time_t)seconds;
	char *p = text;

	if (!gmtime_r(&t, &tm) || tm.tm_year < -1900 || tm.tm_year > 9999 - 1900) {
		memcpy(text, "Thu, 01 Jan 1970 00:00:00 GMT", HTTP_DATE_SIZE);
		return;
	}
	p = mempcpy(p, day_names[tm.tm_wday % 7], 3);
	p = mempcpy(p, ", ", 2);
	p = put_two(p, tm.tm_mday);
	*p++ = ' ';
	p = mempcpy(p, month_names[tm.tm_mon % 12], 3);
	*p++ = ' ';
	p = put_two(p, (tm.tm_year + 1900) / 100);
	p = put_two(p, (tm.tm_year + 1900) % 100);
	*p++ = ' ';
	p = put_two(p, tm.tm_hour);
	*p++ = ':';
	p = put_two(p, tm.tm_min);
	*p++ = ':';
	p = put_two(p, tm.tm_sec);
	memcpy(p, " GMT", 5);
}

int clock_http_date_parse(struct str s, int64_t *ret_seconds)
{
	static const char *const forms[] = { "%a, %d %b %Y %H:%M:%S GMT",
					     "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y" };
	char text[64];

	s = str_trim(s);
	if (s.n == 0 || s.n >= sizeof text || memchr(s.p, 0, s.n))
		return -EINVAL;
	memcpy(text, s.p, s.n);
	text[s.n] = 0;
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		struct tm tm = { 0 };
		const char *end = strptime(text, forms[i], &tm);

		if (end && *end == 0) {
			*ret_seconds = (int64_t)timegm(&tm);
			return 0;
		}
	}
	return -EINVAL;
}

void clock_iso_us(int64_t us, char text[ISO_DATE_SIZE])
{
	struct tm tm = { 0 };
	time_t t = (time_t)(us / 1000000);

	if (us < 0 || !gmtime_r(&t, &tm) || tm.tm_year > 9999 - 1900) {
		memcpy(text, "1970-01-01T00:00:00.000000", ISO_DATE_SIZE);
		return;
	}
	snprintf(text, ISO_DATE_SIZE, "%04u-%02u-%02uT%02u:%02u:%02u.%06u",
		 (unsigned)(tm.tm_year + 1900) % 10000u, (unsigned)(tm.tm_mon + 1) % 100u,
		 (unsigned)tm.tm_mday % 100u, (unsigned)tm.tm_hour % 100u,
		 (unsigned)tm.tm_min % 100u, (unsigned)tm.tm_sec % 100u, (unsigned)(us % 1000000));
}

int clock_iso_parse(struct str s, int64_t *ret_us)
{
	char text[64];
	struct tm tm = { 0 };
	int64_t fraction = 0, unit = 100000;

	if (s.n == 0 || s.n >= sizeof text || memchr(s.p, 0, s.n))
		return -EINVAL;
	memcpy(text, s.p, s.n);
	text[s.n] = 0;
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	if (!end)
		return -EINVAL;
	if (*end == '.')
		for (end++; *end >= '0' && *end <= '9'; end++, unit /= 10)
			fraction += (*end - '0') * unit;
	if (*end == 'Z')
		end++;
	if (*end)
		return -EINVAL;
	*ret_us = (int64_t)timegm(&tm) * 1000000 + fraction;
	return 0;
}
