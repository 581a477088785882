/* An HTTP/1.1 response parser: status, the headers that the load generator checks,
 * both framings. */
#include "tests/bench/load/response.h"

#include "tests/bench/load/simple.h"

void response_init(struct response *r, bool no_body)
{
	memset(r, 0, offsetof(struct response, line));
	r->no_body = no_body;
}

bool response_ends_with_close(const struct response *r)
{
	return r->status && !r->no_body && !r->chunked && !r->has_length;
}

static struct str unquote(struct str s)
{
	if (s.n >= 2 && s.p[0] == '"' && s.p[s.n - 1] == '"')
		return str_of(s.p + 1, s.n - 2);
	return s;
}

/* head: status line and headers. */
static int head_parse(struct response *r, struct str head)
{
	uint64_t status = 0;
	struct str length = header_get(head, S("Content-Length"));
	struct str connection = header_get(head, S("Connection"));

	if (head.n < 12 || !str_starts(head, S("HTTP/1.")) ||
	    str_to_u64(str_of(head.p + 9, 3), &status) < 0 || status < 100 || status > 599)
		return -EPROTO;
	r->status = (int)status;
	r->chunked = str_ieq(header_get(head, S("Transfer-Encoding")), S("chunked"));
	if (!r->chunked && length.p) {
		if (str_to_u64(length, &r->length) < 0)
			return -EPROTO;
		r->has_length = true;
	}
	r->closes = str_ieq(connection, S("close")) || str_starts(head, S("HTTP/1.0"));
	r->etag = unquote(header_get(head, S("Etag")));
	r->has_token = header_get(head, S("X-Auth-Token")).n > 0;
	r->no_body = r->no_body || status == 204 || status == 304;
	return 0;
}

/* Takes bytes of the head. *s moves behind them. 1 when the head is complete. */
static int head_feed(struct response *r, struct str *s)
{
	size_t before = r->head_n, take = MIN(s->n, sizeof(r->head) - before);
	size_t from = before > 3 ? before - 3 : 0;

	memcpy(r->head + before, s->p, take);
	r->head_n += take;
	ssize_t end = str_find(str_of(r->head + from, r->head_n - from), S("\r\n\r\n"));

	if (end < 0)
		return take == 0 ? -EPROTO : (*s = str_skip(*s, take), 0);
	size_t head_end = from + (size_t)end + 4;

	*s = str_skip(*s, head_end - before);
	int rc = head_parse(r, str_of(r->head, head_end - 2));

	if (rc < 0)
		return rc;
	if (r->status < 200)
		response_init(r, r->no_body);
	return r->status >= 200;
}

/* A line of the chunked framing. 1 when it was the last. */
static int chunk_line(struct response *r)
{
	struct str line = str_trim(str_of(r->line, r->line_n));
	char *end;

	r->line_n = 0;
	switch (r->chunk_state) {
	case CHUNK_SIZE:
		r->line[line.n] = '\0';
		errno = 0;
		r->chunk_left = strtoull(r->line, &end, 16);
		if (end == r->line || errno)
			return -EPROTO;
		r->chunk_state = r->chunk_left ? CHUNK_DATA : CHUNK_TRAILER;
		return 0;
	case CHUNK_END:
		r->chunk_state = CHUNK_SIZE;
		return line.n == 0 ? 0 : -EPROTO;
	case CHUNK_TRAILER:
		return line.n == 0;
	case CHUNK_DATA:
		break;
	}
	unreachable("lines stand between data");
}

static int chunked_feed(struct response *r, struct str *s, void (*body)(void *, struct str),
			void *arg)
{
	while (s->n > 0) {
		if (r->chunk_state == CHUNK_DATA) {
			struct str piece = str_head(*s, MIN(s->n, r->chunk_left));

			body(arg, piece);
			r->got += piece.n;
			r->chunk_left -= piece.n;
			*s = str_skip(*s, piece.n);
			if (r->chunk_left == 0)
				r->chunk_state = CHUNK_END;
			continue;
		}
		char c = *s->p;

		*s = str_skip(*s, 1);
		if (c != '\n') {
			if (r->line_n < sizeof(r->line) - 1)
				r->line[r->line_n++] = c;
			continue;
		}
		int rc = chunk_line(r);

		if (rc != 0)
			return rc;
	}
	return 0;
}

int response_feed(struct response *r, struct str s, void (*body)(void *arg, struct str s),
		  void *arg)
{
	int rc;

	while (!r->status) {
		if (s.n == 0)
			return 0;
		rc = head_feed(r, &s);
		if (rc < 0)
			return rc;
	}
	if (r->no_body)
		return s.n == 0 ? 1 : -EPROTO;
	if (r->chunked) {
		rc = chunked_feed(r, &s, body, arg);
		return rc == 1 && s.n > 0 ? -EPROTO : rc;
	}
	if (r->has_length && s.n > r->length - r->got)
		return -EPROTO;
	if (s.n > 0)
		body(arg, s);
	r->got += s.n;
	return r->has_length && r->got == r->length;
}
