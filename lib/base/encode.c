/* Hex, base64, percent-encoding, JSON and XML escapes. */
#include "lib/base/encode.h"

void hex_encode(const void *bytes, size_t n, char *text)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *p = bytes;

	for (size_t i = 0; i < n; i++) {
		text[2 * i] = digits[p[i] >> 4];
		text[2 * i + 1] = digits[p[i] & 15];
	}
	text[2 * n] = 0;
}

/* By a table: which digits are letters no processor can foresee. */
static int hex_digit(char c)
{
	static const signed char values[256] = {
		['0'] = 1,  ['1'] = 2,	['2'] = 3,  ['3'] = 4,	['4'] = 5,  ['5'] = 6,
		['6'] = 7,  ['7'] = 8,	['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12,
		['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16, ['A'] = 11, ['B'] = 12,
		['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
	};

	return values[(unsigned char)c] - 1;
}

int hex_decode(struct str s, void *bytes, size_t n)
{
	unsigned char *to = bytes;

	if (s.n != 2 * n)
		return -EINVAL;
	for (size_t i = 0; i < s.n; i++)
		if (hex_digit(s.p[i]) < 0)
			return -EINVAL;
	for (size_t i = 0; i < n; i++)
		to[i] = (unsigned char)((unsigned)hex_digit(s.p[2 * i]) << 4 |
					(unsigned)hex_digit(s.p[2 * i + 1]));
	return 0;
}

static const char base64_digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct buf *to, const void *bytes, size_t n)
{
	const unsigned char *p = bytes;

	for (size_t i = 0; i < n; i += 3) {
		uint32_t v = (uint32_t)p[i] << 16 | (i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0) |
			     (i + 2 < n ? p[i + 2] : 0);
		char four[4] = { base64_digits[v >> 18], base64_digits[v >> 12 & 63],
				 i + 1 < n ? base64_digits[v >> 6 & 63] : '=',
				 i + 2 < n ? base64_digits[v & 63] : '=' };

		buf_add(to, four, 4);
	}
}

static int base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

int base64_decode(struct buf *to, struct str s)
{
	for (int pad = 0; pad < 2 && s.n && s.p[s.n - 1] == '='; pad++)
		s.n--;
	if (s.n % 4 == 1)
		return -EINVAL;
	for (size_t i = 0; i < s.n; i++)
		if (base64_digit(s.p[i]) < 0)
			return -EINVAL;
	for (size_t i = 0; i < s.n; i += 4) {
		size_t n = MIN(s.n - i, (size_t)4);
		uint32_t v = 0;

		for (size_t j = 0; j < 4; j++)
			v = v << 6 | (j < n ? (uint32_t)base64_digit(s.p[i + j]) : 0);
		char three[3] = { (char)(v >> 16), (char)(v >> 8), (char)v };
		buf_add(to, three, n - 1);
	}
	return 0;
}

static bool is_unreserved(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '.' || c == '-' || c == '~';
}

void percent_encode(struct buf *to, struct str s, struct str safe)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (is_unreserved(c) || str_chr(safe, (char)c) >= 0) {
			buf_add_char(to, (char)c);
		} else {
			char escaped[3] = { '%', digits[c >> 4], digits[c & 15] };

			buf_add(to, escaped, 3);
		}
	}
}

static struct str decode(struct arena *a, struct str s, bool plus)
{
	if (str_chr(s, '%') < 0 && (!plus || str_chr(s, '+') < 0))
		return s;
	char *to = arena_alloc(a, s.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '%' && i + 2 < s.n && hex_digit(s.p[i + 1]) >= 0 &&
		    hex_digit(s.p[i + 2]) >= 0) {
			to[n++] = (char)(hex_digit(s.p[i + 1]) << 4 | hex_digit(s.p[i + 2]));
			i += 2;
		} else {
			to[n++] = plus && s.p[i] == '+' ? ' ' : s.p[i];
		}
	}
	to[n] = 0;
	return str_of(to, n);
}

struct str percent_decode(struct arena *a, struct str s)
{
	return decode(a, s, false);
}

struct str query_decode(struct arena *a, struct str s)
{
	return decode(a, s, true);
}

/* Decodes one code point of what may be broken UTF-8; returns its length (1 for a broken byte). */
static size_t code_point(struct str s, uint32_t *ret)
{
	unsigned char c = (unsigned char)s.p[0];
	size_t len = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;

	if (c < 0x80) {
		*ret = c;
		return 1;
	}
	if (s.n < len || !str_is_utf8(str_head(s, len))) {
		*ret = 0xfffd;
		return 1;
	}
	uint32_t v = c & (0xffu >> (len + 1));
	for (size_t i = 1; i < len; i++)
		v = v << 6 | ((unsigned char)s.p[i] & 0x3f);
	*ret = v;
	return len;
}

static void json_escape_code(struct buf *to, uint32_t c)
{
	if (c >= 0x10000) {
		c -= 0x10000;
		buf_addf(to, "\\u%04x\\u%04x", 0xd800 + (c >> 10), 0xdc00 + (c & 0x3ff));
		return;
	}
	switch (c) {
	case '"': buf_add_lit(to, "\\\""); break;
	case '\\': buf_add_lit(to, "\\\\"); break;
	case '\n': buf_add_lit(to, "\\n"); break;
	case '\r': buf_add_lit(to, "\\r"); break;
	case '\t': buf_add_lit(to, "\\t"); break;
	case '\b': buf_add_lit(to, "\\b"); break;
	case '\f': buf_add_lit(to, "\\f"); break;
	default: buf_addf(to, "\\u%04x", c);
	}
}

void json_escape(struct buf *to, struct str s)
{
	buf_add_char(to, '"');
	while (s.n) {
		size_t plain = 0;

		while (plain < s.n && (unsigned char)(s.p[plain] - 0x20) < 0x7f - 0x20 &&
		       s.p[plain] != '"' && s.p[plain] != '\\')
			plain++;
		buf_add(to, s.p, plain);
		s = str_skip(s, plain);
		if (s.n) {
			uint32_t c;
			size_t len = code_point(s, &c);

			json_escape_code(to, c);
			s = str_skip(s, len);
		}
	}
	buf_add_char(to, '"');
}

void xml_escape(struct buf *to, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		switch (s.p[i]) {
		case '&': buf_add_lit(to, "&amp;"); break;
		case '<': buf_add_lit(to, "&lt;"); break;
		case '>': buf_add_lit(to, "&gt;"); break;
		case '"': buf_add_lit(to, "&quot;"); break;
		case '\'': buf_add_lit(to, "&apos;"); break;
		default: buf_add_char(to, s.p[i]);
		}
	}
}
