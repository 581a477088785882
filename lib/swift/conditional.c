/* Decides what a GET or HEAD answers: the whole, a part, or only a status. */
#include "lib/swift/conditional.h"

#include "lib/base/clock.h"

struct str etag_unquoted(struct str etag)
{
	if (etag.n >= 2 && etag.p[0] == '"' && etag.p[etag.n - 1] == '"')
		return str_of(etag.p + 1, etag.n - 2);
	return etag;
}

bool etag_listed(struct str list, struct str etag)
{
	struct str rest = list, item;

	etag = etag_unquoted(etag);
	while ((item = str_cut(&rest, ',')).p) {
		item = str_trim(item);
		if (item.n == 0)
			continue;
		item = etag_unquoted(item);
		if (str_eq(item, S("*")) || str_eq(item, etag))
			return true;
	}
	return false;
}

/* A date header in seconds, or 0 when absent or not a date (which swob ignores). */
static int64_t date(const struct headers *h, struct str name)
{
	struct str text = headers_get(h, name);
	int64_t seconds;

	if (!text.p || clock_http_date_parse(str_trim(text), &seconds) < 0)
		return 0;
	return seconds;
}

int conditional_status(const struct headers *request, int status, struct str etag,
		       int64_t last_modified)
{
	struct str none_match = headers_joined(request, S("If-None-Match"));
	struct str match = headers_joined(request, S("If-Match"));
	int64_t since = date(request, S("If-Modified-Since"));
	int64_t unmodified_since = date(request, S("If-Unmodified-Since"));

	if (etag.n && none_match.n && etag_listed(none_match, etag))
		return 304;
	if (etag.n && match.p && !etag_listed(match, etag))
		return 412;
	/* Only "*" can be listed when there is no tag to compare. */
	if (status == 404 && match.n && etag_listed(match, S("\"")))
		return 412;
	if (last_modified && since && last_modified <= since)
		return 304;
	if (last_modified && unmodified_since && last_modified > unmodified_since)
		return 412;
	return 0;
}

static bool if_range_holds(const struct headers *request, const struct entity *e)
{
	struct str value = headers_get(request, S("If-Range"));
	int64_t seconds;

	if (!value.p)
		return true;
	value = str_trim(value);
	if (str_starts(value, S("\"")))
		return e->etag.n && str_eq(etag_unquoted(value), etag_unquoted(e->etag));
	if (clock_http_date_parse(value, &seconds) == 0)
		return e->last_modified && seconds == e->last_modified;
	return e->etag.n && str_eq(value, etag_unquoted(e->etag));
}

static void respond_empty(struct response *res, int status)
{
	res->status = status;
	res->body = NULL;
	res->content_length = 0;
}

waits static void respond_range(struct request *req, struct response *res, const struct entity *e,
				const struct range *ranges, unsigned n)
{
	res->status = 206;
	if (n == 1) {
		headers_setf(&res->headers, S("Content-Range"),
			     "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, ranges[0].first,
			     ranges[0].last, e->size);
		res->content_length = (int64_t)(ranges[0].last - ranges[0].first + 1);
		res->body = e->open(e->arg, ranges[0].first, ranges[0].last);
	} else {
		struct range *kept = arena_alloc(req->arena, n * sizeof *kept);
		struct str boundary = range_boundary(req->arena);
		struct str type = headers_get(&res->headers, S("Content-Type"));

		memcpy(kept, ranges, n * sizeof *kept);
		type = type.p ? arena_str(req->arena, type) : S("application/octet-stream");
		headers_setf(&res->headers, S("Content-Type"), "multipart/byteranges;boundary=%.*s",
			     STR(boundary));
		res->body = ranges_multipart_body(req->arena, kept, n, e->size, type, boundary,
						  e->open, e->arg);
		res->content_length = res->body->left;
	}
}

waits void conditional_respond(struct request *req, struct response *res, const struct entity *e)
{
	int status = conditional_status(&req->headers, 200, e->etag, e->last_modified);
	struct range ranges[RANGES_MAX];
	int n = 0;

	if (status)
		return respond_empty(res, status);
	res->status = 200;
	res->content_length = (int64_t)e->size;
	res->body = NULL;
	if (req->method == HTTP_HEAD)
		return;
	if (!e->ignore_range && if_range_holds(&req->headers, e))
		n = ranges_parse(headers_joined(&req->headers, S("Range")), e->size, ranges);
	if (n < 0) {
		struct str type = headers_get(&res->headers, S("Content-Type"));

		headers_setf(&res->headers, S("Content-Range"), "bytes */%" PRIu64, e->size);
		type = type.p ? arena_str(req->arena, type) : STR_NONE;
		respond_status(res, 416);
		if (type.p)
			headers_set(&res->headers, S("Content-Type"), type);
		return;
	}
	if (n > 0)
		respond_range(req, res, e, ranges, (unsigned)n);
	else if (e->size)
		res->body = e->open(e->arg, 0, e->size - 1);
	if (!res->body && e->size)
		respond_status(res, 500);
}
