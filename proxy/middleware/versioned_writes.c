/* Versions as Swift had them first: a container names another that keeps what its objects were.
 * X-Versions-Location makes a stack, whose top a DELETE brings back; X-History-Location keeps
 * everything, deletions too. Swift: common/middleware/versioned_writes/legacy.py;
 * docs/swift/versioning.md */
#include "proxy/middleware/kinds.h"
#include "proxy/middleware/listing_json.h"
#include "proxy/middleware/version_names.h"
#include "proxy/middleware/versions_copy.h"

#define STACK S("X-Versions-Location")
#define HISTORY S("X-History-Location")
#define STORED_LOCATION S("X-Container-Sysmeta-Versions-Location")
#define STORED_MODE S("X-Container-Sysmeta-Versions-Mode")

enum { PAGE_ROWS = 100 };

struct versioned_writes_conf {
	bool allow_versioned_writes;
};
static struct versioned_writes_conf conf;
static const struct conf_option options[] = {
	OPT_BOOL(struct versioned_writes_conf, allow_versioned_writes, "yes",
		 "Let containers name another one for old versions of their objects."),
	OPT_END,
};
static const struct conf_section section = {
	.name = "versioned_writes",
	.help = "X-Versions-Location and X-History-Location.",
	.options = options,
	.into = &conf,
	.size = sizeof conf,
};

/* One write to a versioned container. */
struct change {
	struct versions_copy copy;
	struct str container, object;
	struct str versions;            /* the container with the old ones */
	/* The walk through the listing of old versions, newest first. */
	json_t *page;
	size_t next;
	struct str marker;
	bool at_end;
};

/* 0 for a success, 412 or 503 in res for what is not one (_check_response_error). */
waits static int check_answer(const struct change *c, const struct response *got,
			      struct response *res)
{
	body_close(got->body);
	if (got->status / 100 == 2)
		return 0;
	response_init(res, c->copy.req->arena);
	respond_status(res, got->status / 100 == 4 ? 412 : 503);
	return -EINVAL;
}

/* ---- keeping what is there ---- */

waits static int keep_current(struct change *c, struct response *res)
{
	struct request *req = c->copy.req;
	struct response got, done;

	if (versions_may_write(req, res) < 0)
		return -EACCES;
	versions_get(&c->copy, c->container, c->object, &got);
	if (got.status == 404) {
		body_close(got.body);
		return 0;
	}
	if (got.status / 100 != 2)
		return check_answer(c, &got, res);
	struct str name = legacy_version_name(req->arena, c->object, versions_time(&got));

	versions_put(&c->copy, c->versions, name, &got, &done);
	return check_answer(c, &done, res);
}

waits static int put_marker(struct change *c, struct response *res)
{
	struct arena *a = c->copy.req->arena;
	struct request *put = versions_request(
		&c->copy, HTTP_PUT, c->versions,
		legacy_version_name(a, c->object, timestamp_now()), STR_NONE);
	struct response done;

	headers_set(&put->headers, S("Content-Type"), DELETE_MARKER);
	headers_set(&put->headers, S("Content-Length"), S("0"));
	proxy_request(put)->content_type_overridden = true;
	middleware_call(c->copy.mw, put, &done);
	return check_answer(c, &done, res);
}

/* ---- bringing back ---- */

/* The next page of old versions. 0, or -EINVAL with res filled. */
waits static int read_page(struct change *c, struct response *res)
{
	struct arena *a = c->copy.req->arena;
	struct str query = S("format=json&reverse=on"), text;
	struct response got;

	query = query_with(a, query, S("prefix"), legacy_version_prefix(a, c->object));
	query = query_with(a, query, S("marker"), c->marker);
	query = arena_printf(a, "%.*s&limit=%d", STR(query), PAGE_ROWS);
	struct request *get = versions_request(&c->copy, HTTP_GET, c->versions, STR_NONE, query);

	middleware_call(c->copy.mw, get, &got);
	int rc = listing_read(&got, &text);

	json_decref(c->page);
	c->page = NULL;
	c->next = 0;
	if (got.status == 404)
		return 0;
	if (rc < 0 || got.status / 100 != 2) {
		response_init(res, a);
		respond_status(res, got.status / 100 == 4 ? 412 : 500);
		return -EINVAL;
	}
	c->page = listing_parse(text);
	return 0;
}

/* The next older version: 1, 0 when there is none, or -EINVAL with res filled. */
waits static int next_version(struct change *c, struct str *ret_name, bool *ret_marker,
			      struct response *res)
{
	if (!c->at_end && c->next >= json_array_size(c->page)) {
		if (read_page(c, res) < 0)
			return -EINVAL;
		c->at_end = json_array_size(c->page) == 0;
	}
	if (c->at_end)
		return 0;
	const json_t *row = json_array_get(c->page, c->next++);

	*ret_name = arena_str(c->copy.req->arena, row_text(row, "name"));
	*ret_marker = str_eq(row_text(row, "content_type"), DELETE_MARKER);
	c->marker = *ret_name;
	return 1;
}

/* Copies an old version back: 1, 0 when it is gone, or -EINVAL with res filled. */
waits static int restore(struct change *c, struct str name, struct response *res)
{
	struct response got, done;

	versions_get(&c->copy, c->versions, name, &got);
	if (got.status == 404) {
		body_close(got.body);
		return 0;
	}
	if (got.status / 100 != 2)
		return check_answer(c, &got, res);
	versions_put(&c->copy, c->container, c->object, &got, &done);
	return check_answer(c, &done, res) < 0 ? -EINVAL : 1;
}

waits static void delete_version(struct change *c, struct str name, struct response *res)
{
	struct request *del =
		versions_request(&c->copy, HTTP_DELETE, c->versions, name, STR_NONE);

	middleware_call(c->copy.mw, del, res);
}

/* Whether there is an object now: 1, 0, or -EINVAL with res filled. */
waits static int has_current(struct change *c, struct response *res)
{
	struct request *head =
		versions_request(&c->copy, HTTP_HEAD, c->container, c->object, STR_NONE);
	struct response got;

	headers_set(&head->headers, S("X-Newest"), S("true"));
	middleware_call(c->copy.mw, head, &got);
	if (got.status == 404) {
		body_close(got.body);
		return 0;
	}
	return check_answer(c, &got, res) < 0 ? -EINVAL : 1;
}

/* The newest of the older ones is a deletion, and there is no object: what was deleted comes back,
 * and the marker goes. */
waits static void undelete(struct change *c, struct str marker, struct response *res)
{
	struct str name;
	bool is_marker;
	int rc;

	while ((rc = next_version(c, &name, &is_marker, res)) > 0 && !is_marker) {
		struct response done;

		rc = restore(c, name, res);
		if (rc < 0)
			return;
		if (rc == 0)
			continue;
		delete_version(c, name, &done);
		if (done.status != 404 && check_answer(c, &done, res) < 0)
			return;
		break;
	}
	if (rc >= 0)
		delete_version(c, marker, res);
}

waits static void pop(struct change *c, struct response *res)
{
	struct request *req = c->copy.req;
	bool is_marker, asked = false;
	struct str name;
	int rc;

	while ((rc = next_version(c, &name, &is_marker, res)) > 0) {
		if (!asked && versions_may_write(req, res) < 0)
			return;
		asked = true;
		if (is_marker) {
			rc = has_current(c, res);
			if (rc == 0)
				undelete(c, name, res);
			if (rc <= 0)
				return;
			break;
		}
		rc = restore(c, name, res);
		if (rc > 0)
			delete_version(c, name, res);
		if (rc != 0)
			return;
	}
	if (rc >= 0)
		middleware_next(c->copy.mw, req, res);
}

/* ---- objects ---- */

waits static void handle_object(struct middleware *mw, struct request *req, struct response *res)
{
	const struct swift_path *p = &proxy_request(req)->path;
	const struct container_info *info = proxy_container_info(req, p->account, p->container);
	struct str versions = headers_get_lit(&info->sysmeta, "versions-location");
	bool history = str_eq(headers_get_lit(&info->sysmeta, "versions-mode"), S("history"));

	if (!versions.n)
		versions = info->versions;
	versions = legacy_location(req->arena, versions);
	if (!conf.allow_versioned_writes || !versions.n) {
		middleware_next(mw, req, res);
		return;
	}
	struct change c = { .copy = { mw, req, S("VW") },
			    .container = p->container,
			    .object = p->object,
			    .versions = arena_str(req->arena, versions) };

	if (req->method == HTTP_DELETE && !history) {
		pop(&c, res);
		json_decref(c.page);
		return;
	}
	if (keep_current(&c, res) < 0)
		return;
	if (req->method == HTTP_DELETE && put_marker(&c, res) < 0)
		return;
	middleware_next(mw, req, res);
}

/* ---- containers ---- */

static int refuse(struct response *res, int status, const char *text)
{
	if (status == 412)
		respond_html(res, status, "%s", text);
	else
		respond_text(res, status, "%s", text);
	return -EINVAL;
}

waits static int set_location(struct request *req, struct response *res, struct str value,
			      struct str mode)
{
	const struct swift_path *p = &proxy_request(req)->path;

	if (!conf.allow_versioned_writes)
		return refuse(res, 412, "Versioned Writes is disabled");
	if (str_chr(value, '/') >= 0)
		return refuse(res, 412, "Container name cannot contain slashes");
	if (!legacy_location(req->arena, value).n)
		return refuse(res, 412, "Container name cannot be reserved");
	const struct container_info *info = proxy_container_info(req, p->account, p->container);

	if (str_is_true(headers_get_lit(&info->sysmeta, "versions-enabled")))
		return refuse(res, 400, "Cannot enable legacy versioned writes on a container that "
					"uses object versioning.");
	headers_set(&req->headers, STORED_LOCATION, value);
	headers_set(&req->headers, STORED_MODE, mode);
	/* Only system metadata says it from now on. */
	headers_remove(&req->headers, HISTORY);
	headers_set(&req->headers, STACK, S(""));
	headers_remove(&req->headers, S("X-Remove-Versions-Location"));
	headers_remove(&req->headers, S("X-Remove-History-Location"));
	return 0;
}

waits static int translate(struct request *req, struct response *res)
{
	struct headers *h = &req->headers;
	struct str stack = headers_get(h, STACK), history = headers_get(h, HISTORY);

	if (stack.n && history.n)
		return refuse(res, 400,
			      "Only one of x-versions-location or x-history-location may be "
			      "specified");
	if (stack.n || history.n)
		return set_location(req, res, stack.n ? stack : history,
				    stack.n ? S("stack") : S("history"));
	if (stack.p || history.p || headers_get_lit(h, "X-Remove-Versions-Location").n ||
	    headers_get_lit(h, "X-Remove-History-Location").n) {
		headers_set(h, STACK, S(""));
		headers_set(h, STORED_LOCATION, S(""));
		headers_set(h, STORED_MODE, S(""));
		headers_remove(h, HISTORY);
		headers_remove(h, S("X-Remove-Versions-Location"));
		headers_remove(h, S("X-Remove-History-Location"));
	}
	return 0;
}

waits static void handle_container(struct middleware *mw, struct request *req, struct response *res)
{
	if ((req->method == HTTP_PUT || req->method == HTTP_POST) && translate(req, res) < 0)
		return;
	middleware_next(mw, req, res);
	struct str location = headers_get(&res->headers, STORED_LOCATION);

	if (location.n)
		headers_set(&res->headers,
			    str_eq(headers_get(&res->headers, STORED_MODE), S("history")) ? HISTORY
											  : STACK,
			    location);
}

waits static void handle(struct middleware *mw, struct request *req, struct response *res)
{
	const struct swift_path *p = &proxy_request(req)->path;

	if (p->object.p && (req->method == HTTP_PUT || req->method == HTTP_DELETE))
		handle_object(mw, req, res);
	else if (p->container.p && !p->object.p)
		handle_container(mw, req, res);
	else
		middleware_next(mw, req, res);
}

static int start(struct middleware *mw, struct proxy *proxy, struct fault *why)
{
	(void)mw, (void)why;
	if (conf.allow_versioned_writes)
		json_object_set_new(proxy->info, "versioned_writes",
				    json_pack("{s:[s,s]}", "allowed_flags", "x-versions-location",
					      "x-history-location"));
	return 0;
}

const struct middleware_kind middleware_versioned_writes = {
	.name = "versioned_writes",
	.section = &section,
	.start = start,
	.handle = handle,
};
