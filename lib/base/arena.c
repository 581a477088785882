/* Arenas: chunks of memory that are freed together. The first chunk comes from a small cache, so a
 * request's arena usually costs no malloc. */
#include "lib/base/arena.h"

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
enum { CACHE_MAX = 0 };         /* the sanitizer must see a use of what was freed */
#else
enum { CACHE_MAX = 64 };
#endif
enum {
	CHUNK_SIZE = 4 * KIB,
	MORE_SIZE = 4 * KIB,
	ALIGN = 16,
	ARENA_LIVE = 0x6172656e,
	ARENA_FREED = 0x66726565,
};

struct chunk {
	struct chunk *next;
	size_t size;
};

struct arena {
	struct chunk first;
	struct chunk *chunks;           /* later ones, newest first */
	char *at, *end;
	size_t used;
	uint64_t magic, padding;
};

_Static_assert(sizeof(struct arena) % ALIGN == 0, "the first allocation must be aligned");

/* Per thread: jobs in the blocking pool make arenas as well. */
static __thread struct {
	struct arena *arena[CACHE_MAX + 1];
	int n;
} cache;

struct arena *arena_new(void)
{
	struct arena *a = CACHE_MAX > 0 && cache.n > 0 ? cache.arena[--cache.n] :
							 xmalloc(CHUNK_SIZE);

	a->magic = ARENA_LIVE;
	a->first.size = CHUNK_SIZE;
	a->chunks = NULL;
	a->at = (char *)(a + 1);
	a->end = (char *)a + CHUNK_SIZE;
	a->used = 0;
	return a;
}

void arena_free(struct arena *a)
{
	if (!a)
		return;
	assert(a->magic == ARENA_LIVE);         /* not freed twice */
	a->magic = ARENA_FREED;
	while (a->chunks) {
		struct chunk *next = a->chunks->next;

		free(a->chunks);
		a->chunks = next;
	}
	if (CACHE_MAX > 0 && cache.n < CACHE_MAX)
		cache.arena[cache.n++] = a;
	else
		free(a);
}

void *arena_alloc(struct arena *a, size_t size)
{
	assert(a->magic == ARENA_LIVE);
	size = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	a->used += size;
	if (size <= (size_t)(a->end - a->at)) {
		void *p = a->at;

		a->at += size;
		return p;
	}
	bool big = size > MORE_SIZE / 4;
	size_t want = big ? sizeof(struct chunk) + size : MORE_SIZE;
	struct chunk *c = xmalloc(want);

	c->size = want;
	c->next = a->chunks;
	a->chunks = c;
	char *p = (char *)(c + 1);
	if (!big) {
		a->at = p + size;
		a->end = (char *)c + want;
	}
	return p;
}

void *arena_zalloc(struct arena *a, size_t size)
{
	return memset(arena_alloc(a, size), 0, size);
}

struct str arena_str(struct arena *a, struct str s)
{
	char *p = arena_alloc(a, s.n + 1);

	if (s.n)
		memcpy(p, s.p, s.n);
	p[s.n] = 0;
	return str_of(p, s.n);
}

struct str arena_join(struct arena *a, const struct str *parts, size_t n)
{
	size_t size = 0;

	for (size_t i = 0; i < n; i++)
		size += parts[i].n;
	char *p = arena_alloc(a, size + 1), *at = p;

	for (size_t i = 0; i < n; i++)
		if (parts[i].n) {
			memcpy(at, parts[i].p, parts[i].n);
			at += parts[i].n;
		}
	*at = 0;
	return str_of(p, size);
}

char *arena_cstr(struct arena *a, struct str s)
{
	return (char *)arena_str(a, s).p;
}

struct str arena_vprintf(struct arena *a, const char *fmt, va_list ap)
{
	va_list again;
	char small[256];

	va_copy(again, ap);
	int n = vsnprintf(small, sizeof small, fmt, ap);
	assert(n >= 0);
	char *p = arena_alloc(a, (size_t)n + 1);
	if ((size_t)n < sizeof small)
		memcpy(p, small, (size_t)n + 1);
	else
		vsnprintf(p, (size_t)n + 1, fmt, again);
	va_end(again);
	return str_of(p, (size_t)n);
}

struct str arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	struct str s = arena_vprintf(a, fmt, ap);
	va_end(ap);
	return s;
}

size_t arena_used(const struct arena *a)
{
	return a->used;
}
