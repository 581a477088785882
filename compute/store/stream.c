/* Objects that are too large to hold: read as a body, written piece by piece. */
#include "compute/call.h"
#include "compute/store/internal.h"

enum { ANSWER_MAX = 64 * KIB, TRIES = 2 };

/* ---- reading ---- */

struct reading {
	struct body body;
	struct body *inner;
	struct exchange *x;
};

waits static int reading_next(struct body *b, struct str *ret_chunk)
{
	struct reading *r = container_of(b, struct reading, body);
	int rc = body_next(r->inner, ret_chunk);

	b->left = r->inner->left;
	return rc;
}

waits static void reading_close(struct body *b)
{
	struct reading *r = container_of(b, struct reading, body);

	body_close(r->inner);
	exchange_end(TAKE(r->x));
}

/* Asks once: the status; the exchange is the caller's. */
waits static int ask(struct store *s, struct arena *a, const struct store_request *r,
		     struct response *ret_res, struct exchange **ret)
{
	struct headers h;
	struct str token, url;
	int rc = login_token(s->login, a, &token);

	if (rc == 0)
		rc = store_url(s, a, r->container, r->name, r->query, &url);
	if (rc < 0)
		return rc;
	store_headers(a, r->headers, token, &h);
	const struct call c = { .method = r->method, .url = url, .headers = &h };
	int status = call_open(s->http, a, &c, ret_res, ret);

	if (status == 401)
		login_refused(s->login, token);
	return status;
}

int store_open(struct store *s, struct arena *a, struct str container, struct str name,
	       uint64_t first, int64_t last, int64_t *ret_size, struct body **ret)
{
	struct headers h;
	struct response res;
	int status = 401;

	headers_init(&h, a);
	if (last >= 0)
		headers_addf(&h, S("Range"), "bytes=%" PRIu64 "-%" PRId64, first, last);
	else if (first > 0)
		headers_addf(&h, S("Range"), "bytes=%" PRIu64 "-", first);
	const struct store_request r = { .method = S("GET"), .container = container, .name = name,
					 .headers = &h };

	for (int i = 0; i < TRIES && (status == 401 || status == 503); i++) {
		AUTO(exchange) x = NULL;

		status = ask(s, a, &r, &res, &x);
		if (status != (h.n ? 206 : 200)) {
			if (status >= 0)
				body_close(res.body);
			continue;
		}
		struct reading *b = arena_zalloc(a, sizeof *b);

		b->inner = res.body;
		b->x = TAKE(x);
		b->body = (struct body){ .next = reading_next, .close = reading_close,
					 .left = res.body->left };
		*ret_size = res.content_length;
		*ret = &b->body;
		return 0;
	}
	if (status == 200)
		return -ERANGE;
	return status == -ECANCELED || status == -EACCES ? status :
	       status < 0 ? -EAGAIN : store_error(status);
}

/* ---- writing ---- */

struct store_put {
	struct arena *arena;
	struct exchange *x;
	int status;                     /* the store's last word, or 0 */
};

/* The answer's status and, if wanted, its ETag. */
waits static int read_answer(struct store_put *p, struct response *res, char ret_etag[33])
{
	CLEANUP(buf_done) struct buf text = BUF(ANSWER_MAX);
	struct str etag = headers_get_lit(&res->headers, "ETag");

	assert(res->body);
	int rc = body_read_all(res->body, &text);

	body_close(res->body);
	p->status = res->status;
	if (rc < 0 && rc != -EFBIG)
		return rc == -ECANCELED ? rc : -EAGAIN;
	if (res->status / 100 != 2)
		return store_error(res->status);
	if (etag.n >= 2 && etag.p[0] == '"')
		etag = str_of(etag.p + 1, etag.n - 2);
	if (ret_etag)
		snprintf(ret_etag, 33, "%.*s", STR(etag));
	return 0;
}

/* Sends the head and waits for 100 Continue (which an empty body only gets in chunks): 0, or the
 * refusal. *ret_again: with another login, or
 * once the container is there, it may work. */
waits static int begin(struct store *s, struct store_put *p, struct str container, struct str name,
		       int64_t length, bool *ret_again)
{
	struct headers own, h;
	struct response res = { .body = NULL };
	struct str token = STR_NONE, url = STR_NONE, target = STR_NONE;
	int rc = login_token(s->login, p->arena, &token);

	if (rc == 0)
		rc = store_url(s, p->arena, container, name, STR_NONE, &url);
	if (rc < 0)
		return rc;
	headers_init(&own, p->arena);
	headers_add_ref(&own, S("Content-Type"), S("application/octet-stream"));
	headers_add_ref(&own, S("Expect"), S("100-continue"));
	store_headers(p->arena, &own, token, &h);
	rc = call_connect(s->http, p->arena, url, &target, &p->x);
	if (rc == 0)
		rc = exchange_send(p->x, S("PUT"), target, &h,
				   length <= 0 ? EXCHANGE_CHUNKED : length, STR_NONE);
	if (rc == 0)
		rc = exchange_receive(p->x, p->arena, false, &res);
	if (rc == 100)
		return 0;
	if (rc < 0)
		return rc == -ECANCELED ? rc : -EAGAIN;
	if (rc == 401)
		login_refused(s->login, token);
	*ret_again = rc == 401 || rc == 404 || rc == 503;
	rc = read_answer(p, &res, NULL);
	return rc < 0 ? rc : -EAGAIN;   /* a success before any byte was sent is none */
}

int store_put_open(struct store *s, struct str container, struct str name, int64_t length,
		   struct store_put **ret)
{
	struct arena *a = arena_new();
	AUTO(store_put) p = arena_zalloc(a, sizeof *p);
	bool again = true;
	int rc = -EAGAIN;

	p->arena = a;
	for (int i = 0; i < TRIES && again; i++) {
		again = false;
		rc = begin(s, p, container, name, length, &again);
		if (rc == 0) {
			*ret = TAKE(p);
			return 0;
		}
		exchange_end(TAKE(p->x));
		if (rc == -ENOENT && i == 0 && store_make_container(s, a, container) < 0)
			break;
	}
	return rc == -ENOENT ? -EAGAIN : rc;
}

/* The store has said something although we are still sending. */
waits static int early_answer(struct store_put *p)
{
	struct response res = { .body = NULL };
	int rc = exchange_receive(p->x, p->arena, false, &res);

	if (rc < 0)
		return rc == -ECANCELED ? rc : -EPIPE;
	rc = read_answer(p, &res, NULL);
	return rc < 0 ? rc : -EPIPE;
}

int store_put_write(struct store_put *p, struct str bytes)
{
	if (exchange_answered(p->x))
		return early_answer(p);
	int rc = exchange_send_body(p->x, bytes);

	if (rc < 0 && rc != -ECANCELED && exchange_answered(p->x))
		return early_answer(p);
	return rc < 0 && rc != -ECANCELED ? -EPIPE : rc;
}

int store_put_end(struct store_put *p, char ret_etag[33])
{
	struct response res = { .body = NULL };
	int rc = exchange_send_end(p->x, NULL);

	if (rc == 0)
		rc = exchange_receive(p->x, p->arena, false, &res);
	if (rc < 0)
		return rc == -ECANCELED ? rc : -EPIPE;
	rc = read_answer(p, &res, ret_etag);
	return rc == -ENOENT ? -EAGAIN : rc;    /* the container went away meanwhile */
}

void store_put_close(struct store_put *p)
{
	if (!p)
		return;
	exchange_end(TAKE(p->x));
	arena_free(p->arena);
}
