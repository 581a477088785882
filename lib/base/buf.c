/* Growable, bounded byte buffers. */
#include "lib/base/buf.h"

char buf_empty[1];

void buf_done(struct buf *b)
{
	if (b->p != buf_empty)
		free(b->p);
	b->p = buf_empty;
	b->n = b->cap = 0;
}

void buf_clear(struct buf *b)
{
	b->n = 0;
	b->failed = false;
	if (b->cap)
		b->p[0] = 0;
}

char *buf_reserve(struct buf *b, size_t n)
{
	assert(b->p && b->n <= b->max);
	if (n > b->max - b->n || b->failed) {
		b->failed = true;
		return NULL;
	}
	if (b->n + n + 1 > b->cap) {
		size_t cap = MAX(b->cap * 2, MAX(b->n + n + 1, (size_t)64));

		cap = MIN(cap, b->max + 1);
		b->p = xreallocarray(b->p == buf_empty ? NULL : b->p, cap, 1);
		b->cap = cap;
		b->p[b->n] = 0;
	}
	return b->p + b->n;
}

void buf_add(struct buf *b, const void *p, size_t n)
{
	char *to = n ? buf_reserve(b, n) : NULL;

	if (!to)
		return;
	memcpy(to, p, n);
	b->n += n;
	b->p[b->n] = 0;
}

void buf_add_char(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void buf_addfv(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;
	char small[256];

	va_copy(again, ap);
	int n = vsnprintf(small, sizeof small, fmt, ap);
	assert(n >= 0);
	if ((size_t)n < sizeof small) {
		buf_add(b, small, (size_t)n);
	} else {
		char *to = buf_reserve(b, (size_t)n);

		if (to) {
			vsnprintf(to, (size_t)n + 1, fmt, again);
			b->n += (size_t)n;
		}
	}
	va_end(again);
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_addfv(b, fmt, ap);
	va_end(ap);
}

void buf_add_u64(struct buf *b, uint64_t v)
{
	char digits[20];
	size_t at = sizeof digits;

	do {
		digits[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	buf_add(b, digits + at, sizeof digits - at);
}

void buf_consume(struct buf *b, size_t n)
{
	assert(n <= b->n);
	if (n == 0)
		return;
	memmove(b->p, b->p + n, b->n - n + 1);
	b->n -= n;
}

char *buf_take(struct buf *b)
{
	char *p = b->cap ? b->p : xstrdup("");

	b->p = buf_empty;
	b->n = b->cap = 0;
	return p;
}
