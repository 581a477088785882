/* The parts of the store and what they share. Two threads work here: the loop's, with the tasks,
 * and the committer (lib/disk/batcher.h), which alone appends to volumes and writes to LevelDB.
 * What both touch is guarded by store.lock, which nobody holds while waiting for the disk. */
#pragma once
#include "lib/base/buf.h"
#include "lib/base/list.h"
#include "lib/disk/batcher.h"
#include "lib/disk/file.h"
#include "objectd/store/index.h"
#include "objectd/store/meta.h"

#include <pthread.h>

enum {
	STORE_MAGIC = 0x5e0a7b1e,
	BATCH_OPS_MAX = 1024,
	BATCH_BYTES_MAX = 8 * MIB,
	QUEUE_BYTES_MAX = 32 * MIB,
	CHECKPOINT_BYTES = 256 * MIB,   /* of journal, at most, to replay after a crash */
	CHECKPOINT_RECORDS = 200000,
	CHECKPOINT_IDLE_MS = 30000,
	CACHE_ENTRIES = 64 * KIB,
	VOLUME_FDS_MAX = 256,
	PUNCH_MIN = 64 * KIB,           /* smaller dead pieces wait for compaction */
	READ_FIRST = 64 * KIB + 4 * KIB, /* what opening an object reads at most */
	LARGE_ALIGN = 4096,
	INDEX_RESERVE = 64 * MIB,
	FREE_CHECK_MS = 500,            /* how old the knowledge of free space may be */
	ROW_VALUE_MAX = 16 * MIB,
};

/* For a failure that changes nothing here, or shows elsewhere. */
static inline void tolerate(int rc) { (void)rc; }

struct volume {
	uint32_t id, salt;
	uint64_t end;                   /* bytes in use; where the next record goes */
	uint64_t dead, rows;            /* bytes of dead records, of rows */
	bool sealed, gone;
	int fd;                         /* for reading; -1 while closed */
	unsigned pins;                  /* readers of fd */
	uint64_t used_at;               /* for closing the least recently used */
	uint64_t examined;              /* journal position when compaction last looked in vain */
};

struct counters {
	uint64_t objects, tombstones, bytes;
};

/* A place in the journal. */
struct position {
	uint32_t volume;
	uint64_t at, batch;
};

/* A piece of disk that may be given back once a checkpoint has passed it. */
struct waste {
	struct list node;
	uint64_t large;                 /* remove this file; 0: punch this */
	struct location where;
	uint64_t batch;                 /* that left it behind */
};

struct store {
	unsigned magic;
	struct store_options o;
	char *path, *cluster_id;
	unsigned char uuid[16];
	int lock_fd;
	struct kv *kv;
	struct batcher *batcher;

	pthread_mutex_t lock;           /* guards from here … */
	struct index_cache *cache;
	uint64_t generation;            /* counts changes of the index */
	struct volume **volumes;        /* ascending ids; the last is being appended to */
	unsigned volume_n, volume_cap, fds_open;
	uint64_t fd_clock;
	struct counters live;
	struct position applied;        /* LevelDB has everything before */
	struct position checkpoint;     /* and has it durably before */
	uint64_t records_since;         /* records since the checkpoint */
	uint64_t bytes_since;
	struct list waste;
	struct store_stats stats;       /* only the counting ones */
	uint64_t prepared;              /* bytes of the active volume that are allocated */
	bool filling_chunk, filler_excluded, fast;
	pthread_cond_t chunk_done;      /* … to here */

	_Atomic int broken;             /* an I/O error: nothing is written any more */
	_Atomic uint64_t large_next;    /* the next large file's id */

	/* The committer's own. */
	struct apply *apply;
	struct volume *active;          /* the last; its end moves under the lock */
	int fd;                         /* of it, for writing */
	uint64_t batch;
	struct op **ops;                /* of the batch */
	struct iovec *iov;
	unsigned iov_n, iov_cap;
	struct buf rows, rows_head;     /* of the batch, merged; and their record */

	/* The loop's own. */
	struct list open_objects;
	struct task *keeper, *stopper;  /* housekeeping; who waits for its end */
	struct waitq keeper_q;
	bool closing, keeper_poked, checkpointing;
	uint64_t free_checked_ms, disk_free, disk_size, slow_until_ms;
	uint64_t spent;                 /* bytes granted since free space was looked at */
	bool filling, no_filling;
	uint64_t rate_at_ms, rate_bytes;
	unsigned large_writers;
	unsigned cold_bodies;           /* that read from the disk, not from the page cache */
	uint64_t compact_rate;          /* bytes per second; 0: no limit */
	struct buf scratch;
};

/* ---- volume.c ---- */
/* "volumes/0000002a.vol" below the store; the buffer is the caller's. */
enum { STORE_PATH_MAX = 900, PATH_SIZE = STORE_PATH_MAX + 124 };
void volume_path(const struct store *s, uint32_t id, char path[PATH_SIZE]);
void large_path(const struct store *s, uint64_t id, char path[PATH_SIZE]);
/* Lock held. NULL when there is none (any more). */
struct volume *volume_find(const struct store *s, uint32_t id);
/* Lock held. Adds to the table, in order. */
struct volume *volume_insert(struct store *s, uint32_t id, uint32_t salt);
/* The volume with an open file, which stays until volume_unpin. Takes the lock; may open the file
 * (which blocks for a moment on a directory lookup). 0, -ENOENT, or an error. */
must_check int volume_pin(struct store *s, uint32_t id, struct volume **ret);
void volume_unpin(struct store *s, struct volume *v);
/* Creates volume id durably and opens it for appending (the committer, or opening). */
must_check int volume_create(struct store *s, uint32_t id);
/* Opens the last volume for appending behind its end. */
must_check int volume_resume(struct store *s);
/* Forgets and unlinks a volume without live records. Lock not held. */
must_check int volume_remove(struct store *s, uint32_t id);
void volumes_free(struct store *s);

/* ---- prepare.c: room behind the end of the active volume ---- */
/* Makes sure that bytes fit there, perhaps in a new volume (surely with seal): 0 or -ENOSPC … Only
 * the committer calls it. */
must_check int volume_prepare(struct store *s, uint64_t bytes, bool seal);
/* Cuts the file (the committer); cuts the allocated tail off (nobody else may be at work). */
must_check int volume_cut(struct store *s, uint64_t end);
void volume_trim(struct store *s);
/* Lock held: whether volume_fill should be called. */
bool volume_wants_filling(struct store *s);
/* Starts writing zeros ahead, in a task of its own. */
void volume_fill(struct store *s);

/* ---- apply.c: changes of the index, gathered and written together ---- */
struct apply;
struct apply *apply_new(struct store *s);
void apply_free(struct apply *a);
/* The entry as it is with the changes gathered so far: 0, -ENOENT or -EIO. */
must_check int apply_get(struct apply *a, const struct object_id *id, struct index_entry *ret);
/* Sets it (or, with NULL, removes it). counted: it is not in the counters yet. */
must_check int apply_set(struct apply *a, const struct object_id *id, const struct index_entry *e,
			 bool counted);
/* rows must have been written by rows_change_write; -EBADMSG otherwise. */
must_check int apply_rows(struct apply *a, struct str rows, uint32_t volume, bool counted);
/* Whether LevelDB holds just this (an absent value: nothing) for key. 1, 0, or -EIO. */
must_check int apply_row_is(struct apply *a, struct str key, struct str value);
/* The same two questions from any thread that may block: about what has been committed. */
must_check int row_is(struct store *s, struct buf *scratch, struct str key, struct str value);
must_check int index_get(struct store *s, struct buf *scratch, const struct object_id *id,
			 struct index_entry *ret);
bool apply_is_empty(const struct apply *a);
/* Time for apply_write, in a replay. */
bool apply_is_full(const struct apply *a);
/* Writes them to LevelDB with the new end of the journal, then to the cache and counters. */
must_check int apply_write(struct apply *a, const struct position *end);
void apply_drop(struct apply *a);
/* The salt of a volume as LevelDB knows it: 0 or -ENOENT … */
must_check int volume_salt(struct store *s, uint32_t id, uint32_t *ret);
/* The counters' rows, as of the last apply_write. */
must_check int apply_load_counters(struct store *s);

/* ---- commit.c ---- */
enum op_kind {
	OP_ROWS,
	OP_PUT,
	OP_DELETE,
	OP_POST,
	OP_FORGET,
	OP_DAMAGED,
	OP_MOVE,
	OP_RECLAIM,
	OP_SEAL
};
struct op {
	struct batch_item item;
	enum op_kind kind;
	struct object_id id;
	struct record r;                /* what to write, measured */
	char *head;                     /* r.head_len bytes, written but not sealed */
	char *meta_copy;
	struct str data;
	struct str rows;                /* OP_ROWS */
	bool if_absent, urgent;         /* urgent: allowed to use the reserve */
	bool if_unknown;                /* OP_PUT: only when there is no entry at all (-EEXIST) */
	struct timestamp data_ts, meta_ts;      /* OP_FORGET */
	struct location from; /* OP_MOVE, OP_DAMAGED, OP_RECLAIM: where the record is now */
	struct location meta; /* OP_MOVE of data: the POST that is known to be moved behind it */
	struct location place;          /* where it was put */
	struct index_entry before;      /* state 0: there was none */
	bool write;                     /* decided: it goes into the journal */
	int result;
};
/* Runs one operation through the next batch: its result. */
waits must_check int commit_run(struct store *s, struct op *op);
/* The same with n of them (for housekeeping: the reserve may be used); each has its result. */
waits must_check int commit_run_all(struct store *s, struct op *ops, unsigned n);
void commit_batch(void *store, struct batch_item *first, unsigned count);
/* The index entry that a record at a place stands for, given the one before (state 0: none). 1: set
 * ret; 2: remove it; 0: it changes nothing. */
int record_effect(const struct record *r, const struct location *at,
		  const struct index_entry *before, struct index_entry *ret);
/* Whether the entry is of something newer, or there is none: then what removed the object at ts
 * does not matter to the index any more. */
bool is_past(const struct index_entry *e, struct timestamp ts);
/* -ENOSPC when bytes more would eat into the reserve. */
must_check int space_check(struct store *s, uint64_t bytes, bool urgent);

/* ---- scan.c: the records of one volume in order ---- */
struct scan {
	int fd;
	uint32_t id, salt;
	uint64_t size;                  /* of the file */
	uint64_t at;                    /* of the next record */
	char *window;
	size_t window_n, window_cap;
	uint64_t window_at;
};
/* 0, -ENOENT, -EBADMSG (not a volume of this store), -EPROTONOSUPPORT, … */
must_check int scan_open(struct scan *c, const struct store *s, uint32_t id);
void scan_close(struct scan *c);
/* 1 with a record (views valid until the next call; its data is not read), 0 when nothing but zeros
 * follows, -EBADMSG when something else does; at stays there then. */
must_check int scan_next(struct scan *c, struct record *ret);
/* After -EBADMSG: moves on to the next whole record whose batch is at least batch and began at or
 * behind begun_after: 0 with where that batch began, or -ENOENT (at is unchanged). */
must_check int scan_resync(struct scan *c, uint64_t batch, uint64_t begun_after,
			   uint64_t *ret_batch_at);
/* Whether the data of a record of this volume is what was written: 0, -EBADMSG or an error. */
must_check int scan_verify(struct scan *c, const struct record *r);

/* ---- replay.c ---- */
/* Finds the volumes and brings LevelDB up to date (all of it with rebuild). Blocks. */
must_check int replay(struct store *s, bool rebuild, struct fault *why);
/* Removes files of large/ that nothing refers to. Blocks. */
must_check int large_sweep(struct store *s);

/* ---- checkpoint.c ---- */
/* 1 when the store was closed properly, 0 when not, -ENOENT when LevelDB knows of none. */
must_check int checkpoint_load(struct store *s);
/* Blocks. */
must_check int checkpoint_write(struct store *s, bool closed);
void keeper_start(struct store *s);
waits void keeper_stop(struct store *s);
/* Something to do for it. */
void keeper_poke(struct store *s);
/* Gives back what a checkpoint has passed. */
waits void waste_collect(struct store *s);

/* Fills in op->r and writes op->head (freed by op_done). meta may be NULL. 0 or -E2BIG. */
must_check int op_record(struct store *s, struct op *op, enum record_kind kind,
			 const struct object_id *id, struct timestamp ts, struct str name,
			 const struct headers *meta, struct store_txn *with);
void op_done(struct op *op);

/* ---- large.c: writing files of large/ ---- */
struct large_writer;
waits must_check int large_open(struct store *s, int64_t size, struct large_writer **ret);
waits must_check int large_add(struct large_writer *w, struct str bytes);
/* Writes the rest and the CRCs, and makes the file durable. */
waits must_check int large_finish(struct large_writer *w);
uint64_t large_id(const struct large_writer *w);
/* Removes the file unless keep. */
waits void large_close(struct large_writer *w, bool keep);
/* Where the CRCs of a large file begin. */
static inline uint64_t large_crcs_at(uint64_t size)
{
	return (size + LARGE_ALIGN - 1) & ~(uint64_t)(LARGE_ALIGN - 1);
}

/* ---- audit.c ---- */
/* Keeps housekeeping to a rate: sleeps as long as bytes since began_ms (monotonic) should have
 * taken; 0: only lets others go first. 0 or -ECANCELED. */
waits must_check int pace(uint64_t bytes, uint64_t rate, uint64_t began_ms);

/* ---- object.c, rows.c, quarantine.c ---- */
struct str txn_rows(const struct store_txn *t);
struct store_object {
	unsigned magic;
	struct store *s;
	struct arena *a;
	struct object_id id;
	struct index_entry e;
	struct str name;
	struct headers metadata;
	const unsigned char *crcs;      /* of packed data */
	const char *data;               /* all of it, when it was read with the head */
	struct volume *pinned;          /* else: where it is, … */
	uint64_t data_at;
	int fd;                         /* … or the large file */
	struct list node;
};
enum { OBJECT_MAGIC = 0x0b7ec7ed };
/* Whether somebody still reads the record's data from its volume. */
bool object_is_open(const struct store *s, const struct location *where);
waits must_check int entry_get(struct store *s, const struct object_id *id,
			       struct index_entry *ret);
/* LevelDB's value for key, on the loop when that was fast lately. */
waits must_check int row_get(struct store *s, struct str key, struct buf *ret_value);
/* Takes a damaged object out of service: its bytes into quarantine/, its entry away (if it is still
 * the same). */
waits must_check int quarantine(struct store *s, const struct object_id *id,
				const struct index_entry *e, const char *what);
