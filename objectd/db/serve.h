/* What the account and the container server share: one request on its way through a verb,
 * metadata in headers, policies. */
#pragma once
#include "objectd/db/listing.h"
#include "objectd/objectd.h"

/* On the stack of container_handle or account_handle. */
struct db_request {
	struct objectd *o;
	struct request *req;
	struct response *res;
	const struct backend_path *path;
	struct db_id id;
	struct timestamp ts;            /* X-Timestamp of a change */
};

/* Looks up a request header. */
#define db_header(r, literal) headers_get(&(r)->req->headers, S(literal))

/* Reserved names (those that begin with a NUL) are consistent: 0, or -EINVAL after answering
 * 400. Swift: common/request_helpers.py validate_internal_obj */
must_check int db_check_names(struct db_request *r);
/* Whether it is an account that exists for the cluster's own use, and is made when needed. */
bool db_account_is_hidden(struct str account);

/* X-Backend-Storage-Policy-Index: 0 with *ret_given, or -EINVAL after answering 400. */
must_check int db_policy_index(struct db_request *r, bool *ret_given, unsigned *ret);

/* X-Put-Timestamp and its kin: 0 or -EINVAL (absent or malformed; nothing is answered). */
must_check int db_header_timestamp(const struct db_request *r, struct str name,
				   struct timestamp *ret);

/* ---- metadata ---- */

/* Whether a request header is stored: X-<Kind>-Meta-*, X-<Kind>-Sysmeta-* with something behind,
 * and for containers ACLs and sync. */
bool db_meta_is_stored(enum db_kind kind, struct str name);
/* The headers of the request that are stored, names in lower case, in the arena: the count. */
unsigned db_meta_take(struct db_request *r, struct db_meta **ret);
/* Applies them to the batch's info, unless all of it then passes the limits (Swift's
 * validate_metadata): 0, or -E2BIG, -EOVERFLOW, -EILSEQ. The info may be another one afterwards. */
must_check int db_batch_meta(struct db_batch *b, const struct db_meta *meta, unsigned n);
/* Their answers (400); other errors go to objectd_respond_error. */
void db_respond_error(struct db_request *r, int error);
/* Adds what is set as headers. */
void db_meta_respond(struct db_request *r, const struct db_info *i);

/* X-Needletail-Digest: of the rows. */
void db_respond_digest(struct db_request *r, const struct db_info *i);
void db_respond_ts(struct response *res, struct str name, struct timestamp ts, bool internal);
/* Content-Type with "; charset=utf-8". */
void db_respond_type(struct response *res, struct str type);
/* Reads the whole request body: 0, or answers 413, 499 … and returns the error. */
waits must_check int db_read_body(struct db_request *r, struct buf *ret);
