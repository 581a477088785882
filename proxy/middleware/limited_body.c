/* Bodies with a limit. */
#include "proxy/middleware/limited_body.h"

struct limited {
	struct body body;
	struct body *inner;
	uint64_t left;
};

waits static int limited_next(struct body *b, struct str *ret_chunk)
{
	struct limited *l = container_of(b, struct limited, body);
	int rc = body_next(l->inner, ret_chunk);

	b->left = l->inner->left;
	b->trailers = l->inner->trailers;
	if (rc <= 0)
		return rc;
	if (ret_chunk->n > l->left)
		return -EFBIG;
	l->left -= ret_chunk->n;
	return rc;
}

waits static void limited_close(struct body *b)
{
	struct limited *l = container_of(b, struct limited, body);

	body_close(l->inner);
}

struct body *body_limited(struct arena *a, struct body *b, uint64_t max)
{
	struct limited *l = arena_zalloc(a, sizeof *l);

	l->body.next = limited_next;
	l->body.close = limited_close;
	l->body.left = b->left;
	l->inner = b;
	l->left = max;
	return &l->body;
}
