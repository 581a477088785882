/* From merged rows to the items of a listing: directories are rolled up, and what the query does
 * not want is left out. The rules are those of Swift's container/backend.py list_objects_iter.
 * Nothing here waits. */
#pragma once
#include "lib/http/request.h"
#include "proxy/listing/raw.h"

enum listing_format { LISTING_TEXT, LISTING_JSON, LISTING_XML };

/* Texts that are absent or empty do not apply, except that an empty path does. Of a reversed
 * listing marker and end_marker are exchanged, so that marker is always the lower end. */
struct listing_query {
	uint64_t limit;
	struct str marker, end_marker, prefix, delimiter, path;
	bool reverse, allow_reserved;
	unsigned policy;                /* of objects */
	enum listing_format format;
};
/* Takes it from a request; limit is at most max. */
void listing_query_take(const struct request *req, uint64_t max, struct listing_query *ret);

struct item;
struct cluster;
struct rollup {
	enum swift_kind kind;
	const struct cluster
		*cluster; /* whose policies containers have; NULL: they are not shown */
	struct listing_query q;
	struct str path_prefix;
	struct item **items;            /* of a reversed listing a ring with the last `limit` */
	size_t count, cap, first;
	char *directory;                /* the one whose content is passed over */
	size_t directory_n;
	uint64_t passed;                /* rows of it so far */
};
/* kind is that of the database: SWIFT_CONTAINER lists objects. */
void rollup_init(struct rollup *u, struct arena *a, enum swift_kind kind,
		 const struct listing_query *q);
void rollup_done(struct rollup *u);
/* Takes the next row, in ascending order of names: false when the listing is complete. */
bool rollup_add(struct rollup *u, const struct raw_row *r);
/* The items as the body of an answer, in the query's format; name: of the account or container. */
void rollup_print(const struct rollup *u, struct str name, struct buf *to);
