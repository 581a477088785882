/* The layout of a multipart answer follows from the object's size and type and the ranges, so it is
 * made once more, and what was handed out already is dropped: filler stands for bytes that need not
 * be read again. */
#include "proxy/backend/multirange.h"
#include "lib/swift/conditional.h"
#include "lib/swift/range.h"

enum { FILLER = 16 * KIB };

struct rest {
	struct body body;
	struct multirange m;
	struct range ranges[RANGES_MAX];
	struct body *whole;             /* the answer from its beginning */
	uint64_t drop;                  /* bytes of it that are not wanted */
	uint64_t start;                 /* where in the answer the next part begins */
	unsigned part, n;
	uint64_t size;
	struct str content_type, boundary;
};

/* ---- filler ---- */

struct filled {
	struct body body;
	uint64_t filler;
	struct body *real;              /* behind it; NULL: nothing */
};

waits static int filled_next(struct body *b, struct str *ret_chunk)
{
	static const char nothing[FILLER];
	struct filled *f = container_of(b, struct filled, body);

	if (f->filler) {
		*ret_chunk = str_of(nothing, MIN(f->filler, (uint64_t)FILLER));
		f->filler -= ret_chunk->n;
		return 1;
	}
	return f->real ? body_next(f->real, ret_chunk) : 0;
}

waits static void filled_close(struct body *b)
{
	body_close(container_of(b, struct filled, body)->real);
}

/* ---- parts ---- */

/* The request's headers without conditions and ranges. */
static void unconditional(const struct rest *r, struct headers *ret)
{
	const struct headers *from = r->m.get.headers;

	headers_init(ret, r->m.req->arena);
	for (unsigned i = 0; i < from->n; i++)
		if (!str_istarts(from->v[i].name, S("If-")) &&
		    !str_ieq(from->v[i].name, S("Range")))
			headers_add_ref(ret, from->v[i].name, from->v[i].value);
}

waits static struct body *get_range(struct rest *r, uint64_t first, uint64_t last)
{
	struct headers *h = arena_alloc(r->m.req->arena, sizeof *h);
	struct get g = r->m.get;
	struct response res;

	unconditional(r, h);
	headers_addf(h, S("Range"), "bytes=%" PRIu64 "-%" PRIu64, first, last);
	g.headers = h;
	g.source = NULL;
	if (backend_get(r->m.req, &g, &res) < 0)
		return NULL;
	if (res.status != 206 || !res.body ||
	    !str_eq(headers_get_lit(&res.headers, "ETag"), r->m.etag) ||
	    res.content_length != (int64_t)(last - first + 1)) {
		body_close(res.body);
		return NULL;
	}
	return res.body;
}

/* Bytes of a part besides its own: the head, and the line break behind it. */
static uint64_t frame_size(const struct rest *r, unsigned part)
{
	uint64_t one = ranges_multipart_length(&r->ranges[part], 1, r->size, r->content_type,
					       r->boundary);
	uint64_t none = ranges_multipart_length(NULL, 0, r->size, r->content_type, r->boundary);

	return one - none - (r->ranges[part].last - r->ranges[part].first + 1);
}

waits static struct body *open_part(void *arg, uint64_t first, uint64_t last)
{
	struct rest *r = arg;
	struct filled *f = arena_zalloc(r->m.req->arena, sizeof *f);
	uint64_t n = last - first + 1;
	uint64_t begins = r->start + frame_size(r, r->part) - strlen("\r\n");

	r->start = begins + n + strlen("\r\n");
	r->part++;
	f->filler = r->m.given > begins ? MIN(r->m.given - begins, n) : 0;
	f->body = (struct body){
		.next = filled_next,
		.close = filled_close,
		.left = (int64_t)n,
	};
	if (f->filler == n)
		return &f->body;
	f->real = get_range(r, first + f->filler, last);
	return f->real ? &f->body : NULL;
}

/* ---- the body ---- */

waits static int rest_next(struct body *b, struct str *ret_chunk)
{
	struct rest *r = container_of(b, struct rest, body);

	for (;;) {
		int rc = body_next(r->whole, ret_chunk);

		if (rc <= 0)
			return rc;
		size_t drop = MIN(r->drop, (uint64_t)ret_chunk->n);

		r->drop -= drop;
		*ret_chunk = str_skip(*ret_chunk, drop);
		if (ret_chunk->n) {
			b->left -= (int64_t)ret_chunk->n;
			return 1;
		}
	}
}

waits static void rest_close(struct body *b)
{
	body_close(container_of(b, struct rest, body)->whole);
}

/* Size and type of the object, from whoever has it. */
waits static int ask_object(struct rest *r)
{
	struct get g = r->m.get;
	struct response res;
	struct headers h;

	unconditional(r, &h);
	g.headers = &h;
	g.head = true;
	g.source = NULL;
	int rc = backend_get(r->m.req, &g, &res);

	if (rc < 0)
		return rc;
	if (res.status != 200 || !str_eq(headers_get_lit(&res.headers, "ETag"), r->m.etag))
		return -ESTALE;
	r->size = (uint64_t)res.content_length;
	r->content_type = headers_get_lit(&res.headers, "Content-Type");
	return 0;
}

int multirange_continue(const struct multirange *m, struct body **ret)
{
	struct rest *r = arena_zalloc(m->req->arena, sizeof *r);
	ssize_t at = str_find(m->type, S("boundary="));

	r->m = *m;
	r->drop = m->given;
	if (at < 0)
		return -EBADMSG;
	r->boundary = str_skip(m->type, (size_t)at + 9);
	int rc = ask_object(r);

	if (rc < 0)
		return rc;
	int n = ranges_parse(headers_get_lit(m->get.headers, "Range"), r->size, r->ranges);

	if (n <= 1)
		return -ESTALE;
	r->n = (unsigned)n;
	if (ranges_multipart_length(r->ranges, r->n, r->size, r->content_type, r->boundary) !=
	    m->length)
		return -ESTALE;
	r->whole = ranges_multipart_body(m->req->arena, r->ranges, r->n, r->size, r->content_type,
					 r->boundary, open_part, r);
	r->body = (struct body){
		.next = rest_next,
		.close = rest_close,
		.left = (int64_t)(m->length - m->given),
	};
	*ret = &r->body;
	return 0;
}
