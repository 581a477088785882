/* Answers that need no handler of their own: Swift's standard bodies, plain texts. The texts are
 * swob's (swift/common/swob.py, RESPONSE_REASONS), which clients show to their users. */
#include "lib/http/request.h"

static const struct {
	int status;
	struct str reason, text;
} standard[] = {
#define X(status, reason, text) { status, STR_INIT(reason), STR_INIT(text) }
	X(100, "Continue", ""),
	X(200, "OK", ""),
	X(201, "Created", ""),
	X(202, "Accepted", "The request is accepted for processing."),
	X(203, "Non-Authoritative Information", ""),
	X(204, "No Content", ""),
	X(206, "Partial Content", ""),
	X(300, "Multiple Choices", ""),
	X(301, "Moved Permanently", "The resource has moved permanently."),
	X(302, "Found", "The resource has moved temporarily."),
	X(303, "See Other", "The response to the request can be found under a different URI."),
	X(304, "Not Modified", ""),
	X(307, "Temporary Redirect", "The resource has moved temporarily."),
	X(308, "Permanent Redirect", ""),
	X(400, "Bad Request",
	  "The server could not comply with the request since it is either "
	  "malformed or otherwise incorrect."),
	X(401, "Unauthorized",
	  "This server could not verify that you are authorized to access "
	  "the document you requested."),
	X(402, "Payment Required", "Access was denied for financial reasons."),
	X(403, "Forbidden", "Access was denied to this resource."),
	X(404, "Not Found", "The resource could not be found."),
	X(405, "Method Not Allowed", "The method is not allowed for this resource."),
	X(406, "Not Acceptable",
	  "The resource is not available in a format acceptable to your "
	  "browser."),
	X(408, "Request Timeout",
	  "The server has waited too long for the request to be sent by "
	  "the client."),
	X(409, "Conflict", "There was a conflict when trying to complete your request."),
	X(410, "Gone", "This resource is no longer available."),
	X(411, "Length Required", "Content-Length header required."),
	X(412, "Precondition Failed", "A precondition for this request was not met."),
	X(413, "Request Entity Too Large",
	  "The body of your request was too large for this server."),
	X(414, "Request URI Too Long", "The request URI was too long for this server."),
	X(415, "Unsupported Media Type", "The request media type is not supported by this server."),
	X(416, "Requested Range Not Satisfiable", "The Range requested is not available."),
	X(417, "Expectation Failed", "Expectation failed."),
	X(422, "Unprocessable Entity", "Unable to process the contained instructions"),
	X(423, "Locked", ""),
	X(429, "Too Many Requests", ""),
	X(431, "Request Header Fields Too Large", ""),
	X(497, "Blacklisted", ""),
	X(498, "Rate Limited", ""),
	X(499, "Client Disconnect", "The client was disconnected during request."),
	X(500, "Internal Error",
	  "The server has either erred or is incapable of performing the "
	  "requested operation."),
	X(501, "Not Implemented", "The requested method is not implemented by this server."),
	X(502, "Bad Gateway", "Bad gateway."),
	X(503, "Service Unavailable",
	  "The server is currently unavailable. Please try again at a "
	  "later time."),
	X(504, "Gateway Timeout", "A timeout has occurred speaking to a backend server."),
	X(505, "HTTP Version Not Supported", ""),
	X(507, "Insufficient Storage",
	  "There was not enough space to save the resource. Drive: "
	  "unknown"),
	X(529, "Too Many Backend Requests", ""),
#undef X
};

static int standard_index(int status)
{
	for (size_t i = 0; i < ARRAY_LEN(standard); i++)
		if (standard[i].status == status)
			return (int)i;
	return -1;
}

struct str http_reason(int status)
{
	int i = standard_index(status);

	return i < 0 ? S("") : standard[i].reason;
}

void response_init(struct response *res, struct arena *arena)
{
	*res = (struct response){ 0 };
	headers_init(&res->headers, arena);
}

/* Bytes that stand in the place of a body that nobody wants any more. Closing that may wait, which
 * respond must not: so it is closed together with its successor. */
struct successor {
	struct body body;
	struct body *old;
	struct str rest;
};

static int successor_next(struct body *b, struct str *ret_chunk)
{
	struct successor *self = container_of(b, struct successor, body);

	if (self->rest.n == 0)
		return 0;
	*ret_chunk = self->rest;
	self->rest = STR_NONE;
	b->left = 0;
	return 1;
}

waits static void successor_close(struct body *b)
{
	body_close(container_of(b, struct successor, body)->old);
}

void respond(struct response *res, int status, struct str content_type, struct str body)
{
	struct body *old = res->body;

	res->status = status;
	res->reason = STR_NONE;
	res->content_length = (int64_t)body.n;
	res->body = body.n ? body_bytes(res->headers.arena, body) : NULL;
	if (old && old->close) {
		struct successor *s = arena_zalloc(res->headers.arena, sizeof *s);

		*s = (struct successor){ .old = old, .rest = body };
		s->body = (struct body){ .next = successor_next, .close = successor_close,
					 .left = (int64_t)body.n };
		res->body = &s->body;
	}
	headers_set(&res->headers, S("Content-Type"), content_type);
}

void respond_status(struct response *res, int status)
{
	int i = standard_index(status);
	struct str text = STR_NONE;

	if (i >= 0 && standard[i].text.n)
		text = arena_printf(res->headers.arena, "<html><h1>%.*s</h1><p>%.*s</p></html>",
				    STR(standard[i].reason), STR(standard[i].text));
	respond(res, status, S("text/html; charset=UTF-8"), text);
}

void respond_html(struct response *res, int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	respond(res, status, S("text/html; charset=UTF-8"),
		arena_vprintf(res->headers.arena, fmt, ap));
	va_end(ap);
}

void respond_text(struct response *res, int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	respond(res, status, S("text/plain"), arena_vprintf(res->headers.arena, fmt, ap));
	va_end(ap);
}
