/* Who still needs cells: for every tier the sum of what its devices lack of their quota, kept in a
 * heap per parent, so that the neediest child that may take a partition is found at once even among
 * thousands of siblings. Equal needs are drawn by lot, anew after each change, so that the partners
 * of a device are spread over all the others. */
#pragma once
#include "ringtool/builder/plan.h"
#include "ringtool/builder/random.h"

enum { NEEDS_HOLDERS_MAX = RING_REPLICAS_MAX };

struct needs {
	struct builder *b;
	const struct plan *plan;
	struct random random;
	uint64_t *key;                  /* by node: need, then a lot in the low half */
	uint32_t *heap;                 /* the children of a node at its child_first, neediest first */
	uint32_t *at;                   /* by node: where it is in that heap */
	uint32_t *must, *must_n;        /* by parent at child_first: children with a minimum */
};

/* The devices that hold a partition, as far as they are decided. */
struct holders {
	unsigned n;
	uint32_t dev[NEEDS_HOLDERS_MAX];
};

void needs_start(struct needs *w, struct builder *b, const struct plan *plan, uint64_t seed);
void needs_end(struct needs *w);
/* What a device lacks (above 0) or has too many. */
int64_t needs_want(const struct needs *w, uint32_t dev);
/* A device got (+1) or lost (-1) a cell. */
void needs_change(struct needs *w, uint32_t dev, int delta);
/* How many of the holders are in a tier. */
unsigned needs_count(const struct needs *w, const struct holders *h, uint32_t node);
/* The neediest device below a node that may take one more copy of the partition; BUILDER_NONE when
 * there is none that needs any. */
uint32_t needs_find(const struct needs *w, const struct holders *h, uint32_t node);
/* The device that suffers least from one more cell, needing it or not: within what the plan lets its
 * tiers hold, or (strict is false) wherever the spread suffers least. */
uint32_t needs_find_any(const struct needs *w, const struct holders *h, bool strict);
/* May a device take one more copy? */
bool needs_allows(const struct needs *w, const struct holders *h, uint32_t dev);
