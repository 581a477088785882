/* Decides how an account or container listing is written (text, JSON, XML) from the query and the
 * Accept header, and says so to what stands behind as format=…: the storage servers write all
 * three. Swift: common/middleware/listing_formats.py */
#include "lib/swift/accept.h"
#include "proxy/middleware/kinds.h"

static bool is_listing(const struct request *req)
{
	const struct swift_path *p = &proxy_request(req)->path;

	return p->account.n && !p->object.p &&
	       (req->method == HTTP_GET || req->method == HTTP_HEAD);
}

/* The query with its format parameter replaced. */
static struct str with_format(struct request *req, struct str format)
{
	CLEANUP(buf_done) struct buf b = BUF(64 * KIB);
	struct str rest = req->query, part;

	while (req->query.n && (part = str_cut(&rest, '&')).p) {
		struct str value = part, name = str_cut(&value, '=');

		if (part.n && !str_eq(name, S("format")))
			buf_addf(&b, "%.*s&", STR(part));
	}
	buf_addf(&b, "format=%.*s", STR(format));
	return arena_str(req->arena, buf_str(&b));
}

static void add_vary(struct response *res)
{
	struct str vary = headers_get_lit(&res->headers, "Vary");

	if (!vary.p)
		headers_add(&res->headers, S("Vary"), S("Accept"));
	else if (!headers_has_token(&res->headers, S("Vary"), S("accept")))
		headers_setf(&res->headers, S("Vary"), "%.*s, Accept", STR(vary));
}

waits static void handle(struct middleware *mw, struct request *req, struct response *res)
{
	struct str type, format = STR_NONE;

	if (!is_listing(req)) {
		middleware_next(mw, req, res);
		return;
	}
	format = request_query_lit(req, "format");
	if (!str_is_utf8(format)) {
		respond_text(res, 400, "\"format\" parameter not valid UTF-8");
		return;
	}
	bool by_accept = !request_has_query(req, S("format"));
	int rc = accept_listing(format, headers_get_lit(&req->headers, "Accept"), &type);
	if (rc == -EINVAL) {
		respond(res, 400, S("text/html; charset=UTF-8"), S("Invalid Accept header"));
		return;
	}
	if (rc < 0) {
		respond_status(res, 406);
		return;
	}
	struct str word = str_eq(type, S("text/plain"))
				  ? S("plain")
				  : str_skip(type, (size_t)str_chr(type, '/') + 1);

	req->query = with_format(req, word);
	middleware_next(mw, req, res);
	if (res->status != 200 && res->status != 204)
		return;
	if (by_accept)
		add_vary(res);
	if (str_eq(type, S("text/xml")) &&
	    str_starts(headers_get_lit(&res->headers, "Content-Type"), S("application/xml")))
		headers_set(&res->headers, S("Content-Type"), S("text/xml; charset=utf-8"));
}

const struct middleware_kind middleware_listing_formats = { .name = "listing_formats",
							    .handle = handle };
