/* What the reconciler's files share. */
#pragma once
#include "lib/base/map.h"
#include "objectd/db/db.h"
#include "objectd/direct.h"
#include "objectd/objectd_conf.h"
#include "objectd/reconciler/reconciler.h"

struct reconciler {
	struct objectd *o;
	struct map *settled;            /* digests of containers with nothing left to do, by hash */
	struct reconciler_stats stats, now;
	struct task_sem one;            /* one pass at a time */
};

/* A row in a policy that is not its container's. */
struct misplaced {
	struct objectd *o;
	const struct direct *container; /* its devices, for their rows */
	struct str object;
	const struct row *row;
	unsigned policy;                /* the container's */
};

/* Brings the object, or its deletion, to the right policy (row.c): 1 when something was moved, 0
 * when nothing had to be; negative when it must be tried again. */
waits must_check int misplaced_settle(const struct misplaced *m, struct arena *a);

/* What the devices of an object know of it. */
struct found {
	unsigned answered;
	bool live;                      /* the newest is an object, not a deletion */
	struct timestamp data_ts;       /* of the newest; unset: nobody knows anything */
	struct timestamp newest_ts;     /* with its last POST */
	unsigned at;                    /* which device has it */
};
waits void found_look(const struct direct *d, struct arena *a, struct found *ret);
/* Copies the object from one device to all of another policy's (move.c), under ts: 0 when most of
 * them have it. */
waits must_check int misplaced_copy(const struct misplaced *m, const struct direct *from,
				    unsigned at, const struct direct *to, struct timestamp ts);
#define RECONCILER_AGENT S("container-reconciler")
