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

enum { SIZES = 3, KEEP_MAX = 64, SMALL_KEPT = 32 };

static const size_t size_of[SIZES] = { PAGES_SMALL, PAGES_MIDDLE, PAGES_LARGE };
static struct {
	char *p[SIZES][KEEP_MAX];
	unsigned n[SIZES];
	size_t bytes;
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
	if (pool.n[i] == 0)
		return memory_new(size);
	pool.bytes -= size;
	return pool.p[i][--pool.n[i]];
}

/* Buffers of the sizes that were not given last make room for one that was. */
static void make_room(unsigned size)
{
	for (unsigned i = 0; i < SIZES; i++)
		while (i != size && pool.n[i] > (i ? 0 : SMALL_KEPT) &&
		       in_use + pool.bytes + size_of[size] > PAGES_BUDGET) {
			pool.bytes -= size_of[i];
			memory_free(pool.p[i][--pool.n[i]], size_of[i]);
		}
}

void pages_give(char *p, size_t size)
{
	if (!p)
		return;
	unsigned i = index_of(size);

	assert(in_use >= size);
	in_use -= size;
	make_room(i);
	/* What is kept and what is in use are the budget together; some small ones are kept
	 * anyway. */
	if (pool.n[i] < KEEP_MAX && (in_use + pool.bytes + size <= PAGES_BUDGET ||
				     (i == 0 && pool.n[i] < SMALL_KEPT))) {
		pool.p[i][pool.n[i]++] = p;
		pool.bytes += size;
	} else {
		memory_free(p, size);
	}
}
