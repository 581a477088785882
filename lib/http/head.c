/* Heads of messages: the lines are found and checked here, llhttp splits the headers. The start
 * line is ours: llhttp knows neither all methods that Swift uses nor the statuses that Swift
 * answers. */
#include "lib/http/llhttp_names.h"
#include "lib/http/internal.h"

enum { BLANKS_MAX = 4 };

static int refuse(struct refusal *why, int status, const char *text)
{
	*why = (struct refusal){ status, text };
	return -EBADMSG;
}

/* ---- finding the end ---- */

static int check_line(struct head_scan *s, struct str line, const struct head_limits *l,
		      struct refusal *why)
{
	if (memchr(line.p, '\r', line.n))
		return refuse(why, 400, "a line holds a CR");
	if (memchr(line.p, 0, line.n))
		return refuse(why, 400, "a line holds a NUL");
	if (s->lines == 0)
		return 0;
	if (line.p[0] == ' ' || line.p[0] == '\t')
		return refuse(why, 400,
			      "a header begins with a blank (folded lines are not accepted)");
	if (s->lines > l->headers_max)
		return refuse(why, 431, "too many headers");
	return 0;
}

static int check_length(const struct head_scan *s, size_t n, const struct head_limits *l,
			struct refusal *why)
{
	if (s->lines == 0 && n > l->start_line_max)
		return refuse(why, 414, "the request line is too long");
	if (s->lines > 0 && n > l->header_max)
		return refuse(why, 400, "a header is too long");
	return 0;
}

ssize_t head_scan(struct head_scan *s, struct str data, const struct head_limits *l,
		  struct refusal *why)
{
	for (;;) {
		size_t from = MAX(s->seen, s->line);
		const char *nl = from < data.n ? memchr(data.p + from, '\n', data.n - from) : NULL;

		if (!nl) {
			size_t n = data.n - s->line;

			s->seen = data.n;
			return check_length(s, n ? n - 1 : 0, l, why);  /* the last may be the CR */
		}
		struct str line = str_of(data.p + s->line, (size_t)(nl - data.p) - s->line);

		if (line.n == 0 || line.p[line.n - 1] != '\r')
			return refuse(why, 400, "a line ends without CR");
		line.n--;
		s->line = (size_t)(nl - data.p) + 1;
		if (line.n == 0 && s->lines > 0)
			return (ssize_t)s->line;
		if (line.n == 0 && s->blanks++ < BLANKS_MAX)
			continue;               /* RFC 9112 2.2: some clients end bodies with one */
		if (line.n == 0)
			return refuse(why, 400, "no request line");
		int rc = check_length(s, line.n, l, why);
		if (rc == 0)
			rc = check_line(s, line, l, why);
		if (rc < 0)
			return rc;
		if (s->lines++ == 0) {
			s->start_line = (size_t)(line.p - data.p);
			s->start_line_n = line.n;
			s->fields = s->line;
		}
	}
}

/* ---- headers, by llhttp ---- */

static int on_field(llhttp_t *p, const char *at, size_t n)
{
	struct head *h = p->data;

	h->field = str_of(at + h->offset, n);
	h->value = STR_NONE;
	return 0;
}

static int on_value(llhttp_t *p, const char *at, size_t n)
{
	struct head *h = p->data;

	/* The whole head is there, so the pieces of a value are neighbours. */
	at += h->offset;
	h->value = h->value.p ? str_of(h->value.p, (size_t)(at + n - h->value.p)) : str_of(at, n);
	return 0;
}

static int on_value_complete(llhttp_t *p)
{
	struct head *h = p->data;

	headers_add_ref(h->headers, h->field, str_trim(h->value));
	return 0;
}

static int on_headers_complete(llhttp_t *p)
{
	p->upgrade = 0;                 /* no protocol is upgraded to: it stays HTTP */
	return HPE_PAUSED;
}


static const llhttp_settings_t settings = {
	.on_header_field = on_field,
	.on_header_value = on_value,
	.on_header_value_complete = on_value_complete,
	.on_headers_complete = on_headers_complete,
};

/* A parser that stands behind a start line, to copy. */
static const llhttp_t *behind_start_line(llhttp_type_t type)
{
	static llhttp_t request, response;
	llhttp_t *p = type == HTTP_REQUEST ? &request : &response;
	const char *line = type == HTTP_REQUEST ? "PUT / HTTP/1.1\r\n" : "HTTP/1.1 200 OK\r\n";

	if (!p->settings) {
		llhttp_init(p, type, &settings);
		llhttp_errno_t e = llhttp_execute(p, line, strlen(line));
		assert(e == HPE_OK);
	}
	return p;
}

/* Swift's users name their metadata in any language, which llhttp refuses: it gets a copy with
 * other letters instead. No name that means something to it has a 'z'. */
static struct str mask_utf8(struct arena *a, struct str s)
{
	unsigned char any = 0;

	for (size_t i = 0; i < s.n; i++)
		any |= (unsigned char)s.p[i];
	if (any < 128)
		return s;
	struct str copy = arena_str(a, s);

	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] >= 128)
			((char *)copy.p)[i] = 'z';
	return copy;
}

static int parse_fields(struct head *h, struct str original, llhttp_type_t type)
{
	llhttp_t parser = *behind_start_line(type);
	struct str fields = mask_utf8(h->headers->arena, original);

	h->offset = original.p - fields.p;
	parser.data = h;
	h->field = h->value = STR_NONE;
	llhttp_errno_t e = llhttp_execute(&parser, fields.p, fields.n);

	if (e == HPE_PAUSED)
		return 0;
	h->error = e == HPE_OK ? "the head does not end" : llhttp_get_error_reason(&parser);
	return -EBADMSG;
}

/* Header values that llhttp lets through and that must not be believed. */
static const char *bad_value(const struct headers *h)
{
	for (unsigned i = 0; i < h->n; i++) {
		struct str v = h->v[i].value;

		if (!field_name_ok(h->v[i].name))
			return "a header's name is not a token";
		for (size_t k = 0; k < v.n; k++)
			if ((unsigned char)v.p[k] < ' ' && v.p[k] != '\t')
				return "a header holds a control character";
	}
	return NULL;
}

/* ---- framing ---- */

static int length_of(struct head *h, struct refusal *why)
{
	struct str text = headers_get_lit(h->headers, "Content-Length");
	uint64_t n = 0;

	if (!text.p) {
		h->framing = BODY_NONE;
		h->content_length = 0;
		return 0;
	}
	if (headers_count(h->headers, S("Content-Length")) > 1)
		return refuse(why, 400, "more than one Content-Length");
	if (str_to_u64(text, &n) < 0 || n > INT64_MAX)
		return refuse(why, 400, "Content-Length is not a number of bytes");
	h->framing = BODY_LENGTH;
	h->content_length = (int64_t)n;
	return 0;
}

static int framing_of(struct head *h, struct refusal *why)
{
	struct str coding = headers_joined(h->headers, S("Transfer-Encoding"));
	int rc = length_of(h, why);

	if (rc < 0 || !coding.p)
		return rc;
	if (headers_has(h->headers, S("Content-Length")))
		return refuse(why, 400, "both Transfer-Encoding and Content-Length");
	if (str_chr(coding, ',') >= 0)
		return refuse(why, 501,
			      "Unsupported Transfer-Coding header value specified in "
			      "Transfer-Encoding header");
	if (!str_ieq(coding, S("chunked")))
		return refuse(why, 400, "Invalid Transfer-Encoding header value");
	if (h->minor == 0)
		return refuse(why, 400, "HTTP/1.0 knows no Transfer-Encoding");
	h->framing = BODY_CHUNKED;
	h->content_length = -1;
	return 0;
}

static bool wants_keep_alive(const struct head *h)
{
	if (headers_has_token(h->headers, S("Connection"), S("close")))
		return false;
	return h->minor > 0 || headers_has_token(h->headers, S("Connection"), S("keep-alive"));
}

/* ---- start lines ---- */

/* "HTTP/1.1" and its kin: the minor version, -505 for another major one, or -400. */
static int version_of(struct str v)
{
	if (v.n != 8 || memcmp(v.p, "HTTP/", 5) || v.p[6] != '.' || v.p[5] < '0' || v.p[5] > '9' ||
	    v.p[7] < '0' || v.p[7] > '9')
		return -400;
	if (v.p[5] != '1')
		return v.p[5] == '0' ? -400 : -505;
	return v.p[7] != '0';
}

static int parse_method(struct request *req, struct str m, struct refusal *why)
{
	if (!header_name_valid(m))
		return refuse(why, 400, "the method is not a token");
	for (size_t i = 0; i < m.n; i++)
		if (m.p[i] >= 'a' && m.p[i] <= 'z')
			return refuse(why, 400, "methods are written in capitals");
	req->method_name = m;
	req->method = http_method_parse(m);
	return 0;
}

/* The authority of an absolute URI replaces Host (RFC 9112 3.2.2): it is returned, or absent. */
static struct str strip_authority(struct request *req, struct str *target)
{
	size_t scheme = 0, n = 0;

	if (str_istarts(*target, S("http://")))
		scheme = strlen("http://");
	else if (str_istarts(*target, S("https://")))
		scheme = strlen("https://");
	else
		return STR_NONE;
	struct str rest = str_skip(*target, scheme);

	while (n < rest.n && rest.p[n] != '/' && rest.p[n] != '?')
		n++;
	struct str authority = str_head(rest, n);

	rest = str_skip(rest, n);
	*target = rest.n && rest.p[0] == '/' ? rest : arena_printf(req->arena, "/%.*s", STR(rest));
	return authority;
}

static int parse_target(struct request *req, struct str t, struct str *ret_authority,
			struct refusal *why)
{
	for (size_t i = 0; i < t.n; i++)
		if ((unsigned char)t.p[i] <= ' ' || t.p[i] == 127)
			return refuse(why, 400,
				      "the request target holds a blank or a control character");
	*ret_authority = strip_authority(req, &t);
	if (t.n == 0 ||
	    (t.p[0] != '/' && !str_eq(t, S("*")) && !str_eq(req->method_name, S("CONNECT"))))
		return refuse(why, 400, "the request target is neither a path nor a URL");
	ssize_t mark = str_chr(t, '?');

	if (mark == 0)
		return refuse(why, 400, "the request target has no path");
	req->target = t;
	req->path = mark < 0 ? t : str_head(t, (size_t)mark);
	req->query = mark < 0 ? STR_NONE : str_skip(t, (size_t)mark + 1);
	return 0;
}

static int parse_request_line(struct request *req, struct str line, struct str *ret_authority,
			      struct refusal *why)
{
	ssize_t first = str_chr(line, ' '), last = str_rchr(line, ' ');
	int minor = last < 0 ? -400 : version_of(str_skip(line, (size_t)last + 1));

	if (minor == -505)
		return refuse(why, 505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
	if (minor < 0 || first == last)
		return refuse(why, 400, "the request line is not METHOD TARGET HTTP/1.1");
	int rc = parse_method(req, str_head(line, (size_t)first), why);
	if (rc < 0)
		return rc;
	req->minor = (unsigned)minor;
	return parse_target(req, str_of(line.p + first + 1, (size_t)(last - first - 1)),
			    ret_authority, why);
}

int head_parse_request(struct head *h, struct str head, const struct head_scan *s,
		       struct request *req, struct refusal *why)
{
	struct str line = str_of(head.p + s->start_line, s->start_line_n), authority = STR_NONE;
	int rc = parse_request_line(req, line, &authority, why);

	if (rc < 0)
		return rc;
	h->headers = &req->headers;
	h->minor = req->minor;
	rc = parse_fields(h, str_skip(head, s->fields), HTTP_REQUEST);
	/* Our own reading of the framing goes first: it knows which status Swift answers. */
	int framing = framing_of(h, why);

	if (framing < 0)
		return framing;
	if (rc < 0)
		return refuse(why, 400, h->error);
	const char *bad = bad_value(h->headers);

	if (bad)
		return refuse(why, 400, bad);
	if (authority.n)
		headers_set(&req->headers, S("Host"), authority);
	h->keep_alive = wants_keep_alive(h);
	req->content_length = h->content_length;
	req->chunked = h->framing == BODY_CHUNKED;
	req->expect_continue = h->minor > 0 && h->framing != BODY_NONE && h->content_length != 0 &&
			       str_ieq(headers_get_lit(h->headers, "Expect"), S("100-continue"));
	return 0;
}

static int parse_status_line(struct head *h, struct str line)
{
	int minor = version_of(str_head(line, 8));
	uint64_t status;

	if (minor < 0 || line.n < 12 || line.p[8] != ' ' ||
	    str_to_u64(str_of(line.p + 9, 3), &status) < 0 || status < 100 ||
	    (line.n > 12 && line.p[12] != ' '))
		return -EBADMSG;
	h->minor = (unsigned)minor;
	h->status = (int)status;
	h->reason = str_skip(line, 13);
	return 0;
}

int head_parse_response(struct head *h, struct str head, const struct head_scan *s,
			bool head_request)
{
	struct refusal why;
	int rc = parse_status_line(h, str_of(head.p + s->start_line, s->start_line_n));

	if (rc == 0)
		rc = parse_fields(h, str_skip(head, s->fields), HTTP_RESPONSE);
	if (rc == 0)
		rc = framing_of(h, &why);
	if (rc < 0 || bad_value(h->headers))
		return -EBADMSG;
	h->keep_alive = wants_keep_alive(h);
	if (head_request || h->status / 100 == 1 || h->status == 204 || h->status == 304) {
		/* The length stays as it was announced: HEAD tells the size of the object. */
		if (h->framing == BODY_NONE)
			h->content_length = -1;
		h->framing = BODY_NONE;
	} else if (h->framing == BODY_NONE) {
		h->framing = BODY_UNTIL_CLOSE;
		h->content_length = -1;
		h->keep_alive = false;
	}
	return 0;
}
