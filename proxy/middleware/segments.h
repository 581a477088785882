/* A body made of pieces of other objects, one after another: what large objects answer. Each piece
 * is a sub-request to what stands behind the middleware; the next is opened while one streams. The
 * bytes kept are those of two open answers, however many pieces there are. Swift: SegmentedIterable
 * in common/request_helpers.py */
#pragma once
#include "proxy/middleware/middleware.h"

/* Some bytes of an object, or bytes that are here already. */
struct piece {
	struct str container, object;
	struct str data; /* present: these bytes, and nothing else counts */
	struct str etag; /* what the object must still have; absent: any */
	uint64_t size; /* of the object; with an etag it must still have it */
	uint64_t first, length; /* which bytes of it; length is not 0 */
};

/* Where the pieces come from. */
struct piece_source {
	/* The next piece, whose strings stay until the next call: 1, 0 at the end, or negative.
	 * Waits. */
	int (*next)(struct piece_source *s, struct piece *ret);
	/* Lets go of what it holds; may be NULL. Waits. */
	void (*close)(struct piece_source *s);
};

struct segments {
	struct middleware *mw;
	struct request *req; /* whose rights count, and in whose arena the body is */
	struct piece_source *source; /* closed with the body, or when the opening fails */
	struct str tag; /* "SLO": for the logs */
	uint64_t length; /* what all pieces together must have */
	bool length_unknown;
	uint64_t time_max_ms; /* a GET may take so long; 0: any time */
};

/* Opens the first piece. 0, or the reason why there is none, with the source closed: -ESTALE (it is
 * missing or was changed: 409), -EHOSTDOWN (nobody could say: 503), -ECANCELED. */
waits must_check int segments_open(const struct segments *s, struct body **ret);
/* 409, 503 or 499 for what segments_open returned. */
int segments_status(int error);

/* "container/object", leading slashes allowed: false when there is no such pair. */
bool segment_path_split(struct str path, struct str *ret_container, struct str *ret_object);
