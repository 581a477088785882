/* What a table is like: how its partitions are spread over the tiers. */
#pragma once
#include "ringtool/builder/plan.h"

/* How many partitions have 0, 1, 2, … copies in a tier: counts[node * (rows + 1) + copies]. */
struct measure {
	struct plan *plan;
	unsigned columns;
	uint64_t *counts;
	uint64_t at_risk;               /* cells that make some tier too full, each once */
};

/* The builder has a table. */
struct measure measure_spread(const struct builder *b);
void measure_done(struct measure *m);
