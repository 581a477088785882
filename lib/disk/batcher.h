/* Group commit: a thread of its own that is always given everything that arrived while it was busy.
 * The items belong to the tasks that wait for them. */
#pragma once
#include "lib/task/task.h"

struct batch_item {
	struct batch_item *next;
	size_t bytes; /* what it counts against the limits; set before batcher_run */
	struct task *task;              /* the rest is the batcher's */
	bool done;
};

struct batcher_options {
	const char *name;               /* shown as what the tasks wait for */
	/* Runs on the batcher's thread: all items of one batch. It must not touch tasks or the
	 * loop. */
	void (*run)(void *arg, struct batch_item *first, unsigned count);
	void *arg;
	unsigned items_max;             /* of one batch */
	size_t bytes_max;               /* of one batch; a larger single item goes alone */
	size_t queue_bytes_max;         /* beyond this, callers wait before they queue */
};

struct batcher;
struct batcher *batcher_new(const struct batcher_options *o);
/* Queues the item and waits, masked, until its batch has run. */
waits void batcher_run(struct batcher *b, struct batch_item *item);
/* The same with several, linked by next, in this order (not always all in one batch). */
waits void batcher_run_all(struct batcher *b, struct batch_item *first);
/* Waits until the queue is empty and the thread has ended. Nobody may use it meanwhile. */
waits void batcher_free(struct batcher *b);
