/* What the updater's files share: the devices it speaks to. */
#pragma once
#include "lib/base/map.h"
#include "objectd/objectd_conf.h"
#include "objectd/updater/row_wire.h"
#include "objectd/updater/updater.h"

enum peer_kind {
	PEER_UNKNOWN,                   /* nothing heard of it yet: spoken to as to a PEER_PLAIN */
	PEER_PLAIN,                     /* a Swift container server: one request per row */
	PEER_NEEDLETAIL,                /* takes many rows in one request */
};

enum { TARGETS_MAX = 65536, TARGET_KEY_MAX = 160 };

/* A container device. Kept for the life of the process. */
struct target {
	struct row_target to;
	char key[TARGET_KEY_MAX];       /* "ip:port/device" */
	enum peer_kind kind;
	bool local;                     /* this very device */
	uint64_t down_until_ms;         /* monotonic; 0: up */
	unsigned failures;
	struct list queue;              /* of struct item */
	bool sending;                   /* a task takes from the queue */
};

struct updater {
	struct objectd *o;
	struct map *targets;
	uint64_t pending;               /* rows in the store */
	struct task *task;              /* the background task */
	bool woken;
};

/* "ip:port/device" */
void target_key(const struct row_target *to, char key[TARGET_KEY_MAX]);
/* Finds or makes it; NULL when there are too many. */
struct target *updater_target(struct updater *u, const struct row_target *to);
bool target_is_down(const struct target *t);
void target_failed(struct updater *u, struct target *t, int error);
void target_answered(struct updater *u, struct target *t, bool needletail);

/* Takes rows to a device: ret_status as container_apply_rows fills it. 0, or negative when the
 * device could not be reached or refused (it is then marked as down). Waits for node_timeout at
 * most per request. */
waits must_check int rows_deliver(struct updater *u, struct target *t, struct arena *a,
				  const struct container_row_update *rows, unsigned n,
				  int *ret_status);

/* The background task's function. */
void pending_run(void *updater);
