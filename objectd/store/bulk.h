/* Many small objects at once, for replication: one job reads them, one batch stores them, where
 * object by object each would cost a switch between threads or tasks. */
#pragma once
#include "objectd/store/store.h"

struct store_bulk_read {
	struct object_id id;
	/* What was found; name, metadata and data live in the arena. */
	struct object_entry entry;
	struct str name, data;
	struct headers metadata;
	int result;     /* 0; -EAGAIN: open it singly (large, damaged, with a POST, changing) */
};
/* Reads tombstones and packed objects that have had no POST; everything is verified. */
waits void store_read_all(struct store *s, struct store_bulk_read *list, unsigned n,
			  struct arena *a);

struct store_bulk_put {
	struct store_put put;           /* without rows */
	struct str data;
	int result;     /* 0: stored; -EEXIST: something is known of it, or it is too large */
	struct object_entry existing;   /* with -EEXIST: what that is; state 0: not looked at */
};
/* Stores those of which nothing is known here, not even a tombstone, so that nothing has to be
 * looked at before. 0 when all were decided, else an error of the store (-ENOSPC …). */
waits must_check int store_put_all(struct store *s, struct store_bulk_put *list, unsigned n);
