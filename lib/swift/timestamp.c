/* Swift's timestamps (common/utils Timestamp): parsing, printing, and a clock that
 * never repeats. */
#include "lib/swift/timestamp.h"
#include "lib/base/clock.h"

enum { PER_SECOND = 100000, DECIMALS = 5, SECOND_DIGITS = 10 };
#define SECONDS_LIMIT 10000000000ULL    /* ten digits before the point */

struct timestamp timestamp_now(void)
{
	static uint64_t last;
	uint64_t now = (uint64_t)clock_wall_us() / 10;

	last = now > last ? now : last + 1;
	return (struct timestamp){ .t = last };
}

struct timestamp timestamp_of_us(int64_t us)
{
	return (struct timestamp){ .t = us > 0 ? (uint64_t)us / 10 : 0 };
}

int timestamp_cmp(struct timestamp a, struct timestamp b)
{
	if (a.t != b.t)
		return a.t < b.t ? -1 : 1;
	return a.offset < b.offset ? -1 : a.offset > b.offset;
}

/* What stands behind the point, rounded to the fifth digit as "%.5f" does. */
static int parse_fraction(struct str s, uint64_t *ret)
{
	uint64_t v = 0;
	bool up = false;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return -EINVAL;
		if (i < DECIMALS)
			v = v * 10 + (uint64_t)(s.p[i] - '0');
		else if (i == DECIMALS)
			up = s.p[i] >= '5';
	}
	for (size_t i = s.n; i < DECIMALS; i++)
		v *= 10;
	*ret = v + up;
	return 0;
}

static int parse_offset(struct str s, uint64_t *ret)
{
	uint64_t v = 0;

	if (s.n == 0 || s.n > 16)
		return -EINVAL;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		int digit = c >= '0' && c <= '9' ? c - '0' :
			    c >= 'a' && c <= 'f' ? c - 'a' + 10 :
			    c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;

		if (digit < 0)
			return -EINVAL;
		v = v << 4 | (uint64_t)digit;
	}
	*ret = v;
	return 0;
}

int timestamp_parse(struct str s, struct timestamp *ret)
{
	struct str rest = str_trim(s), base = str_cut(&rest, '_');
	struct str fraction = base, whole = str_cut(&fraction, '.');
	uint64_t seconds = 0, part = 0, offset = 0;

	if (!base.p || (whole.n == 0 && fraction.n == 0))
		return -EINVAL;
	if (whole.n && str_to_u64(whole, &seconds) < 0)
		return -EINVAL;
	if (fraction.n && parse_fraction(fraction, &part) < 0)
		return -EINVAL;
	/* "123_" has no offset for Swift either. */
	if (rest.n && parse_offset(rest, &offset) < 0)
		return -EINVAL;
	if (seconds >= SECONDS_LIMIT || seconds * PER_SECOND + part >= SECONDS_LIMIT * PER_SECOND)
		return -EINVAL;
	*ret = (struct timestamp){ .t = seconds * PER_SECOND + part, .offset = offset };
	return 0;
}

/* "%010u.%05u". Several stand in every message, so they are not left to snprintf. */
static char *put_normal(char *p, struct timestamp ts)
{
	uint64_t v = ts.t;
	int digits = SECOND_DIGITS;

	/* More are refused where timestamps are read, but a struct may hold any number. */
	for (uint64_t more = v / PER_SECOND / SECONDS_LIMIT; more; more /= 10)
		digits++;
	for (int i = digits + DECIMALS; i >= 0; i--) {
		if (i == digits) {
			p[i] = '.';
			continue;
		}
		p[i] = (char)('0' + v % 10);
		v /= 10;
	}
	return p + digits + 1 + DECIMALS;
}

void timestamp_normal(struct timestamp ts, char text[TIMESTAMP_SIZE])
{
	*put_normal(text, ts) = 0;
}

void timestamp_internal(struct timestamp ts, char text[TIMESTAMP_SIZE])
{
	char *p = put_normal(text, ts);

	if (ts.offset)
		snprintf(p, (size_t)(text + TIMESTAMP_SIZE - p), "_%016" PRIx64, ts.offset);
	else
		*p = 0;
}

int64_t timestamp_ceil_s(struct timestamp ts)
{
	return (int64_t)((ts.t + PER_SECOND - 1) / PER_SECOND);
}

int64_t timestamp_us(struct timestamp ts)
{
	return (int64_t)ts.t * 10;
}

void timestamp_iso(struct timestamp ts, char text[27])
{
	clock_iso_us(timestamp_us(ts), text);
}
