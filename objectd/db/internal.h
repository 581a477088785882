/* What the files of this folder share. */
#pragma once
#include "lib/base/map.h"
#include "objectd/db/db.h"
#include "objectd/db/listing.h"

enum { DB_KEY_HEAD = 18, DB_OPEN_MAX = 4096, DB_REPORT_MAX = 65536 };

/* One database that was used lately. It stays while refs is not 0. */
struct db {
	struct dbs *dbs;
	struct db_id id;
	unsigned refs;
	struct db_info *info;           /* as committed; NULL: not read yet */
	struct list queue;              /* changes that wait */
	bool writing;                   /* a writer task runs */
	bool loading;
	struct waitq loaded;
};

/* A container whose account has to be told. */
struct db_report {
	struct list node;
	struct db_id id;
	uint64_t due_ms;                /* since when (taken: it is not in the list) */
	bool taken;
	struct db_info *known; /* what the account's servers were told by a request; or NULL */
};

struct dbs {
	struct store *store;
	struct map *open;               /* struct db by kind and hash */
	struct map *reports;            /* struct db_report by hash */
	struct list due;                /* in the order in which they were put there */
	bool reports_dropped; /* some are only on disk: look again when the list is empty */
	struct buf spare; /* a listing's buffer, kept for the next one */
	struct dbs_stats stats;
};

/* Keys: kind | hash | part [name]. The first two fit every part's prefix. */
void db_key(struct buf *to, const struct db_id *id, char part, struct str name);
struct str db_id_str(const struct db_id *id);

/* The open database, referenced. */
struct db *db_ref(struct dbs *dbs, const struct db_id *id);
void db_unref(struct db *db);
DEFINE_AUTO(db, struct db *, db_unref);
waits must_check int db_load(struct db *db);

/* reports.c */
struct store_txn;
/* After a commit: whether the container came to need a report. */
void db_report_changed(struct dbs *dbs, const struct db_id *id, const struct db_info *before,
		       const struct db_info *after);
/* Adds the key that makes it survive a restart, or removes it. */
void db_report_keys(struct store_txn *t, const struct db_id *id, const struct db_info *before,
		    const struct db_info *after);
void db_report_free(void *report);

/* Rows of both kinds ('r' and 't') in name order; only inside task_run_blocking. */
struct db_cursor {
	struct kv_iter *rows, *dead;
	unsigned char head[DB_KEY_HEAD];        /* with 'r'; the dead have 't' */
	bool on_dead;                           /* which of the two is the current one */
};
void db_cursor_open(struct db_cursor *c, struct kv *kv, const struct db_id *id, struct str from);
void db_cursor_close(struct db_cursor *c);
/* To the first row whose name is not before from, in the state that the cursor was opened in. */
void db_cursor_seek(struct db_cursor *c, struct str from);
/* false at the end. Views until the next step. */
bool db_cursor_get(struct db_cursor *c, struct str *ret_name, struct str *ret_value);
void db_cursor_next(struct db_cursor *c);
must_check int db_cursor_error(const struct db_cursor *c);

/* ---- listings ---- */

/* A listing under way: it can stop after any row and go on later. */
struct listing {
	struct dbs *dbs;
	struct db_id id;
	struct listing_query q;         /* with the markers exchanged when reverse */
	struct str name;                /* of the account or container */
	struct str path_prefix;         /* the path with its slash */
	unsigned char head[DB_KEY_HEAD];
	struct kv_iter *it;
	struct db_cursor cursor;        /* instead of it, for raw listings */
	bool open, started, done;
	bool inside;                    /* the walk has passed the marker it came from */
	bool links;                     /* a row's ETag names the target of a symlink */
	uint64_t count;
	struct buf out, key;
	size_t budget;
	uint64_t length;                /* of all pieces so far */
	int rc;
	uint64_t second;                /* what second_text shows */
	char second_text[20];
};

/* Appends to out (listing_format.c). value is sound. */
void listing_begin(struct listing *l);
void listing_add_row(struct listing *l, struct str name, const struct row *r);
void listing_add_account_row(struct listing *l, struct str name, const struct account_row *r);
void listing_add_subdir(struct listing *l, struct str name);
void listing_add_raw(struct listing *l, struct str name, struct str value);
void listing_end(struct listing *l);
