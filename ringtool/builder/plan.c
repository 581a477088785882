/* Computes how many replicas each tier should hold. Swift: common/ring/builder.py. */
#include "ringtool/builder/plan.h"

#include <math.h>

#define FUZZ 1e-10

/* Orders devices by region, zone, server and id: number of the first depth at which they part. */
static int dev_depth(const struct ring_dev *a, const struct ring_dev *b, int *ret_order)
{
	int order;

	if (a->region != b->region)
		return *ret_order = a->region < b->region ? -1 : 1, 1;
	if (a->zone != b->zone)
		return *ret_order = a->zone < b->zone ? -1 : 1, 2;
	if ((order = strcmp(a->ip, b->ip)) != 0)
		return *ret_order = order, 3;
	*ret_order = a->id < b->id ? -1 : a->id > b->id;
	return 4;
}

static int dev_order(const void *a, const void *b)
{
	int order;

	dev_depth(*(struct ring_dev *const *)a, *(struct ring_dev *const *)b, &order);
	return order;
}

static uint32_t node_add(struct plan *p, uint32_t parent, unsigned depth, uint32_t dev)
{
	uint32_t n = p->nodes_n++;

	p->nodes[n] = (struct plan_node){ .parent = parent, .depth = depth, .dev = dev };
	if (p->nodes[parent].child_n++ == 0)
		p->nodes[parent].child_first = n;
	return n;
}

/* One depth after the other, so that siblings lie together. */
static void tree_build(struct plan *p, const struct builder *b)
{
	AUTO(free) room = xcalloc(b->devs_n + 1, sizeof(struct ring_dev *));
	struct ring_dev **devs = room;
	size_t n = 0;

	builder_for_dev(d, b)
		devs[n++] = &d->dev;
	qsort(devs, n, sizeof *devs, dev_order);
	p->nodes = xcalloc(n * PLAN_LEAF + 1, sizeof *p->nodes);
	p->path = xcalloc((size_t)(b->devs_n + 1) * PLAN_DEPTH, sizeof *p->path);
	p->nodes_n = 1;
	for (int depth = 1; depth <= PLAN_LEAF; depth++) {
		for (size_t i = 0; i < n; i++) {
			uint32_t id = (uint32_t)devs[i]->id,
				 *path = p->path + (size_t)id * PLAN_DEPTH;
			int order;

			if (i > 0 && dev_depth(devs[i - 1], devs[i], &order) > depth)
				path[depth] = plan_path(p, (uint32_t)devs[i - 1]->id)[depth];
			else
				path[depth] = node_add(p, path[depth - 1], (unsigned)depth, id);
		}
	}
}

static void weights_count(struct plan *p, const struct builder *b)
{
	builder_for_dev(d, b) {
		const uint32_t *path = plan_path(p, d_id);

		for (unsigned depth = 0; depth < PLAN_DEPTH; depth++)
			p->nodes[path[depth]].have += d->parts;
		if (d->dev.weight > 0)
			for (unsigned depth = 0; depth < PLAN_DEPTH; depth++)
				p->nodes[path[depth]].weighted_devs++;
	}
	for (uint32_t n = 1; n < p->nodes_n; n++)
		p->nodes[p->nodes[n].parent].weighted_children += p->nodes[n].weighted_devs > 0;
}

/* Swift's _build_max_replicas_by_tier without rounding. */
static void spread_fill(struct plan *p, double replicas)
{
	p->nodes[0].spread = replicas;
	for (uint32_t n = 1; n < p->nodes_n; n++) {
		struct plan_node *node = &p->nodes[n];
		const struct plan_node *parent = &p->nodes[node->parent];

		if (!node->weighted_devs)
			continue;
		node->spread = parent->spread / parent->weighted_children;
		if (node->depth == PLAN_LEAF)
			node->spread = MIN(node->spread, 1.0);
	}
}

unsigned plan_spread_max(const struct plan *p, uint32_t node)
{
	const struct plan_node *n = &p->nodes[node];

	/* Rounded up at each tier on the way, as Swift does. */
	if (node == 0)
		return (unsigned)ceil(n->spread);
	if (!n->weighted_devs)
		return 0;
	unsigned above = plan_spread_max(p, n->parent),
		 siblings = p->nodes[n->parent].weighted_children;
	unsigned max = (above + siblings - 1) / siblings;
	return n->depth == PLAN_LEAF ? MIN(max, 1u) : max;
}

/* Replicas by weight: a device can hold no more than one, what is above that goes to the others. */
static void weighted_fill(struct plan *p, const struct builder *b)
{
	double weights = builder_weight_sum(b), left = b->replicas;

	builder_for_dev(d, b) {
		struct plan_node *leaf = &p->nodes[plan_path(p, d_id)[PLAN_LEAF]];

		if (d->dev.weight > 0)
			leaf->weighted = MIN(1.0, d->dev.weight / weights * b->replicas);
		left -= leaf->weighted;
	}
	for (unsigned round = 0; left > FUZZ && round < 1000; round++) {
		double room = 0, given = 0;

		builder_for_dev(d, b) {
			const struct plan_node *leaf = &p->nodes[plan_path(p, d_id)[PLAN_LEAF]];

			room += leaf->weighted < 1 ? leaf->weighted : 0;
		}
		builder_for_dev(d, b) {
			struct plan_node *leaf = &p->nodes[plan_path(p, d_id)[PLAN_LEAF]];
			double was = leaf->weighted;

			if (was > 0 && was < 1)
				leaf->weighted = MIN(1.0, was * (left / room + 1));
			given += leaf->weighted - was;
		}
		left -= given;
	}
	for (uint32_t n = p->nodes_n - 1; n > 0; n--)
		p->nodes[p->nodes[n].parent].weighted += p->nodes[n].weighted;
}

/* Which children still take part in spreading what remains of their parent's replicas. */
static bool child_spreads(const struct plan_node *c, double remaining, bool device_limited)
{
	if (!c->weighted_devs)
		return false;
	if (remaining < 0)
		return c->wanted > floor(c->spread);
	if (device_limited)
		return c->wanted < c->weighted_devs;
	return c->wanted < c->weighted_devs && c->wanted < ceil(c->spread);
}

/* Shares a node's wanted replicas among its children by weight, but each between what the best
 * spread gives it at least and at most; only when all are full may the spread suffer. */
static int wanted_share(struct plan *p, const struct plan_node *node)
{
	struct plan_node *first = &p->nodes[node->child_first], *end = first + node->child_n;
	double remaining = node->wanted;
	bool limited = false, all = true;

	for (unsigned round = 0; fabs(remaining) > FUZZ; round++) {
		double weights = 0, sum = 0;

		for (struct plan_node *c = first; c < end; c++)
			if (c->weighted_devs && (all || child_spreads(c, remaining, limited)))
				weights += c->weighted;
		if (weights <= 0 && remaining > 0 && !limited) {
			limited = true;
			continue;
		}
		if (weights <= 0 || round > 1000)
			return -EINVAL;
		for (struct plan_node *c = first; c < end; c++) {
			if (c->weighted_devs && (all || child_spreads(c, remaining, limited))) {
				double w = c->wanted + c->weighted * remaining / weights;

				w = w < floor(c->spread) ? floor(c->spread) : w;
				w = w > ceil(c->spread) && !limited ? ceil(c->spread) : w;
				c->wanted = MIN(w, (double)c->weighted_devs);
			}
			sum += c->wanted;
		}
		remaining = node->wanted - sum;
		all = false;
	}
	return 0;
}

static int wanted_fill(struct plan *p, const struct builder *b, struct fault *why)
{
	p->nodes[0].wanted = b->replicas;
	for (uint32_t n = 0; n < p->nodes_n; n++) {
		const struct plan_node *node = &p->nodes[n];

		if (node->wanted > node->weighted_devs + FUZZ ||
		    (node->child_n && node->wanted > 0 && wanted_share(p, node) < 0))
			return fault_set(why, -EINVAL,
					 "%.2f replicas cannot be placed on %u devices",
					 node->wanted, node->weighted_devs);
	}
	return 0;
}

static void target_fill(struct plan *p, const struct builder *b)
{
	double needed = 0;

	builder_for_dev(d, b) {
		const struct plan_node *leaf = &p->nodes[plan_path(p, d_id)[PLAN_LEAF]];

		if (leaf->weighted > 0)
			needed = MAX(needed, (leaf->wanted - leaf->weighted) / leaf->weighted);
	}
	p->overload_needed = needed;
	for (uint32_t n = 0; n < p->nodes_n; n++) {
		struct plan_node *node = &p->nodes[n];
		double share = needed > 0 ? MIN(b->overload, needed) / needed : 1;

		node->target = node->weighted + (node->wanted - node->weighted) * share;
		node->min = (unsigned)floor(node->target + FUZZ);
		node->max = (unsigned)MAX(ceil(node->target - FUZZ), 0.0);
	}
}

/* Who gets a cell that rounding left over: first tiers where one more does not harm the spread.
 * Then evenness: score is how much worse, in percent of its share, rounding down would leave the
 * child than rounding up. Then who keeps more of what it has, so that large rings, where a cell is
 * far below a percent, move little. */
struct leftover {
	uint32_t node;
	bool bound; /* rounding took nothing from it: it is at a bound of the plan */
	bool crowded;                   /* its weight makes it hold more than the spread wants */
	double score;
	bool holds;
	double lost;
};

static int leftover_order(const void *a, const void *b)
{
	const struct leftover *x = a, *y = b;

	if (x->bound != y->bound)
		return x->bound ? 1 : -1;
	if (x->crowded != y->crowded)
		return x->crowded ? 1 : -1;
	if (x->score != y->score)
		return x->score > y->score ? -1 : 1;
	if (x->holds != y->holds)
		return x->holds ? -1 : 1;
	if (x->lost != y->lost)
		return x->lost > y->lost ? -1 : 1;
	return x->node < y->node ? -1 : 1;
}

/* Whole cells for the children of a node, each its target rounded down or up, so that the sum is
 * the node's own and as little moves as can be. */
static void quota_share(struct plan *p, const struct plan_node *node, uint64_t parts)
{
	AUTO(free) room = xcalloc(node->child_n + 1, sizeof(struct leftover));
	struct leftover *left = room;
	uint64_t remaining = node->quota;
	uint32_t n = 0;

	for (uint32_t i = node->child_first; i < node->child_first + node->child_n; i++) {
		struct plan_node *c = &p->nodes[i];
		double exact = c->target * (double)parts;

		c->quota = MIN(remaining, (uint64_t)floor(exact + 1e-6));
		remaining -= c->quota;
		double lost = exact - (double)c->quota;
		double score = round(100 * (2 * lost - 1) / MAX(exact, 1e-9));

		bool crowded = c->target > plan_spread_max(p, i) + FUZZ;

		if (c->weighted_devs)
			left[n++] =
				(struct leftover){ i, lost<1e-6, crowded, score, c->have> c->quota,
						   lost };
	}
	qsort(left, n, sizeof *left, leftover_order);
	while (remaining > 0 && n > 0)
		for (uint32_t i = 0; i < n && remaining > 0; i++) {
			struct plan_node *c = &p->nodes[left[i].node];

			if (c->quota < parts * c->weighted_devs) {
				c->quota++;
				remaining--;
			}
		}
}

struct plan *plan_tree_new(const struct builder *b)
{
	struct plan *p = xcalloc(1, sizeof *p);

	tree_build(p, b);
	weights_count(p, b);
	spread_fill(p, b->replicas);
	return p;
}

int plan_new(const struct builder *b, struct plan **ret, struct fault *why)
{
	AUTO(plan) p = plan_tree_new(b);

	if (p->nodes[0].weighted_devs < b->replicas)
		return fault_set(why, -EINVAL, "Replica count of %g requires more than %u devices",
				 b->replicas, p->nodes[0].weighted_devs);
	weighted_fill(p, b);
	int err = wanted_fill(p, b, why);
	if (err)
		return err;
	target_fill(p, b);
	p->nodes[0].quota = builder_cells_wanted(b);
	for (uint32_t n = 0; n < p->nodes_n; n++)
		if (p->nodes[n].child_n)
			quota_share(p, &p->nodes[n], builder_parts(b));
	*ret = TAKE(p);
	return 0;
}

void plan_free(struct plan *p)
{
	if (!p)
		return;
	free(p->nodes);
	free(p->path);
	free(p);
}

void plan_name(const struct plan *p, const struct builder *b, uint32_t node, struct buf *to)
{
	const struct plan_node *n = &p->nodes[node];
	const struct ring_dev *d = &b->devs[n->dev]->dev;

	if (n->depth >= 1)
		buf_addf(to, "r%u", d->region);
	if (n->depth >= 2)
		buf_addf(to, "z%u", d->zone);
	if (n->depth >= 3)
		buf_addf(to, "-%s", d->ip);
	if (n->depth >= 4)
		buf_addf(to, "/%s", d->device);
}
