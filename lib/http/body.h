/* A body is pulled: whoever wants bytes asks for the next chunk. Request and response bodies are
 * the same thing; a middleware that changes a body wraps it. */
#pragma once
#include "lib/base/buf.h"
#include "lib/http/headers.h"
#include "lib/task/task.h"

struct body {
	/* The next bytes: 1 with a non-empty chunk that stays valid until the next call (or close),
	 * 0 at the end (then and later), or negative errno: -EPIPE when the sender stopped early,
	 * -EBADMSG for broken framing, -ETIMEDOUT, -ECANCELED, -EIO, -EFBIG. */
	int (*next)(struct body *b, struct str *ret_chunk);
	/* Lets go of what the body holds (connections, files); called once, also after errors, and
	 * before the end when the receiver has enough. May be NULL. */
	void (*close)(struct body *b);
	/* Bytes still to come, or -1 when that is not known. */
	int64_t left;
	/* Trailer fields; filled, if there are any, when next has returned 0. May be NULL. */
	struct headers *trailers;
};

waits static inline int body_next(struct body *b, struct str *ret_chunk)
{
	return b->next(b, ret_chunk);
}
waits static inline void body_close(struct body *b)
{
	if (b && b->close) {
		void (*fn)(struct body *) = b->close;

		b->close = NULL;
		fn(b);
	}
}

/* A body without bytes, in the arena. */
struct body *body_empty(struct arena *a);
/* One chunk, whose bytes outlive the body. */
struct body *body_bytes(struct arena *a, struct str bytes);
/* Pulls everything into to (bounded by its limit): 0, a body's error, or -EFBIG beyond
 * the limit. */
waits must_check int body_read_all(struct body *b, struct buf *to);
/* Pulls and drops up to max bytes: 0 when the end came, -EFBIG when it did not, or an error. */
waits must_check int body_drain(struct body *b, uint64_t max);
