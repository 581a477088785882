/* Computes a new table: what must move moves, what should move moves once, nothing else does. */
#include "ringtool/builder/needs.h"

/* The steps, each over all partitions:
 *   resize    rows appear or vanish when the number of replicas changed
 *   evict     cells of removed devices become free
 *   fill      free cells go to the neediest device that the spread allows
 *   disperse  a copy too many in one tier goes elsewhere
 *   balance   devices above their quota give cells to those below
 *   exchange  where no cell of the one fits the other, over a third device
 * A cell that is new in this rebalance may be placed again at no cost. Any other cell moves only
 * when its partition has rested for min_part_hours, and then one per partition and rebalance. */
struct job {
	struct needs needs;
	struct builder *b;
	uint64_t parts;
	unsigned rows;
	uint8_t *fresh;                 /* bit by cell: assigned in this rebalance */
	uint8_t *moved;                 /* bit by partition: something of it moved */
	uint64_t walk_start, walk_step; /* partitions in an order of no pattern */
};

enum { EXCHANGE_ROUNDS = 12 };

static bool bit_get(const uint8_t *bits, uint64_t i) { return bits[i / 8] >> i % 8 & 1; }
static void bit_set(uint8_t *bits, uint64_t i)
{
	bits[i / 8] = (uint8_t)(bits[i / 8] | 1 << i % 8);
}

static uint64_t cell_of(const struct job *j, unsigned row, uint64_t part)
{
	return ((uint64_t)row << j->b->part_power) + part;
}

static uint64_t walk(const struct job *j, uint64_t i)
{
	return (j->walk_start + i * j->walk_step) & (j->parts - 1);
}

static void walk_shuffle(struct job *j)
{
	j->walk_start = random_next(&j->needs.random);
	j->walk_step = random_next(&j->needs.random) | 1;
}

/* The holders of a partition but for one row (or none: -1). */
static void holders_of(const struct job *j, uint64_t part, int but, struct holders *h)
{
	h->n = 0;
	for (unsigned row = 0; row < j->rows; row++) {
		uint64_t cell = cell_of(j, row, part);

		if ((int)row != but && cell < j->b->cells && j->b->table[cell] != BUILDER_NONE)
			h->dev[h->n++] = j->b->table[cell];
	}
}

static bool part_rested(const struct job *j, uint64_t part)
{
	return j->b->hours_since[part] >= j->b->min_part_hours && !bit_get(j->moved, part);
}

static bool cell_movable(const struct job *j, uint64_t cell, uint64_t part)
{
	return bit_get(j->fresh, cell) || part_rested(j, part);
}

static void cell_assign(struct job *j, uint64_t cell, uint32_t dev)
{
	uint32_t was = j->b->table[cell];
	struct holders rest;

	holders_of(j, cell & (j->parts - 1), (int)(cell >> j->b->part_power), &rest);
	if (was != BUILDER_NONE) {
		needs_change(&j->needs, &rest, was, -1);
		if (!bit_get(j->fresh, cell))
			bit_set(j->moved, cell & (j->parts - 1));
	}
	bit_set(j->fresh, cell);
	j->b->table[cell] = dev;
	needs_change(&j->needs, &rest, dev, 1);
}

/* Rows for the number of replicas; cells that are new are free. */
static void resize(struct builder *b)
{
	uint64_t wanted = builder_cells_wanted(b);

	for (uint64_t cell = wanted; cell < b->cells; cell++)
		if (b->table[cell] != BUILDER_NONE)
			b->devs[b->table[cell]]->parts--;
	b->table = xreallocarray(b->table, MAX(wanted, (uint64_t)1), sizeof *b->table);
	for (uint64_t cell = b->cells; cell < wanted; cell++)
		b->table[cell] = BUILDER_NONE;
	b->cells = wanted;
}

static void evict(struct job *j)
{
	for (uint64_t cell = 0; cell < j->b->cells; cell++) {
		uint32_t dev = j->b->table[cell];

		if (dev == BUILDER_NONE || !j->b->devs[dev]->removing)
			continue;
		j->b->devs[dev]->parts--;
		j->b->table[cell] = BUILDER_NONE;
		bit_set(j->moved, cell & (j->parts - 1));
	}
}

/* Where a copy goes that cannot stay: by the plan if possible, else where a device needs it, else
 * where its tiers may hold it. */
static uint32_t find_home(struct job *j, const struct holders *rest, uint32_t from)
{
	uint32_t dev = needs_find(&j->needs, rest, 0, from, NEEDS_STRICT);

	if (dev == BUILDER_NONE)
		dev = needs_find(&j->needs, rest, 0, from, NEEDS_LOOSE);
	return dev == BUILDER_NONE ? needs_find_any(&j->needs, rest, true) : dev;
}

static void fill(struct job *j)
{
	struct holders h;

	for (uint64_t i = 0; i < j->parts; i++) {
		uint64_t part = walk(j, i);

		for (unsigned row = 0; row < j->rows; row++) {
			uint64_t cell = cell_of(j, row, part);
			uint32_t dev;

			if (cell >= j->b->cells || j->b->table[cell] != BUILDER_NONE)
				continue;
			holders_of(j, part, -1, &h);
			dev = find_home(j, &h, BUILDER_NONE);
			if (dev == BUILDER_NONE)
				dev = needs_find_any(&j->needs, &h, false);
			assert(dev != BUILDER_NONE);    /* the plan saw enough devices */
			cell_assign(j, cell, dev);
		}
	}
}

/* Is one of a device's tiers above what the plan lets it hold? */
static bool crowded(const struct job *j, const struct holders *h, uint32_t dev)
{
	for (unsigned depth = 1; depth < PLAN_DEPTH; depth++) {
		uint32_t node = plan_path(j->needs.plan, dev)[depth];

		if (needs_count(&j->needs, h, node) > j->needs.plan->nodes[node].max)
			return true;
	}
	return false;
}

/* The row whose device should rather give a cell away, of those that a condition leaves: drained
 * devices first, then the fullest. -1 when there is none. */
static int row_to_give(const struct job *j, uint64_t part, const struct holders *all,
		       bool for_spread, bool fresh_only)
{
	int64_t most = INT64_MAX;
	int best = -1;

	for (unsigned row = 0; row < j->rows; row++) {
		uint64_t cell = cell_of(j, row, part);

		if (cell >= j->b->cells || !cell_movable(j, cell, part) ||
		    (fresh_only && !bit_get(j->fresh, cell)))
			continue;
		uint32_t dev = j->b->table[cell];
		int64_t want = needs_want(&j->needs, dev);

		if (for_spread ? !crowded(j, all, dev) : want >= 0)
			continue;
		want = j->b->devs[dev]->dev.weight > 0 ? want : INT64_MIN + 1;
		if (want < most) {
			most = want;
			best = (int)row;
		}
	}
	return best;
}

/* The deepest tier that a cell may not leave, since its partition would have too few
 * copies there. */
static uint32_t anchor(const struct job *j, const struct holders *rest, uint32_t dev)
{
	uint32_t deepest = 0;

	for (unsigned depth = 1; depth < PLAN_DEPTH; depth++) {
		uint32_t node = plan_path(j->needs.plan, dev)[depth];

		if (needs_count(&j->needs, rest, node) < j->needs.plan->nodes[node].min)
			deepest = node;
	}
	return deepest;
}

/* A device in need for a copy that could as well stay. */
static uint32_t find_better(const struct job *j, const struct holders *rest, uint32_t from)
{
	return needs_find(&j->needs, rest, anchor(j, rest, from), from, NEEDS_STRICT);
}

static void disperse_part(struct job *j, uint64_t part)
{
	struct holders all, rest;

	holders_of(j, part, -1, &all);
	for (unsigned i = 0; i < j->rows; i++) {
		int row = row_to_give(j, part, &all, true, false);

		if (row < 0)
			return;
		holders_of(j, part, row, &rest);
		uint64_t cell = cell_of(j, (unsigned)row, part);
		uint32_t dev = find_home(j, &rest, j->b->table[cell]);
		if (dev == BUILDER_NONE || dev == j->b->table[cell])
			return;
		cell_assign(j, cell, dev);
		holders_of(j, part, -1, &all);
	}
}

static void disperse(struct job *j)
{
	for (uint64_t i = 0; i < j->parts; i++) {
		uint64_t part = walk(j, i);
		struct holders h;
		bool bad = false;

		holders_of(j, part, -1, &h);
		for (unsigned k = 0; k < h.n && !bad; k++)
			bad = crowded(j, &h, h.dev[k]);
		if (bad)
			disperse_part(j, part);
	}
}

/* One pass of direct moves from devices that have too many to devices that need some. */
static uint64_t balance(struct job *j, bool fresh_only)
{
	struct holders rest;
	uint64_t moves = 0;

	for (uint64_t i = 0; i < j->parts; i++) {
		uint64_t part = walk(j, i);
		int row = row_to_give(j, part, NULL, false, fresh_only);

		if (row < 0)
			continue;
		uint64_t cell = cell_of(j, (unsigned)row, part);
		holders_of(j, part, row, &rest);
		uint32_t dev = find_better(j, &rest, j->b->table[cell]);
		if (dev != BUILDER_NONE) {
			cell_assign(j, cell, dev);
			moves++;
		}
	}
	return moves;
}

/* Devices with more than their quota: how many cells above. */
static uint64_t surplus(const struct job *j)
{
	uint64_t sum = 0;

	builder_for_dev(d, j->b) {
		int64_t want = d->removing ? 0 : needs_want(&j->needs, d_id);

		sum += want < 0 ? (uint64_t)-want : 0;
	}
	return sum;
}

/* For each device one cell of it that could go straight to a device in need, or UINT64_MAX. */
static unsigned ways_find(struct job *j, uint64_t *ways)
{
	struct holders rest;
	unsigned found = 0;

	memset(ways, 0xff, j->b->devs_n * sizeof *ways);
	for (uint64_t i = 0; i < j->parts && found < j->b->devs_n; i++) {
		uint64_t part = walk(j, i);

		for (unsigned row = 0; row < j->rows; row++) {
			uint64_t cell = cell_of(j, row, part);
			uint32_t dev;

			if (cell >= j->b->cells || !cell_movable(j, cell, part))
				continue;
			dev = j->b->table[cell];
			if (ways[dev] != UINT64_MAX || needs_want(&j->needs, dev) > 0)
				continue;
			holders_of(j, part, (int)row, &rest);
			if (find_better(j, &rest, dev) != BUILDER_NONE) {
				ways[dev] = cell;
				found++;
			}
		}
	}
	return found;
}

static bool below(const struct plan *plan, uint32_t node, uint32_t dev)
{
	return plan_path(plan, dev)[plan->nodes[node].depth] == node;
}

/* Is a device more than a percent away from its quota? Less is not worth moving two cells. */
static bool far_off(const struct job *j, uint32_t dev)
{
	int64_t want = needs_want(&j->needs, dev), quota = want + (int64_t)j->b->devs[dev]->parts;

	return llabs(want) * 100 > quota;
}

/* Gives a cell of a full device to a third one, and that one's way cell to a device in need. */
static bool exchange_cell(struct job *j, uint64_t cell, uint64_t *ways)
{
	uint64_t part = cell & (j->parts - 1);
	struct holders rest, rest_way;
	unsigned start = (unsigned)random_below(&j->needs.random, j->b->devs_n);

	holders_of(j, part, (int)(cell >> j->b->part_power), &rest);
	uint32_t within = anchor(j, &rest, j->b->table[cell]);
	for (unsigned i = 0; i < j->b->devs_n; i++) {
		uint32_t third = (start + i) % j->b->devs_n;
		uint64_t way = ways[third], way_part = way & (j->parts - 1);

		if (way == UINT64_MAX || way_part == part || j->b->table[way] != third ||
		    !cell_movable(j, way, way_part) || !below(j->needs.plan, within, third) ||
		    !needs_allows(&j->needs, &rest, third))
			continue;
		holders_of(j, way_part, (int)(way >> j->b->part_power), &rest_way);
		uint32_t dev = find_better(j, &rest_way, third);
		if (dev == BUILDER_NONE ||
		    !(bit_get(j->fresh, cell) || far_off(j, j->b->table[cell]) || far_off(j, dev)))
			continue;
		ways[third] = UINT64_MAX;
		cell_assign(j, cell, third);
		cell_assign(j, way, dev);
		return true;
	}
	return false;
}

static void exchange(struct job *j)
{
	AUTO(free) room = xcalloc(j->b->devs_n + 1, sizeof(uint64_t));
	uint64_t *ways = room;

	for (unsigned round = 0; round < EXCHANGE_ROUNDS && surplus(j) > 0; round++) {
		uint64_t moves = 0;
		unsigned left = ways_find(j, ways);

		for (uint64_t i = 0; i < j->parts && left > 0; i++) {
			uint64_t part = walk(j, i);
			int row = row_to_give(j, part, NULL, false, false);

			if (row >= 0 && exchange_cell(j, cell_of(j, (unsigned)row, part), ways)) {
				moves++;
				left--;
			}
		}
		walk_shuffle(j);
		if (moves == 0 || surplus(j) == 0)
			break;
		balance(j, false);
	}
}

static bool holds(const struct job *j, uint64_t part, uint32_t dev)
{
	struct holders h;

	holders_of(j, part, -1, &h);
	for (unsigned i = 0; i < h.n; i++)
		if (h.dev[i] == dev)
			return true;
	return false;
}

/* Appends the owners of a partition in the table before that it has no more, then the
 * older ones. */
static size_t moved_collect(const struct job *j, uint64_t part, const uint32_t *old,
			    uint64_t old_cells, size_t *at, struct ring_moved *to)
{
	const struct builder *b = j->b;
	bool keep = b->hours_since[part] <= BUILDER_PREVIOUS_HOURS;
	size_t n = 0;

	for (uint64_t cell = part; cell < old_cells; cell += j->parts)
		if (old[cell] != BUILDER_NONE && !b->devs[old[cell]]->removing &&
		    !holds(j, part, old[cell]) && n < BUILDER_PREVIOUS_MAX)
			to[n++] = (struct ring_moved){ (uint32_t)part, old[cell] };
	for (; *at < b->moved_n && b->moved[*at].part == part; (*at)++) {
		const struct ring_moved *m = &b->moved[*at];
		bool known = !keep || !b->devs[m->dev] || b->devs[m->dev]->removing ||
			     holds(j, part, m->dev);

		for (size_t i = 0; i < n && !known; i++)
			known = to[i].dev == m->dev;
		if (!known && n < BUILDER_PREVIOUS_MAX)
			to[n++] = *m;
	}
	return n;
}

/* Compares with the table before: counts what changed, remembers previous owners,
 * restarts clocks. */
static void account(struct job *j, const uint32_t *old, uint64_t old_cells,
		    struct builder_moves *ret)
{
	struct builder *b = j->b;
	struct ring_moved *moved = NULL;
	size_t at = 0, n = 0, cap = 0;

	for (uint64_t part = 0; part < j->parts; part++) {
		uint64_t changed = 0;

		for (uint64_t cell = part; cell < b->cells; cell += j->parts)
			changed += cell >= old_cells || old[cell] != b->table[cell];
		if (n + BUILDER_PREVIOUS_MAX > cap) {
			cap = cap * 2 + 64;
			moved = xreallocarray(moved, cap, sizeof *moved);
		}
		n += moved_collect(j, part, old, old_cells, &at, moved + n);
		if (changed)
			b->hours_since[part] = 0;
		ret->cells += changed;
		ret->parts += changed > 0;
	}
	free(b->moved);
	b->moved = moved;
	b->moved_n = n;
}

static unsigned devs_drop(struct builder *b)
{
	unsigned n = 0;

	for (unsigned i = 0; i < b->devs_n; i++) {
		if (!b->devs[i] || !b->devs[i]->removing)
			continue;
		free(b->devs[i]->dev.meta);
		free(b->devs[i]);
		b->devs[i] = NULL;
		n++;
	}
	return n;
}

static void job_run(struct job *j)
{
	walk_shuffle(j);
	fill(j);
	disperse(j);
	if (surplus(j) > 0)
		balance(j, true);
	if (surplus(j) > 0)
		balance(j, false);
	if (surplus(j) > 0)
		exchange(j);
}

int builder_rebalance(struct builder *b, uint64_t seed, int64_t now, struct builder_moves *ret,
		      struct fault *why)
{
	AUTO(plan) plan = NULL;
	int err = plan_new(b, &plan, why);

	if (err)
		return err;
	uint64_t old_cells = b->cells;
	AUTO(free) old = xmemdupz(b->table ? (char *)b->table : "", old_cells * sizeof *b->table);
	struct job j = { .b = b, .parts = builder_parts(b) };
	struct builder_moves moves = { 0 };

	builder_hours_update(b, now);
	resize(b);
	j.rows = builder_rows(b);
	j.fresh = xcalloc(b->cells / 8 + 1, 1);
	j.moved = xcalloc(j.parts / 8 + 1, 1);
	evict(&j);
	needs_start(&j.needs, b, plan, seed);
	job_run(&j);
	account(&j, old, old_cells, &moves);
	needs_end(&j.needs);
	free(j.fresh);
	free(j.moved);
	moves.removed = devs_drop(b);
	b->devs_changed = false;
	b->dispersion = builder_dispersion(b);
	moves.balance = builder_balance(b);
	b->version++;
	*ret = moves;
	return 0;
}
