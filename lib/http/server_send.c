/* Sending a response: the head and the first piece of the body leave in one write. */
#include "lib/http/server_internal.h"

enum { HEAD_EXTRA = 256 };      /* status line, Date, framing and the empty line */

struct sender {
	struct http_exchange *x;
	bool chunked, has_body, last_sent;
	uint64_t left;                  /* bytes of the announced length still to send */
	struct str head;                /* not sent yet, or absent */
};

/* ---- the head ---- */

static char *put(char *to, struct str s)
{
	memcpy(to, s.p, s.n);
	return to + s.n;
}
#define PUT(to, literal) put(to, S(literal))

static bool has_content(const struct response *res)
{
	return res->status >= 200 && res->status != 204 && res->status != 304;
}

static size_t head_size(const struct response *res, struct str reason)
{
	size_t n = HEAD_EXTRA + reason.n;

	for (unsigned i = 0; i < res->headers.n; i++)
		n += res->headers.v[i].name.n + res->headers.v[i].value.n + 4;
	return n;
}

static char *put_status_line(char *p, const struct response *res, struct str reason)
{
	assert(res->status >= 100 && res->status <= 999);
	p = PUT(p, "HTTP/1.1 ");
	*p++ = (char)('0' + res->status / 100);
	*p++ = (char)('0' + res->status / 10 % 10);
	*p++ = (char)('0' + res->status % 10);
	*p++ = ' ';
	p = put(p, reason);
	return PUT(p, "\r\n");
}

static char *put_framing(char *p, const struct sender *s)
{
	const struct response *res = &s->x->res;

	if (s->chunked)
		return PUT(p, "Transfer-Encoding: chunked\r\n");
	if (!has_content(res) || res->content_length < 0)
		return p;
	char digits[20];
	size_t at = sizeof digits;
	uint64_t n = (uint64_t)res->content_length;

	do
		digits[--at] = (char)('0' + n % 10);
	while (n /= 10);
	p = put(PUT(p, "Content-Length: "), str_of(digits + at, sizeof digits - at));
	return PUT(p, "\r\n");
}

static char *put_connection(char *p, const struct http_exchange *x)
{
	if (!x->keep_alive)
		return PUT(p, "Connection: close\r\n");
	return x->req.minor == 0 ? PUT(p, "Connection: keep-alive\r\n") : p;
}

/* Fields whose bytes would end the field early are left out: they would be read as other fields. */
static bool can_send(const struct header *h)
{
	return field_name_ok(h->name) && header_value_valid(h->value) &&
	       !header_is_framing(h->name);
}

static void build_head(struct sender *s)
{
	struct response *res = &s->x->res;
	struct str reason = res->reason.p && header_value_valid(res->reason)
				    ? res->reason
				    : http_reason(res->status);
	size_t size = head_size(res, reason);
	char *start = arena_alloc(s->x->req.arena, size),
	     *p = put_framing(put_status_line(start, res, reason), s);
	bool dated = false;

	for (unsigned i = 0; i < res->headers.n; i++) {
		const struct header *h = &res->headers.v[i];

		if (!can_send(h))
			continue;
		dated |= str_ieq(h->name, S("Date"));
		p = PUT(put(p, h->name), ": ");
		p = PUT(put(p, h->value), "\r\n");
	}
	if (!dated)
		p = PUT(put(PUT(p, "Date: "), http_date_now()), "\r\n");
	p = PUT(put_connection(p, s->x), "\r\n");
	assert((size_t)(p - start) <= size);
	s->head = str_of(start, (size_t)(p - start));
}

/* ---- the body ---- */

static struct iovec piece(struct str s)
{
	return (struct iovec){ (void *)s.p, s.n };
}

/* Writes the head if it was not, a chunk of the body if there is one, and the end of a chunked body
 * when this is the last. */
waits static int send_piece(struct sender *s, struct str chunk, bool last)
{
	struct iovec iov[5];
	char line[CHUNK_LINE_MAX];
	unsigned n = 0;

	if (s->head.p)
		iov[n++] = piece(s->head);
	if (chunk.n && s->chunked)
		iov[n++] = piece(str_of(line, chunk_line(line, chunk.n)));
	if (chunk.n)
		iov[n++] = piece(chunk);
	if (chunk.n && s->chunked)
		iov[n++] = piece(S("\r\n"));
	if (last && s->chunked)
		iov[n++] = piece(S("0\r\n\r\n"));
	s->head = STR_NONE;
	s->last_sent |= last;
	int rc = n ? conn_writev(s->x->conn, iov, n, s->x->limits->write_timeout_ms) : 0;

	if (rc == 0)
		s->x->res.bytes_sent += chunk.n;
	return rc;
}

/* The end of a chunked body with its trailers. */
waits static int send_trailers(struct sender *s, const struct headers *trailers)
{
	struct buf text = BUF(64 * KIB);

	buf_add_lit(&text, "0\r\n");
	for (unsigned i = 0; trailers && i < trailers->n; i++)
		if (can_send(&trailers->v[i]))
			buf_addf(&text, "%.*s: %.*s\r\n", STR(trailers->v[i].name),
				 STR(trailers->v[i].value));
	buf_add_lit(&text, "\r\n");
	struct iovec iov[2] = { piece(s->head), piece(buf_str(&text)) };
	int rc = buf_failed(&text)
			 ? -EFBIG
			 : conn_writev(s->x->conn, iov, 2, s->x->limits->write_timeout_ms);

	buf_done(&text);
	return rc;
}

/* Cuts what is more than was announced. */
static struct str within_length(struct sender *s, struct str chunk)
{
	if (s->x->res.content_length < 0)
		return chunk;
	chunk = str_head(chunk, s->left);
	s->left -= chunk.n;
	return chunk;
}

waits static int send_body(struct sender *s)
{
	struct body *b = s->x->res.body;
	bool measured = s->x->res.content_length >= 0;
	struct str chunk;
	int rc = 0;

	while (!s->last_sent && (!measured || s->left > 0)) {
		rc = body_next(b, &chunk);
		if (rc <= 0)
			break;
		chunk = within_length(s, chunk);
		/* Known to be the last only where no trailers can follow. */
		bool last = measured ? s->left == 0 : b->left == 0 && !b->trailers;

		rc = send_piece(s, chunk, last);
		if (rc < 0)
			return rc;
	}
	if (rc < 0)
		return rc;
	if (measured && s->left > 0)
		return -EIO;            /* shorter than announced: the client must see that */
	if (s->chunked && !s->last_sent)
		return send_trailers(s, b->trailers);
	return s->head.p ? send_piece(s, STR_NONE, true) : 0;
}

int http_send_response(struct http_exchange *x)
{
	struct response *res = &x->res;
	struct sender s = { .x = x };

	s.has_body = has_content(res) && x->req.method != HTTP_HEAD && res->body;
	if (!s.has_body && has_content(res) && x->req.method != HTTP_HEAD)
		res->content_length = 0;
	if (s.has_body && res->content_length < 0) {
		s.chunked = x->req.minor > 0;
		x->keep_alive &= s.chunked; /* HTTP/1.0 takes the connection's end for the body's */
	}
	s.left = res->content_length > 0 ? (uint64_t)res->content_length : 0;
	build_head(&s);
	return s.has_body ? send_body(&s) : send_piece(&s, STR_NONE, true);
}
