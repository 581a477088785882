/* PUT ?multipart-manifest=put: looks at every segment, then stores the manifest with what it found.
 * Swift: handle_multipart_put in common/middleware/slo.py */
#include "lib/base/clock.h"
#include "lib/base/encode.h"
#include "lib/base/map.h"
#include "lib/crypto/digest.h"
#include "lib/swift/conditional.h"
#include "lib/swift/metadata.h"
#include "proxy/middleware/bulk_report.h"
#include "proxy/middleware/heartbeat.h"
#include "proxy/middleware/slo.h"

/* What a HEAD told of an object. */
struct seen {
	struct str path;
	int status;
	uint64_t size;
	struct str etag, type;
	int64_t modified;
	bool slo;
};

struct slo_upload {
	struct middleware *mw;
	struct request *req;
	struct slo_inputs in;
	struct seen *seen; /* the distinct objects, */
	unsigned *seen_of; /* and which of them a segment is */
	unsigned seen_n;
	struct str type; /* of reports */
	struct bulk_report report;
	uint64_t total;
	bool stored; /* what is behind us answered */
	struct digest *md5; /* of the segments' ETags */
	struct buf json; /* the manifest that is stored */
};

/* ---- looking at the segments ---- */

static void note(struct slo_upload *u, struct seen *s, const struct response *res)
{
	struct str rest = headers_get_lit(&res->headers, "Content-Type");

	s->status = res->status;
	if (res->status / 100 != 2)
		return;
	s->size = res->content_length > 0 ? (uint64_t)res->content_length : 0;
	s->etag = arena_str(u->req->arena, etag_unquoted(headers_get_lit(&res->headers, "ETag")));
	s->type = arena_str(u->req->arena, str_trim(str_cut(&rest, ';')));
	s->slo = slo_is_manifest(res);
	if (clock_http_date_parse(headers_get_lit(&res->headers, "Last-Modified"), &s->modified) <
	    0)
		s->modified = clock_wall_s();
}

waits static void look(void *arg, unsigned i)
{
	struct slo_upload *u = arg;
	struct seen *s = &u->seen[i];
	AUTO(arena) a = arena_new();
	struct str container, object;
	struct response res;

	s->status = 404;
	if (!segment_path_split(s->path, &container, &object))
		return;
	struct request *head =
		proxy_subrequest_in(a, u->req, HTTP_HEAD, proxy_request(u->req)->path.account,
				    container, object, STR_NONE, S("SLO"));

	/* Segments may be large objects themselves, so this middleware is asked. */
	response_init(&res, a);
	u->mw->kind->handle(u->mw, head, &res);
	body_close(res.body);
	note(u, s, &res);
}

static void find_distinct(struct slo_upload *u)
{
	struct map *known = map_new();

	u->seen = arena_zalloc(u->req->arena, (u->in.objects + 1) * sizeof *u->seen);
	u->seen_of = arena_zalloc(u->req->arena, (u->in.n + 1) * sizeof *u->seen_of);
	for (unsigned i = 0; i < u->in.n; i++) {
		if (!u->in.v[i].path.p)
			continue;
		struct seen *s = map_get(known, u->in.v[i].path);

		if (!s) {
			s = &u->seen[u->seen_n++];
			s->path = u->in.v[i].path;
			map_put(known, s->path, s);
		}
		u->seen_of[i] = (unsigned)(s - u->seen);
	}
	map_free(known, NULL);
}

/* ---- judging them, and writing the manifest ---- */

static void problem(struct slo_upload *u, const struct slo_input *in, struct str what)
{
	CLEANUP(buf_done) struct buf name = BUF(64 * KIB);

	percent_encode(&name, in->path, S("/"));
	bulk_report_error(&u->report, buf_str(&name), what);
}

static void add_data(struct slo_upload *u, const struct slo_input *in)
{
	char md5[MD5_HEX_SIZE];

	md5_hex(in->data, md5);
	digest_add(u->md5, md5, MD5_HEX_SIZE - 1);
	u->total += in->data.n;
	buf_add_lit(&u->json, "{\"data\": \"");
	base64_encode(&u->json, in->data.p, in->data.n);
	buf_add_lit(&u->json, "\"}");
}

static void write_object(struct slo_upload *u, const struct slo_input *in, const struct seen *s,
			 struct str range)
{
	struct str container = STR_NONE, object = STR_NONE;
	char date[ISO_DATE_SIZE];

	(void)segment_path_split(in->path, &container, &object);
	clock_iso_us(s->modified * 1000000, date);
	buf_add_lit(&u->json, "{\"name\": ");
	json_escape(&u->json,
		    arena_printf(u->req->arena, "/%.*s/%.*s", STR(container), STR(object)));
	buf_addf(&u->json, ", \"bytes\": %" PRIu64 ", \"hash\": ", s->size);
	json_escape(&u->json, s->etag);
	buf_add_lit(&u->json, ", \"content_type\": ");
	json_escape(&u->json, s->type);
	buf_addf(&u->json, ", \"last_modified\": \"%s\"", date);
	if (range.p)
		buf_addf(&u->json, ", \"range\": \"%.*s\"", STR(range));
	buf_add_str(&u->json, s->slo ? S(", \"sub_slo\": true}") : S("}"));
	digest_add(u->md5, s->etag.p, s->etag.n);
	if (!range.p)
		return;
	digest_add(u->md5, ":", 1);
	digest_add(u->md5, range.p, range.n);
	digest_add(u->md5, ";", 1);
}

/* Which bytes the segment is: "N-M", or absent for all. False when there are none. */
static bool find_range(struct slo_upload *u, const struct slo_input *in, const struct seen *s,
		       struct str *ret_range, uint64_t *ret_length)
{
	struct range r[RANGES_MAX];

	*ret_range = STR_NONE;
	*ret_length = s->size;
	if (!in->range.p)
		return true;
	if (ranges_parse(in->range, s->size, r) != 1)
		return false;
	*ret_length = r[0].last - r[0].first + 1;
	if (*ret_length != s->size)
		*ret_range =
			arena_printf(u->req->arena, "%" PRIu64 "-%" PRIu64, r[0].first, r[0].last);
	return true;
}

static void add_object(struct slo_upload *u, const struct slo_input *in, const struct seen *s,
		       bool last)
{
	struct str range;
	uint64_t length;

	if (s->status / 100 != 2) {
		problem(u, in, bulk_status(u->req->arena, s->status));
		return;
	}
	if (!find_range(u, in, s, &range, &length))
		problem(u, in, S("Unsatisfiable Range"));
	if (length < 1 && !last)
		problem(u, in, S("Too small; each segment must be at least 1 byte."));
	if (in->sized && in->size_bytes != s->size)
		problem(u, in, S("Size Mismatch"));
	if (in->etag.p && !str_eq(in->etag, s->etag))
		problem(u, in, S("Etag Mismatch"));
	u->total += length;
	write_object(u, in, s, range);
}

static void judge(struct slo_upload *u)
{
	buf_add_char(&u->json, '[');
	for (unsigned i = 0; i < u->in.n; i++) {
		const struct slo_input *in = &u->in.v[i];

		if (i)
			buf_add_lit(&u->json, ", ");
		if (in->data.p)
			add_data(u, in);
		else
			add_object(u, in, &u->seen[u->seen_of[i]], i + 1 == u->in.n);
	}
	buf_add_char(&u->json, ']');
}

/* ---- storing ---- */

static void set_headers(struct slo_upload *u, struct str json, struct str etag)
{
	static const struct str override =
		STR_INIT("X-Object-Sysmeta-Container-Update-Override-Etag");
	struct request *req = u->req;
	struct headers *h = &req->headers;
	struct str rest = headers_get(h, override), value = str_cut(&rest, ';');
	struct str type = headers_get_lit(h, "Content-Type");
	char md5[MD5_HEX_SIZE];

	md5_hex(json, md5);
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
	headers_setf(h, S("Content-Length"), "%zu", json.n);
	req->content_length = (int64_t)json.n;
	req->chunked = req->expect_continue = false;
	req->body = body_bytes(req->arena, json);
}

waits static void store(struct slo_upload *u, struct response *res, struct str etag)
{
	struct str json = arena_str(u->req->arena, buf_str(&u->json));

	buf_done(&u->json);
	u->json = BUF(0);
	u->stored = true;
	set_headers(u, json, etag);
	middleware_next(u->mw, u->req, res);
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
	u->json = BUF(3 * slo_conf.max_manifest_size +
		      (size_t)slo_conf.max_manifest_segments * 8 * KIB);
	find_distinct(u);
	if (slo_each(u->seen_n, (unsigned)slo_conf.concurrency, look, u) < 0) {
		respond_status(res, 499);
		return;
	}
	judge(u);
	digest_final(u->md5, md5);
	hex_encode(md5, sizeof md5, etag);
	promised = etag_unquoted(promised);
	if (u->report.error_n)
		respond_status(res, 400);
	else if (buf_failed(&u->json))
		respond_status(res, 413);
	else if (promised.n && !str_eq(promised, str_from(etag)))
		respond_status(res, 422);
	else
		store(u, res, arena_str(u->req->arena, str_from(etag)));
}

static void upload_done(struct slo_upload *u)
{
	digest_free(u->md5);
	u->md5 = NULL;
	buf_done(&u->json);
	u->json = BUF(0);
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
	upload_done(u);
}

static void respond_with_heartbeat(struct slo_upload *u, struct response *res)
{
	struct heartbeat h = { .work = work,
			       .arg = u,
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

/* 0, or the answer is filled. */
waits static int read_manifest(struct slo_upload *u, struct response *res)
{
	struct request *req = u->req;
	const struct swift_path *p = &proxy_request(req)->path;
	CLEANUP(buf_done) struct buf text = BUF(slo_conf.max_manifest_size);
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
	bool fits = req->chunked || req->content_length <= (int64_t)slo_conf.max_manifest_size;

	rc = fits ? body_read_all(req->body, &text) : -EFBIG;
	if (rc == -EFBIG) {
		respond_text(res, 413, "Manifest File > %" PRIu64 " bytes",
			     slo_conf.max_manifest_size);
		return rc;
	}
	if (rc < 0) {
		proxy_respond_error(req, res, rc);
		return rc;
	}
	struct str self = arena_printf(req->arena, "%.*s/%.*s", STR(p->container), STR(p->object));

	rc = slo_inputs_parse(req->arena, buf_str(&text), self, &u->in, &errors);
	if (rc < 0)
		respond(res, 400,
			rc == -EBADMSG ? S("text/html; charset=UTF-8") : S("text/plain"), errors);
	return rc;
}

void slo_put(struct middleware *mw, struct request *req, struct response *res)
{
	struct slo_upload *u = arena_zalloc(req->arena, sizeof *u);

	*u = (struct slo_upload){ .mw = mw, .req = req };
	if (read_manifest(u, res) < 0)
		return;
	if (u->in.objects > slo_conf.max_manifest_segments) {
		respond_text(res, 413, "Number of object-backed segments must be <= %" PRId64,
			     slo_conf.max_manifest_segments);
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
