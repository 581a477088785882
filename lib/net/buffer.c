/* Read buffers: how large they are depends on what the process has in use (lib/base/pages.h). */
#include "lib/net/internal.h"

void inbuf_take(struct inbuf *b, size_t want)
{
	size_t size = pages_fit(want);

	assert(!b->p);
	*b = (struct inbuf){ .p = pages_take(size), .cap = (uint32_t)size };
}

void inbuf_give(struct inbuf *b)
{
	pages_give(b->p, b->cap);
	*b = (struct inbuf){ 0 };
}

void inbuf_grow(struct inbuf *b, size_t size)
{
	uint32_t cap = MAX(b->cap, (uint32_t)PAGES_SMALL), n = (uint32_t)inbuf_n(b);

	assert(size <= BUFFER_SIZE_BIG);
	while (cap < size)
		cap *= 4;
	if (b->p && b->cap == cap)
		return;
	char *p = pages_take(cap);

	if (b->p)
		memcpy(p, b->p + b->start, n);
	inbuf_give(b);
	*b = (struct inbuf){ .p = p, .end = n, .cap = cap };
}

void inbuf_consume(struct inbuf *b, size_t n)
{
	assert(n <= inbuf_n(b));
	b->start += (uint32_t)n;
	if (b->start == b->end)
		inbuf_give(b);
}

void inbuf_compact(struct inbuf *b)
{
	size_t n = inbuf_n(b);

	if (b->start == 0)
		return;
	memmove(b->p, b->p + b->start, n);
	b->start = 0;
	b->end = (uint32_t)n;
}
