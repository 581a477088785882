/* The chunked transfer coding (RFC 9112 7.1). llhttp's decoder is not used: its older versions
 * refuse quoted chunk extensions, which are to be ignored. */
#include "lib/http/internal.h"

enum {
	OVERHEAD_MAX = 16 * KIB,        /* chunk sizes, extensions and trailers in a row */
	SIZE_DIGITS_MAX = 15,
};

enum { SIZE, EXTENSION, SIZE_LF, CONTENT, CONTENT_CR, CONTENT_LF, TRAILERS };

void chunked_init(struct chunked *d, struct headers *trailers, unsigned trailers_max)
{
	*d = (struct chunked){ .state = SIZE, .trailers = trailers, .trailers_max = trailers_max };
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 32;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int size_byte(struct chunked *d, char c)
{
	int v = hex_value(c);

	if (v >= 0 && d->digits < SIZE_DIGITS_MAX) {
		d->left = d->left << 4 | (unsigned)v;
		d->digits++;
		return 0;
	}
	if (v >= 0 || d->digits == 0)
		return -EBADMSG;
	if (c == '\r')
		d->state = SIZE_LF;
	else if (c == ';' || c == ' ' || c == '\t')
		d->state = EXTENSION;
	else
		return -EBADMSG;
	return 0;
}

static int extension_byte(struct chunked *d, char c)
{
	if (c == '\r')
		d->state = SIZE_LF;
	else if ((unsigned char)c < ' ' && c != '\t')
		return -EBADMSG;
	return 0;
}

static void keep_byte(struct chunked *d, char c)
{
	if (d->line_n == d->line_cap) {
		size_t cap = d->line_cap ? 2 * d->line_cap : 128;
		char *line = arena_alloc(d->trailers->arena, cap);

		if (d->line_n)
			memcpy(line, d->line, d->line_n);
		d->line = line;
		d->line_cap = cap;
	}
	d->line[d->line_n++] = c;
}

static int trailer_line(struct chunked *d, struct str line)
{
	ssize_t colon = str_chr(line, ':');

	if (colon <= 0 || d->trailers->n >= d->trailers_max)
		return -EBADMSG;
	struct str name = str_head(line, (size_t)colon),
		   value = str_trim(str_skip(line, (size_t)colon + 1));

	if (!header_name_valid(name) || !header_value_valid(value))
		return -EBADMSG;
	headers_add(d->trailers, name, value);
	return 0;
}

static int trailer_byte(struct chunked *d, char c)
{
	if (c != '\n') {
		keep_byte(d, c);
		return 0;
	}
	if (d->line_n == 0 || d->line[d->line_n - 1] != '\r')
		return -EBADMSG;
	struct str line = str_of(d->line, d->line_n - 1);

	d->line_n = 0;
	d->done = line.n == 0;
	return d->done ? 0 : trailer_line(d, line);
}

/* A byte of framing. */
static int framing_byte(struct chunked *d, char c)
{
	switch (d->state) {
	case SIZE:
		return size_byte(d, c);
	case EXTENSION:
		return extension_byte(d, c);
	case SIZE_LF:
		d->state = d->left ? CONTENT : TRAILERS;
		return c == '\n' ? 0 : -EBADMSG;
	case CONTENT_CR:
		d->state = CONTENT_LF;
		return c == '\r' ? 0 : -EBADMSG;
	case CONTENT_LF:
		d->state = SIZE;
		d->digits = 0;
		return c == '\n' ? 0 : -EBADMSG;
	case TRAILERS:
		return trailer_byte(d, c);
	default:
		unreachable("a chunked body has no such state");
	}
}

int chunked_feed(struct chunked *d, struct str data, struct str *ret_content, size_t *ret_used)
{
	size_t at = 0;
	int rc = 0;

	while (rc == 0 && at < data.n && !d->done) {
		if (d->state == CONTENT) {
			struct str content = str_head(str_skip(data, at), d->left);

			d->left -= content.n;
			if (d->left == 0)
				d->state = CONTENT_CR;
			d->overhead = 0;
			*ret_content = content;
			*ret_used = at + content.n;
			return 1;
		}
		rc = ++d->overhead > OVERHEAD_MAX ? -EBADMSG : framing_byte(d, data.p[at++]);
	}
	*ret_used = at;
	return rc;
}
