/* Memory that lives as long as its arena (a request): allocate, never free singly. */
#pragma once
#include "lib/base/base.h"

struct arena;

struct arena *arena_new(void);
void arena_free(struct arena *a);
DEFINE_AUTO(arena, struct arena *, arena_free);

/* Aligned for any type; not zeroed. */
__attribute__((returns_nonnull, alloc_size(2))) void *arena_alloc(struct arena *a, size_t size);
__attribute__((returns_nonnull, alloc_size(2))) void *arena_zalloc(struct arena *a, size_t size);
/* A NUL-terminated copy. */
struct str arena_str(struct arena *a, struct str s);
/* Copies of the parts behind one another, with a NUL. */
struct str arena_join(struct arena *a, const struct str *parts, size_t n);
struct str arena_printf(struct arena *a, const char *fmt, ...) printf_like(2, 3);
struct str arena_vprintf(struct arena *a, const char *fmt, va_list ap) printf_like(2, 0);
/* As C strings. */
char *arena_cstr(struct arena *a, struct str s);
/* Bytes handed out so far. */
size_t arena_used(const struct arena *a);
