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

enum replicate_kind {
	REPLICATE_ACCOUNTS,
	REPLICATE_CONTAINERS,
	REPLICATE_OBJECTS,
	REPLICATE_KINDS
};

struct replicator_stats {
	/* partitions: held, of objects. pushed: objects sent; databases: sent. forgotten: given
	 * back to their primaries. */
	uint64_t partitions, databases, pushed, failed, forgotten, bytes, unreachable;
	uint64_t pass_ms;
	int64_t pass_start_us, pass_end_us;     /* wall clock; 0: never */
	uint64_t passes;                        /* since the start */
	/* How far it is: of `total` comparisons `done` are made. */
	uint64_t done, total;
};
/* Of the last whole pass; and of the one under way: false when there is none of that kind. */
void replicator_stats(const struct replicator *r, enum replicate_kind kind,
		      struct replicator_stats *ret);
bool replicator_running(const struct replicator *r, enum replicate_kind kind,
			struct replicator_stats *ret);
/* Unix microseconds at which the comparisons that are left will be made if they take as long as
 * those before; 0: cannot be said. */
int64_t replicator_estimated_end_us(const struct replicator_stats *running, int64_t now_us);
/* Bytes per second that may be sent now: the configured limit, less when clients of this device
 * wait longer than usual. */
uint64_t replicator_rate(struct replicator *r);
/* A client's request took that long. */
void replicator_note_client(struct replicator *r, uint64_t us);
