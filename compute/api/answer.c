/* Answers of the APIs: documents, errors, times, ids. */
#include "compute/api/api.h"
#include "lib/base/clock.h"
#include "lib/base/encode.h"
#include "lib/crypto/digest.h"

void api_respond(struct api_call *c, int status, json_t *doc)
{
	assert(doc);
	respond(c->res, status, S("application/json"), json_text_of(c->arena, doc));
	json_decref(doc);
}

void api_respond_empty(struct api_call *c, int status)
{
	c->res->status = status;
	c->res->body = NULL;
	c->res->content_length = 0;
}

void api_error(struct api_call *c, int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	struct str text = arena_vprintf(c->arena, fmt, ap);
	va_end(ap);
	c->api->error(c, status, text);
	assert(c->res->status == status);
}

void api_fail(struct api_call *c, int error)
{
	switch (error) {
	case -ENOENT:
		api_error(c, 404, "The resource could not be found.");
		return;
	case -ESTALE:
	case -EEXIST:
		api_error(c, 409, "It was changed by another request meanwhile.");
		return;
	case -EFBIG:
	case -EDQUOT:
		api_error(c, 413, "It is larger than the quota allows.");
		return;
	case -ENOSPC:
		api_error(c, 507, "There is no space left in the store.");
		return;
	default:
		api_error(c, 503, "The store or the identity service is not available.");
		headers_set(&c->res->headers, S("Retry-After"), S("1"));
	}
}

struct str api_url(const struct api_call *c, const char *path)
{
	struct str host = headers_get_lit(&c->req->headers, "X-Forwarded-Host");
	struct str scheme = headers_get_lit(&c->req->headers, "X-Forwarded-Proto");

	if (!host.n)
		host = headers_get_lit(&c->req->headers, "Host");
	return arena_printf(c->arena, "%.*s://%.*s%s", STR(scheme.n ? scheme : c->req->scheme),
			    STR(host.n ? host : S("127.0.0.1")), path);
}

json_t *api_time(int64_t us)
{
	char text[ISO_DATE_SIZE + 1];

	clock_iso_us(us, text);
	text[19] = 'Z';         /* instead of the point before the microseconds */
	text[20] = 0;
	return json_string(text);
}

void uuid_make(char text[UUID_SIZE])
{
	unsigned char b[16];
	char hex[33];

	random_bytes(b, sizeof b);
	b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
	b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
	hex_encode(b, sizeof b, hex);
	snprintf(text, UUID_SIZE, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16,
		 hex + 20);
}

bool uuid_valid(struct str s)
{
	if (s.n != UUID_SIZE - 1)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		char c = s.p[i];
		bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ||
			   (c >= 'A' && c <= 'F');

		if (dash ? c != '-' : !hex)
			return false;
	}
	return true;
}
