/* The store of one device: append-only volumes that are the only journal, and a LevelDB behind them
 * that can be brought up to date from (or rebuilt out of) the volumes. docs/store-format.md has the
 * format.
 *
 * Everything the device must remember goes through store_commit and its kin: what arrived while the
 * last fdatasync ran is written and synced together (group commit), then applied to LevelDB without
 * sync, then the callers wake. A caller that is answered 0 has it on disk. Conflicts are decided by
 * timestamps at that moment, so no lock is held between looking and writing. */
#pragma once
#include "lib/base/fault.h"
#include "lib/http/body.h"
#include "lib/kv/kv.h"
#include "lib/swift/timestamp.h"

struct store;

struct store_options {
	const char *path;               /* the device's directory; created when absent */
	uint64_t volume_max;            /* bytes of a volume; 0: 256 MiB */
	uint64_t packed_max;            /* larger objects get a file of their own; 0: 256 KiB */
	uint64_t reserve;               /* free bytes below which writes fail with -ENOSPC */
	bool repair_index;              /* throw LevelDB away and rebuild it from the volumes */
	const char *cluster_id; /* a directory that belongs to another cluster is refused; may be
				   NULL */
};

/* Opens, replaying what the index has not seen. Errors with a clear sentence: a foreign or newer
 * directory, in use by another process (lock), no right, full disk. */
waits int store_open(const struct store_options *o, struct store **ret, struct fault *why);
/* Ends with a checkpoint, so the next open replays nothing. */
waits void store_close(struct store *s);

/* ---- rows: keys and values in LevelDB whose changes go through the journal ---- */

struct store_txn;
struct store_txn *store_txn_new(struct arena *a);
/* Key and value are copied into the arena. The keys' first byte names who owns them; 'o' and 'v'
 * are the store's own. */
void store_txn_put(struct store_txn *t, struct str key, struct str value);
void store_txn_delete(struct store_txn *t, struct str key);
unsigned store_txn_count(const struct store_txn *t);
/* All or nothing, durable when it returns 0. -ENOSPC, -EIO (the store is then
 * read-only: -EROFS). */
waits must_check int store_commit(struct store *s, struct store_txn *t);
/* Reads as of the last commit. 0 or -ENOENT, -EIO. */
waits must_check int store_get(struct store *s, struct str key, struct buf *ret_value);
/* For range scans inside task_run_blocking. */
struct kv *store_kv(struct store *s);

/* ---- objects ---- */

/* hash: MD5 of the object's path (ring_hash_path). A partition is a range of hashes. */
struct object_id {
	uint16_t policy;
	unsigned char hash[16];
};

enum object_state { OBJECT_DATA = 1, OBJECT_TOMBSTONE = 2 };

/* What the index knows of an object. */
struct object_entry {
	enum object_state state;
	struct timestamp data_ts;       /* of the PUT or DELETE */
	struct timestamp meta_ts;       /* of the last POST; data_ts when there was none */
	uint64_t size;                  /* of the data */
	int64_t delete_at;              /* unix seconds; 0: never */
};

/* 0, -ENOENT (never heard of it), -EIO. */
waits must_check int store_lookup(struct store *s, const struct object_id *id,
				  struct object_entry *ret);

/* An object that is open for reading; it stays readable although it is replaced or deleted
 * meanwhile. */
struct store_object;
/* Reads entry and metadata (and the data with it when small). 0, -ENOENT, -EIO (damaged: it has
 * been quarantined, and is not found from now on). A tombstone opens with state OBJECT_TOMBSTONE
 * and no metadata. */
waits must_check int store_object_open(struct store *s, const struct object_id *id, struct arena *a,
				       struct store_object **ret);
void store_object_close(struct store_object *o);
DEFINE_AUTO(store_object, struct store_object *, store_object_close);
const struct object_entry *store_object_entry(const struct store_object *o);
/* The path "/a/c/o" it was stored under. */
struct str store_object_name(const struct store_object *o);
/* Metadata as it was given to the writer, with the last POST's in its place (see store_post). */
const struct headers *store_object_metadata(const struct store_object *o);
/* The bytes first..last (inclusive) as a body in the object's arena, each verified against its CRC
 * before it is handed out: -EIO in the middle means damage (quarantined). The object must stay open
 * meanwhile. */
struct body *store_object_body(struct store_object *o, uint64_t first, uint64_t last);

/* Writing: small objects stay in memory until commit; larger ones stream into a file of
 * their own. */
struct store_writer;
/* size: what is expected, or -1. -ENOSPC. */
waits must_check int store_writer_open(struct store *s, int64_t size, struct store_writer **ret);
waits must_check int store_writer_add(struct store_writer *w, struct str bytes);
uint64_t store_writer_size(const struct store_writer *w);
waits void store_writer_close(struct store_writer *w);          /* drops what was not committed */
task_asserted static inline void store_writer_closep(struct store_writer *w)
{
	store_writer_close(w);
}
DEFINE_AUTO(store_writer, struct store_writer *, store_writer_closep);

struct store_put {
	struct object_id id;
	struct timestamp ts;
	struct str name;                /* "/a/c/o" */
	const struct headers
		*metadata; /* everything to remember: Content-Type, ETag, X-Object-Meta-* … */
	int64_t delete_at;
	bool if_absent; /* If-None-Match: *: only when there is no live object (-EEXIST) */
	struct store_txn *with;         /* rows committed together with it; may be NULL */
};
/* 0: stored. -EALREADY: an equal or newer version is there (ret_existing tells). -EEXIST
 * (if_absent), -ENOSPC, -EIO. ret_existing: the entry before this one (state 0 when there was
 * none); may be NULL. */
waits must_check int store_writer_commit(struct store_writer *w, const struct store_put *p,
					 struct object_entry *ret_existing);
/* A tombstone. As above; deleting what is not there is recorded too. */
waits must_check int store_delete(struct store *s, const struct object_id *id, struct str name,
				  struct timestamp ts, struct store_txn *with,
				  struct object_entry *ret_existing);
/* Replaces the metadata that store_object_metadata returns; the data stays. -ENOENT without a live
 * object, -EALREADY when a POST or PUT not older than ts is there. */
waits must_check int store_post(struct store *s, const struct object_id *id, struct timestamp ts,
				const struct headers *metadata, int64_t delete_at,
				struct store_txn *with, struct object_entry *ret_existing);

/* ---- for the background jobs ---- */

/* Up to max entries of one policy with from <= hash <= last, in hash order: the count. */
struct object_listed {
	unsigned char hash[16];
	struct object_entry entry;
};
waits must_check int store_list(struct store *s, uint16_t policy, const unsigned char from[16],
				const unsigned char last[16], struct object_listed *ret,
				unsigned max);
/* Forgets an object altogether (a handoff that every primary has), only if data_ts and meta_ts are
 * still those: 0, -EALREADY (changed), -ENOENT. */
waits must_check int store_forget(struct store *s, const struct object_id *id,
				  struct timestamp data_ts, struct timestamp meta_ts);
/* The same for n objects, which share commits: 0 when all were decided (each result is as above),
 * or an error of the store. */
struct store_forgotten {
	struct object_id id;
	struct timestamp data_ts, meta_ts;
	int result;
};
waits must_check int store_forget_all(struct store *s, struct store_forgotten *list, unsigned n);
/* Expired objects: up to max ids whose delete_at <= now, earliest first. */
waits must_check int store_list_expired(struct store *s, int64_t now_s, struct object_id *ret,
					unsigned max);
/* Reads and verifies every record of the next volume after *position (start with 0), slowly enough
 * for bytes_per_second; damage is quarantined and counted. Returns 1 while there is more, 0 at the
 * end. */
struct store_audit {
	uint64_t position, records, bytes, damaged;
};
waits must_check int store_audit_step(struct store *s, struct store_audit *a,
				      uint64_t bytes_per_second);
/* One round of housekeeping: drops tombstones older than reclaim_s, punches holes, compacts and
 * removes volumes that are mostly dead. */
waits must_check int store_tidy(struct store *s, int64_t reclaim_s);
/* How fast volumes are read for compaction; 0 (as after opening): as fast as can be. */
void store_set_pace(struct store *s, uint64_t bytes_per_second);
/* Puts a checkpoint now. */
waits must_check int store_checkpoint(struct store *s);

struct store_stats {
	uint64_t objects, tombstones, bytes;            /* live */
	uint64_t volumes, volume_bytes, dead_bytes;
	uint64_t commits, syncs, committed_bytes;
	uint64_t quarantined, disk_free, disk_size;
	uint64_t replayed_records, replay_ms;           /* at the last open */
	/* How it was found: closed properly; without an index that could be used. */
	bool opened_clean, opened_rebuilt;
};
void store_stats(const struct store *s, struct store_stats *ret);
