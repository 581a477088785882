/* A builder: what a ring is made from. Devices, the settings and the table of who holds what, when
 * each partition last moved, and who held it before. It is kept in a JSON file (builder_file.c) and
 * changed by the commands; builder_rebalance computes a new table. Nothing here waits except on the
 * disk. Functions with a fault say in it what a person should read. */
#pragma once
#include "lib/base/base.h"
#include "lib/base/fault.h"
#include "lib/ring/ring_write.h"

enum {
	BUILDER_PART_POWER_MAX = 28,    /* a table of 2^28 partitions of three replicas: 3 GiB */
	BUILDER_HOURS_MAX = 255,        /* "long ago" in hours_since */
	BUILDER_PREVIOUS_HOURS = 168,   /* how long a previous owner is remembered */
	BUILDER_PREVIOUS_MAX = 8,       /* for one partition */
};

#define BUILDER_NONE UINT32_MAX         /* a cell that belongs to no device */
#define BUILDER_BALANCE_MAX 999.99      /* "infinitely unbalanced", as Swift shows it */

struct builder_dev {
	struct ring_dev dev;            /* first: a builder_dev is a ring_dev */
	uint32_t parts;                 /* cells it has */
	bool removing;                  /* goes with the next rebalance */
};

struct builder {
	char id[33];
	unsigned part_power;
	int next_part_power;            /* -1: no increase under way */
	double replicas;
	unsigned min_part_hours;
	double overload;
	int64_t version;
	bool devs_changed;              /* since the last rebalance */
	double dispersion;              /* after the last rebalance, in percent; below 0: never */
	unsigned devs_n;
	struct builder_dev **devs;      /* by id, NULL where there is none */
	uint64_t cells;                 /* 0: never rebalanced */
	uint32_t *table;                /* row after row; the last may be short */
	uint8_t *hours_since;           /* by partition: since it moved, when hours_epoch was now */
	int64_t hours_epoch;            /* seconds; 0: long ago */
	size_t moved_n;
	struct ring_moved *moved;       /* previous owners, by partition, newest first */
};

struct builder *builder_new(unsigned part_power, double replicas, unsigned min_part_hours);
void builder_free(struct builder *b);
DEFINE_AUTO(builder, struct builder *, builder_free);

static inline uint64_t builder_parts(const struct builder *b)
{
	return (uint64_t)1 << b->part_power;
}
/* Cells a table for so many replicas has. */
uint64_t builder_cells_wanted(const struct builder *b);
static inline unsigned builder_rows(const struct builder *b)
{
	return (unsigned)((b->cells + builder_parts(b) - 1) >> b->part_power);
}
static inline struct builder_dev *builder_dev(const struct builder *b, unsigned id)
{
	return id < b->devs_n ? b->devs[id] : NULL;
}
#define builder_for_dev(d, b) \
	for (unsigned d##_id = 0; d##_id < (b)->devs_n; d##_id++) \
		for (struct builder_dev *d = (b)->devs[d##_id]; d; d = NULL)

/* Takes a device in, whose strings are copied; dev->id below 0 asks for the lowest free one.
 * Returns the id, -EEXIST when the id or the same ip, port and device is there already, -EINVAL
 * otherwise. */
int builder_dev_add(struct builder *b, const struct ring_dev *dev, struct fault *why) must_check;
/* Takes a device of a builder's file in, with its id; nothing counts as changed. 0 or -EINVAL. */
int builder_dev_load(struct builder *b, const struct ring_dev *dev, struct fault *why) must_check;
/* 0, or -EINVAL: would the reader of a ring file take the device? */
int builder_dev_check(const struct ring_dev *dev, struct fault *why) must_check;
/* The device that has the same ip, port and name as this one and another id, or NULL. */
struct builder_dev *builder_dev_same(const struct builder *b, const struct ring_dev *dev);
/* Marks a device for removal. */
void builder_dev_remove(struct builder *b, struct builder_dev *d);

/* The file: JSON, written as a whole. -ENOENT when there is none. */
int builder_load(const char *path, struct builder **ret, struct fault *why) must_check;
int builder_save(const struct builder *b, const char *path, struct fault *why) must_check;
/* Its text, and back. */
void builder_format(const struct builder *b, struct buf *to);
int builder_parse(struct str text, struct builder **ret, struct fault *why) must_check;
/* What a ring file needs, borrowed from the builder; devs is an array for the image to use, to be
 * freed by the caller. */
struct ring_image builder_image(const struct builder *b, struct ring_dev ***ret_devs);
/* A builder that would have written this ring: min_part_hours, overload and the times of the last
 * moves are not in a ring. */
struct builder *builder_of_ring(const struct ring *r, unsigned min_part_hours);

/* Hours: brings hours_since up to now (seconds), and what is left until partitions may
 * move again. */
void builder_hours_update(struct builder *b, int64_t now);
int64_t builder_hours_seconds_left(const struct builder *b, int64_t now);
/* Lets every partition move at once. */
void builder_hours_forget(struct builder *b);

struct builder_moves {
	uint64_t cells;                 /* that changed their device */
	uint64_t parts;                 /* partitions with such cells */
	unsigned removed;               /* devices that went */
	double balance;
};

/* Computes the table anew, moving as little as it must; seed makes it repeatable. -EINVAL when the
 * devices cannot take the replicas; the builder is then unchanged. */
int builder_rebalance(struct builder *b, uint64_t seed, int64_t now, struct builder_moves *ret,
		      struct fault *why) must_check;

/* How far devices are from what their weight asks for, in percent: one, and the worst. */
double builder_dev_balance(const struct builder *b, const struct builder_dev *d);
double builder_balance(const struct builder *b);
double builder_weight_sum(const struct builder *b);
/* Share of cells, in percent, in a tier that holds more of their partition than it need. */
double builder_dispersion(const struct builder *b);
/* 0, or -EINVAL with what is wrong with the table. */
int builder_validate(const struct builder *b, struct fault *why) must_check;

/* Doubling the partitions: prepare, increase (or cancel), finish. -EINVAL at the wrong moment. */
int builder_power_prepare(struct builder *b) must_check;
int builder_power_increase(struct builder *b) must_check;
int builder_power_cancel(struct builder *b) must_check;
int builder_power_finish(struct builder *b) must_check;
