/* Finds the neediest device for a copy of a partition. */
#include "ringtool/builder/needs.h"

#include <math.h>

enum { TRIES_MAX = 4, STACK_MAX = 512, LOT_BITS = 24 };

static uint64_t need_of(const struct needs *w, uint32_t node) { return w->key[node] >> LOT_BITS; }

static uint64_t lot(struct needs *w) { return random_next(&w->random) >> (64 - LOT_BITS); }

static void heap_put(struct needs *w, uint32_t first, uint32_t i, uint32_t node)
{
	w->heap[first + i] = node;
	w->at[node] = i;
}

static void heap_down(struct needs *w, uint32_t first, uint32_t n, uint32_t i)
{
	uint32_t node = w->heap[first + i];

	for (uint32_t child = 2 * i + 1; child < n; child = 2 * i + 1) {
		if (child + 1 < n && w->key[w->heap[first + child + 1]] > w->key[w->heap[first + child]])
			child++;
		if (w->key[w->heap[first + child]] <= w->key[node])
			break;
		heap_put(w, first, i, w->heap[first + child]);
		i = child;
	}
	heap_put(w, first, i, node);
}

static void heap_up(struct needs *w, uint32_t first, uint32_t i)
{
	uint32_t node = w->heap[first + i];

	while (i > 0 && w->key[w->heap[first + (i - 1) / 2]] < w->key[node]) {
		heap_put(w, first, i, w->heap[first + (i - 1) / 2]);
		i = (i - 1) / 2;
	}
	heap_put(w, first, i, node);
}

static void need_change(struct needs *w, uint32_t node, int64_t delta)
{
	const struct plan_node *parent = &w->plan->nodes[w->plan->nodes[node].parent];
	uint64_t need = need_of(w, node) + (uint64_t)delta;

	w->key[node] = need << LOT_BITS | lot(w);
	heap_up(w, parent->child_first, w->at[node]);
	heap_down(w, parent->child_first, parent->child_n, w->at[node]);
}

int64_t needs_want(const struct needs *w, uint32_t dev)
{
	const struct plan_node *leaf = &w->plan->nodes[plan_path(w->plan, dev)[PLAN_LEAF]];

	return (int64_t)leaf->quota - (int64_t)w->b->devs[dev]->parts;
}

void needs_change(struct needs *w, uint32_t dev, int delta)
{
	int64_t before = MAX(needs_want(w, dev), (int64_t)0);

	w->b->devs[dev]->parts += (uint32_t)delta;
	int64_t change = MAX(needs_want(w, dev), (int64_t)0) - before;
	for (unsigned depth = 1; change && depth < PLAN_DEPTH; depth++)
		need_change(w, plan_path(w->plan, dev)[depth], change);
}

void needs_start(struct needs *w, struct builder *b, const struct plan *plan, uint64_t seed)
{
	uint32_t n = plan->nodes_n;

	*w = (struct needs){ .b = b, .plan = plan, .random = { seed } };
	w->key = xcalloc(n, sizeof *w->key);
	w->heap = xcalloc(n, sizeof *w->heap);
	w->at = xcalloc(n, sizeof *w->at);
	w->must = xcalloc(n, sizeof *w->must);
	w->must_n = xcalloc(n, sizeof *w->must_n);
	builder_for_dev(d, b) {
		uint64_t need = (uint64_t)MAX(needs_want(w, d_id), (int64_t)0);

		for (unsigned depth = 1; depth < PLAN_DEPTH; depth++)
			w->key[plan_path(plan, d_id)[depth]] += need << LOT_BITS;
	}
	for (uint32_t i = 1; i < n; i++) {
		uint32_t parent = plan->nodes[i].parent, first = plan->nodes[parent].child_first;

		w->key[i] |= lot(w);
		heap_put(w, first, i - first, i);
		heap_up(w, first, i - first);
		if (plan->nodes[i].min > 0)
			w->must[first + w->must_n[parent]++] = i;
	}
}

void needs_end(struct needs *w)
{
	free(w->key);
	free(w->heap);
	free(w->at);
	free(w->must);
	free(w->must_n);
}

unsigned needs_count(const struct needs *w, const struct holders *h, uint32_t node)
{
	unsigned depth = w->plan->nodes[node].depth, n = 0;

	for (unsigned i = 0; i < h->n; i++)
		n += plan_path(w->plan, h->dev[i])[depth] == node;
	return n;
}

static bool is_tried(const uint32_t *tried, unsigned n, uint32_t node)
{
	for (unsigned i = 0; i < n; i++)
		if (tried[i] == node)
			return true;
	return false;
}

/* The neediest child that has room for a copy and was not tried. Only children that are excluded,
 * a few, are looked behind in the heap. */
static uint32_t best_child(const struct needs *w, const struct holders *h, uint32_t node,
			   const uint32_t *tried, unsigned tried_n)
{
	const struct plan_node *parent = &w->plan->nodes[node];
	uint32_t stack[STACK_MAX], best = BUILDER_NONE;
	unsigned n = 1;

	stack[0] = 0;
	while (n > 0) {
		uint32_t i = stack[--n], child;

		if (i >= parent->child_n)
			continue;
		child = w->heap[parent->child_first + i];
		if (need_of(w, child) == 0 || (best != BUILDER_NONE && w->key[child] < w->key[best]))
			continue;
		if (!is_tried(tried, tried_n, child) && needs_count(w, h, child) < w->plan->nodes[child].max) {
			best = child;
		} else if (n + 2 <= STACK_MAX) {
			stack[n++] = 2 * i + 2;
			stack[n++] = 2 * i + 1;
		}
	}
	return best;
}

/* The neediest child that must have more copies of the partition than it has. */
static uint32_t must_child(const struct needs *w, const struct holders *h, uint32_t node,
			   const uint32_t *tried, unsigned tried_n)
{
	uint32_t best = BUILDER_NONE;

	for (uint32_t i = 0; i < w->must_n[node]; i++) {
		uint32_t child = w->must[w->plan->nodes[node].child_first + i];

		if (need_of(w, child) > 0 && !is_tried(tried, tried_n, child) &&
		    needs_count(w, h, child) < w->plan->nodes[child].min &&
		    (best == BUILDER_NONE || w->key[child] > w->key[best]))
			best = child;
	}
	return best;
}

uint32_t needs_find(const struct needs *w, const struct holders *h, uint32_t node)
{
	uint32_t tried[TRIES_MAX];

	if (w->plan->nodes[node].depth == PLAN_LEAF)
		return needs_count(w, h, node) ? BUILDER_NONE : w->plan->nodes[node].dev;
	for (unsigned n = 0; n < TRIES_MAX; n++) {
		uint32_t child = must_child(w, h, node, tried, n), dev;

		if (child == BUILDER_NONE)
			child = best_child(w, h, node, tried, n);
		if (child == BUILDER_NONE)
			return BUILDER_NONE;
		dev = needs_find(w, h, child);
		if (dev != BUILDER_NONE)
			return dev;
		tried[n] = child;
	}
	return BUILDER_NONE;
}

bool needs_allows(const struct needs *w, const struct holders *h, uint32_t dev)
{
	for (unsigned depth = 1; depth < PLAN_DEPTH; depth++) {
		uint32_t node = plan_path(w->plan, dev)[depth];

		if (needs_count(w, h, node) >= w->plan->nodes[node].max)
			return false;
	}
	return true;
}

/* How much the spread suffers: a copy too many in a region outweighs any number in its zones. */
static double harm(const struct needs *w, const struct holders *h, uint32_t dev)
{
	double sum = 0;

	for (unsigned depth = 1; depth < PLAN_LEAF; depth++) {
		uint32_t node = plan_path(w->plan, dev)[depth];
		unsigned n = needs_count(w, h, node) + 1, max = w->plan->nodes[node].max;

		sum += n > max ? (n - max) * pow(1000, PLAN_LEAF - depth) : 0;
	}
	return sum;
}

uint32_t needs_find_any(const struct needs *w, const struct holders *h, bool strict)
{
	uint32_t best = BUILDER_NONE;
	double least = INFINITY;

	builder_for_dev(d, w->b) {
		uint32_t leaf = plan_path(w->plan, d_id)[PLAN_LEAF];
		double load = (d->parts + 1.0) / ((double)w->plan->nodes[leaf].quota + 1.0);

		if (d->dev.weight <= 0 || d->removing || needs_count(w, h, leaf))
			continue;
		if (strict && !needs_allows(w, h, d_id))
			continue;
		load += strict ? 0 : harm(w, h, d_id) * 1e6;
		if (load < least) {
			least = load;
			best = d_id;
		}
	}
	return best;
}
