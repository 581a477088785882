/* Bodies of messages that come in on a connection: chunks are views of its buffer. */
#include "lib/http/internal.h"

enum { TRAILERS_MAX = 64 };

/* The peer may wait for us before it sends anything (RFC 9110 10.1.1). */
waits static int send_continue(struct incoming *in)
{
	static const struct str line = STR_INIT("HTTP/1.1 100 Continue\r\n"),
				end = STR_INIT("\r\n");
	struct str fields = in->continue_fields ? *in->continue_fields : STR_NONE;

	in->expect = false;
	if (conn_data(in->conn).n > 0 && fields.n == 0)         /* it did not wait */
		return 0;
	struct iovec iov[3] = { { (void *)line.p, line.n }, { (void *)fields.p, fields.n },
				{ (void *)end.p, end.n } };

	return conn_writev(in->conn, iov, 3, in->timeout_ms);
}

/* One step: 1 with a chunk, 0 when the end was reached or the buffer is empty, or an error. */
static int take(struct incoming *in, struct str *ret_chunk)
{
	struct str data = conn_data(in->conn);

	if (in->framing == BODY_CHUNKED) {
		size_t used;
		int rc = chunked_feed(&in->chunked, data, ret_chunk, &used);

		in->ended = in->chunked.done;
		if (rc > 0)
			in->pending = used;
		else
			conn_consume(in->conn, used);
		return rc;
	}
	if (in->framing == BODY_LENGTH) {
		if (in->body.left == 0)
			in->ended = true;
		data = str_head(data, (size_t)in->body.left);
		in->body.left -= (int64_t)data.n;
	}
	in->pending = data.n;
	*ret_chunk = data;
	return data.n > 0;
}

/* More bytes: 1, 0 for an end that is the body's end, or an error. */
waits static int fill(struct incoming *in)
{
	int rc = conn_fill(in->conn, in->timeout_ms);

	if (rc == 0 && in->framing == BODY_UNTIL_CLOSE)
		in->ended = true;
	else if (rc == 0 || rc == -ECONNRESET)
		return -EPIPE;
	return rc;
}

waits static int step(struct incoming *in, struct str *ret_chunk)
{
	int rc = in->expect ? send_continue(in) : 0;

	conn_consume(in->conn, in->pending);
	in->pending = 0;
	while (rc >= 0 && !in->ended) {
		rc = take(in, ret_chunk);
		if (rc != 0)
			return rc;
		if (!in->ended)
			rc = fill(in);
	}
	return rc < 0 ? rc : 0;
}

waits static int incoming_next(struct body *b, struct str *ret_chunk)
{
	struct incoming *in = container_of(b, struct incoming, body);

	if (in->error || in->ended)
		return in->error;
	int rc = step(in, ret_chunk);

	if (rc < 0)
		in->error = rc;
	else if (rc > 0)
		in->received += ret_chunk->n;
	return rc;
}

void incoming_init(struct incoming *in, struct conn *c, const struct head *h, struct arena *arena,
		   uint64_t timeout_ms)
{
	*in = (struct incoming){ .conn = c, .timeout_ms = timeout_ms, .framing = h->framing };
	in->body = (struct body){ .next = incoming_next, .left = -1 };
	if (h->framing == BODY_CHUNKED) {
		headers_init(&in->trailers, arena);
		in->body.trailers = &in->trailers;
		chunked_init(&in->chunked, &in->trailers, TRAILERS_MAX);
	}
	if (h->framing == BODY_LENGTH)
		in->body.left = h->content_length;
	if (h->framing == BODY_NONE)
		in->body.left = 0;
	in->ended = in->body.left == 0;
	/* Large bodies are worth a large buffer. */
	if (in->body.left < 0 || (uint64_t)in->body.left > conn_data(c).n)
		conn_reserve(c, in->body.left < 0 ? SIZE_MAX : (size_t)in->body.left);
}

bool incoming_finish(struct incoming *in)
{
	struct str chunk;

	if (!in->conn || in->error)
		return false;
	do {
		conn_consume(in->conn, in->pending);
		in->pending = 0;
	} while (!in->ended && take(in, &chunk) > 0);
	conn_reserve(in->conn, 0);
	return in->ended;
}
