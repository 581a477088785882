/* PUT ?multipart-manifest=put: looks at every segment, then stores the manifest with what it found.
 * Swift: handle_multipart_put in common/middleware/slo.py */
#include "lib/base/clock.h"
#include "lib/base/encode.h"
#include "lib/crypto/digest.h"
#include "lib/swift/conditional.h"
#include "lib/swift/metadata.h"
#include "proxy/middleware/bulk_report.h"
#include "proxy/middleware/heartbeat.h"
#include "proxy/middleware/slo.h"
#include "proxy/middleware/width.h"

/* Entries that are looked at together, and their objects. */
enum { ROUND_MAX = 64, ROUND_SCARCE = 8 };
struct round {
	struct middleware *mw;
	struct request *req;
	struct arena *arena;
	unsigned n, looks_n;
	struct slo_entry *in;           /* as sent, */
	struct slo_entry **is;          /* and what the objects are */
	struct slo_entry *looks[ROUND_MAX]; /* the distinct ones that nothing is known of */
};

struct slo_upload {
	struct middleware *mw;
	struct request *req;
	struct slo_inputs in;
	struct slo_pack found; /* the manifest that is stored */
	struct str type; /* of reports */
	struct bulk_report report;
	uint64_t total;
	bool stored; /* what is behind us answered */
	struct digest *md5; /* of the segments' ETags */
};

/* ---- looking at the segments ---- */

static void note(struct arena *a, struct slo_entry *e, const struct response *res)
{
	struct str rest = headers_get_lit(&res->headers, "Content-Type");

	e->status = (unsigned)res->status;
	if (res->status / 100 != 2)
		return;
	e->size = res->content_length > 0 ? (uint64_t)res->content_length : 0;
	e->etag = arena_str(a, etag_unquoted(headers_get_lit(&res->headers, "ETag")));
	e->type = arena_str(a, str_trim(str_cut(&rest, ';')));
	e->slo = slo_is_manifest(res);
	if (clock_http_date_parse(headers_get_lit(&res->headers, "Last-Modified"), &e->modified) <
	    0)
		e->modified = clock_wall_s();
}

waits static void look(void *arg, unsigned i)
{
	struct round *r = arg;
	struct slo_entry *e = r->looks[i];
	AUTO(arena) a = arena_new();
	struct str container, object;
	struct response res;

	e->status = 404;
	if (!segment_path_split(e->path, &container, &object))
		return;
	struct request *head =
		proxy_subrequest_in(a, r->req, HTTP_HEAD, proxy_request(r->req)->path.account,
				    container, object, STR_NONE, S("SLO"));

	/* Segments may be large objects themselves, so this middleware is asked. */
	response_init(&res, a);
	r->mw->kind->handle(r->mw, head, &res);
	body_close(res.body);
	note(r->arena, e, &res);
}

/* The object of the last entry of a round: known from before, or to be looked at. */
static struct slo_entry *find_object(struct round *r, const struct slo_pack *known, struct str path)
{
	struct slo_entry *e;

	for (unsigned i = 0; i < r->looks_n; i++)
		if (str_eq(r->looks[i]->path, path))
			return r->looks[i];
	e = arena_zalloc(r->arena, sizeof *e);
	if (!slo_pack_find(known, path, r->arena, e)) {
		*e = (struct slo_entry){ .path = path, .sized = true };
		r->looks[r->looks_n++] = e;
	}
	return e;
}

static struct str kept(struct arena *a, struct str s)
{
	return s.p ? arena_str(a, s) : STR_NONE;
}

/* Takes the next entries, as many as fit a round. */
static void fill_round(struct slo_upload *u, struct slo_unpack *from, struct round *r)
{
	unsigned max = width_is_scarce() ? ROUND_SCARCE : ROUND_MAX;
	struct slo_entry e;

	*r = (struct round){ .mw = u->mw, .req = u->req, .arena = r->arena };
	r->in = arena_alloc(r->arena, max * sizeof *r->in);
	r->is = arena_alloc(r->arena, max * sizeof(struct slo_entry *));
	while (r->n < max && slo_unpack_next(from, &e)) {
		e.path = kept(r->arena, e.path);
		e.data = kept(r->arena, e.data);
		e.etag = kept(r->arena, e.etag);
		e.range = kept(r->arena, e.range);
		r->in[r->n] = e;
		r->is[r->n++] = e.path.p ? find_object(r, &u->found, e.path) : NULL;
	}
	slo_pack_drop(&u->in.pack, from);
}

/* ---- judging them ---- */

static void problem(struct slo_upload *u, const struct slo_entry *in, struct str what)
{
	CLEANUP(buf_done) struct buf name = BUF(64 * KIB);

	percent_encode(&name, in->path, S("/"));
	bulk_report_error(&u->report, buf_str(&name), what);
}

static void add_data(struct slo_upload *u, const struct slo_entry *in)
{
	char md5[MD5_HEX_SIZE];

	md5_hex(in->data, md5);
	digest_add(u->md5, md5, MD5_HEX_SIZE - 1);
	u->total += in->data.n;
	slo_pack_add(&u->found, in);
}

/* Which bytes the segment is: "N-M", or absent for all. False when there are none. */
static bool find_range(struct arena *a, const struct slo_entry *in, const struct slo_entry *is,
		       struct str *ret_range, uint64_t *ret_length)
{
	struct range r[RANGES_MAX];

	*ret_range = STR_NONE;
	*ret_length = is->size;
	if (!in->range.p)
		return true;
	if (ranges_parse(in->range, is->size, r) != 1)
		return false;
	*ret_length = r[0].last - r[0].first + 1;
	if (*ret_length != is->size)
		*ret_range = arena_printf(a, "%" PRIu64 "-%" PRIu64, r[0].first, r[0].last);
	return true;
}

/* Also one that is wrong: so that it is known when it comes again. */
static void add_object(struct slo_upload *u, const struct slo_entry *is, struct str range)
{
	struct slo_entry e = *is;

	e.range = range;
	slo_pack_add(&u->found, &e);
	digest_add(u->md5, e.etag.p, e.etag.n);
	if (!range.p)
		return;
	digest_add(u->md5, ":", 1);
	digest_add(u->md5, range.p, range.n);
	digest_add(u->md5, ";", 1);
}

static void judge_object(struct slo_upload *u, struct arena *a, const struct slo_entry *in,
			 const struct slo_entry *is, bool last)
{
	struct str range = STR_NONE;
	uint64_t length;

	if (is->status / 100 != 2) {
		problem(u, in, bulk_status(a, (int)is->status));
		add_object(u, is, STR_NONE);
		return;
	}
	if (!find_range(a, in, is, &range, &length))
		problem(u, in, S("Unsatisfiable Range"));
	if (length < 1 && !last)
		problem(u, in, S("Too small; each segment must be at least 1 byte."));
	if (in->sized && in->size != is->size)
		problem(u, in, S("Size Mismatch"));
	if (in->etag.p && !str_eq(in->etag, is->etag))
		problem(u, in, S("Etag Mismatch"));
	u->total += length;
	add_object(u, is, range);
}

static void judge(struct slo_upload *u, const struct round *r, unsigned first)
{
	for (unsigned i = 0; i < r->n; i++) {
		if (r->in[i].data.p)
			add_data(u, &r->in[i]);
		else
			judge_object(u, r->arena, &r->in[i], r->is[i],
				     first + i + 1 == u->in.n);
	}
}

/* All of them: 0 or -ECANCELED. */
waits static int look_at_all(struct slo_upload *u)
{
	CLEANUP(slo_unpack_done) struct slo_unpack from;
	unsigned done = 0;
	int rc = 0;

	slo_unpack_init(&from, &u->in.pack);
	while (rc == 0 && done < u->in.n) {
		AUTO(arena) a = arena_new();
		struct round r = { .arena = a };

		fill_round(u, &from, &r);
		assert(r.n > 0);
		rc = slo_each(r.looks_n, (unsigned)slo_conf.concurrency, look, &r);
		if (rc == 0)
			judge(u, &r, done);
		done += r.n;
	}
	return rc;
}

/* ---- storing ---- */

enum { TEXT_CHUNK = 4 * KIB };

/* The manifest's text, some entries at a time. */
struct text_body {
	struct body body;
	struct slo_unpack from;
	struct buf text;
	bool begun, ended;
};

static void write_object(struct buf *to, const struct slo_entry *e)
{
	CLEANUP(buf_done) struct buf name = BUF(SIZE_MAX / 2);
	struct str container = STR_NONE, object = STR_NONE;
	char date[ISO_DATE_SIZE];

	(void)segment_path_split(e->path, &container, &object);
	buf_addf(&name, "/%.*s/%.*s", STR(container), STR(object));
	clock_iso_us(e->modified * 1000000, date);
	buf_add_lit(to, "{\"name\": ");
	json_escape(to, buf_str(&name));
	buf_addf(to, ", \"bytes\": %" PRIu64 ", \"hash\": ", e->size);
	json_escape(to, e->etag);
	buf_add_lit(to, ", \"content_type\": ");
	json_escape(to, e->type);
	buf_addf(to, ", \"last_modified\": \"%s\"", date);
	if (e->range.p)
		buf_addf(to, ", \"range\": \"%.*s\"", STR(e->range));
	buf_add_str(to, e->slo ? S(", \"sub_slo\": true}") : S("}"));
}

static int text_next(struct body *b, struct str *ret_chunk)
{
	struct text_body *t = container_of(b, struct text_body, body);
	struct slo_entry e;

	if (t->ended)
		return 0;
	buf_clear(&t->text);
	while (!t->ended && t->text.n < TEXT_CHUNK) {
		t->ended = !slo_unpack_next(&t->from, &e);
		if (t->ended || !t->begun)
			buf_add_char(&t->text, t->begun ? ']' : '[');
		else
			buf_add_lit(&t->text, ", ");
		if (t->ended && !t->begun)
			buf_add_char(&t->text, ']');
		t->begun = true;
		if (t->ended)
			break;
		if (e.path.p) {
			write_object(&t->text, &e);
			continue;
		}
		buf_add_lit(&t->text, "{\"data\": \"");
		base64_encode(&t->text, e.data.p, e.data.n);
		buf_add_lit(&t->text, "\"}");
	}
	*ret_chunk = buf_str(&t->text);
	if (b->left >= 0)
		b->left -= (int64_t)ret_chunk->n;
	return 1;
}

static void text_begin(struct text_body *t, const struct slo_pack *p)
{
	*t = (struct text_body){ .body = { .next = text_next, .left = -1 },
				 .text = BUF(SIZE_MAX / 2) };
	slo_unpack_init(&t->from, p);
}

static void text_done(struct text_body *t)
{
	slo_unpack_done(&t->from);
	buf_done(&t->text);
}

/* How long it will be, and its MD5. */
static uint64_t measure(struct text_body *t, char *md5)
{
	struct digest *d = digest_new(DIGEST_MD5);
	unsigned char raw[MD5_SIZE];
	uint64_t n = 0;
	struct str chunk;

	while (text_next(&t->body, &chunk) > 0) {
		digest_add(d, chunk.p, chunk.n);
		n += chunk.n;
	}
	digest_final(d, raw);
	digest_free(d);
	hex_encode(raw, sizeof raw, md5);
	return n;
}

static void set_headers(struct slo_upload *u, uint64_t length, const char *md5, struct str etag)
{
	static const struct str override =
		STR_INIT("X-Object-Sysmeta-Container-Update-Override-Etag");
	struct request *req = u->req;
	struct headers *h = &req->headers;
	struct str rest = headers_get(h, override), value = str_cut(&rest, ';');
	struct str type = headers_get_lit(h, "Content-Type");

	headers_setf(h, SLO_ETAG, "%.*s", STR(etag));
	headers_setf(h, SLO_SIZE, "%" PRIu64, u->total);
	headers_set(h, S("X-Static-Large-Object"), S("True"));
	headers_set(h, S("ETag"), str_from(md5));
	headers_remove(h, S("Content-MD5"));
	/* Listings get both; what a middleware in front of us said stays. */
	headers_setf(h, override, "%.*s%s%.*s; slo_etag=%.*s", STR(value.n ? value : str_from(md5)),
		     rest.p ? ";" : "", STR(rest), STR(etag));
	if (!type.n)
		type = mime_guess(proxy_request(req)->path.object);
	if (!type.n)
		type = S("application/octet-stream");
	headers_setf(h, S("Content-Type"), "%.*s;swift_bytes=%" PRIu64, STR(type), u->total);
	headers_remove(h, S("X-Detect-Content-Type"));
	proxy_request(req)->content_type_overridden = true;
	headers_setf(h, S("Content-Length"), "%" PRIu64, length);
	req->content_length = (int64_t)length;
	req->chunked = req->expect_continue = false;
}

waits static void store(struct slo_upload *u, struct response *res, struct str etag)
{
	char md5[MD5_HEX_SIZE];
	struct text_body t;

	text_begin(&t, &u->found);
	uint64_t length = measure(&t, md5);

	text_done(&t);
	if (length > 3 * slo_conf.max_manifest_size +
			     (size_t)slo_conf.max_manifest_segments * 8 * KIB) {
		respond_status(res, 413);
		return;
	}
	text_begin(&t, &u->found);
	t.body.left = (int64_t)length;
	u->req->body = &t.body;
	u->stored = true;
	set_headers(u, length, md5, etag);
	middleware_next(u->mw, u->req, res);
	u->req->body = body_empty(u->req->arena);
	text_done(&t);
	if (res->status / 100 == 2)
		headers_setf(&res->headers, S("Etag"), "\"%.*s\"", STR(etag));
}

/* ---- answers ---- */

static void respond_problems(struct slo_upload *u, struct response *res)
{
	CLEANUP(buf_done) struct buf text = BUF(64 * MIB);

	bulk_report_print(&u->report, u->type, "upload", &text);
	respond(res, 400, u->type, arena_str(u->req->arena, buf_str(&text)));
	res->content_length = -1;
}

/* Everything behind the manifest's parsing. The answer is in res, errors of segments in the report.
 */
waits static void run(struct slo_upload *u, struct response *res)
{
	struct str promised = str_trim(headers_get_lit(&u->req->headers, "ETag"));
	unsigned char md5[MD5_SIZE];
	char etag[MD5_HEX_SIZE];

	u->md5 = digest_new(DIGEST_MD5);
	if (look_at_all(u) < 0) {
		respond_status(res, 499);
		return;
	}
	digest_final(u->md5, md5);
	hex_encode(md5, sizeof md5, etag);
	promised = etag_unquoted(promised);
	if (u->report.error_n)
		respond_status(res, 400);
	else if (promised.n && !str_eq(promised, str_from(etag)))
		respond_status(res, 422);
	else
		store(u, res, arena_str(u->req->arena, str_from(etag)));
}

static void upload_done(void *arg)
{
	struct slo_upload *u = arg;

	digest_free(u->md5);
	u->md5 = NULL;
	slo_inputs_done(&u->in);
	slo_pack_done(&u->found);
}

/* "<html><h1>Bad Request</h1><p>The server …</p></html>" as the two lines that Swift tells here. */
static struct str untagged(struct arena *a, struct str html)
{
	ssize_t middle = str_find(html, S("</h1><p>"));
	struct str begin = S("<html><h1>"), end = S("</p></html>");

	if (!str_starts(html, begin) || !str_ends(html, end) || middle < 0)
		return html;
	struct str title = str_skip(str_head(html, (size_t)middle), begin.n);
	struct str text =
		str_skip(str_head(html, html.n - end.n), (size_t)middle + strlen("</h1><p>"));

	return arena_printf(a, "%.*s\n%.*s", STR(title), STR(text));
}

/* What would have been the answer's body. */
waits static struct str read_text(const struct slo_upload *u, struct response *res)
{
	CLEANUP(buf_done) struct buf text = BUF(64 * KIB);
	struct arena *a = u->req->arena;

	if (res->body && body_read_all(res->body, &text) < 0)
		buf_clear(&text);
	body_close(res->body);
	struct str body = arena_str(a, buf_str(&text));

	return u->stored ? body : untagged(a, body);
}

/* The work behind a 202. Its answer is told in the report. */
waits static void work(void *arg, struct buf *result)
{
	struct slo_upload *u = arg;
	struct arena *a = u->req->arena;
	struct response res;

	response_init(&res, a);
	run(u, &res);
	struct str text = read_text(u, &res);

	bulk_report_text(&u->report, S("Response Status"), bulk_status(a, res.status));
	if (res.status / 100 == 2) {
		bulk_report_text(&u->report, S("Etag"), headers_get_lit(&res.headers, "ETag"));
		bulk_report_text(&u->report, S("Last Modified"),
				 headers_get_lit(&res.headers, "Last-Modified"));
	}
	bulk_report_text(&u->report, S("Response Body"), text);
	bulk_report_print(&u->report, u->type, "upload", result);
}

static void respond_with_heartbeat(struct slo_upload *u, struct response *res)
{
	struct heartbeat h = { .work = work,
			       .arg = u,
			       .done = upload_done,
			       .result_max = 64 * MIB,
			       .every_ms = slo_conf.yield_frequency,
			       .first = S(" "),
			       .beat = S(" "),
			       .separator = S("\r\n\r\n"),
			       .at_once = true };

	respond(res, 202, u->type, STR_NONE);
	res->body = heartbeat_body(u->req->arena, &h);
	res->content_length = -1;
}

/* ---- the request ---- */

/* All that comes: 0, -EFBIG or the body's error. */
waits static int read_inputs(struct slo_upload *u)
{
	struct request *req = u->req;
	uint64_t n = 0;
	struct str chunk;
	int rc;

	if (!req->chunked && req->content_length > (int64_t)slo_conf.max_manifest_size)
		return -EFBIG;
	while ((rc = body_next(req->body, &chunk)) > 0) {
		n += chunk.n;
		if (n > slo_conf.max_manifest_size)
			return -EFBIG;
		slo_inputs_feed(&u->in, chunk);
	}
	return rc;
}

/* 0, or the answer is filled. */
waits static int read_manifest(struct slo_upload *u, struct response *res)
{
	struct request *req = u->req;
	struct str errors = STR_NONE;
	int rc;

	if (headers_get_lit(&req->headers, "X-Copy-From").n) {
		respond_text(res, 405, "Multipart Manifest PUTs cannot be COPY requests");
		return -EINVAL;
	}
	if (!req->chunked && !headers_has(&req->headers, S("Content-Length"))) {
		respond_status(res, 411);
		return -EINVAL;
	}
	rc = read_inputs(u);
	if (rc == -EFBIG) {
		respond_text(res, 413, "Manifest File > %" PRIu64 " bytes",
			     slo_conf.max_manifest_size);
		return rc;
	}
	if (rc < 0) {
		proxy_respond_error(req, res, rc);
		return rc;
	}
	rc = slo_inputs_end(&u->in, req->arena, &errors);
	if (rc < 0) {
		respond(res, 400,
			rc == -EBADMSG ? S("text/html; charset=UTF-8") : S("text/plain"), errors);
	} else if (u->in.objects > slo_conf.max_manifest_segments) {
		respond_text(res, 413, "Number of object-backed segments must be <= %" PRId64,
			     slo_conf.max_manifest_segments);
		rc = -E2BIG;
	}
	return rc;
}

void slo_put(struct middleware *mw, struct request *req, struct response *res)
{
	struct slo_upload *u = arena_zalloc(req->arena, sizeof *u);
	const struct swift_path *p = &proxy_request(req)->path;

	*u = (struct slo_upload){ .mw = mw, .req = req };
	slo_inputs_init(&u->in,
			arena_printf(req->arena, "%.*s/%.*s", STR(p->container), STR(p->object)),
			(uint64_t)slo_conf.max_manifest_segments);
	slo_pack_init(&u->found);
	if (read_manifest(u, res) < 0) {
		upload_done(u);
		return;
	}
	if (bulk_report_type(headers_get_lit(&req->headers, "Accept"), &u->type) < 0)
		u->type = S("text/plain");
	bulk_report_init(&u->report, req->arena);
	if (str_is_true(request_query_lit(req, "heartbeat"))) {
		respond_with_heartbeat(u, res);
		return;
	}
	run(u, res);
	if (u->report.error_n)
		respond_problems(u, res);
	upload_done(u);
}
