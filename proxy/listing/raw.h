/* Raw rows of account and container databases, as our storage servers write them for a proxy that
 * merges replicas: JSON lines in name order, deletions too (docs/swift/listings.md). Nothing here
 * waits. */
#pragma once
#include "lib/base/buf.h"
#include "lib/swift/metadata.h"

enum { RAW_LINE_MAX = 256 * KIB };

/* What one replica knows of an object (in one policy) or of a container. */
struct raw_row {
	struct str name;
	bool deleted;
	unsigned policy;
	uint64_t bytes;
	/* Objects. */
	struct timestamp data_ts, ctype_ts, meta_ts;
	struct str hash, content_type, swift_bytes;     /* swift_bytes absent: none */
	/* Containers. */
	struct timestamp put_ts, delete_ts, stats_ts;
	uint64_t count;
};

/* Reads one line (without its newline). Texts are views of the line, which is decoded in place. 0
 * or -EBADMSG. */
int raw_row_parse(char *line, size_t n, struct raw_row *ret) must_check;
/* Joins what two replicas know of the same name and policy: each timestamp decides over its own
 * part, as objectd/db/row.c does it, so the order does not matter. */
void raw_row_join(enum swift_kind kind, struct raw_row *into, const struct raw_row *other);
/* Bytes that a listing shows: a large object counts as what it holds. */
uint64_t raw_row_bytes(const struct raw_row *r);
