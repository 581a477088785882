/* Small things that both sides need for sending. */
#include "lib/http/internal.h"
#include "lib/base/clock.h"

struct str http_date_now(void)
{
	static int64_t second;
	static char text[HTTP_DATE_SIZE];
	int64_t now = clock_wall_s();

	if (now != second) {
		second = now;
		clock_http_date(now, text);
	}
	return str_of(text, HTTP_DATE_SIZE - 1);
}

bool header_is_framing(struct str name)
{
	switch (name.n) {
	case 10:
		return str_ieq(name, S("Connection")) || str_ieq(name, S("Keep-Alive"));
	case 14:
		return str_ieq(name, S("Content-Length"));
	case 17:
		return str_ieq(name, S("Transfer-Encoding"));
	default:
		return false;
	}
}

size_t chunk_line(char text[CHUNK_LINE_MAX], size_t n)
{
	static const char digits[] = "0123456789abcdef";
	char reversed[CHUNK_LINE_MAX];
	size_t k = 0, at = 0;

	do
		reversed[k++] = digits[n & 15];
	while (n >>= 4);
	while (k > 0)
		text[at++] = reversed[--k];
	text[at++] = '\r';
	text[at++] = '\n';
	return at;
}
