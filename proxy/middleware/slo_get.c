/* GET and HEAD of static large objects: the manifest itself, or what it stands for. Swift:
 * SloGetContext in common/middleware/slo.py */
#include "lib/base/clock.h"
#include "lib/crypto/digest.h"
#include "lib/log/log.h"
#include "lib/swift/conditional.h"
#include "proxy/middleware/slo_pages.h"

/* ---- pieces of a manifest, and of the manifests in it ---- */

struct level {
	struct slo_pages pages;
	struct str path; /* of a manifest in a manifest; freed with it */
};

struct slo_source {
	struct piece_source source;
	struct middleware *mw;
	struct request *req;
	struct level levels[SLO_DEPTH_MAX];
	unsigned depth;
	struct level spare; /* the one that was read last, for it is often wanted again */
};

static void level_done(struct level *l)
{
	slo_pages_done(&l->pages);
	free((char *)l->path.p);
	l->path = STR_NONE;
}

static void leave(struct slo_source *s)
{
	struct level *l = &s->levels[--s->depth];

	level_done(&s->spare);
	s->spare = *l;
}

/* Asks for a manifest that is in a manifest, and reads its first page. */
waits static int fetch(struct slo_source *s, const struct slo_segment *seg, uint64_t first,
		       uint64_t length, struct slo_pages *ret)
{
	AUTO(arena) a = arena_new();
	struct slo_place place = { .mw = s->mw, .req = s->req,
				   .query = S("multipart-manifest=get") };
	struct response res;

	if (!segment_path_split(seg->name, &place.container, &place.object))
		return -ESTALE;
	int rc = slo_ask_manifest(s->mw, s->req, a, place.container, place.object, place.query,
				  &res);

	if (rc < 0) {
		log_error("%.*s: GET of submanifest %.*s failed with status %d", STR(s->req->path),
			  STR(seg->name), res.status);
		return rc == -ECANCELED ? rc : res.status / 100 == 5 ? -EHOSTDOWN : -ESTALE;
	}
	struct str etag = headers_get(&res.headers, SLO_ETAG);

	if (etag.n && !str_eq(etag, seg->hash)) {
		log_error("%.*s: submanifest %.*s was changed", STR(s->req->path), STR(seg->name));
		body_close(res.body);
		return -ESTALE;
	}
	place.etag = headers_get_lit(&res.headers, "ETag");
	rc = slo_pages_open(ret, &place, res.body, first, length);
	return rc == -EBADMSG ? -ESTALE : rc;
}

waits static int enter(struct slo_source *s, const struct slo_segment *seg, uint64_t first,
		       uint64_t length)
{
	struct level *l = &s->levels[s->depth];

	if (s->depth == SLO_DEPTH_MAX) {
		log_error("%.*s: max recursion depth was exceeded", STR(s->req->path));
		return -ESTALE;
	}
	if (s->spare.path.p && str_eq(s->spare.path, seg->name) &&
	    slo_pages_again(&s->spare.pages, first, length)) {
		*l = s->spare;
		s->spare = (struct level){ 0 };
	} else {
		*l = (struct level){ 0 };
		int rc = fetch(s, seg, first, length, &l->pages);

		if (rc < 0)
			return rc;
		l->path = str_of(str_dup(seg->name), seg->name.n);
	}
	s->depth++;
	return 0;
}

static int make_piece(const struct slo_segment *seg, uint64_t first, uint64_t length,
		      struct piece *ret)
{
	*ret = (struct piece){
		.first = first, .length = length, .size = seg->bytes, .etag = seg->hash
	};
	if (seg->data.p)
		ret->data = str_of(seg->data.p + first, length);
	else if (!segment_path_split(seg->name, &ret->container, &ret->object))
		return -ESTALE;
	return 1;
}

waits static int source_next(struct piece_source *source, struct piece *ret)
{
	struct slo_source *s = container_of(source, struct slo_source, source);

	while (s->depth > 0) {
		const struct slo_segment *seg;
		uint64_t first, length;
		int rc = slo_pages_next(&s->levels[s->depth - 1].pages, &seg, &first, &length);

		if (rc > 0 && !seg->sub_slo)
			return make_piece(seg, first, length, ret);
		if (rc > 0)
			rc = enter(s, seg, first, length);
		else if (rc == 0)
			leave(s);
		if (rc < 0)
			return rc;
	}
	return 0;
}

waits static void source_close(struct piece_source *source)
{
	struct slo_source *s = container_of(source, struct slo_source, source);

	while (s->depth > 0)
		level_done(&s->levels[--s->depth]);
	level_done(&s->spare);
}

/* ---- the answer ---- */

struct slo_answer {
	struct middleware *mw;
	struct request *req;
	struct slo_place place;
	struct body *text; /* the whole manifest, until it is read */
	uint64_t size;
	int error; /* why a range could not be opened */
	struct body *first; /* of several ranges, opened before the head is sent */
};

waits static struct body *open_bytes(struct slo_answer *a, uint64_t first, uint64_t last)
{
	struct slo_source *s = arena_zalloc(a->req->arena, sizeof *s);
	struct body *b = NULL;
	struct segments segments = { .mw = a->mw,
				     .req = a->req,
				     .source = &s->source,
				     .tag = S("SLO"),
				     .length = last - first + 1,
				     .time_max_ms = slo_conf.max_get_time };

	s->source = (struct piece_source){ .next = source_next, .close = source_close };
	s->mw = a->mw;
	s->req = a->req;
	a->error = slo_pages_open(&s->levels[0].pages, &a->place, TAKE(a->text), first,
				  last - first + 1);
	if (a->error < 0)
		return NULL;
	s->depth = 1;
	a->error = segments_open(&segments, &b);
	return a->error < 0 ? NULL : b;
}

task_asserted static struct body *open_range(void *arg, uint64_t first, uint64_t last)
{
	struct slo_answer *a = arg;

	return a->first ? TAKE(a->first) : open_bytes(a, first, last);
}

/* Lets go of what was opened early and not used. */
struct held {
	struct body body, *inner;
	struct slo_answer *answer;
};

waits static int held_next(struct body *b, struct str *ret_chunk)
{
	struct held *h = container_of(b, struct held, body);
	int rc = body_next(h->inner, ret_chunk);

	b->left = h->inner->left;
	return rc;
}

waits static void answer_done(struct slo_answer *a)
{
	body_close(a->first);
	a->first = NULL;
	body_close(a->text);
	a->text = NULL;
}

waits static void held_close(struct body *b)
{
	struct held *h = container_of(b, struct held, body);

	body_close(h->inner);
	answer_done(h->answer);
}

static void hold(struct slo_answer *a, struct response *res)
{
	struct held *h = arena_zalloc(a->req->arena, sizeof *h);

	*h = (struct held){ .inner = res->body, .answer = a };
	h->body = (struct body){ .next = held_next, .close = held_close, .left = res->body->left };
	res->body = &h->body;
}

static void respond_plainly(struct response *res, int status)
{
	res->body = NULL;
	headers_remove(&res->headers, S("Content-Range"));
	headers_remove(&res->headers, S("ETag"));
	respond_status(res, status);
}

static int64_t last_modified(const struct response *res)
{
	int64_t s = 0;

	return clock_http_date_parse(headers_get_lit(&res->headers, "Last-Modified"), &s) == 0 ? s
											       : 0;
}

/* The first of several ranges is opened early, so that a missing segment can still be told. */
waits static void open_early(struct slo_answer *a, struct response *res)
{
	struct range ranges[RANGES_MAX];
	int n = ranges_parse(headers_get_lit(&a->req->headers, "Range"), a->size, ranges);

	if (res->status == 206 && n > 1)
		a->first = open_bytes(a, ranges[0].first, ranges[0].last);
}

waits static void respond_content(struct slo_answer *a, struct response *res)
{
	struct entity e = { .size = a->size,
			    .etag = headers_get_lit(&res->headers, "ETag"),
			    .last_modified = last_modified(res),
			    .open = open_range,
			    .arg = a };

	res->reason = STR_NONE;
	conditional_respond(a->req, res, &e);
	if (a->error == 0 && a->req->method == HTTP_GET)
		open_early(a, res);
	if (a->error < 0) {
		body_close(res->body);
		response_init(res, a->req->arena);
		respond_status(res, a->error == -EBADMSG ? 500 : segments_status(a->error));
	}
	if (res->body && res->status / 100 == 2)
		hold(a, res);
	else
		answer_done(a);
}

/* ---- parts ---- */

static int check_part(const struct slo_answer *a, struct response *res, struct str number,
		      uint64_t *ret)
{
	if (str_to_u64(number, ret) < 0 || *ret == 0) {
		respond_plainly(res, 400);
		respond_text(res, 400, "Part number must be an integer greater than 0");
		return -EINVAL;
	}
	if (headers_has(&a->req->headers, S("Range"))) {
		respond_plainly(res, 400);
		respond_text(res, 400, "Range requests are not supported with part number queries");
		return -EINVAL;
	}
	return 0;
}

/* ?part-number=n is the range that the n-th segment makes. */
static int pick_part(struct slo_answer *a, struct response *res, const struct slo_sum *sum)
{
	headers_setf(&res->headers, S("X-Parts-Count"), "%" PRIu64, sum->n);
	if (sum->part_length == 0) {
		respond_plainly(res, 416);
		return -ERANGE;
	}
	headers_setf(&a->req->headers, S("Range"), "bytes=%" PRIu64 "-%" PRIu64, sum->part_first,
		     sum->part_first + sum->part_length - 1);
	headers_remove(&a->req->headers, S("If-Range"));
	return 0;
}

/* HEAD tells the part's length and place. */
static void respond_part_head(const struct slo_answer *a, struct response *res)
{
	struct range r[RANGES_MAX];
	int n = ranges_parse(headers_get_lit(&a->req->headers, "Range"), a->size, r);

	if (res->status != 200 || n != 1)
		return;
	res->status = 206;
	res->content_length = (int64_t)(r[0].last - r[0].first + 1);
	headers_setf(&res->headers, S("Content-Range"), "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64,
		     r[0].first, r[0].last, a->size);
}

/* ---- the manifest ---- */

waits static void respond_raw(struct response *res)
{
	struct arena *arena = res->headers.arena;
	AUTO(slo_manifest) m = NULL;
	char md5[MD5_HEX_SIZE];

	if (slo_read_manifest(res, &m) < 0) {
		respond_plainly(res, 500);
		return;
	}
	CLEANUP(buf_done) struct buf text = BUF(256 * MIB);

	slo_manifest_raw(m, &text);
	struct str raw = arena_str(arena, buf_str(&text));

	md5_hex(raw, md5);
	headers_set(&res->headers, S("ETag"), str_from(md5));
	res->content_length = (int64_t)raw.n;
	res->body = body_bytes(arena, raw);
}

waits static void respond_manifest(struct request *req, struct response *res)
{
	if (!str_eq(request_query_lit(req, "format"), S("raw")))
		headers_set(&res->headers, S("Content-Type"), S("application/json; charset=utf-8"));
	else if (req->method == HTTP_GET && res->status == 200)
		respond_raw(res);
}

/* Asks again without conditions and ranges: what came is not the whole manifest. */
waits static void refetch(struct middleware *mw, struct request *req, struct response *res)
{
	const struct swift_path *p = &proxy_request(req)->path;
	struct request *get = proxy_subrequest_new(req, HTTP_GET, p->account, p->container,
						   p->object, req->query, S("SLO"));

	body_close(res->body);
	middleware_call(mw, get, res);
}

/* The headers of the manifest become those of what it stands for. True when both ETag and size are
 * known without reading it. */
static bool take_headers(struct response *res, uint64_t *ret_size)
{
	struct headers *h = &res->headers;
	struct str etag = headers_get(h, SLO_ETAG), size = headers_get(h, SLO_SIZE);
	struct str own = headers_get(h, S("ETag"));
	bool known = etag.n && str_to_u64(size, ret_size) == 0;

	if (own.p)
		headers_set(h, S("X-Manifest-Etag"), own);
	if (known)
		headers_setf(h, S("ETag"), "\"%.*s\"", STR(etag));
	headers_remove(h, S("Content-Range"));
	/* A copy of the content must not be taken for a manifest. */
	headers_remove(h, SLO_ETAG);
	headers_remove(h, SLO_SIZE);
	return known;
}

/* Reads the manifest for what its headers do not tell: sums, and where a part is. Negative, and the
 * answer is filled. */
waits static int add_up(struct slo_answer *a, struct response *res, bool known, uint64_t part)
{
	CLEANUP(slo_sum_done) struct slo_sum sum;
	char etag[MD5_HEX_SIZE];

	slo_sum_init(&sum, part);
	int rc = slo_sum_read(TAKE(a->text), &sum);

	if (rc < 0) {
		log_error("%.*s: the manifest cannot be read", STR(a->req->path));
		respond_plainly(res, rc == -EBADMSG ? 500 : segments_status(-EHOSTDOWN));
		return rc;
	}
	if (!known) {
		slo_sum_etag(&sum, etag);
		headers_setf(&res->headers, S("ETag"), "\"%s\"", etag);
		a->size = sum.size;
	}
	return part ? pick_part(a, res, &sum) : 0;
}

/* A manifest that is there in full. */
waits static void respond_whole(struct middleware *mw, struct request *req, struct response *res)
{
	const struct swift_path *p = &proxy_request(req)->path;
	struct slo_answer *a = arena_zalloc(req->arena, sizeof *a);
	struct str number = request_query_lit(req, "part-number");
	uint64_t part = 0;

	a->mw = mw;
	a->req = req;
	a->text = TAKE(res->body);
	a->place = (struct slo_place){ mw, req, p->container, p->object, req->query,
				       headers_get_lit(&res->headers, "ETag") };
	bool known = take_headers(res, &a->size);

	if ((number.p && check_part(a, res, number, &part) < 0) ||
	    ((part || !known) && add_up(a, res, known, part) < 0)) {
		answer_done(a);
		return;
	}
	respond_content(a, res);
	if (part && req->method == HTTP_HEAD)
		respond_part_head(a, res);
}

waits static void respond_slo(struct middleware *mw, struct request *req, struct response *res)
{
	bool part = request_has_query(req, S("part-number"));
	bool known =
		headers_get(&res->headers, SLO_ETAG).n && headers_get(&res->headers, SLO_SIZE).n;
	bool head = req->method == HTTP_HEAD, refused = res->status == 304 || res->status == 412;
	uint64_t size;

	if (known && (refused || (head && !part))) {
		if (take_headers(res, &size) && res->status == 200)
			res->content_length = (int64_t)size;
		return;
	}
	if (head || res->status != 200) {
		refetch(mw, req, res);
		if (!slo_is_manifest(res) || res->status != 200)
			return;
	}
	respond_whole(mw, req, res);
}

void slo_get(struct middleware *mw, struct request *req, struct response *res)
{
	bool manifest = str_eq(request_query_lit(req, "multipart-manifest"), S("get"));

	if (!manifest) {
		slo_append_header(req, S("X-Backend-Etag-Is-At"), SLO_ETAG);
		slo_append_header(req, S("X-Backend-Ignore-Range-If-Metadata-Present"),
				  S("X-Static-Large-Object"));
	}
	middleware_next(mw, req, res);
	if (!slo_is_manifest(res))
		return;
	if (manifest)
		respond_manifest(req, res);
	else
		respond_slo(mw, req, res);
}
