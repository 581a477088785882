/* Takes listing rows to the container's devices. A write waits for its row (updater_send); while
 * one request to a device is under way, further rows for it collect and leave together in the next.
 * What cannot be delivered in time becomes a pending row: durable in the store under 'u', delivered
 * in the background when the device is back.
 *
 * A device that did not answer is "down" for a while that grows; rows for it are pending at once,
 * and the write that knows so beforehand commits them together with the object (updater_pend). */
#pragma once
#include "objectd/objectd.h"

struct row_target {
	struct http_address address;
	char device[RING_DEVICE_SIZE];
};

/* "ip:port" (X-Container-Host) and a device's name. 0 or -EINVAL. */
must_check int row_target_parse(struct str host, struct str device, struct row_target *ret);

struct updater *updater_new(struct objectd *o);
/* After all tasks ended. */
void updater_free(struct updater *u);
/* Spawns the background task; pending rows of the last run are tried first. */
void updater_start(struct updater *u);

/* Whether rows for it had better be pending from the start. */
bool updater_target_down(struct updater *u, const struct row_target *to);
/* Adds a pending row to a transaction, and updater_note_pending after it was committed. */
void updater_pend(struct store_txn *t, const struct row_target *to,
		  const struct container_row_update *row);
void updater_note_pending(struct updater *u, unsigned rows);
/* Delivers one row to all targets, at the same time, within timeout_ms; where that fails it is
 * pending when this returns. 0, or the store's error when that failed as well. */
waits must_check int updater_send(struct updater *u, const struct row_target *targets, unsigned n,
				  const struct container_row_update *row, uint64_t timeout_ms);
/* The same for rows without a target: pending for all primaries of the container in the ring. */
waits must_check int updater_send_by_ring(struct updater *u, struct container_row_update *row);
/* Looks at the pending rows now. */
void updater_wake(struct updater *u);
/* Calls found for each pending row of that object. Looks at all pending rows. 0 or -EIO. */
waits must_check int updater_find(struct updater *u, struct str account, struct str container,
				  struct str object,
				  void (*found)(void *arg, const struct row_target *to,
						const struct container_row_update *row),
				  void *arg);
/* Pending rows, as far as known. */
uint64_t updater_pending(const struct updater *u);

/* POST /device/0/.needletail/rows: the receiving side. */
waits void updater_handle_rows(struct objectd *o, struct request *req, struct response *res);
