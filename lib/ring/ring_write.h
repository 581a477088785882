/* Writing ring files, for ringtool and tests: Swift's formats 1 and 2, the same bytes for the same
 * ring. Blocks on the disk. */
#pragma once
#include "lib/base/buf.h"
#include "lib/ring/ring.h"

/* A ring to write; everything in it is the caller's. */
struct ring_image {
	unsigned part_power;
	int next_part_power;            /* -1: no increase under way */
	int64_t version;                /* -1: left out */
	uint64_t cells;                 /* of the table: its last row may be short */
	const uint32_t *table;          /* row after row of 2^part_power device ids */
	unsigned devs_n;
	struct ring_dev *const *devs;   /* by id, NULL for removed ones */
	size_t moved_n;
	const struct ring_moved *moved; /* previous owners: by partition, newest first within one */
};

/* Appends the bytes of a ring file. format is 1 or 2; id_bytes 2, 4 or 8 (0: 2 where the ids fit,
 * otherwise 4) and means nothing to format 1, which has always 2. 0 or -EINVAL with the reason. */
int ring_pack(const struct ring_image *image, unsigned format, unsigned id_bytes, struct buf *to,
	      struct fault *why) must_check;
/* Writes a ring file so that a reader sees the old one or the new one. */
int ring_write(const char *path, const struct ring_image *image, unsigned format, unsigned id_bytes,
	       struct fault *why) must_check;
/* Replaces a file as a whole: temporary file beside it, fsync, rename, fsync of the directory. */
int ring_file_replace(const char *path, struct str bytes, struct fault *why) must_check;
