/* Rows: what a container knows of an object, and an account of a container. A row has one canonical
 * encoding (the value in LevelDB), and merging two values of the same name is a join of totally
 * ordered parts, so replicas end equal in whatever order they heard of things. Nothing here waits.
 *
 * Swift: container/backend.py update_new_item_from_existing, account/backend.py merge_items. */
#pragma once
#include "lib/base/buf.h"
#include "lib/swift/timestamp.h"

enum db_kind { DB_ACCOUNT = 'a', DB_CONTAINER = 'c' };

enum { ROW_VALUE_MAX = 256 * KIB, ROW_TEXT_MAX = 16 * KIB, ROW_NAME_MAX = 8 * KIB };

/* An ETag: usually a bare MD5, kept as 16 bytes; anything else as text (raw is zero then). */
struct row_etag {
	bool is_md5;
	unsigned char raw[16];
	struct str text;
};

/* One object in one policy. The three timestamps are those of the data, of the content type and of
 * the metadata; each decides over its own part. */
struct row {
	unsigned policy;
	bool deleted;
	struct timestamp data_ts, ctype_ts, meta_ts;
	uint64_t size;
	struct row_etag etag;
	struct str content_type;        /* without swift_bytes; empty for "application/deleted" */
	struct str swift_bytes; /* what a large object holds, as text; absent when there is none */
};

/* One container of an account. It counts as deleted when delete_ts is newer than put_ts and it
 * is empty. stats_ts says when policy, objects and bytes were counted. */
struct account_row {
	struct timestamp put_ts, delete_ts, stats_ts;
	unsigned policy;
	uint64_t objects, bytes;
};

/* Sets what the text says; the text must outlive the row unless it is an MD5. */
void row_etag_set(struct row_etag *e, struct str text);
/* The text of an ETag; room is used when it is an MD5. */
struct str row_etag_text(const struct row_etag *e, char room[33]);

/* Brings a row into canonical form: a deletion has no size, ETag or swift_bytes. */
void row_normalise(struct row *r);
/* Splits "type; a=b; swift_bytes=10" as Swift's extract_swift_bytes does: the content type with
 * its other parameters as ";a=b", in the buffer, and the last swift_bytes or absent. Works in
 * linear time. */
void row_split_content_type(struct str text, struct buf *content_type, struct str *ret_swift_bytes);

/* Appends the encoding of a normalised row. */
void row_encode(struct buf *to, const struct row *r);
/* Takes one row off the front of a value (views into it): 0 or -EBADMSG. */
must_check int row_decode(struct str *rest, struct row *ret);
void account_row_encode(struct buf *to, const struct account_row *r);
must_check int account_row_decode(struct str value, struct account_row *ret);
bool account_row_deleted(const struct account_row *r);

/* ---- values of either kind ---- */

/* Whether the value is sound and canonical: 0 or -EBADMSG. */
must_check int row_value_check(enum db_kind kind, struct str value);
/* The join of two sound values; either may be absent. Replaces what is in ret. */
void row_value_merge(enum db_kind kind, struct str a, struct str b, struct buf *ret);
/* Whether listings show it (in some policy). */
bool row_value_live(enum db_kind kind, struct str value);
/* The newest timestamp in it that keeps a dead row from being reclaimed. */
struct timestamp row_value_newest(enum db_kind kind, struct str value);
/* The row's share of the database's digest, XORed into it. */
void row_value_digest(enum db_kind kind, struct str name, struct str value,
		      unsigned char digest[16]);
