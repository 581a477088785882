/* What a loaded ring is made of: shared by the reader (ring_load.c) and the queries (ring.c). */
#pragma once
#include "lib/ring/ring.h"

enum ring_tier { TIER_REGION, TIER_ZONE, TIER_SERVER, TIER_COUNT };

/* Where a ring file keeps the previous owners: in the metadata of format 1, a section in
 * format 2. */
#define RING_PREVIOUS_KEY "needletail_previous"
#define RING_PREVIOUS_SECTION "needletail/previous"

struct ring {
	unsigned refs;
	unsigned format;
	unsigned part_power;
	int next_part_power;
	int64_t version;
	unsigned rows;
	uint64_t cells;                 /* of the whole table: the last row may be short */
	unsigned id_bytes;              /* of a cell: 2 or 4, in the machine's order */
	void *table;                    /* row after row */
	unsigned devs_n;
	struct ring_dev **devs;
	uint32_t *tier[TIER_COUNT];     /* by device id: a number for its region, zone and server */
	unsigned tier_n[TIER_COUNT];    /* how many of them hold partitions */
	unsigned assigned_n;            /* devices that hold partitions */
	size_t moved_n;
	struct ring_moved *moved;
};

/* Numbers the tiers and counts who holds partitions, once devices and table are in place. */
void ring_index(struct ring *r);

static inline uint32_t ring_cell_at(const struct ring *r, uint64_t cell)
{
	return r->id_bytes == 2 ? ((const uint16_t *)r->table)[cell]
				: ((const uint32_t *)r->table)[cell];
}
