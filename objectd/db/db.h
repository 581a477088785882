/* Account and container databases of a device: rows and an info each, in the store's LevelDB,
 * changed only through its journal.
 *
 * Changes to one database are queued; a writer task takes all that are waiting, reads the rows they
 * concern in one pool job, applies them in order and commits once, so many writers into one
 * container share a sync. Nothing is answered before store_commit returned 0.
 *
 * Keys (docs/swift/listings.md): kind | hash16 | 'i' (info), 'r' name (rows that are listed), 't'
 * name (rows that are only deletions); 'C' | hash16: a container whose account has to be told. */
#pragma once
#include "lib/base/list.h"
#include "objectd/db/info.h"
#include "objectd/store/store.h"

struct dbs;
struct db;

/* The databases of a store. Opening looks for containers whose account has yet to be told. */
waits must_check int dbs_open(struct store *s, struct dbs **ret);
/* All changes must have ended. */
void dbs_close(struct dbs *dbs);
struct store *dbs_store(struct dbs *dbs);

/* The id of an account or, with a container, of that container. */
struct db_id db_id_of(struct str hash_prefix, struct str hash_suffix, struct str account,
		      struct str container);

/* The committed info, a reference of it (exists is false when there is no such database): 0 or
 * -EIO. */
waits must_check int db_info_get(struct dbs *dbs, const struct db_id *id, struct db_info **ret);

/* ---- changes ---- */

/* One row to be merged; value as row_encode or account_row_encode writes it. */
struct db_item {
	struct str name, value;
};

/* What a change sees while the writer applies it: the info as all changes before it left it. */
struct db_batch;
struct db_info *db_batch_info(struct db_batch *b);
/* Says that the info was changed. */
void db_batch_touch(struct db_batch *b);
/* Puts a changed copy in its place; the batch takes the reference. */
void db_batch_replace(struct db_batch *b, struct db_info *info);
/* Puts back what was there before this change touched it. */
void db_batch_undo(struct db_batch *b, struct db_info *before);
/* Merges a row; its name must be among the change's items. */
void db_batch_merge(struct db_batch *b, struct str name, struct str value);
bool db_batch_has(struct db_batch *b, struct str name);
/* Removes a row if it still has this value (name among the items). */
void db_batch_drop(struct db_batch *b, struct str name, struct str value);
/* Removes the whole info; allowed only while there is no row. */
void db_batch_forget(struct db_batch *b);

/* A change: apply runs in the writer, must not wait, and returns 0 or an error of its own, in
 * which case it has changed nothing. NULL: merge all items, -ENOENT when the database does not
 * exist. Everything it points to must live until it has ended. */
struct db_change {
	int (*apply)(struct db_batch *b, struct db_change *c);
	void *arg;
	const struct db_item *items;    /* rows it may touch */
	unsigned item_n;
	/* ---- the writer's ---- */
	struct list node;
	struct db *db;
	struct task *waiter;
	int result;
	bool done;
};

/* Queues, and waits until it is durable (masked: the memory is the caller's): 0, apply's error,
 * or the store's (-ENOSPC, -EIO, -EROFS). */
waits must_check int db_change(struct dbs *dbs, const struct db_id *id, struct db_change *c);
/* The two halves, for changes of several databases at once. */
void db_change_start(struct dbs *dbs, const struct db_id *id, struct db_change *c);
waits must_check int db_change_end(struct db_change *c);

/* ---- containers whose account has to be told (container/reporter.c) ---- */

/* Takes up to max containers that changed at least age_ms ago off the list: the count. Each must
 * be given back with db_report_done, or with db_report_later, which waits that long. */
unsigned db_report_take(struct dbs *dbs, uint64_t age_ms, struct db_id *ret, unsigned max);
/* Records what the account was told; it is listed again if it changed since. */
waits must_check int db_report_done(struct dbs *dbs, const struct db_id *id,
				    const struct db_info *told);
void db_report_later(struct dbs *dbs, const struct db_id *id, uint64_t delay_ms);
/* The account's servers were told this by the request that changed it: no commit, the reporter
 * records it when it comes by. */
void db_report_known(struct dbs *dbs, const struct db_id *id, const struct db_info *told);
bool db_report_is_known(const struct dbs *dbs, const struct db_id *id, const struct db_info *now);
/* Whether all that was in memory has been told and more is on disk; and reading it from there. */
bool db_report_all_taken(const struct dbs *dbs);
waits must_check int db_report_load(struct dbs *dbs);

/* ---- for the replicator ---- */

/* A database as it lies on the device. digest covers rows and info (db_info_digest). */
struct db_listed {
	struct db_id id;
	unsigned char digest[DB_DIGEST_SIZE];
	int64_t rows;                   /* live ones */
	bool deleted;
};
/* Up to max databases of one kind with from <= hash <= last, in hash order: the count or -EIO. */
waits must_check int db_list(struct dbs *dbs, enum db_kind kind,
			     const unsigned char from[DB_HASH_SIZE],
			     const unsigned char last[DB_HASH_SIZE], struct db_listed *ret,
			     unsigned max);
/* The hash after that one: false when it is the last. */
bool db_hash_next(const unsigned char hash[DB_HASH_SIZE], unsigned char ret[DB_HASH_SIZE]);
/* Up to max rows in name order behind after (absent: from the first), deletions too, copied into
 * the arena: 1 when there may be more, 0 at the end, or -EIO. */
waits must_check int db_rows(struct dbs *dbs, const struct db_id *id, struct str after,
			     unsigned max, struct arena *a, struct db_item *ret,
			     unsigned *ret_n);
/* The value of one row, live or deleted: 0, -ENOENT or -EIO. */
waits must_check int db_row(struct dbs *dbs, const struct db_id *id, struct str name,
			    struct buf *ret);
/* The hashes of a partition. */
void db_partition_range(unsigned part_power, uint32_t partition, unsigned char from[DB_HASH_SIZE],
			unsigned char last[DB_HASH_SIZE]);

/* What must be sent so that another replica knows the info: for db_import. -ENOENT, -EIO. */
waits must_check int db_export_info(struct dbs *dbs, const struct db_id *id, struct buf *to);
/* Appends rows in name order behind after (absent: from the first), deletions included, until
 * about max bytes: 1 when there are more, 0 at the end, or -EIO. ret_last: the last name sent
 * (replaced; as it was when there was none). */
waits must_check int db_export_rows(struct dbs *dbs, const struct db_id *id, struct str after,
				    size_t max, struct buf *to, struct buf *ret_last);
/* Digest and number of rows behind after, up to and including until (absent: no end) or
 * max_rows: 1 when there are more in that range, 0 otherwise, -EIO. To find which parts of two
 * replicas differ. */
struct db_range {
	unsigned char digest[DB_DIGEST_SIZE];
	uint64_t rows;
};
waits must_check int db_digest_range(struct dbs *dbs, const struct db_id *id, struct str after,
				     struct str until, uint64_t max_rows, struct db_range *ret,
				     struct buf *ret_last);
/* Merges what db_export_info and db_export_rows of another replica wrote; in any order, any
 * number of times, except that rows need an info first (-ENOENT). -EBADMSG, or the store's
 * errors. Deleted rows and databases older than reclaim_before are not brought in anew. */
waits must_check int db_import(struct dbs *dbs, const struct db_id *id, struct str bytes,
			       struct timestamp reclaim_before);
/* Forgets a database that the primaries have: 0; -EALREADY when its digest is another (before),
 * -EAGAIN when it was written to meanwhile (what was written is kept); -ENOENT. */
waits must_check int db_forget(struct dbs *dbs, const struct db_id *id,
			       const unsigned char digest[DB_DIGEST_SIZE]);

/* Drops deleted rows, removed metadata and deleted databases older than before, in all
 * databases. */
struct db_reclaimed {
	uint64_t databases, rows, forgotten;
};
waits must_check int dbs_reclaim(struct dbs *dbs, struct timestamp before,
				 struct db_reclaimed *ret);

/* Counts again from the rows: 0 when info and rows agree, -EBADMSG when not (for the auditor and
 * tests). */
waits must_check int db_verify(struct dbs *dbs, const struct db_id *id);

struct dbs_stats {
	uint64_t changes, commits, listings;
	unsigned open, unreported;
};
void dbs_stats(const struct dbs *dbs, struct dbs_stats *ret);
