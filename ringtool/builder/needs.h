/* Who still needs cells. The plan lets a tier hold min or min + 1 copies of a partition. So every
 * partition has copies that a tier must get, and the question is only which partitions give it one
 * more: extra is how many such the tier may still take. Giving each partition's extra copies to the
 * tiers with the most extras left never runs into a dead end (Gale and Ryser), and that at each
 * level of the tree. The children of a tier are kept in a heap by extra, so that the right one is
 * found at once among thousands; equals are drawn by lot, anew after each change, so that the
 * partners of a device are spread over all the others. */
#pragma once
#include "ringtool/builder/plan.h"
#include "ringtool/builder/random.h"

enum { NEEDS_HOLDERS_MAX = RING_REPLICAS_MAX };

struct needs {
	struct builder *b;
	const struct plan *plan;
	struct random random;
	uint64_t *need; /* by node: what its devices lack, without what others have too many */
	uint64_t *key; /* by node: extra, shifted to be positive, then a lot in the low bits */
	uint32_t *heap; /* the children of a node at its child_first, most extra first */
	uint32_t *at;                   /* by node: where it is in that heap */
	uint32_t *must, *must_n;        /* by parent at child_first: children with a minimum */
};

/* The devices that hold a partition, as far as they are decided. */
struct holders {
	unsigned n;
	uint32_t dev[NEEDS_HOLDERS_MAX];
};

/* How far needs_find may go: a tier with room by the plan; or any with a device in need. */
enum needs_mode { NEEDS_STRICT, NEEDS_LOOSE };

/* Counts from the builder's table, in which cells may be free (BUILDER_NONE). */
void needs_start(struct needs *w, struct builder *b, const struct plan *plan, uint64_t seed);
void needs_end(struct needs *w);
/* What a device lacks (above 0) or has too many. */
int64_t needs_want(const struct needs *w, uint32_t dev);
/* A device got (+1) or lost (-1) a cell of a partition that rest holds besides. */
void needs_change(struct needs *w, const struct holders *rest, uint32_t dev, int delta);
/* How many of the holders are in a tier. */
unsigned needs_count(const struct needs *w, const struct holders *h, uint32_t node);
/* The device below a node that should take one more copy of the partition that h holds;
 * BUILDER_NONE when none may. from is the device that would give the copy away, or BUILDER_NONE. */
uint32_t needs_find(const struct needs *w, const struct holders *h, uint32_t node, uint32_t from,
		    enum needs_mode mode);
/* The device that suffers least from one more cell, needing it or not: within what the plan lets
 * its tiers hold, or (strict is false) wherever the spread suffers least. */
uint32_t needs_find_any(const struct needs *w, const struct holders *h, bool strict);
/* May a device take one more copy? */
bool needs_allows(const struct needs *w, const struct holders *h, uint32_t dev);
