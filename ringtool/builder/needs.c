/* Finds the device for a copy of a partition. */
#include "ringtool/builder/needs.h"

#include <math.h>

enum { TRIES_MAX = 4, STACK_MAX = 512, LOT_BITS = 20 };

/* Added to extra, which may be below 0 for a while. */
#define EXTRA_ZERO ((int64_t)1 << 42)

static int64_t extra_of(const struct needs *w, uint32_t node)
{
	return (int64_t)(w->key[node] >> LOT_BITS) - EXTRA_ZERO;
}

static void extra_set(struct needs *w, uint32_t node, int64_t extra)
{
	uint64_t lot = random_next(&w->random) >> (64 - LOT_BITS);

	w->key[node] = (uint64_t)(extra + EXTRA_ZERO) << LOT_BITS | lot;
}

static void heap_put(struct needs *w, uint32_t first, uint32_t i, uint32_t node)
{
	w->heap[first + i] = node;
	w->at[node] = i;
}

static void heap_down(struct needs *w, uint32_t first, uint32_t n, uint32_t i)
{
	uint32_t node = w->heap[first + i];

	for (uint32_t child = 2 * i + 1; child < n; child = 2 * i + 1) {
		if (child + 1 < n &&
		    w->key[w->heap[first + child + 1]] > w->key[w->heap[first + child]])
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

static void extra_change(struct needs *w, uint32_t node, int delta)
{
	const struct plan_node *parent = &w->plan->nodes[w->plan->nodes[node].parent];

	extra_set(w, node, extra_of(w, node) + delta);
	heap_up(w, parent->child_first, w->at[node]);
	heap_down(w, parent->child_first, parent->child_n, w->at[node]);
}

int64_t needs_want(const struct needs *w, uint32_t dev)
{
	const struct plan_node *leaf = &w->plan->nodes[plan_path(w->plan, dev)[PLAN_LEAF]];

	return (int64_t)leaf->quota - (int64_t)w->b->devs[dev]->parts;
}

void needs_change(struct needs *w, const struct holders *rest, uint32_t dev, int delta)
{
	int64_t before = MAX(needs_want(w, dev), (int64_t)0);

	w->b->devs[dev]->parts += (uint32_t)delta;
	int64_t change = MAX(needs_want(w, dev), (int64_t)0) - before;
	for (unsigned depth = 1; depth < PLAN_DEPTH; depth++) {
		uint32_t node = plan_path(w->plan, dev)[depth];

		w->need[node] += (uint64_t)change;
		if (needs_count(w, rest, node) >= w->plan->nodes[node].min)
			extra_change(w, node, -delta);
	}
}

/* Takes the copies beyond the minimum out of every tier's extra. */
static void extras_count(const struct needs *w, int64_t *extra)
{
	uint64_t parts = builder_parts(w->b);

	for (uint32_t i = 1; i < w->plan->nodes_n; i++)
		extra[i] = (int64_t)(w->plan->nodes[i].quota - w->plan->nodes[i].min * parts);
	for (uint64_t part = 0; part < parts; part++) {
		struct holders h = { 0 };

		for (uint64_t cell = part; cell < w->b->cells; cell += parts) {
			uint32_t dev = w->b->table[cell];

			for (unsigned depth = 1; dev != BUILDER_NONE && depth < PLAN_DEPTH;
			     depth++) {
				uint32_t node = plan_path(w->plan, dev)[depth];

				extra[node] -= needs_count(w, &h, node) >= w->plan->nodes[node].min;
			}
			if (dev != BUILDER_NONE)
				h.dev[h.n++] = dev;
		}
	}
}

void needs_start(struct needs *w, struct builder *b, const struct plan *plan, uint64_t seed)
{
	uint32_t n = plan->nodes_n;
	AUTO(free) extra = xcalloc(n, sizeof(int64_t));

	*w = (struct needs){ .b = b, .plan = plan, .random = { seed } };
	w->need = xcalloc(n, sizeof *w->need);
	w->key = xcalloc(n, sizeof *w->key);
	w->heap = xcalloc(n, sizeof *w->heap);
	w->at = xcalloc(n, sizeof *w->at);
	w->must = xcalloc(n, sizeof *w->must);
	w->must_n = xcalloc(n, sizeof *w->must_n);
	builder_for_dev(d, b) for (unsigned depth = 1; depth < PLAN_DEPTH; depth++)
		w->need[plan_path(plan, d_id)[depth]] +=
		(uint64_t)MAX(needs_want(w, d_id), (int64_t)0);
	extras_count(w, extra);
	for (uint32_t i = 1; i < n; i++) {
		uint32_t parent = plan->nodes[i].parent, first = plan->nodes[parent].child_first;

		extra_set(w, i, ((int64_t *)extra)[i]);
		heap_put(w, first, i - first, i);
		heap_up(w, first, i - first);
		if (plan->nodes[i].min > 0)
			w->must[first + w->must_n[parent]++] = i;
	}
}

void needs_end(struct needs *w)
{
	free(w->need);
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

/* What a search is for. */
struct search {
	const struct needs *w;
	const struct holders *h;
	uint32_t from;
	enum needs_mode mode;
};

static bool may_take(const struct search *s, uint32_t child, const uint32_t *tried,
		     unsigned tried_n)
{
	return s->w->need[child] > 0 && !is_tried(tried, tried_n, child) &&
	       needs_count(s->w, s->h, child) < s->w->plan->nodes[child].max;
}

/* The child of a node in which the giver itself is, or BUILDER_NONE. */
static uint32_t own_child(const struct search *s, uint32_t node)
{
	const struct plan_node *parent = &s->w->plan->nodes[node];

	if (s->from == BUILDER_NONE || parent->depth + 1 == PLAN_LEAF ||
	    plan_path(s->w->plan, s->from)[parent->depth] != node)
		return BUILDER_NONE;
	return plan_path(s->w->plan, s->from)[parent->depth + 1];
}

/* The child with the most extra that may take a copy. Only children that may not, a few, are looked
 * behind in the heap. The giver's own tier may always take it, since it then holds as many as
 * before. */
static uint32_t best_child(const struct search *s, uint32_t node, const uint32_t *tried,
			   unsigned tried_n)
{
	const struct plan_node *parent = &s->w->plan->nodes[node];
	uint32_t stack[STACK_MAX], best = BUILDER_NONE, own = own_child(s, node);
	unsigned n = 1;

	stack[0] = 0;
	while (n > 0) {
		uint32_t i = stack[--n], child;

		if (i >= parent->child_n)
			continue;
		child = s->w->heap[parent->child_first + i];
		if ((best != BUILDER_NONE && s->w->key[child] <= s->w->key[best]) ||
		    (s->mode == NEEDS_STRICT && extra_of(s->w, child) <= 0))
			continue;
		if (may_take(s, child, tried, tried_n)) {
			best = child;
		} else if (n + 2 <= STACK_MAX) {
			stack[n++] = 2 * i + 2;
			stack[n++] = 2 * i + 1;
		}
	}
	if (own != BUILDER_NONE && may_take(s, own, tried, tried_n) &&
	    (best == BUILDER_NONE || extra_of(s->w, own) + 1 > extra_of(s->w, best)))
		best = own;
	return best;
}

/* The neediest child that must have more copies of the partition than it has. */
static uint32_t must_child(const struct search *s, uint32_t node, const uint32_t *tried,
			   unsigned tried_n)
{
	const struct needs *w = s->w;
	uint32_t best = BUILDER_NONE;

	for (uint32_t i = 0; i < w->must_n[node]; i++) {
		uint32_t child = w->must[w->plan->nodes[node].child_first + i];

		if (w->need[child] > 0 && !is_tried(tried, tried_n, child) &&
		    needs_count(w, s->h, child) < w->plan->nodes[child].min &&
		    (best == BUILDER_NONE || w->need[child] > w->need[best]))
			best = child;
	}
	return best;
}

static uint32_t find(const struct search *s, uint32_t node)
{
	uint32_t tried[TRIES_MAX];

	if (s->w->plan->nodes[node].depth == PLAN_LEAF)
		return needs_count(s->w, s->h, node) ? BUILDER_NONE : s->w->plan->nodes[node].dev;
	for (unsigned n = 0; n < TRIES_MAX; n++) {
		uint32_t child = must_child(s, node, tried, n), dev;

		if (child == BUILDER_NONE)
			child = best_child(s, node, tried, n);
		if (child == BUILDER_NONE)
			return BUILDER_NONE;
		dev = find(s, child);
		if (dev != BUILDER_NONE)
			return dev;
		tried[n] = child;
	}
	return BUILDER_NONE;
}

uint32_t needs_find(const struct needs *w, const struct holders *h, uint32_t node, uint32_t from,
		    enum needs_mode mode)
{
	struct search s = { w, h, from, mode };

	return find(&s, node);
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
