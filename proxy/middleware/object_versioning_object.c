/* Objects of versioned containers: each is a link to its current version, which stands in a hidden
 * container under its name and time. */
#include "lib/base/encode.h"
#include "lib/swift/conditional.h"
#include "lib/swift/metadata.h"
#include "proxy/app.h"
#include "proxy/middleware/internal_request.h"
#include "proxy/middleware/object_versioning.h"
#include "proxy/middleware/symlink.h"
#include "proxy/middleware/version_names.h"

static void set_id(struct response *res, struct str name, struct timestamp ts)
{
	char text[TIMESTAMP_SIZE];

	timestamp_internal(ts, text);
	headers_set(&res->headers, name, str_from(text));
}

static void set_time(struct headers *h, struct timestamp ts)
{
	char text[TIMESTAMP_SIZE];

	timestamp_internal(ts, text);
	headers_set(h, S("X-Timestamp"), str_from(text));
}

/* 0 for a success; else what came is the client's answer, but a missing container is 412, and what
 * servers failed at 503 (_check_response_error). */
waits static int check_answer(const struct versioned *v, struct response *got, struct response *res)
{
	if (got->status / 100 == 2) {
		body_close(got->body);
		return 0;
	}
	if (got->status / 100 == 4 && got->status != 404) {
		*res = *got;
		return -EINVAL;
	}
	body_close(got->body);
	response_init(res, v->copy.req->arena);
	respond_status(res, got->status == 404 ? 412 : 503);
	return -EINVAL;
}

/* The same for a write to the hidden container. */
waits static int check_stored(const struct versioned *v, struct response *got, struct response *res)
{
	if (got->status != 404)
		return check_answer(v, got, res);
	body_close(got->body);
	response_init(res, v->copy.req->arena);
	respond_text(res, 500, "%s", VERSIONS_MISSING);
	return -ENOENT;
}

/* An object that was there before its container was versioned becomes a version. 0, or -EINVAL with
 * res filled. */
waits static int keep_current(const struct versioned *v, struct response *res, bool *ret_exists)
{
	struct response got, done;

	if (versions_may_write(v->copy.req, res) < 0)
		return -EACCES;
	versions_get(&v->copy, v->container, v->object, &got);
	*ret_exists = got.status != 404;
	if (got.status == 404 || (got.status / 100 == 2 &&
				  str_is_true(headers_get(&got.headers, SYMLINK_VERSIONS)))) {
		body_close(got.body);
		return 0;
	}
	if (got.status / 100 != 2)
		return check_answer(v, &got, res);
	struct str name = version_name(v->copy.req->arena, v->object, versions_time(&got));

	versions_put(&v->copy, v->versions, name, &got, &done);
	return check_stored(v, &done, res);
}

/* ---- PUT ---- */

/* The version itself may be written without asking; what a link in it points at may not be looked
 * at without asking. */
struct version_rights {
	authorize_fn *authorize;
	void *arg;
	struct str versions;
};

static int authorize_version(void *arg, struct request *req, struct response *res)
{
	const struct version_rights *r = arg;

	if (str_eq(proxy_request(req)->path.container, r->versions) || !r->authorize)
		return 0;
	return r->authorize(r->arg, req, res);
}

struct counted {
	struct body body, *inner;
	uint64_t n;
};

waits static int counted_next(struct body *b, struct str *ret_chunk)
{
	struct counted *c = container_of(b, struct counted, body);
	int rc = body_next(c->inner, ret_chunk);

	b->left = c->inner->left;
	if (rc > 0)
		c->n += ret_chunk->n;
	return rc;
}

/* What the link shall say of a version. */
struct version {
	struct timestamp ts;
	struct str name, etag, type;
	uint64_t bytes;
};

static bool is_expiry(struct str name)
{
	return str_ieq(name, S("X-Delete-At")) || str_ieq(name, S("X-Delete-After"));
}

/* By the name that the client knows: the version's has no extension. */
static void guess_type(const struct versioned *v)
{
	struct headers *h = &v->copy.req->headers;
	bool detect = str_is_true(headers_get_lit(h, "X-Detect-Content-Type"));

	if (headers_has(h, SYMLINK_TARGET) ||
	    (!detect && headers_get_lit(h, "Content-Type").n))
		return;
	struct str type = mime_guess(v->object);

	headers_remove(h, S("X-Detect-Content-Type"));
	headers_set(h, S("Content-Type"), type.p ? type : S("application/octet-stream"));
}

static struct request *version_request(const struct versioned *v, enum http_method m,
				       struct str name)
{
	struct request *req = v->copy.req;
	struct request *sub = versions_request(&v->copy, m, v->versions, name, STR_NONE);

	for (unsigned i = 0; i < req->headers.n; i++)
		if (!is_expiry(req->headers.v[i].name))
			headers_add(&sub->headers, req->headers.v[i].name, req->headers.v[i].value);
	request_allow_reserved(sub);
	return sub;
}

/* The client's bytes become a version. */
waits static int store_version(const struct versioned *v, struct version *w, struct response *res)
{
	struct request *req = v->copy.req, *put = version_request(v, HTTP_PUT, w->name);
	struct proxy_request *p = proxy_request(req), *sub = proxy_request(put);
	struct version_rights *rights = arena_zalloc(req->arena, sizeof *rights);
	struct counted *body = arena_zalloc(req->arena, sizeof *body);
	struct str size = headers_get_lit(&req->headers, "X-Object-Sysmeta-Slo-Size");
	struct response done;

	*rights = (struct version_rights){ p->authorize, p->authorize_arg, v->versions };
	sub->authorize = authorize_version;
	sub->authorize_arg = rights;
	sub->source = p->source;
	sub->content_type_overridden = p->content_type_overridden;
	body->inner = req->body;
	body->body = (struct body){ .next = counted_next, .left = req->body->left };
	put->body = &body->body;
	put->content_length = req->content_length;
	put->chunked = req->chunked;
	put->expect_continue = req->expect_continue;
	set_time(&put->headers, w->ts);
	middleware_call(v->copy.mw, put, &done);
	if (done.close)
		res->close = true;
	if (check_stored(v, &done, res) < 0)
		return -EINVAL;
	struct str type = headers_get_lit(&put->headers, "Content-Type");

	w->etag = etag_unquoted(headers_get_lit(&done.headers, "ETag"));
	w->type = str_trim(str_cut(&type, ';'));
	w->bytes = body->n;
	if (size.n)
		(void)!str_to_u64(size, &w->bytes);
	return 0;
}

/* The client's request becomes that of the link. */
waits static void link_version(const struct versioned *v, const struct version *w,
			       struct response *res)
{
	static const struct str not_of_links[] = {
		STR_INIT("ETag"), STR_INIT("Content-MD5"), STR_INIT("X-If-Delete-At"),
		STR_INIT("X-Symlink-Target-Account"), STR_INIT("X-Symlink-Target-Etag"),
		STR_INIT("X-Object-Manifest"), STR_INIT("X-Static-Large-Object"),
		STR_INIT("X-Object-Sysmeta-Slo-Etag"), STR_INIT("X-Object-Sysmeta-Slo-Size"),
	};
	struct request *req = v->copy.req;
	struct headers *h = &req->headers;
	struct timestamp ts = w->ts;
	struct str path =
		swift_path_quote(req->arena, STR_NONE, v->versions, w->name, STR_NONE);

	for (size_t i = 0; i < ARRAY_LEN(not_of_links); i++)
		headers_remove(h, not_of_links[i]);
	/* A little later than the version, so that both can be told apart. */
	ts.offset++;
	set_time(h, ts);
	headers_set(h, SYMLINK_STORED_ETAG, w->etag);
	headers_setf(h, SYMLINK_STORED_BYTES, "%" PRIu64, w->bytes);
	headers_set(h, S("Content-Type"), w->type);
	headers_set(h, SYMLINK_TARGET, str_skip(path, 1));
	headers_set(h, SYMLINK_VERSIONS, S("true"));
	headers_set(h, SYMLINK_EXTEND, S("true"));
	headers_set(h, SYMLINK_RESERVED, S("true"));
	struct body *body = req->body;

	versions_drop_body(req);
	proxy_request(req)->source = VERSIONS_TAG;
	proxy_request(req)->content_type_overridden = true;
	middleware_next(v->copy.mw, req, res);
	req->body = body;       /* whoever made it closes it */
	if (res->status / 100 != 2)
		return;
	headers_set(&res->headers, S("Etag"), w->etag);
}

waits static void put(struct versioned *v, struct response *res)
{
	struct request *req = v->copy.req;
	struct version w = { 0 };
	bool exists;

	symlink_drop_privileges(&req->headers);
	if (keep_current(v, res, &exists) < 0)
		return;
	/* The link would be refused, but not the version. */
	if (exists && str_eq(headers_get_lit(&req->headers, "If-None-Match"), S("*"))) {
		respond_status(res, 412);
		return;
	}
	guess_type(v);
	w.ts = app_timestamp(req);
	w.name = version_name(req->arena, v->object, w.ts);
	if (store_version(v, &w, res) < 0)
		return;
	link_version(v, &w, res);
	if (res->status / 100 == 2)
		set_id(res, VERSION_ID, w.ts);
}

/* ---- DELETE, POST, GET ---- */

waits static void delete(struct versioned *v, struct response *res)
{
	struct request *req = v->copy.req;
	struct timestamp ts = app_timestamp(req);
	struct response done;
	bool exists;

	if (keep_current(v, res, &exists) < 0)
		return;
	struct request *put = versions_request(&v->copy, HTTP_PUT, v->versions,
					       version_name(req->arena, v->object, ts), STR_NONE);

	headers_set(&put->headers, S("Content-Type"), DELETE_MARKER);
	headers_set(&put->headers, S("Content-Length"), S("0"));
	proxy_request(put)->content_type_overridden = true;
	middleware_call(v->copy.mw, put, &done);
	if (check_answer(v, &done, res) < 0)
		return;
	middleware_next(v->copy.mw, req, res);
	if (res->status / 100 == 2 || res->status == 404)
		set_id(res, VERSION_ID, ts);
}

/* "/v1/account/container/object" of a header, decoded: true when it is a version of ours. */
static bool is_version(const struct versioned *v, struct str location, struct str *ret_name)
{
	struct str rest = percent_decode(v->copy.req->arena, location);

	if (!str_starts(rest, S("/v1/")))
		return false;
	rest = str_skip(rest, 4);
	struct str account = str_cut(&rest, '/'), container = str_cut(&rest, '/');

	*ret_name = rest;
	return rest.n && str_eq(account, v->account) && str_eq(container, v->versions);
}

/* The link takes the metadata, too, as in Swift. */
waits static void post(struct versioned *v, struct response *res)
{
	struct request *sub = version_request(v, HTTP_POST, STR_NONE);
	struct str name;

	middleware_next(v->copy.mw, v->copy.req, res);
	if (res->status != 307 || !str_is_true(headers_get(&res->headers, SYMLINK_VERSIONS)) ||
	    !is_version(v, headers_get_lit(&res->headers, "Location"), &name))
		return;
	body_close(res->body);
	proxy_request(sub)->path.object = arena_str(sub->arena, name);
	sub->path = swift_path_quote(sub->arena, S("/v1"), v->account, v->versions, name);
	middleware_call(v->copy.mw, sub, res);
}

/* Clients are told of a version by its id, never by its name. */
static void translate(const struct versioned *v, struct response *res)
{
	struct arena *a = v->copy.req->arena;
	struct str location = headers_get_lit(&res->headers, "Content-Location"), name, object;
	struct str target = headers_get(&res->headers, SYMLINK_TARGET);
	struct str public = swift_path_quote(a, STR_NONE, v->container, v->object, STR_NONE);
	struct timestamp ts;
	char id[TIMESTAMP_SIZE];

	/* Who may not read is not told that there are versions. */
	if (res->status == 401 || res->status == 403)
		return;
	headers_set(&res->headers, VERSION_ID, S("null"));
	if (is_version(v, location, &name) && version_name_split(name, &object, &ts)) {
		timestamp_internal(ts, id);
		set_id(res, VERSION_ID, ts);
		location = swift_path_quote(a, S("/v1"), v->account, v->container, v->object);
		headers_setf(&res->headers, S("Content-Location"), "%.*s?version-id=%s",
			     STR(location), id);
	}
	target = percent_decode(a, target);
	struct str container = str_cut(&target, '/');

	if (container.n && str_eq(container, v->versions) &&
	    version_name_split(target, &object, &ts)) {
		timestamp_internal(ts, id);
		set_id(res, VERSION_ID, ts);
		headers_setf(&res->headers, SYMLINK_TARGET, "%.*s?version-id=%s",
			     STR(str_skip(public, 1)), id);
	}
}

void versioned_object(struct versioned *v, struct response *res)
{
	struct request *req = v->copy.req;
	bool write = req->method == HTTP_PUT || req->method == HTTP_DELETE;

	if (write && !v->enabled) {
		middleware_next(v->copy.mw, req, res);
	} else if (req->method == HTTP_PUT) {
		put(v, res);
	} else if (req->method == HTTP_DELETE) {
		delete(v, res);
	} else if (req->method == HTTP_POST) {
		post(v, res);
	} else {
		middleware_next(v->copy.mw, req, res);
		translate(v, res);
	}
}

/* ---- ?version-id ---- */

/* The request itself, of the version. Rights are those on the hidden container: its owner's. */
waits static void send_to_version(const struct versioned *v, struct timestamp ts,
				  struct response *res)
{
	struct request *req = v->copy.req;
	struct proxy_request *p = proxy_request(req);
	struct swift_path old = p->path;
	struct str old_path = req->path;

	p->path.container = v->versions;
	p->path.object = version_name(req->arena, v->object, ts);
	req->path = swift_path_quote(req->arena, S("/v1"), v->account, p->path.container,
				     p->path.object);
	request_allow_reserved(req);
	middleware_next(v->copy.mw, req, res);
	headers_remove(&req->headers, ALLOW_RESERVED_NAMES);
	p->path = old;
	req->path = old_path;
}

/* Which version the object is now: 1, 0 when it is none, or -EINVAL with res filled. */
waits static int find_current(const struct versioned *v, struct timestamp *ret,
			      struct response *res)
{
	struct request *head = versions_request(&v->copy, HTTP_HEAD, v->container, v->object,
						S("symlink=get"));
	struct str target, object;
	struct response got;

	headers_set(&head->headers, S("X-Newest"), S("true"));
	middleware_call(v->copy.mw, head, &got);
	if (got.status == 404) {
		body_close(got.body);
		return 0;
	}
	if (check_answer(v, &got, res) < 0)
		return -EINVAL;
	if (!str_is_true(headers_get(&got.headers, SYMLINK_VERSIONS)))
		return 0;
	target = percent_decode(v->copy.req->arena, headers_get(&got.headers, SYMLINK_TARGET));
	struct str container = str_cut(&target, '/');

	return str_eq(container, v->versions) && version_name_split(target, &object, ret);
}

waits static void delete_id(struct versioned *v, struct timestamp ts, struct response *res)
{
	struct request *req = v->copy.req;
	struct timestamp current;

	if (versions_may_write(req, res) < 0)
		return;
	int rc = find_current(v, &current, res);

	if (rc < 0)
		return;
	bool is_current = rc > 0 && timestamp_cmp(current, ts) == 0;

	if (is_current) {
		struct response done;

		/* First the link, then what it points at. */
		response_init(&done, req->arena);
		middleware_next(v->copy.mw, req, &done);
		if (check_answer(v, &done, res) < 0)
			return;
		response_init(res, req->arena);
	}
	send_to_version(v, ts, res);
	set_id(res, VERSION_ID, ts);
	if (rc > 0 && !is_current)
		set_id(res, S("X-Object-Current-Version-Id"), current);
	else
		headers_set(&res->headers, S("X-Object-Current-Version-Id"), S("null"));
}

static bool has_body(const struct request *req)
{
	return req->chunked || req->content_length != 0;
}

/* An old version becomes the current one. */
waits static void restore(struct versioned *v, struct timestamp ts, struct response *res)
{
	struct request *req = v->copy.req;
	struct version w = { .ts = app_timestamp(req),
			     .name = version_name(req->arena, v->object, ts) };
	struct response got;

	if (versions_may_write(req, res) < 0)
		return;
	if (has_body(req)) {
		respond_text(res, 400, "PUT version-id requests require a zero byte body");
		return;
	}
	struct request *head =
		versions_request(&v->copy, HTTP_HEAD, v->versions, w.name, S("symlink=get"));

	middleware_call(v->copy.mw, head, &got);
	if (got.status == 404) {
		body_close(got.body);
		if (proxy_container_info(req, v->account, v->versions)->status == 200)
			respond_text(res, 404, "The specified version does not exist");
		else
			respond_text(res, 500, "%s", VERSIONS_MISSING);
		return;
	}
	if (check_answer(v, &got, res) < 0)
		return;
	w.etag = etag_unquoted(headers_get_lit(&got.headers, "ETag"));
	w.type = headers_get_lit(&got.headers, "Content-Type");
	w.bytes = got.content_length > 0 ? (uint64_t)got.content_length : 0;
	(void)!str_to_u64(headers_get_lit(&got.headers, "X-Object-Sysmeta-Slo-Size"), &w.bytes);
	symlink_drop_privileges(&req->headers);
	link_version(v, &w, res);
	if (res->status / 100 == 2)
		set_id(res, VERSION_ID, ts);
}

/* What was there before its container was versioned, or while that was off. */
waits static void get_null(struct versioned *v, struct response *res)
{
	struct request *req = v->copy.req;

	middleware_next(v->copy.mw, req, res);
	if (res->status / 100 != 2)
		return;
	struct str location = percent_decode(
		req->arena, headers_get_lit(&res->headers, "Content-Location"));

	if (str_find(location, str_of("\0versions\0", 10)) >= 0) {
		body_close(res->body);
		response_init(res, req->arena);
		respond_status(res, 404);
		return;
	}
	headers_set(&res->headers, VERSION_ID, S("null"));
}

waits static void get_id(struct versioned *v, struct timestamp ts, struct response *res)
{
	send_to_version(v, ts, res);
	struct str type = headers_get_lit(&res->headers, "X-Backend-Content-Type");

	if (!type.p)
		type = headers_get_lit(&res->headers, "Content-Type");
	if (str_eq(type, DELETE_MARKER)) {
		body_close(res->body);
		response_init(res, v->copy.req->arena);
		respond_status(res, 404);
		headers_set(&res->headers, S("Content-Type"), DELETE_MARKER);
		set_id(res, VERSION_ID, ts);
	} else if (res->status / 100 == 2) {
		set_id(res, VERSION_ID, ts);
	}
}

/* 400, or the denial of one who may not know whether the container is versioned. */
waits static void refuse_id(struct versioned *v, struct response *res, const char *why)
{
	struct request *req = v->copy.req;
	struct proxy_request *p = proxy_request(req);
	const struct container_info *info =
		proxy_container_info(req, p->path.account, p->path.container);
	bool reads = req->method == HTTP_GET || req->method == HTTP_HEAD;

	p->acl = reads ? info->read_acl : info->write_acl;
	if (!p->authorize || p->authorize(p->authorize_arg, req, res) == 0)
		respond_html(res, 400, "%s", why);
}

void versioned_object_id(struct versioned *v, struct str id, struct response *res)
{
	struct request *req = v->copy.req;
	bool null = str_eq(id, S("null"));
	struct timestamp ts = { 0 };

	if (req->method == HTTP_POST)
		refuse_id(v, res, "POST to a specific version is not allowed");
	else if (!v->versions.n && !null)
		refuse_id(v, res,
			  "version-aware operations require that the container is versioned");
	else if ((!null || req->method == HTTP_PUT) && version_id_parse(id, &ts) < 0)
		refuse_id(v, res, "Invalid version parameter");
	else if (req->method == HTTP_DELETE && null)
		middleware_next(v->copy.mw, req, res);
	else if (req->method == HTTP_DELETE)
		delete_id(v, ts, res);
	else if (req->method == HTTP_PUT)
		restore(v, ts, res);
	else if (null)
		get_null(v, res);
	else
		get_id(v, ts, res);
}
