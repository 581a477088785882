/* Brings objects and databases home: to every device that the rings name for them, and away from
 * those that only stood in.
 *
 * Replicators push; nobody pulls. A pass compares what this device holds, partition by partition,
 * with the partition's primaries, and sends what they miss under its original timestamps. What this
 * device holds for others (a handoff) is forgotten once every primary has it. Conflicts are decided
 * by timestamps where things are stored, so passes of several devices may cross. README.md has the
 * requests. */
#pragma once
#include "objectd/objectd.h"

struct replicator *replicator_new(struct objectd *o);
void replicator_free(struct replicator *r);
/* Spawns the task. */
void replicator_start(struct replicator *r);
/* A device is back, or the rings have changed: begin a pass soon. */
void replicator_wake(struct replicator *r);
/* An object of this partition has changed. Called after each commit; costs a lookup. */
void replicator_touch(struct replicator *r, const struct object_id *id);

/* POST /device/partition/.needletail/… except rows. */
waits void replicator_handle(struct objectd *o, struct request *req, struct response *res,
			     const struct backend_path *p);

struct replicator_stats {
	/* of the last pass */
	uint64_t partitions, databases, pushed, failed, forgotten, bytes, unreachable;
	uint64_t pass_ms;
	int64_t pass_end_us;            /* 0: none has ended yet */
	uint64_t passes;                /* since the start */
};
void replicator_stats(const struct replicator *r, struct replicator_stats *ret);
