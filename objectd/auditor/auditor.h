/* Reads all records of the device slowly and checks them, and gives back the space of what was
 * deleted. */
#pragma once
#include "objectd/objectd.h"

struct auditor *auditor_new(struct objectd *o);
void auditor_free(struct auditor *a);
/* Spawns the tasks. */
void auditor_start(struct auditor *a);
/* One whole pass now, and one round of giving space back: 0 or a store error. */
waits must_check int auditor_pass(struct auditor *a);
waits must_check int auditor_tidy(struct auditor *a);

struct auditor_stats {
	uint64_t passes, records, bytes, damaged;       /* since the start */
	int64_t pass_start_us;
};
void auditor_stats(const struct auditor *a, struct auditor_stats *ret);
