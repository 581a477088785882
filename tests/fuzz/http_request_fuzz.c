/* Request heads and chunked bodies: whatever arrives, in one piece or in several, is read the same
 * way, and what is accepted holds what the rest of the program relies on. */
#include "lib/http/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const struct head_limits limits = { 200, 200, 20 };

struct outcome {
	ssize_t n;
	struct refusal why;
	struct head_scan scan;
};

/* The search for the head's end, with step more bytes each time; 0: all at once. */
static struct outcome scan(struct str data, size_t step)
{
	struct outcome o = { 0 };

	for (size_t have = step ? step : data.n; o.n == 0; have += step) {
		o.n = head_scan(&o.scan, str_head(data, have), &limits, &o.why);
		if (have >= data.n)
			break;
	}
	return o;
}

static void check_accepted(const struct request *req, const struct head *h)
{
	assert(req->path.n > 0 && req->target.n >= req->path.n && req->method_name.n > 0);
	assert(req->minor <= 1 && req->headers.n <= limits.headers_max + 1);
	for (unsigned i = 0; i < req->headers.n; i++) {
		assert(field_name_ok(req->headers.v[i].name));
		assert(header_value_valid(req->headers.v[i].value));
	}
	assert((h->framing == BODY_CHUNKED) == req->chunked);
	assert(req->chunked ? req->content_length == -1 : req->content_length >= 0);
	if (headers_has(&req->headers, S("Content-Length")))
		assert(headers_count(&req->headers, S("Content-Length")) == 1 && !req->chunked);
}

/* A chunked body fed in pieces of step bytes: its content; -EBADMSG, 1 when it ended, 0
 * when not. */
static int decode(struct arena *a, struct str data, size_t step, struct buf *content,
		  size_t *ret_used)
{
	struct headers trailers;
	struct chunked d;
	size_t at = 0, have = step ? step : data.n;

	headers_init(&trailers, a);
	chunked_init(&d, &trailers, 10);
	for (;;) {
		struct str piece, now = str_skip(str_head(data, have), at);
		size_t used;
		int rc = chunked_feed(&d, now, &piece, &used);

		assert(used <= now.n);
		if (rc < 0)
			return rc;
		if (rc > 0) {
			assert(piece.n > 0 && piece.p >= now.p &&
			       piece.p + piece.n <= now.p + used);
			buf_add_str(content, piece);
		}
		at += used;
		*ret_used = at;
		if (d.done)
			return 1;
		if (rc > 0)
			continue;
		assert(at == MIN(have, data.n));
		if (have >= data.n)
			return 0;
		have += step;
	}
}

static void fuzz_chunks(struct arena *a, struct str data)
{
	struct buf whole = BUF(MIB), pieces = BUF(MIB);
	size_t used, used_again;
	int rc = decode(a, data, 0, &whole, &used),
	    again = decode(a, data, 1, &pieces, &used_again);

	assert(rc == again && str_eq(buf_str(&whole), buf_str(&pieces)));
	assert(rc < 0 || used == used_again);
	buf_done(&whole);
	buf_done(&pieces);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	AUTO(arena) a = arena_new();
	struct str text = str_of((const char *)data, n);
	struct outcome whole = scan(text, 0), bytes = scan(text, 1);

	/* In pieces a limit may be noticed before a later fault, never the other way round. */
	assert((whole.n > 0) == (bytes.n > 0));
	if (whole.n < 0)
		assert(whole.why.status >= 400 && whole.why.text);
	fuzz_chunks(a, text);
	if (whole.n <= 0)
		return 0;
	assert(whole.n == bytes.n && (size_t)whole.n <= n);
	struct request req = { .arena = a };
	struct head head = { 0 };
	struct refusal why = { 0 };

	headers_init(&req.headers, a);
	struct str bytes_of_head = arena_str(a, str_head(text, (size_t)whole.n));
	if (head_parse_request(&head, bytes_of_head, &whole.scan, &req, &why) < 0)
		assert(why.status >= 400 && why.status < 600 && why.text);
	else
		check_accepted(&req, &head);
	return 0;
}
