/* Allocation for small things: it never returns NULL, running out of memory aborts. Sizes that a
 * client chooses are bounded by a named limit before they come here. Free with free(). */
#pragma once
#include <stddef.h>

__attribute__((returns_nonnull, malloc, alloc_size(1))) void *xmalloc(size_t size);
__attribute__((returns_nonnull, malloc, alloc_size(1, 2))) void *xcalloc(size_t n, size_t size);
/* Resizes to n elements of the given size; the product is checked for overflow. */
__attribute__((returns_nonnull, alloc_size(2, 3))) void *xreallocarray(void *p, size_t n,
									 size_t size);
__attribute__((returns_nonnull, malloc)) char *xstrdup(const char *s);
/* A new NUL-terminated copy of n bytes. */
__attribute__((returns_nonnull, malloc)) char *xmemdupz(const void *p, size_t n);
