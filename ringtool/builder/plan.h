/* The plan of a rebalance: the tree of regions, zones, servers and devices, how many replicas each
 * of them should hold of any partition, and how many cells that makes in all. What the numbers mean
 * is Swift's (builder.py): weighted by weight alone, wanted for the best spread, and the target
 * between the two, as far as overload allows. */
#pragma once
#include "ringtool/builder/builder.h"

enum { PLAN_DEPTH = 5, PLAN_LEAF = 4 }; /* all, region, zone, server, device */

struct plan_node {
	uint32_t parent;
	unsigned depth;
	uint32_t child_first, child_n;
	uint32_t weighted_children;     /* that have a device with weight */
	uint32_t weighted_devs;
	uint32_t dev;                   /* id of (one of) its devices */
	double spread;                  /* replicas if all siblings got the same */
	double weighted, wanted, target;
	unsigned min, max;              /* replicas of one partition */
	uint64_t quota, have;           /* cells */
};

struct plan {
	uint32_t nodes_n;
	struct plan_node *nodes;        /* by depth, children of one node side by side; 0 is all */
	uint32_t *path;                 /* by device id: its nodes at depth 0 to 4 */
	double overload_needed;         /* for the best spread */
};

/* The tree and the best spread alone, for measuring: works for any builder. */
struct plan *plan_tree_new(const struct builder *b);
/* -EINVAL when the devices with weight cannot take the replicas. */
int plan_new(const struct builder *b, struct plan **ret, struct fault *why) must_check;
void plan_free(struct plan *p);
DEFINE_AUTO(plan, struct plan *, plan_free);

static inline const uint32_t *plan_path(const struct plan *p, uint32_t dev)
{
	return p->path + (size_t)dev * PLAN_DEPTH;
}
/* Replicas of a partition that a tier may hold before it counts as badly spread. */
unsigned plan_spread_max(const struct plan *p, uint32_t node);
/* "r1z2-10.0.0.1/sdb": the name of a tier. */
void plan_name(const struct plan *p, const struct builder *b, uint32_t node, struct buf *to);
