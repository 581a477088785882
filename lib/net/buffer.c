/* Read buffers in two sizes, pooled: taking one is popping a stack. Beyond the pool they come from
 * the kernel and go back to it: after a burst of requests the heap would keep them. */
#include "lib/net/internal.h"

#include <sys/mman.h>
#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
enum { FROM_HEAP = 1 };         /* where every byte beyond the end is noticed */
#else
enum { FROM_HEAP = 0 };
#endif

enum { SIZES = 2, KEEP_MAX = 64 };

static const uint32_t size_of[SIZES] = { BUFFER_SIZE, BUFFER_SIZE_BIG };
static struct {
	char *p[SIZES][KEEP_MAX];
	unsigned n[SIZES];
} pool;

/* Of the big ones fewer are kept: 16 are 4 MiB. */
static const unsigned keep[SIZES] = { KEEP_MAX, 16 };

static char *memory_new(size_t size)
{
	if (FROM_HEAP)
		return xmalloc(size);
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		unreachable("no memory for a read buffer");
	return p;
}

static void memory_free(char *p, size_t size)
{
	if (FROM_HEAP)
		free(p);
	else
		munmap(p, size);
}

void inbuf_take(struct inbuf *b, size_t size)
{
	int i = size > BUFFER_SIZE;

	assert(!b->p && size <= BUFFER_SIZE_BIG);
	b->p = pool.n[i] ? pool.p[i][--pool.n[i]] : memory_new(size_of[i]);
	b->start = b->end = 0;
	b->cap = size_of[i];
}

void inbuf_give(struct inbuf *b)
{
	if (!b->p)
		return;
	int i = b->cap > BUFFER_SIZE;

	if (pool.n[i] < keep[i])
		pool.p[i][pool.n[i]++] = b->p;
	else
		memory_free(b->p, b->cap);
	*b = (struct inbuf){ 0 };
}

void inbuf_grow(struct inbuf *b, size_t size)
{
	struct inbuf bigger = { 0 };

	if (b->p && b->cap >= size)
		return;
	inbuf_take(&bigger, size);
	bigger.end = (uint32_t)inbuf_n(b);
	if (b->p)
		memcpy(bigger.p, b->p + b->start, bigger.end);
	inbuf_give(b);
	*b = bigger;
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
