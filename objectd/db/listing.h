/* Listings: rows of a database in name order, as Swift selects and prints them
 * (container/backend.py list_objects_iter, account/backend.py list_containers_iter,
 * common/middleware/listing_formats.py), or raw for a proxy that merges replicas. The format is
 * described in docs/swift/listings.md. The cost depends on what is listed, not on what is there. */
#pragma once
#include "lib/http/request.h"
#include "objectd/db/db.h"

enum { LISTING_LIMIT = 10000 };
enum listing_format { LISTING_TEXT, LISTING_JSON, LISTING_XML, LISTING_RAW };

/* Texts that are absent or empty do not apply, except that an empty path does. */
struct cluster;
struct listing_query {
	uint64_t limit;
	struct str marker, end_marker, prefix, delimiter, path;
	bool reverse;
	bool allow_reserved;            /* names that begin with a NUL */
	unsigned policy;                /* of objects */
	/* LISTING_RAW: rows as JSON lines, deletions too; then delimiter, path, reverse and policy
	 * do not apply. */
	enum listing_format format;
	struct str content_type;        /* of the answer, without charset */
	const struct cluster *cluster;  /* whose policies containers have; NULL: not shown */
};

/* Takes limit, marker … from the request, checked: 0, or -EINVAL after answering 400, 406 or
 * 412. Of a HEAD only the format. */
must_check int listing_query_parse(const struct request *req, struct response *res,
				   struct listing_query *ret);

/* A listing's body with its exact length; lives in the arena, holds memory until it is closed.
 * At most about 4 MB are held: longer ones are made twice, once for the length. name: of the
 * account or container, for XML. 0, 1 when a row's ETag names the target of a symlink, or -EIO. */
waits must_check int db_list_rows(struct dbs *dbs, const struct db_id *id,
				  const struct listing_query *q, struct str name, struct arena *a,
				  struct body **ret, int64_t *ret_length);
