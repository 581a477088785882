/* PUT of an object. What is small is read first, and leaves for each replica in one piece with its
 * ETag; the rest streams (proxy/backend/upload.c). Swift: PUT in proxy/controllers/obj.py. */
#include "lib/base/clock.h"
#include "lib/base/encode.h"
#include "lib/base/pages.h"
#include "lib/crypto/digest.h"
#include "lib/log/log.h"
#include "lib/swift/conditional.h"
#include "proxy/object/condition.h"
#include "proxy/object/object.h"

enum {
	SMALL_MAX = 256 * KIB,
	/* Bodies of all requests that are read first. Up to TINY_MAX always are, and so much of
	 * those whose length is not known. */
	SMALL_BUDGET = 3 * MIB / 2,
	TINY_MAX = PAGES_SMALL,
};

/* One upload on its way. */
struct put {
	struct request *req;
	struct target target;
	struct timestamp ts;
	struct write *write;            /* its headers also serve the streaming kind */
	bool if_absent;                 /* If-None-Match: * */
	bool conditional;
	struct condition condition;
	struct str etag;                /* hex MD5 that the client promised, or absent */
	struct buf bytes;               /* of the body, that were read before anything was sent */
	char *page;                     /* their memory, when there is no telling how many come */
	size_t budgeted;                /* so much of SMALL_BUDGET is ours */
};

static size_t budgeted;                 /* of SMALL_BUDGET, by this worker's requests */

static void guess_content_type(struct request *req)
{
	bool detect = str_is_true(headers_get_lit(&req->headers, "X-Detect-Content-Type"));

	if (!detect && headers_get_lit(&req->headers, "Content-Type").n)
		return;
	struct str type = mime_guess(proxy_request(req)->path.object);

	headers_set(&req->headers, S("Content-Type"),
		    type.p ? type : S("application/octet-stream"));
}

static int check_content_type(const struct request *req, struct response *res)
{
	struct str rest = headers_get_lit(&req->headers, "Content-Type"), param;

	if (proxy_request(req)->content_type_overridden)
		return 0;
	(void)str_cut(&rest, ';');
	while ((param = str_cut(&rest, ';')).p)
		if (str_starts(str_trim(param), S("swift_"))) {
			respond_html(
				res, 400,
				"Invalid Content-Type, swift_* is not a valid parameter name.");
			return -EINVAL;
		}
	return 0;
}

/* What the client says the MD5 is: ETag in hex, Content-MD5 in base64. Where both are there they
 * have to agree. */
static int find_promised_etag(const struct request *req, struct response *res, struct str *ret)
{
	struct str etag = etag_unquoted(str_trim(headers_get_lit(&req->headers, "ETag")));
	struct str md5 = headers_get_lit(&req->headers, "Content-MD5");
	CLEANUP(buf_done) struct buf raw = BUF(256);

	*ret = etag.n ? etag : STR_NONE;
	if (!md5.p)
		return 0;
	if (base64_decode(&raw, str_trim(md5)) < 0 || raw.n != MD5_SIZE) {
		respond_text(res, 400, "Invalid Content-MD5");
		return -EINVAL;
	}
	char *hex = arena_alloc(req->arena, MD5_HEX_SIZE);

	hex_encode(raw.p, raw.n, hex);
	if (etag.n && !str_ieq(etag, str_from(hex))) {
		respond_status(res, 422);
		return -EINVAL;
	}
	*ret = str_from(hex);
	return 0;
}

static bool is_etag(struct str s)
{
	if (s.n >= 2 && etag_unquoted(s).n == s.n - 2)
		return true;
	for (size_t i = 0; i < s.n; i++)
		if (!strchr("0123456789abcdefABCDEF", s.p[i]))
			return false;
	return s.n == MD5_HEX_SIZE - 1;
}

/* Swift knows "*" alone and refuses all else, which its clients may count on: here that holds for
 * what is no ETag. */
static int check_none_match(const struct request *req, struct response *res)
{
	struct str list = headers_joined(&req->headers, S("If-None-Match")), item;

	if (!list.p)
		return 0;
	while ((item = str_cut(&list, ',')).p) {
		item = str_trim(item);
		if (str_eq(item, S("*")) || is_etag(item))
			continue;
		respond_text(res, 400, "If-None-Match only supports *");
		return -EINVAL;
	}
	return 0;
}

/* Everything that can be said before the body. Swift's order. */
waits static int check(struct put *put, struct response *res)
{
	struct request *req = put->req;
	const struct proxy_request *p = proxy_request(req);
	struct str none_match = headers_get_lit(&req->headers, "If-None-Match");

	put->if_absent = str_eq(etag_unquoted(str_trim(none_match)), S("*"));
	if (check_none_match(req, res) < 0 || object_may_write(req, res) < 0 ||
	    object_target(req, res, &put->target) < 0)
		return -EACCES;
	guess_content_type(req);
	put->ts = app_timestamp(req);
	put->conditional = condition_read(req, put->ts, &put->condition);
	if (object_creation_check(&p->proxy->conf->limits, req, p->path.object, put->ts, res) < 0 ||
	    check_content_type(req, res) < 0)
		return -EINVAL;
	return find_promised_etag(req, res, &put->etag);
}

static void make_headers(struct put *put)
{
	struct request *req = put->req;
	struct str type = headers_get_lit(&req->headers, "Content-Type");

	put->write = write_new(req, &put->target, HTTP_PUT, 0);
	for (unsigned i = 0; i < put->write->n; i++) {
		struct headers *h = &put->write->headers[i];

		object_common_headers(req, put->ts, h);
		headers_add(h, S("Content-Type"), type);
		object_metadata_headers(req, h);
		condition_add_header(&put->condition, h);
		if (put->etag.n)
			headers_add(h, S("ETag"), put->etag);
	}
	object_container_updates(req, put->write->headers, put->write->n);
	object_expiry_updates(req, put->write->headers, put->write->n);
}

/* Whether the body is to be read before anything is sent, and how much of it. */
static bool begin_small(struct put *put)
{
	const struct request *req = put->req;
	uint64_t n = req->chunked ? TINY_MAX : (uint64_t)req->content_length;

	if (n > SMALL_MAX || (n > TINY_MAX && budgeted + n > SMALL_BUDGET))
		return false;
	put->budgeted = n > TINY_MAX ? n : 0;
	budgeted += put->budgeted;
	if (req->chunked) {
		put->page = pages_take(PAGES_SMALL);
		put->bytes = (struct buf){ .p = put->page, .cap = TINY_MAX, .max = TINY_MAX - 1 };
	} else {
		put->bytes = BUF(n);
		(void)buf_reserve(&put->bytes, n);
	}
	return true;
}

static void end_small(struct put *put)
{
	budgeted -= put->budgeted;
	put->budgeted = 0;
	if (put->page)
		put->bytes = BUF(0);
	buf_done(&put->bytes);
	pages_give(put->page, PAGES_SMALL);
	put->page = NULL;
}

/* Reads up to the buffer's limit: 0 when that was the whole body, 1 when more follows, or an
 * error. */
waits static int read_small(struct put *put, struct str *ret_more)
{
	struct buf *to = &put->bytes;
	struct str chunk;
	int rc;

	while ((rc = body_next(put->req->body, &chunk)) > 0) {
		size_t fits = MIN(chunk.n, to->max - to->n);

		buf_add(to, chunk.p, fits);
		if (fits < chunk.n) {
			*ret_more = str_skip(chunk, fits);
			return 1;
		}
	}
	return rc;
}

static void finish(const struct put *put, struct response *res)
{
	char date[HTTP_DATE_SIZE];

	if (res->status == 201 || res->status == 202 || res->status == 422) {
		clock_http_date(timestamp_ceil_s(put->ts), date);
		headers_set(&res->headers, S("Last-Modified"), str_from(date));
	}
}

static bool any_answer(const struct write *w, int status)
{
	for (unsigned i = 0; i < w->answered; i++)
		if (w->answers[i].status == status)
			return true;
	return false;
}

/* One replica that has something newer, or the object that must not be there, decides
 * (_check_failure_put_connections). */
static bool respond_early(const struct put *put, struct response *res)
{
	if (put->if_absent && any_answer(put->write, 412))
		respond_status(res, 412);
	else if (any_answer(put->write, 409) && !any_answer(put->write, 201))
		respond_status(res, 202);
	else
		return false;
	return true;
}

/* Storage servers that keep no holds at least look themselves whether the object is there. */
waits static int hold(struct put *put, struct response *res)
{
	int rc = condition_hold(put->req, &put->target, &put->condition, res);

	for (unsigned i = 0; put->if_absent && !put->condition.ours && i < put->write->n; i++)
		headers_set(&put->write->headers[i], S("If-None-Match"), S("*"));
	return rc;
}

task_asserted static int hold_at_end(void *arg, struct response *res)
{
	return hold(arg, res);
}

waits static void put_small(struct put *put, struct response *res)
{
	struct request *req = put->req;
	struct write *w = put->write;
	struct str bytes = buf_str(&put->bytes);
	char *md5 = arena_alloc(w->arena, MD5_HEX_SIZE);

	md5_hex(bytes, md5);
	if (put->etag.n && !str_ieq(put->etag, str_from(md5))) {
		respond_status(res, 422);
		finish(put, res);
		return;
	}
	if (put->conditional && hold(put, res) < 0)
		return;
	if (put->page) {
		w->body = arena_str(w->arena, bytes);
	} else {
		w->body = bytes;
		w->body_memory = buf_take(&put->bytes);
	}
	w->verified = true;
	for (unsigned i = 0; i < w->n; i++)
		headers_add_ref(&w->headers[i], S("X-Needletail-Etag"), str_from(md5));
	int rc = write_run(w);

	if (rc < 0) {
		proxy_respond_error(req, res, rc);
		return;
	}
	if (respond_early(put, res))
		return;
	for (unsigned i = 0; i < w->answered; i++) {
		struct str etag = etag_unquoted(headers_get_lit(&w->answers[i].headers, "ETag"));

		if (w->answers[i].status / 100 == 2 && etag.n && !str_ieq(etag, str_from(md5))) {
			log_error("PUT %.*s: a server stored other bytes", STR(w->target.path));
			respond_status(res, 500);
			return;
		}
	}
	write_respond(req, w, res);
	if (res->status / 100 == 2)
		headers_set(&res->headers, S("Etag"), str_from(md5));
	finish(put, res);
}

/* A body whose first bytes were read: those, what was at hand behind them, the rest. */
struct joined {
	struct body body;
	struct put *put;                /* has the first bytes */
	bool begun;
	struct str more;
	struct body *rest;
};

waits static int joined_next(struct body *b, struct str *ret_chunk)
{
	struct joined *j = container_of(b, struct joined, body);

	if (!j->begun && j->put->bytes.n) {
		*ret_chunk = buf_str(&j->put->bytes);
		j->begun = true;
		return 1;
	}
	end_small(j->put);
	if (j->more.n) {
		*ret_chunk = j->more;
		j->more = STR_NONE;
		return 1;
	}
	return body_next(j->rest, ret_chunk);
}

waits static void put_streaming(struct put *put, struct str more, struct response *res)
{
	struct request *req = put->req;
	struct body *whole = req->body;
	struct joined j = {
		.body = { .next = joined_next, .left = -1 },
		.put = put,
		.more = more,
		.rest = whole,
	};
	struct upload u = {
		.target = &put->target,
		.headers = put->write->headers,
		.n = put->write->n,
		.write = put->write,
		.length = req->chunked ? -1 : req->content_length,
		.length_max = proxy_request(req)->proxy->conf->limits.max_file_size,
		.if_absent = put->if_absent,
		.etag = put->etag,
		.before_end = put->conditional ? hold_at_end : NULL,
		.arg = put,
	};

	req->body = &j.body;
	int rc = backend_upload(req, &u, res);

	req->body = whole;
	if (rc < 0)
		proxy_respond_error(req, res, rc);
	finish(put, res);
}

void object_put(struct request *req, struct response *res)
{
	struct put put = { .req = req, .bytes = BUF(0) };
	struct str more = STR_NONE;
	int rc = 1;

	if (check(&put, res) < 0)
		return;
	make_headers(&put);
	/* A client that waits for 100 Continue is told of a conflict before it sends anything. */
	bool small = begin_small(&put);

	if (put.conditional && (!small || req->expect_continue) &&
	    condition_check(req, &put.target, &put.condition, res) < 0) {
		end_small(&put);
		write_unref(put.write);
		return;
	}
	if (small)
		rc = read_small(&put, &more);
	if (rc < 0)
		proxy_respond_error(req, res, rc);
	else if (rc == 0)
		put_small(&put, res);
	else
		put_streaming(&put, more, res);
	end_small(&put);
	write_unref(put.write);
}
