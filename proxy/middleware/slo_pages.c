/* Pages of manifests: reading one, and the next one when it is used up. */
#include "proxy/middleware/slo_pages.h"
#include "lib/log/log.h"
#include "lib/swift/conditional.h"

enum {
	PAGE_SEGMENTS = 32,
	PAGE_BYTES = 8 * KIB,           /* of the text, asked for at once */
	REST_MAX = 64 * KIB,            /* is read to its end for the connection's sake */
};

static void keep(struct arena *a, struct slo_segment *s)
{
	struct str *const texts[] = { &s->name, &s->hash, &s->data };

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (texts[i]->p)
			*texts[i] = arena_str(a, *texts[i]);
}

/* Fills the page from a text that begins at p->next. What the walk passes over is left out. 0 with
 * p->next moved on, maybe without having found a whole entry. */
waits static int fill(struct slo_pages *p, struct body *text)
{
	CLEANUP(slo_reader_done) struct slo_reader r;
	struct slo_manifest *m = p->page;
	struct str bytes = STR_NONE;
	int rc = 0;

	slo_reader_init(&r, p->next);
	while (m->n < PAGE_SEGMENTS && rc >= 0 && !r.ended) {
		struct slo_segment s;

		if (bytes.n == 0 && (rc = body_next(text, &bytes)) <= 0)
			break;
		uint64_t left = m->n ? 0 : p->walk.skip;

		/* Measured first: what is passed over takes no memory. */
		rc = slo_reader_next(&r, &bytes, left ? NULL : m->arena, &s);
		if (rc <= 0)
			continue;
		p->next = r.offset;
		if (left >= s.length && left > 0) {
			p->walk.skip -= s.length;
			p->from_start = false;
			continue;
		}
		if (left)
			keep(m->arena, &s);
		m->v[m->n++] = s;
	}
	p->last = r.ended;
	return rc < 0 ? rc : 0;
}

static void page_new(struct slo_pages *p)
{
	struct arena *a = arena_new();
	struct slo_manifest *m = arena_zalloc(a, sizeof *m);

	slo_manifest_free(p->page);
	m->arena = a;
	m->v = arena_alloc(a, PAGE_SEGMENTS * sizeof *m->v);
	p->page = m;
	p->from_start = p->next == 0;
	p->walk.m = m;
	p->walk.at = 0;
}

/* Whoever gets an error in the middle of a body can only break off; before it, there is a status
 * for each. */
static int reason(int rc)
{
	return rc == -EBADMSG || rc == -EFBIG ? -EBADMSG : rc == -ECANCELED ? rc : -EHOSTDOWN;
}

/* What an answer to "bytes=…" says: 0, or why it is of no use. */
static int check(const struct slo_pages *p, const struct response *res)
{
	struct str etag = headers_get_lit(&res->headers, "ETag");

	if (res->status / 100 == 5)
		return -EHOSTDOWN;
	if (task_cancelled())
		return -ECANCELED;
	if (res->status == 206 && (!p->etag.n || str_eq(etag_unquoted(etag), p->etag)))
		return 0;
	return -ESTALE;
}

/* Asks for bytes of the text: 0, or negative (and logged). */
waits static int ask(struct slo_pages *p, uint64_t bytes)
{
	AUTO(arena) a = arena_new();
	struct request *get = proxy_subrequest_in(a, p->req, HTTP_GET,
						  proxy_request(p->req)->path.account, p->container,
						  p->object, p->query, S("SLO"));
	struct response res;

	headers_setf(&get->headers, S("Range"), "bytes=%" PRIu64 "-%" PRIu64, p->next,
		     p->next + bytes - 1);
	middleware_call(p->mw, get, &res);
	int rc = check(p, &res);

	if (rc < 0)
		log_error("%.*s: manifest %.*s/%.*s: got %d for its bytes from %" PRIu64 " on",
			  STR(p->req->path), STR(p->container), STR(p->object), res.status,
			  p->next);
	else
		rc = res.body ? fill(p, res.body) : 0;
	if (rc == 0 && res.body)
		(void)!body_drain(res.body, REST_MAX);
	body_close(res.body);
	return rc == -ESTALE ? rc : rc < 0 ? reason(rc) : 0;
}

waits static int turn(struct slo_pages *p)
{
	uint64_t bytes = p->walk.skip ? REST_MAX : PAGE_BYTES;

	do {
		page_new(p);
		uint64_t from = p->next;
		int rc = ask(p, bytes);

		if (rc < 0)
			return rc;
		/* An entry with data may be longer than that. */
		if (p->next == from)
			bytes *= 4;
		if (bytes > 512 * MIB)
			return -EBADMSG;
	} while (p->page->n == 0 && !p->last);
	return 0;
}

static struct str copy(char **at, struct str s)
{
	char *p = *at;

	if (!s.n)
		return STR_NONE;
	memcpy(p, s.p, s.n);
	*at += s.n;
	return str_of(p, s.n);
}

int slo_pages_open(struct slo_pages *p, const struct slo_place *place, struct body *text,
		   uint64_t first, uint64_t length)
{
	struct str etag = etag_unquoted(place->etag);
	char *at = xmalloc(place->container.n + place->object.n + place->query.n + etag.n + 1);
	int rc = 0;

	*p = (struct slo_pages){
		.mw = place->mw,
		.req = place->req,
		.memory = at,
		.walk = { .skip = first, .left = length },
	};
	p->container = copy(&at, place->container);
	p->object = copy(&at, place->object);
	p->query = copy(&at, place->query);
	p->etag = copy(&at, etag);
	page_new(p);
	if (!text)
		return 0;       /* when it is needed */
	rc = fill(p, text);
	if (rc == 0 && text->left >= 0 && text->left <= REST_MAX)
		(void)!body_drain(text, REST_MAX);
	body_close(text);
	if (rc == 0 && p->page->n == 0 && !p->last && p->next == 0)
		rc = -EBADMSG;
	if (rc < 0)
		slo_pages_done(p);
	return rc < 0 ? reason(rc) : 0;
}

int slo_pages_next(struct slo_pages *p, const struct slo_segment **ret, uint64_t *ret_first,
		   uint64_t *ret_length)
{
	for (;;) {
		int rc = slo_walk_next(&p->walk, ret, ret_first, ret_length);

		if (rc >= 0 || p->last)
			return rc;
		rc = turn(p);
		if (rc < 0)
			return rc;
	}
}

bool slo_pages_again(struct slo_pages *p, uint64_t first, uint64_t length)
{
	if (!p->page || !p->from_start)
		return false;
	p->walk = (struct slo_walk){ .m = p->page, .skip = first, .left = length };
	return true;
}

void slo_pages_done(struct slo_pages *p)
{
	slo_manifest_free(p->page);
	free(p->memory);
	*p = (struct slo_pages){ 0 };
}

int slo_sum_read(struct body *text, struct slo_sum *sum)
{
	CLEANUP(slo_reader_done) struct slo_reader r;
	struct str bytes = STR_NONE;
	struct slo_segment s;
	int rc = 0;

	slo_reader_init(&r, 0);
	while (rc >= 0 && (bytes.n || (rc = text ? body_next(text, &bytes) : 0) > 0)) {
		rc = slo_reader_next(&r, &bytes, NULL, &s);
		if (rc > 0 && slo_sum_add(sum, &s) < 0)
			rc = -EBADMSG;
	}
	body_close(text);
	return rc < 0 ? rc : r.ended ? 0 : -EBADMSG;
}
