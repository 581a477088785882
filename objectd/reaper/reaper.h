/* Empties accounts that were deleted: their objects, then their containers, through the storage
 * servers that the rings name; what is left of the account is forgotten with its tombstones
 * (db_reclaim). The first primary of an account's partition does it. Swift: account/reaper.py */
#pragma once
#include "objectd/objectd.h"

struct reaper *reaper_new(struct objectd *o);
void reaper_free(struct reaper *r);
/* Spawns the task. */
void reaper_start(struct reaper *r);
/* One whole pass now, after the one that may be running: 0 or a store error. */
waits must_check int reaper_pass(struct reaper *r);

struct reaper_stats {
	/* of the last pass; remaining: what could not be deleted */
	uint64_t accounts, containers, objects, containers_remaining, objects_remaining;
	uint64_t passes, pass_ms;
	int64_t pass_end_us;
	/* of the pass that is under way */
	uint64_t now_containers, now_objects;
};
void reaper_stats(const struct reaper *r, struct reaper_stats *ret);
