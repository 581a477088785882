/* Moves objects to the policy of their container. When a container was made twice with different
 * policies while its devices could not see each other, its replicas agree on one of them later
 * (db_info_merge); rows of objects that were stored in the other one stay in the database with that
 * policy, and are the reconciler's work. The first primary of the container does it. Swift:
 * container/reconciler.py, which keeps a queue of such rows in an account of its own. */
#pragma once
#include "objectd/objectd.h"

struct reconciler *reconciler_new(struct objectd *o);
void reconciler_free(struct reconciler *r);
void reconciler_start(struct reconciler *r);
/* One whole pass now: 0 or a store error. */
waits must_check int reconciler_pass(struct reconciler *r);

struct reconciler_stats {
	/* of the last pass: containers with rows of other policies, objects and deletions that were
	 * moved, rows that could not be dealt with */
	uint64_t containers, moved, deleted, left;
	uint64_t passes, pass_ms;
	int64_t pass_end_us;
};
void reconciler_stats(const struct reconciler *r, struct reconciler_stats *ret);
