/* Listing rows as bytes: what objectds send each other, and what a pending row is stored as. Little
 * endian; strings are preceded by their length in 4 bytes. */
#pragma once
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "objectd/objectd.h"

enum {
	ROWS_MAX = 4096,                /* in one request */
	ROW_BYTES_MAX = 64 * KIB,
	ROWS_BYTES_MAX = 16 * MIB,
};

void row_write(struct buf *to, const struct container_row_update *row);
/* Takes one row off the front of *rest; strings are views of it. 0, or -EBADMSG. */
must_check int row_read(struct str *rest, struct container_row_update *ret);
/* All rows of a message, into the arena: how many, -EBADMSG, or -EFBIG beyond ROWS_MAX. */
must_check int rows_read(struct arena *a, struct str bytes, struct container_row_update **ret);
/* A copy whose strings are in the arena. */
struct container_row_update row_copy(struct arena *a, const struct container_row_update *row);
