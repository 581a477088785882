/* What the scheduler's files share. */
#pragma once
#include "compute/scheduler/scheduler.h"

/* Servers of the wish's group that the host has. */
unsigned sched_members(const struct sched_host *h, const struct sched_wish *w);
/* The hosts that pass every filter, as schedule(). */
unsigned sched_filter(struct arena *a, const struct sched_host *hosts, unsigned n,
		      const struct sched_wish *w, const struct sched_host **ret,
		      struct str *ret_reason);
