/* COPY, and PUT with X-Copy-From: a GET of the source (as X-Newest) whose body becomes the PUT's.
 * Swift: common/middleware/copy.py; docs/swift/copy.md */
#include "lib/base/encode.h"
#include "lib/swift/metadata.h"
#include "proxy/middleware/kinds.h"
#include "proxy/middleware/listing_json.h"

struct source {
	struct str account, container, object;
};

/* "container/object", leading slash optional, percent-encoded. */
static int parse_path(struct arena *a, struct str value, struct str *ret_container,
		      struct str *ret_object)
{
	struct str rest = percent_decode(a, value);

	if (str_starts(rest, S("/")))
		rest = str_skip(rest, 1);
	*ret_container = str_cut(&rest, '/');
	*ret_object = rest;
	return ret_container->n && rest.n ? 0 : -EINVAL;
}

static int parse_account(struct request *req, struct response *res, struct str header,
			 struct str *ret)
{
	struct str value = percent_decode(req->arena, headers_get(&req->headers, header));

	if (value.n == 0) {
		respond_html(res, 412, "Account name cannot be empty");
		return -EINVAL;
	}
	if (str_chr(value, '/') >= 0) {
		respond_html(res, 412, "Account name cannot contain slashes");
		return -EINVAL;
	}
	*ret = value;
	return 0;
}

/* A COPY becomes the PUT of its destination; what was its path is the source. */
static int turn_around(struct request *req, struct response *res, struct source *from)
{
	struct proxy_request *p = proxy_request(req);
	struct str destination = headers_get_lit(&req->headers, "Destination");
	struct str account = p->path.account, container, object;

	from->account = p->path.account;
	from->container = p->path.container;
	from->object = p->path.object;
	if (destination.n == 0) {
		respond_html(res, 412, "Destination header required");
		return -EINVAL;
	}
	if (headers_has(&req->headers, S("Destination-Account")) &&
	    parse_account(req, res, S("Destination-Account"), &account) < 0)
		return -EINVAL;
	if (parse_path(req->arena, destination, &container, &object) < 0) {
		respond_html(
			res, 412,
			"Destination header must be of the form <container name>/<object name>");
		return -EINVAL;
	}
	headers_remove(&req->headers, S("Destination"));
	headers_remove(&req->headers, S("Destination-Account"));
	p->path.account = account;
	p->path.container = container;
	p->path.object = object;
	req->method = HTTP_PUT;
	req->method_name = S("PUT");
	req->path = swift_path_quote(req->arena, S("/v1"), account, container, object);
	return 0;
}

static int read_copy_from(struct request *req, struct response *res, struct source *from)
{
	from->account = proxy_request(req)->path.account;
	if (headers_get_lit(&req->headers, "X-Copy-From-Account").n &&
	    parse_account(req, res, S("X-Copy-From-Account"), &from->account) < 0)
		return -EINVAL;
	if (parse_path(req->arena, headers_get_lit(&req->headers, "X-Copy-From"), &from->container,
		       &from->object) < 0) {
		respond_html(
			res, 412,
			"X-Copy-From header must be of the form <container name>/<object name>");
		return -EINVAL;
	}
	headers_remove(&req->headers, S("X-Copy-From"));
	headers_remove(&req->headers, S("X-Copy-From-Account"));
	return 0;
}

static bool wants_manifest(const struct request *req)
{
	return str_eq(request_query_lit(req, "multipart-manifest"), S("get"));
}

waits static void get_source(struct middleware *mw, struct request *req, const struct source *from,
			     struct response *res)
{
	static const struct str passed[] = { STR_INIT("Range"),
					     STR_INIT("If-Match"),
					     STR_INIT("If-None-Match"),
					     STR_INIT("If-Modified-Since"),
					     STR_INIT("If-Unmodified-Since"),
					     STR_INIT("Referer") };
	struct str query = req->query;

	if (wants_manifest(req))
		query = arena_printf(req->arena, "%.*s&format=raw", STR(req->query));
	struct request *get = proxy_subrequest_new(req, HTTP_GET, from->account, from->container,
						   from->object, query, S("SSC"));

	for (size_t i = 0; i < ARRAY_LEN(passed); i++) {
		struct str value = headers_get(&req->headers, passed[i]);

		if (value.p)
			headers_set(&get->headers, passed[i], value);
	}
	headers_set(&get->headers, S("X-Newest"), S("true"));
	proxy_request(get)->newest = true;
	middleware_call(mw, get, res);
}

static bool is_copied(struct str name, bool fresh)
{
	static const struct str never[] = {
		STR_INIT("X-Static-Large-Object"),
		STR_INIT("X-Object-Manifest"),
		STR_INIT("ETag"),
		STR_INIT("Content-Type"),
		STR_INIT("X-Timestamp"),
		STR_INIT("X-Backend-Timestamp"),
		STR_INIT("Content-Length"),
		STR_INIT("Transfer-Encoding"),
		STR_INIT("Last-Modified"),
		STR_INIT("Date"),
		STR_INIT("Accept-Ranges"),
		STR_INIT("Content-Range"),
		STR_INIT("Connection"),
	};

	/* ?symlink=get copies the link itself. */
	if (str_istarts(name, S("X-Symlink-Target")))
		return true;
	if (fresh)
		return str_istarts(name, S("X-Object-Sysmeta-"));
	for (size_t i = 0; i < ARRAY_LEN(never); i++)
		if (str_ieq(name, never[i]))
			return false;
	return str_istarts(name, S("X-Object-Meta-")) ||
	       str_istarts(name, S("X-Object-Sysmeta-")) ||
	       str_istarts(name, S("X-Object-Transient-Sysmeta-")) ||
	       metadata_is_object_header(name);
}

/* The source's metadata under the request's own: what the request says wins. */
static void copy_metadata(struct request *put, const struct response *got, bool fresh)
{
	for (unsigned i = 0; i < got->headers.n; i++) {
		const struct header *h = &got->headers.v[i];

		if (is_copied(h->name, fresh) && !headers_has(&put->headers, h->name))
			headers_add(&put->headers, h->name, h->value);
	}
	if (headers_get_lit(&put->headers, "Content-Type").n == 0)
		headers_set(&put->headers, S("Content-Type"),
			    headers_get_lit(&got->headers, "Content-Type"));
}

static void set_etag(struct request *put, const struct response *got, bool manifest)
{
	bool slo = headers_has(&got->headers, S("X-Static-Large-Object"));
	bool dlo = headers_has(&got->headers, S("X-Object-Manifest"));

	if (got->status == 200 && !slo && (!dlo || manifest)) {
		headers_set(&put->headers, S("ETag"), headers_get_lit(&got->headers, "ETag"));
		return;
	}
	headers_remove(&put->headers, S("ETag"));
	headers_remove_prefix(&put->headers, S("X-Object-Sysmeta-Container-Update-Override-"));
}

static void set_manifest(struct request *put, const struct response *got)
{
	put->query = STR_NONE;
	if (headers_has(&got->headers, S("X-Static-Large-Object")))
		put->query = S("multipart-manifest=put");
	if (headers_has(&got->headers, S("X-Object-Manifest")))
		headers_set(&put->headers, S("X-Object-Manifest"),
			    headers_get_lit(&got->headers, "X-Object-Manifest"));
}

static void add_answer_headers(struct request *put, const struct source *from,
			       const struct response *got, struct response *res)
{
	CLEANUP(buf_done) struct buf b = BUF(16 * KIB);

	percent_encode(&b, from->account, S("/"));
	headers_set(&res->headers, S("X-Copied-From-Account"), buf_str(&b));
	buf_clear(&b);
	percent_encode(&b, from->container, S("/"));
	buf_add_char(&b, '/');
	percent_encode(&b, from->object, S("/"));
	headers_set(&res->headers, S("X-Copied-From"), buf_str(&b));
	struct str modified = headers_get_lit(&got->headers, "Last-Modified");
	struct str version = headers_get_lit(&got->headers, "X-Object-Version-Id");

	if (modified.p)
		headers_set(&res->headers, S("X-Copied-From-Last-Modified"), modified);
	if (version.p)
		headers_set(&res->headers, S("X-Copied-From-Version-Id"), version);
	for (unsigned i = 0; i < put->headers.n; i++) {
		const struct header *h = &put->headers.v[i];

		if (str_istarts(h->name, S("X-Object-Meta-")) || str_ieq(h->name, S("X-Delete-At")))
			headers_set(&res->headers, header_title(put->arena, h->name), h->value);
	}
}

waits static void copy(struct middleware *mw, struct request *req, struct response *res,
		       const struct source *from)
{
	struct response got;
	bool manifest = wants_manifest(req);
	bool fresh = str_is_true(headers_get_lit(&req->headers, "X-Fresh-Metadata"));

	get_source(mw, req, from, &got);
	if (got.status >= 300) {
		*res = got;
		return;
	}
	if (got.content_length < 0 ||
	    (uint64_t)got.content_length > swift_limits_default.max_file_size) {
		body_close(got.body);
		respond_status(res, 413);
		return;
	}
	copy_metadata(req, &got, fresh);
	set_etag(req, &got, manifest);
	if (manifest)
		set_manifest(req, &got);
	/* It was the source's. */
	req->query = query_with(req->arena, req->query, S("version-id"), STR_NONE);
	static const struct str source_only[] = { STR_INIT("Range"), STR_INIT("If-Match"),
						  STR_INIT("If-None-Match"),
						  STR_INIT("If-Modified-Since"),
						  STR_INIT("If-Unmodified-Since") };
	for (size_t i = 0; i < ARRAY_LEN(source_only); i++)
		headers_remove(&req->headers, source_only[i]);
	headers_setf(&req->headers, S("Content-Length"), "%" PRId64, got.content_length);
	req->content_length = got.content_length;
	req->chunked = req->expect_continue = false;
	req->body = got.body ? got.body : body_empty(req->arena);
	proxy_request(req)->source = S("SSC");
	middleware_next(mw, req, res);
	body_close(req->body);
	if (res->status / 100 == 2)
		add_answer_headers(req, from, &got, res);
}

static void add_copy_to(struct response *res, struct str name)
{
	struct str methods = headers_get(&res->headers, name);

	if (methods.n)
		headers_setf(&res->headers, name, "%.*s, COPY", STR(methods));
}

/* Objects can be copied: OPTIONS tells (handle_OPTIONS in copy.py). */
waits static void options(struct middleware *mw, struct request *req, struct response *res)
{
	middleware_next(mw, req, res);
	if (res->status != 200)
		return;
	add_copy_to(res, S("Allow"));
	add_copy_to(res, S("Access-Control-Allow-Methods"));
}

waits static void handle(struct middleware *mw, struct request *req, struct response *res)
{
	const struct swift_path *p = &proxy_request(req)->path;
	bool is_put = req->method == HTTP_PUT && headers_get_lit(&req->headers, "X-Copy-From").n;
	struct source from = { 0 };

	if (p->object.n && req->method == HTTP_OPTIONS) {
		options(mw, req, res);
		return;
	}
	if (!p->object.n || (!is_put && req->method != HTTP_COPY)) {
		middleware_next(mw, req, res);
		return;
	}
	if (is_put && str_eq(request_query_lit(req, "multipart-manifest"), S("put"))) {
		respond_html(res, 405, "Multipart Manifest PUTs cannot be COPY requests");
		return;
	}
	if (is_put && req->content_length > 0) {
		respond_text(res, 400, "Copy requests require a zero byte body");
		return;
	}
	if ((is_put ? read_copy_from(req, res, &from) : turn_around(req, res, &from)) < 0)
		return;
	copy(mw, req, res, &from);
}

const struct middleware_kind middleware_copy = { .name = "copy", .handle = handle };
