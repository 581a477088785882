/* Conditional requests (If-Match, If-None-Match, If-Modified-Since, If-Unmodified-Since) and what a
 * GET or HEAD answers, ranges included. Behaviour and order of the checks: swob.py's
 * Response._response_iter. */
#pragma once
#include "lib/swift/range.h"

/* Whether a list of entity tags (a whole If-Match value) has this one, or "*". Quotes do not
 * matter. */
bool etag_listed(struct str list, struct str etag);
/* The tag without its quotes. */
struct str etag_unquoted(struct str etag);

/* status: what would be answered without conditions (200 or 404). etag absent, or last_modified 0:
 * unknown. 0 when the conditions allow that, else 304 or 412. */
int conditional_status(const struct headers *request, int status, struct str etag,
		       int64_t last_modified);

/* What a GET or HEAD is answered from. */
struct entity {
	uint64_t size;
	struct str etag;                /* what conditions compare with; absent: none */
	int64_t last_modified;          /* unix seconds; 0: none */
	bool ignore_range;
	range_open_fn *open; /* the bytes; not called for HEAD, nor for an empty entity */
	void *arg;
};

/* Sets status (200, 206, 304, 412, 416), body, length and Content-Range, given a response with all
 * its other headers (ETag, Last-Modified, Content-Type) in place. Several ranges make a multipart
 * body. If-Range is honoured (RFC 9110 13.1.5), which Swift does not. Opens bodies, so it
 * may wait. */
waits void conditional_respond(struct request *req, struct response *res, const struct entity *e);
