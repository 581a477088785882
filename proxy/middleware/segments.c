/* Reads pieces of objects as one body: opens the next piece before one ends, and breaks off when an
 * object is not what it was. */
#include "lib/base/clock.h"
#include "lib/base/pages.h"
#include "lib/log/log.h"
#include "lib/swift/conditional.h"
#include "proxy/middleware/segments.h"

/* So many bytes before a piece's end the next one is opened. */
enum { AHEAD_BYTES = 1 * MIB };

/* A piece that can be read; in its own arena. */
struct opened {
	struct arena *arena;
	struct body *body; /* NULL: data is all */
	struct str data;
};

struct joined {
	struct body body;
	struct segments s;
	struct opened *now, *ahead;
	struct task *opener; /* opens `ahead` */
	bool asked; /* for `ahead`, */
	bool opening; /* and it is not there yet */
	int ahead_rc; /* of the opening: 1, 0 at the end, or negative */
	struct task *waiter; /* wants to know */
	uint64_t left; /* of the promised length */
	uint64_t until_ms;
	int error; /* stays */
};

bool segment_path_split(struct str path, struct str *ret_container, struct str *ret_object)
{
	while (str_starts(path, S("/")))
		path = str_skip(path, 1);
	*ret_container = str_cut(&path, '/');
	*ret_object = path;
	return ret_container->n && path.n;
}

int segments_status(int error)
{
	return error == -ECANCELED ? 499 : error == -EHOSTDOWN ? 503 : 409;
}

waits static void opened_close(struct opened *o)
{
	if (!o)
		return;
	body_close(o->body);
	arena_free(o->arena);
}

/* ---- opening ---- */

/* Swift's checks: an object that was replaced by a smaller one of the same ETag is refused too. */
static bool is_as_promised(const struct piece *p, const struct response *res, bool whole)
{
	struct str etag = etag_unquoted(headers_get_lit(&res->headers, "ETag"));

	if (p->etag.p && !str_eq(etag, p->etag))
		return false;
	if (!whole)
		return res->status == 206 && (uint64_t)res->content_length == p->length;
	return res->status == 200 && (!p->etag.p || (uint64_t)res->content_length == p->size);
}

/* What is wrong with an answer: 0, or negative (and logged). */
static int check(const struct joined *j, const struct piece *p, const struct response *res,
		 bool whole)
{
	if (res->status / 100 == 2 && is_as_promised(p, res, whole))
		return 0;
	if (task_cancelled())           /* the client has left */
		return -ECANCELED;
	if (res->status / 100 == 2)
		log_error("%.*s: segment %.*s/%.*s is no longer valid", STR(j->s.req->path),
			  STR(p->container), STR(p->object));
	else
		log_error("%.*s: got %d for segment %.*s/%.*s", STR(j->s.req->path), res->status,
			  STR(p->container), STR(p->object));
	return res->status / 100 == 5 ? -EHOSTDOWN : -ESTALE;
}

waits static int open_object(struct joined *j, const struct piece *p, struct opened *o)
{
	struct request *req = j->s.req, *get;
	bool whole = p->first == 0 && p->length == p->size;
	struct response res;

	get = proxy_subrequest_in(o->arena, req, HTTP_GET, proxy_request(req)->path.account,
				  arena_str(o->arena, p->container), arena_str(o->arena, p->object),
				  S("multipart-manifest=get"), j->s.tag);
	if (!whole)
		headers_setf(&get->headers, S("Range"), "bytes=%" PRIu64 "-%" PRIu64, p->first,
			     p->first + p->length - 1);
	middleware_call(j->s.mw, get, &res);
	o->body = res.body;
	return check(j, p, &res, whole);
}

/* 1 with an opened piece, 0 at the end, or negative. */
waits static int open_next(struct joined *j, struct opened **ret)
{
	struct piece p = { 0 };
	int rc = j->s.source->next(j->s.source, &p);

	if (rc <= 0)
		return rc;
	struct arena *a = arena_new();
	struct opened *o = arena_zalloc(a, sizeof *o);

	o->arena = a;
	if (p.data.p)
		o->data = arena_str(a, p.data);
	else
		rc = open_object(j, &p, o);
	if (rc < 0) {
		opened_close(o);
		return rc;
	}
	*ret = o;
	return 1;
}

waits static void open_ahead(void *arg)
{
	struct joined *j = arg;

	j->ahead_rc = open_next(j, &j->ahead);
	j->opening = false;
	if (j->waiter)
		task_wake(j->waiter);
}

static void look_ahead(struct joined *j)
{
	j->asked = j->opening = true;
	j->opener = task_spawn(NULL, "next segment", open_ahead, j);
}

waits static int await_ahead(struct joined *j)
{
	int rc = 0;

	while (j->opening && rc == 0) {
		j->waiter = task_self();
		rc = task_wait("next segment", 0);
	}
	j->waiter = NULL;
	return rc < 0 ? rc : j->ahead_rc;
}

/* ---- reading ---- */

/* The next piece becomes the current one: 1, 0 at the end, or negative. */
waits static int step(struct joined *j)
{
	if (!j->asked)
		look_ahead(j);
	int rc = await_ahead(j);

	if (rc <= 0)
		return rc;
	j->now = TAKE(j->ahead);
	j->asked = false;
	return 1;
}

/* Two open pieces cost twice the memory, so not where memory is short; and one that waits for long
 * behind a large piece would be given up by its server. */
static bool is_time_to_look(const struct joined *j)
{
	const struct body *b = j->now->body;

	return !j->asked && !pages_scarce() && (!b || b->left <= AHEAD_BYTES);
}

waits static int current_next(struct joined *j, struct str *ret_chunk)
{
	struct opened *o = j->now;

	if (!o->data.n)
		return o->body ? body_next(o->body, ret_chunk) : 0;
	*ret_chunk = o->data;
	o->data = STR_NONE;
	return 1;
}

waits static int pull(struct joined *j, struct str *ret_chunk)
{
	for (;;) {
		int rc = j->now ? current_next(j, ret_chunk) : step(j);

		if (rc < 0)
			return rc;
		if (rc > 0 && j->now && is_time_to_look(j))
			look_ahead(j);
		if (rc > 0 && ret_chunk->n)
			return 1;
		if (rc == 0 && !j->now)
			return 0;
		if (rc == 0)
			opened_close(TAKE(j->now));
	}
}

/* What comes must be as long as was promised, no longer and no shorter. */
static int count(struct joined *j, int rc, struct str *chunk)
{
	if (j->s.length_unknown || rc < 0)
		return rc;
	if (rc == 0 && j->left == 0)
		return 0;
	if (rc == 0) {
		log_error("%.*s: %" PRIu64 " bytes are missing", STR(j->s.req->path), j->left);
		return -EIO;
	}
	if (j->left == 0) {
		log_error("%.*s: the segments have more bytes than they had", STR(j->s.req->path));
		return -EIO;
	}
	*chunk = str_head(*chunk, j->left);
	j->left -= chunk->n;
	j->body.left = (int64_t)j->left;
	return 1;
}

waits static int joined_next(struct body *b, struct str *ret_chunk)
{
	struct joined *j = container_of(b, struct joined, body);

	if (j->error)
		return j->error;
	/* Whoever reads to the last byte does not wait for the source's word that there is no more.
	 */
	if (!j->s.length_unknown && j->left == 0)
		return 0;
	*ret_chunk = STR_NONE;
	int rc = count(j, pull(j, ret_chunk), ret_chunk);

	if (rc > 0 && j->until_ms && clock_mono_ms() > j->until_ms) {
		log_error("%.*s: reading took too long", STR(j->s.req->path));
		rc = -ETIMEDOUT;
	}
	if (rc < 0)
		j->error = rc == -ESTALE || rc == -EHOSTDOWN ? -EIO : rc;
	return rc < 0 ? j->error : rc;
}

waits static void joined_close(struct body *b)
{
	struct joined *j = container_of(b, struct joined, body);

	if (j->opening)
		task_cancel(j->opener);
	while (j->opening) {
		j->waiter = task_self();
		task_wait_masked("end of a segment");
	}
	opened_close(TAKE(j->now));
	opened_close(TAKE(j->ahead));
	if (j->s.source->close)
		j->s.source->close(j->s.source);
}

int segments_open(const struct segments *s, struct body **ret)
{
	struct joined *j = arena_zalloc(s->req->arena, sizeof *j);

	j->s = *s;
	j->left = s->length;
	j->until_ms = s->time_max_ms ? clock_mono_ms() + s->time_max_ms : 0;
	j->body = (struct body){ .next = joined_next,
				 .close = joined_close,
				 .left = s->length_unknown ? -1 : (int64_t)s->length };
	int rc = open_next(j, &j->now);

	if (rc < 0) {
		body_close(&j->body);
		return rc == -EHOSTDOWN || rc == -ECANCELED ? rc : -ESTALE;
	}
	*ret = &j->body;
	return 0;
}
