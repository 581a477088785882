/* The entries of a manifest, close together in memory while it is put: a thousand of them cost some
 * 30 KiB, where their JSON has 100 KiB. A name is kept as what differs from the one before, an ETag
 * as its 16 bytes. Nothing here waits. */
#pragma once
#include "lib/base/arena.h"
#include "lib/base/buf.h"

struct slo_entry {
	struct str path;                /* as sent; absent for data */
	struct str data;                /* raw bytes; absent for objects */
	struct str etag, range;         /* absent: none */
	uint64_t size;
	bool sized;                     /* size is known */
	/* What a HEAD told of an object, with status > 0. */
	unsigned status;
	struct str type;
	int64_t modified;               /* s */
	bool slo;
};

struct slo_block;
struct slo_pack {
	struct slo_block **blocks;
	unsigned blocks_n, blocks_cap, taken_n; /* those before taken_n were let go */
	unsigned n;                     /* entries */
	struct buf path, type;          /* of the last entry, */
	int64_t modified;               /* and its time */
	struct buf record;              /* room to write one */
	/* Where the entries with a status are, by their paths. */
	uint32_t *slots;
	unsigned char *tags;
	unsigned slots_n, slots_used;
	uint64_t seed;
};

/* No entries; nothing is allocated. */
void slo_pack_init(struct slo_pack *p);
void slo_pack_done(struct slo_pack *p);
/* Appends a copy. One with a status is found by its path afterwards; the first one, if there
 * are several. */
void slo_pack_add(struct slo_pack *p, const struct slo_entry *e);
/* What is known of an object, without its range: false when it was not added with a status.
 * Its texts are in the arena. */
bool slo_pack_find(const struct slo_pack *p, struct str path, struct arena *a,
		   struct slo_entry *ret);

/* Reads the entries one after another. */
struct slo_unpack {
	const struct slo_pack *pack;
	unsigned block;
	size_t at;
	struct buf path, type;
	int64_t modified;
	char etag[33];
};
void slo_unpack_init(struct slo_unpack *u, const struct slo_pack *p);
void slo_unpack_done(struct slo_unpack *u);
/* False at the end. Texts are valid until the next call. */
bool slo_unpack_next(struct slo_unpack *u, struct slo_entry *ret);
/* Lets the memory go of what u has read; u reads on, nobody else may. */
void slo_pack_drop(struct slo_pack *p, const struct slo_unpack *u);
