/* What a database knows of itself: names, timestamps, metadata, counters and the digest of its
 * rows. It is kept in one value beside the rows and committed together with them. Reading is by
 * reference: a writer makes a new one, it never changes one that others see. Nothing here waits. */
#pragma once
#include "lib/base/arena.h"
#include "objectd/db/row.h"

enum { DB_HASH_SIZE = 16, DB_DIGEST_SIZE = 16 };

/* Which database: an account's or a container's, by the MD5 of its path (ring_hash_path). */
struct db_id {
	enum db_kind kind;
	unsigned char hash[DB_HASH_SIZE];
};

/* One header that a client or the proxy set: lower-case name; an empty value says it was
 * removed. */
struct db_meta {
	struct str name, value;
	struct timestamp ts;
};

/* Counters of one policy; containers only in accounts. */
struct db_stat {
	unsigned policy;
	int64_t containers, objects, bytes;
};

struct db_info {
	unsigned refs;
	struct arena *arena;            /* of everything it points to */
	bool exists;                    /* false: this device has no such database */
	enum db_kind kind;
	struct str account, container;  /* container is empty for an account */
	struct timestamp created_ts;    /* first creation; the earliest of the replicas' */
	struct timestamp put_ts, delete_ts;
	struct timestamp born_ts;       /* creation, or creation after the last deletion */
	unsigned policy;                /* chosen at born_ts */
	struct db_stat *stats;          /* ordered by policy */
	unsigned stat_n;
	struct db_meta *meta;           /* ordered by name */
	unsigned meta_n;
	unsigned char digest[DB_DIGEST_SIZE];   /* XOR over the rows, deleted ones included */
	/* What the account's servers have been told (containers). */
	struct timestamp reported_put_ts, reported_delete_ts;
	int64_t reported_objects, reported_bytes;
};

/* An info of a database that does not exist. One reference. */
struct db_info *db_info_new(enum db_kind kind);
struct db_info *db_info_ref(const struct db_info *i);
void db_info_unref(struct db_info *i);
DEFINE_AUTO(db_info, struct db_info *, db_info_unref);
/* A copy that may be changed. */
struct db_info *db_info_copy(const struct db_info *from);

void db_info_encode(struct buf *to, const struct db_info *i);
/* 0 or -EBADMSG. */
must_check int db_info_decode(struct str bytes, struct db_info **ret);

/* Counters of a policy, NULL when there are none / made when there are none. */
const struct db_stat *db_info_stat(const struct db_info *i, unsigned policy);
struct db_stat *db_info_stat_add(struct db_info *i, unsigned policy);
/* Sums over the policies. */
struct db_stat db_info_total(const struct db_info *i);
/* Adds (sign 1) or takes away (-1) what a row's value counts. */
void db_info_count(struct db_info *i, struct str value, int sign);

/* Containers: the objects and bytes that clients see, which are those of its own policy. */
int64_t db_info_objects(const struct db_info *i);
int64_t db_info_bytes(const struct db_info *i);
/* No live row in any policy. */
bool db_info_empty(const struct db_info *i);
/* As Swift's is_deleted: a container whose deletion is newer than its creation and which is
 * empty; an account whose deletion is newer than its creation. Also when it does not exist. */
bool db_info_deleted(const struct db_info *i);
struct timestamp db_info_status_changed(const struct db_info *i);
/* Whether the account's servers should hear of it. */
bool db_info_unreported(const struct db_info *i);

/* The entry or NULL. */
const struct db_meta *db_info_meta(const struct db_info *i, struct str name);
/* Sets unless what is there is newer: whether it changed. Name in lower case; copied. */
bool db_info_set_meta(struct db_info *i, struct str name, struct str value, struct timestamp ts);
/* Removes all metadata set before ts, as a deletion does. */
void db_info_clear_meta(struct db_info *i, struct timestamp ts);
/* Drops removed entries older than before: whether there were any. */
bool db_info_reclaim_meta(struct db_info *i, struct timestamp before);

/* Brings a database to life. */
void db_info_create(struct db_info *i, struct str account, struct str container,
		    struct timestamp ts, unsigned policy);
/* Takes over what another replica's info knows better (not its counters or digest, which follow
 * from rows): whether something changed. */
bool db_info_merge(struct db_info *i, const struct db_info *other);
/* Over all that db_info_merge compares, and the digest of the rows: equal replicas, equal
 * digests. */
void db_info_digest(const struct db_info *i, unsigned char digest[DB_DIGEST_SIZE]);
