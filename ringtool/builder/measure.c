/* Balance, dispersion and soundness of a builder's table. Swift: common/ring/builder.py. */
#include "ringtool/builder/measure.h"

#include <math.h>

double builder_weight_sum(const struct builder *b)
{
	double sum = 0;

	builder_for_dev(d, b)
		sum += d->dev.weight;
	return sum;
}

static double dev_balance(const struct builder *b, const struct builder_dev *d, double weights)
{
	if (d->dev.weight <= 0)
		return d->parts ? BUILDER_BALANCE_MAX : 0;
	return 100.0 * d->parts * weights /
		       (d->dev.weight * b->replicas * (double)builder_parts(b)) -
	       100.0;
}

double builder_dev_balance(const struct builder *b, const struct builder_dev *d)
{
	return dev_balance(b, d, builder_weight_sum(b));
}

double builder_balance(const struct builder *b)
{
	double weights = builder_weight_sum(b), worst = 0;

	builder_for_dev(d, b)
		worst = MAX(worst, fabs(dev_balance(b, d, weights)));
	return worst;
}

struct measure measure_spread(const struct builder *b)
{
	struct measure m = { .plan = plan_tree_new(b), .columns = builder_rows(b) + 1 };
	uint64_t parts = builder_parts(b);
	AUTO(free) max_room = xcalloc(m.plan->nodes_n, sizeof(unsigned));
	unsigned *max = max_room;

	for (uint32_t n = 0; n < m.plan->nodes_n; n++)
		max[n] = plan_spread_max(m.plan, n);
	m.counts = xcalloc((size_t)m.plan->nodes_n * m.columns, sizeof *m.counts);
	for (uint64_t part = 0; part < parts; part++) {
		unsigned worst = 0;

		for (unsigned depth = 1; depth < PLAN_DEPTH; depth++) {
			unsigned excess = 0;

			for (uint64_t cell = part; cell < b->cells; cell += parts) {
				uint32_t node = plan_path(m.plan, b->table[cell])[depth];
				unsigned n = 0;
				bool first = true;

				for (uint64_t other = part; other < b->cells; other += parts) {
					bool same =
						plan_path(m.plan, b->table[other])[depth] == node;

					first = first && !(same && other < cell);
					n += same;
				}
				if (!first)
					continue;
				m.counts[(size_t)node * m.columns + n]++;
				excess += n > max[node] ? n - max[node] : 0;
			}
			worst = MAX(worst, excess);
		}
		m.at_risk += worst;
	}
	for (uint32_t n = 0; n < m.plan->nodes_n; n++) {
		m.counts[(size_t)n * m.columns] = parts;
		for (unsigned i = 1; i < m.columns; i++)
			m.counts[(size_t)n * m.columns] -= m.counts[(size_t)n * m.columns + i];
	}
	return m;
}

void measure_done(struct measure *m)
{
	plan_free(m->plan);
	free(m->counts);
}

double builder_dispersion(const struct builder *b)
{
	if (!b->cells)
		return -1;
	CLEANUP(measure_done) struct measure m = measure_spread(b);

	return 100.0 * (double)m.at_risk / (double)b->cells;
}

int builder_validate(const struct builder *b, struct fault *why)
{
	uint64_t parts = builder_parts(b), counted = 0;
	AUTO(free) room = xcalloc(b->devs_n + 1, sizeof(uint32_t));
	uint32_t *count = room;

	if (!b->cells)
		return fault_set(why, -EINVAL, "There is no table; did you forget to rebalance?");
	for (uint64_t cell = 0; cell < b->cells; cell++) {
		uint32_t dev = b->table[cell];

		if (!builder_dev(b, dev))
			return fault_set(why, -EINVAL,
					 "Partition %" PRIu64 ", replica %" PRIu64
					 " was not allocated to a device.",
					 cell % parts, cell / parts);
		count[dev]++;
		for (uint64_t other = cell % parts; other < cell; other += parts)
			if (b->table[other] == dev)
				return fault_set(why, -EINVAL,
						 "The partition %" PRIu64 " has been assigned "
						 "to duplicate devices %" PRIu32,
						 cell % parts, dev);
	}
	builder_for_dev(d, b) {
		counted += d->parts;
		if (d->parts != count[d_id])
			return fault_set(why, -EINVAL,
					 "Device %u has %" PRIu32
					 " partitions but is said to have %" PRIu32,
					 d_id, count[d_id], d->parts);
	}
	if (counted != b->cells)
		return fault_set(why, -EINVAL,
				 "All partitions are not double accounted for: %" PRIu64
				 " != %" PRIu64,
				 counted, b->cells);
	return 0;
}
