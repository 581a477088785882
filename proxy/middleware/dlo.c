/* Dynamic large objects: X-Object-Manifest names a container and a prefix, and the object is
 * whatever the listing of that prefix has. Listings are read a page at a time, once for length and
 * ETag, once more while the bytes go out, so nothing grows with the number of segments. Swift:
 * common/middleware/dlo.py; docs/swift/large-objects.md */
#include "lib/base/clock.h"
#include "lib/base/encode.h"
#include "lib/crypto/digest.h"
#include "lib/log/log.h"
#include "lib/swift/conditional.h"
#include "proxy/middleware/kinds.h"
#include "proxy/middleware/segments.h"
#include "proxy/proxy_conf.h"

#include <jansson.h>

enum { PAGE_ROWS = 50, PAGE_MAX = 8 * MIB };

struct dlo_conf {
	uint64_t max_get_time;
};
static struct dlo_conf conf;
static const struct conf_option options[] = {
	OPT_DURATION(struct dlo_conf, max_get_time, "1d", 0, INT64_MAX / 2,
		     "How long one GET of a large object may take; 0: any time."),
	OPT_END,
};
static const struct conf_section section = {
	.name = "dlo",
	.help = "Dynamic large objects.",
	.options = options,
	.into = &conf,
	.size = sizeof conf,
};

/* ---- listings ---- */

struct row {
	struct str name;
	uint64_t bytes;
};

/* Some rows of the listing; the first page is kept, for most objects have no other. */
struct page {
	struct arena *arena;
	struct row *v;
	unsigned n;
	bool last;
};

static void page_done(struct page *p)
{
	arena_free(p->arena);
	*p = (struct page){ 0 };
}

struct dlo {
	struct middleware *mw;
	struct request *req;
	struct str container, prefix;
	struct page first;
	uint64_t size;
	bool complete; /* size and ETag are of all segments */
	char etag[MD5_HEX_SIZE];
	int error;
	struct body *early; /* the first of several ranges */
};

static struct str member(const json_t *item, const char *key)
{
	const json_t *v = json_object_get(item, key);

	return json_is_string(v) ? str_of(json_string_value(v), json_string_length(v)) : STR_NONE;
}

/* The ETags go to the digest, if there is one: nobody asks for them later. */
static int parse_page(struct page *p, struct str text, struct digest *md5)
{
	json_error_t error;
	json_t *root = json_loadb(text.p, text.n, JSON_ALLOW_NUL, &error);
	int rc = json_is_array(root) ? 0 : -EBADMSG;

	p->n = 0;
	p->v = arena_zalloc(p->arena, (json_array_size(root) + 1) * sizeof *p->v);
	p->last = json_array_size(root) < PAGE_ROWS;
	for (size_t i = 0; rc == 0 && i < json_array_size(root); i++) {
		const json_t *item = json_array_get(root, i),
			     *bytes = json_object_get(item, "bytes");
		struct str name = member(item, "name"), hash = etag_unquoted(member(item, "hash"));

		if (!name.n || !json_is_integer(bytes) || json_integer_value(bytes) < 0)
			rc = -EBADMSG;
		p->v[p->n++] = (struct row){ arena_str(p->arena, name),
					     (uint64_t)json_integer_value(bytes) };
		if (md5)
			digest_add(md5, hash.p, hash.n);
	}
	json_decref(root);
	return rc;
}

/* Reads the page behind marker. 0, or negative; then *refusal is what was answered (if anything),
 * and in the arena of the request only if that is asked for. */
waits static int ask_page(struct dlo *d, struct str marker, struct page *ret, struct digest *md5,
			  struct response *refusal)
{
	struct page p = { .arena = arena_new() };
	CLEANUP(buf_done) struct buf query = BUF(64 * KIB), text = BUF(PAGE_MAX);
	AUTO(arena) own = refusal ? NULL : arena_new();
	struct arena *a = refusal ? d->req->arena : own;
	struct response res;

	buf_addf(&query, "format=json&limit=%d&prefix=", PAGE_ROWS);
	percent_encode(&query, d->prefix, S(""));
	buf_add_lit(&query, "&marker=");
	percent_encode(&query, marker, S(""));
	struct request *get = proxy_subrequest_in(
		a, d->req, HTTP_GET, proxy_request(d->req)->path.account, d->container, STR_NONE,
		arena_str(a, buf_str(&query)), S("DLO"));

	middleware_call(d->mw, get, &res);
	int rc = res.status / 100 != 2 ? -ENOENT
		 : res.body            ? body_read_all(res.body, &text)
				       : -EBADMSG;

	if (rc == -ENOENT && refusal) {
		*refusal = res;
	} else {
		body_close(res.body);
	}
	if (rc == 0)
		rc = parse_page(&p, buf_str(&text), md5);
	if (rc < 0)
		page_done(&p);
	else
		*ret = p;
	return rc;
}

/* A refusal is asked for again where it is needed: pages have no room for it. */
waits static int read_page(struct dlo *d, struct str marker, struct page *ret, struct digest *md5,
			   struct response *refusal)
{
	int rc = ask_page(d, marker, ret, md5, NULL);

	return rc == -ENOENT && refusal ? ask_page(d, marker, ret, md5, refusal) : rc;
}

static void add_sizes(struct dlo *d, const struct page *p)
{
	for (unsigned i = 0; i < p->n; i++)
		d->size += p->v[i].bytes;
}

/* Length and ETag of all segments, or of as many as Swift would look at: one full listing. */
waits static int measure(struct dlo *d, struct response *refusal)
{
	unsigned limit = proxy_request(d->req)->proxy->conf->limits.container_listing_limit, rows;
	AUTO(digest) md5 = digest_new(DIGEST_MD5);
	unsigned char raw[MD5_SIZE];
	struct page page;
	int rc = read_page(d, STR_NONE, &d->first, md5, refusal);

	if (rc < 0)
		return rc;
	page = d->first;
	rows = page.n;
	add_sizes(d, &page);
	while (!page.last && page.v && page.n > 0 && rows < limit) {
		struct str marker = arena_str(page.arena, page.v[page.n - 1].name);
		struct page next;

		rc = read_page(d, marker, &next, md5, NULL);
		if (page.arena != d->first.arena)
			page_done(&page);
		if (rc < 0)
			return rc;
		page = next;
		rows += page.n;
		add_sizes(d, &page);
	}
	d->complete = page.last;
	if (page.arena != d->first.arena)
		page_done(&page);
	digest_final(md5, raw);
	hex_encode(raw, sizeof raw, d->etag);
	return 0;
}

/* ---- pieces ---- */

struct dlo_source {
	struct piece_source source;
	struct dlo *d;
	struct page page; /* the first one belongs to d */
	unsigned at;
	uint64_t skip, left; /* left: UINT64_MAX for everything */
};

static void let_page_go(struct dlo_source *s)
{
	if (s->page.arena != s->d->first.arena)
		page_done(&s->page);
}

waits static int turn_page(struct dlo_source *s)
{
	struct page next;

	if (s->page.last || s->page.n == 0)
		return 0;
	int rc = read_page(s->d, s->page.v[s->page.n - 1].name, &next, NULL, NULL);

	if (rc < 0) {
		log_error("%.*s: the listing of its segments broke off", STR(s->d->req->path));
		return rc == -ECANCELED ? rc : -EHOSTDOWN;
	}
	let_page_go(s);
	s->page = next;
	s->at = 0;
	return 1;
}

waits static int source_next(struct piece_source *source, struct piece *ret)
{
	struct dlo_source *s = container_of(source, struct dlo_source, source);

	while (s->left) {
		if (s->at == s->page.n) {
			int rc = turn_page(s);

			if (rc <= 0)
				return rc;
			continue;
		}
		const struct row *r = &s->page.v[s->at++];

		if (s->skip >= r->bytes) {
			s->skip -= r->bytes;
			continue;
		}
		*ret = (struct piece){ .container = s->d->container,
				       .object = r->name,
				       .size = r->bytes,
				       .first = s->skip,
				       .length = MIN(r->bytes - s->skip, s->left) };
		if (s->left != UINT64_MAX)
			s->left -= ret->length;
		s->skip = 0;
		return 1;
	}
	return 0;
}

waits static void source_close(struct piece_source *source)
{
	let_page_go(container_of(source, struct dlo_source, source));
}

waits static struct body *open_bytes(struct dlo *d, uint64_t first, uint64_t length)
{
	struct dlo_source *s = arena_zalloc(d->req->arena, sizeof *s);
	struct segments segments = { .mw = d->mw,
				     .req = d->req,
				     .source = &s->source,
				     .tag = S("DLO"),
				     .length = length,
				     .length_unknown = length == UINT64_MAX,
				     .time_max_ms = conf.max_get_time };
	struct body *b = NULL;

	*s = (struct dlo_source){ .source = { .next = source_next, .close = source_close },
				  .d = d,
				  .page = d->first,
				  .skip = first,
				  .left = length };
	d->error = segments_open(&segments, &b);
	return d->error < 0 ? NULL : b;
}

task_asserted static struct body *open_range(void *arg, uint64_t first, uint64_t last)
{
	struct dlo *d = arg;

	return d->early ? TAKE(d->early) : open_bytes(d, first, last - first + 1);
}

/* ---- the answer ---- */

/* Keeps the first page while bytes are read by it. */
struct held {
	struct body body, *inner;
	struct dlo *d;
};

waits static int held_next(struct body *b, struct str *ret_chunk)
{
	struct held *h = container_of(b, struct held, body);
	int rc = body_next(h->inner, ret_chunk);

	b->left = h->inner->left;
	return rc;
}

waits static void dlo_done(struct dlo *d)
{
	body_close(d->early);
	d->early = NULL;
	page_done(&d->first);
}

waits static void held_close(struct body *b)
{
	struct held *h = container_of(b, struct held, body);

	body_close(h->inner);
	dlo_done(h->d);
}

static void hold(struct dlo *d, struct response *res)
{
	struct held *h = arena_zalloc(d->req->arena, sizeof *h);

	*h = (struct held){ .inner = res->body, .d = d };
	h->body = (struct body){ .next = held_next, .close = held_close, .left = res->body->left };
	res->body = &h->body;
}

static int64_t last_modified(const struct response *res)
{
	int64_t s = 0;

	return clock_http_date_parse(headers_get_lit(&res->headers, "Last-Modified"), &s) == 0 ? s
											       : 0;
}

/* More segments than one listing shows: neither length nor ETag is known, so the whole is sent. */
waits static void respond_unmeasured(struct dlo *d, struct response *res)
{
	int status = conditional_status(&d->req->headers, 200, STR_NONE, last_modified(res));

	res->body = NULL;
	res->status = status ? status : 200;
	res->content_length = status ? 0 : -1;
	if (!status && d->req->method == HTTP_GET)
		res->body = open_bytes(d, 0, UINT64_MAX);
}

waits static void respond_measured(struct dlo *d, struct response *res)
{
	struct entity e = {
		.size = d->size, .last_modified = last_modified(res), .open = open_range, .arg = d
	};
	struct range ranges[RANGES_MAX];

	headers_setf(&res->headers, S("Etag"), "\"%s\"", d->etag);
	e.etag = headers_get_lit(&res->headers, "ETag");
	conditional_respond(d->req, res, &e);
	if (d->error == 0 && d->req->method == HTTP_GET && res->status == 206 &&
	    ranges_parse(headers_get_lit(&d->req->headers, "Range"), d->size, ranges) > 1)
		d->early = open_bytes(d, ranges[0].first, ranges[0].last - ranges[0].first + 1);
}

waits static void respond_content(struct dlo *d, struct response *res)
{
	struct response refusal = { 0 };
	int rc = measure(d, &refusal);

	if (rc < 0) {
		dlo_done(d);
		if (refusal.status)
			*res = refusal;
		else
			respond_status(res, rc == -ECANCELED ? 499 : 503);
		return;
	}
	res->reason = STR_NONE;
	headers_remove(&res->headers, S("Content-Range"));
	if (d->complete)
		respond_measured(d, res);
	else
		respond_unmeasured(d, res);
	if (d->error < 0) {
		body_close(res->body);
		res->body = NULL;
		headers_remove(&res->headers, S("Content-Range"));
		headers_remove(&res->headers, S("ETag"));
		respond_status(res, segments_status(d->error));
	}
	if (res->body && res->status / 100 == 2)
		hold(d, res);
	else
		dlo_done(d);
}

waits static void get(struct middleware *mw, struct request *req, struct response *res)
{
	static const struct str ignore = STR_INIT("X-Backend-Ignore-Range-If-Metadata-Present");
	struct str old = headers_get(&req->headers, ignore);

	if (old.n)
		headers_setf(&req->headers, ignore, "%.*s,X-Object-Manifest", STR(old));
	else
		headers_set(&req->headers, ignore, S("X-Object-Manifest"));
	middleware_next(mw, req, res);
	struct str manifest = headers_get_lit(&res->headers, "X-Object-Manifest");

	if (!manifest.n)
		return;
	struct dlo *d = arena_zalloc(req->arena, sizeof *d);

	d->mw = mw;
	d->req = req;
	d->prefix = percent_decode(req->arena, manifest);
	d->container = str_cut(&d->prefix, '/');
	body_close(res->body);
	res->body = NULL;
	respond_content(d, res);
}

static bool is_manifest_good(struct str value)
{
	struct str prefix = value, container = str_cut(&prefix, '/');

	return container.n && prefix.n && prefix.p[0] != '/' && str_chr(value, '?') < 0 &&
	       str_chr(value, '&') < 0;
}

waits static void handle(struct middleware *mw, struct request *req, struct response *res)
{
	bool reading = req->method == HTTP_GET || req->method == HTTP_HEAD;
	bool object = proxy_request(req)->path.object.n;

	if (object && reading && !str_eq(request_query_lit(req, "multipart-manifest"), S("get")))
		get(mw, req, res);
	else if (object && req->method == HTTP_PUT &&
		 headers_has(&req->headers, S("X-Object-Manifest")) &&
		 !is_manifest_good(headers_get_lit(&req->headers, "X-Object-Manifest")))
		respond_html(res, 400, "X-Object-Manifest must be in the format container/prefix");
	else
		middleware_next(mw, req, res);
}

const struct middleware_kind middleware_dlo = {
	.name = "dlo",
	.section = &section,
	.handle = handle,
};
