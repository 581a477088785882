/* Large buffers with a budget that a whole process shares: while few are taken everybody gets one
 * as large as he can use, later ones get less. So one stream is fast, and thousands cost little
 * each. They come from the kernel and go back to it, but for some that are kept: the heap would
 * keep all. For the thread of the loop only. */
#pragma once
#include "lib/base/base.h"

enum {
	PAGES_SMALL = 16 * KIB, PAGES_MIDDLE = 64 * KIB, PAGES_LARGE = 256 * KIB,
	/* Large ones are given while less than this is in use, middle ones while less than that. */
	PAGES_LARGE_BUDGET = 1 * MIB, PAGES_BUDGET = 2 * MIB,
};

/* The size to take now for somebody who could use `want` bytes at once: one of the three. */
size_t pages_fit(size_t want);
/* Whether the budget is spent: buffers that are only good for speed are not taken then. */
bool pages_scarce(void);
/* One of the three sizes, whatever the budget is; not zeroed, never NULL. */
char *pages_take(size_t size);
/* p may be NULL; size is the one that was taken. */
void pages_give(char *p, size_t size);
/* Bytes in use. */
size_t pages_in_use(void);
