/* Buffers in three sizes, pooled: taking one is popping a stack. */
#include "lib/base/pages.h"

#include <sys/mman.h>
#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
enum { FROM_HEAP = 1 };         /* where every byte beyond the end is noticed */
#else
enum { FROM_HEAP = 0 };
#endif

enum { SIZES = 3, KEEP_MAX = 64 };

static const size_t size_of[SIZES] = { PAGES_SMALL, PAGES_MIDDLE, PAGES_LARGE };
/* A megabyte of small ones, two of middle ones, one of large ones. */
static const unsigned keep[SIZES] = { 64, 32, 4 };
static struct {
	char *p[SIZES][KEEP_MAX];
	unsigned n[SIZES];
} pool;
static size_t in_use;

static unsigned index_of(size_t size)
{
	for (unsigned i = 0; i < SIZES; i++)
		if (size == size_of[i])
			return i;
	unreachable("no buffers have that size");
}

size_t pages_fit(size_t want)
{
	if (want > PAGES_MIDDLE && in_use + PAGES_LARGE <= PAGES_LARGE_BUDGET)
		return PAGES_LARGE;
	if (want > PAGES_SMALL && in_use + PAGES_MIDDLE <= PAGES_BUDGET)
		return PAGES_MIDDLE;
	return PAGES_SMALL;
}

bool pages_scarce(void)
{
	return in_use + PAGES_MIDDLE > PAGES_BUDGET;
}

size_t pages_in_use(void)
{
	return in_use;
}

static char *memory_new(size_t size)
{
	if (FROM_HEAP)
		return xmalloc(size);
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		unreachable("no memory for a buffer");
	return p;
}

static void memory_free(char *p, size_t size)
{
	if (FROM_HEAP)
		free(p);
	else
		munmap(p, size);
}

char *pages_take(size_t size)
{
	unsigned i = index_of(size);

	in_use += size;
	return pool.n[i] ? pool.p[i][--pool.n[i]] : memory_new(size);
}

void pages_give(char *p, size_t size)
{
	if (!p)
		return;
	unsigned i = index_of(size);

	assert(in_use >= size);
	in_use -= size;
	if (pool.n[i] < keep[i])
		pool.p[i][pool.n[i]++] = p;
	else
		memory_free(p, size);
}
