/* Bodies that need no connection, and pulling a body to its end. */
#include "lib/http/body.h"

struct bytes {
	struct body body;
	struct str rest;
};

static int bytes_next(struct body *b, struct str *ret_chunk)
{
	struct bytes *self = container_of(b, struct bytes, body);

	if (self->rest.n == 0)
		return 0;
	*ret_chunk = self->rest;
	self->rest = STR_NONE;
	self->body.left = 0;
	return 1;
}

struct body *body_bytes(struct arena *a, struct str bytes)
{
	struct bytes *self = arena_zalloc(a, sizeof *self);

	self->body.next = bytes_next;
	self->body.left = (int64_t)bytes.n;
	self->rest = bytes;
	return &self->body;
}

struct body *body_empty(struct arena *a)
{
	return body_bytes(a, STR_NONE);
}

int body_read_all(struct body *b, struct buf *to)
{
	struct str chunk;
	int rc;

	if (b->left > 0 && (uint64_t)b->left > to->max - to->n)
		return -EFBIG;
	while ((rc = body_next(b, &chunk)) > 0) {
		assert(chunk.n > 0);
		buf_add_str(to, chunk);
		if (buf_failed(to))
			return -EFBIG;
	}
	return rc;
}

int body_drain(struct body *b, uint64_t max)
{
	struct str chunk;
	uint64_t dropped = 0;
	int rc;

	if (b->left > 0 && (uint64_t)b->left > max)
		return -EFBIG;
	while ((rc = body_next(b, &chunk)) > 0) {
		dropped += chunk.n;
		if (dropped > max)
			return -EFBIG;
	}
	return rc;
}
