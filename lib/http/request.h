/* A request and its response, for servers and for the pipeline inside the proxy. All memory is the
 * request's arena; whoever made the arena frees it after the response body was closed. */
#pragma once
#include "lib/http/body.h"

enum http_method {
	HTTP_OTHER, HTTP_GET, HTTP_HEAD, HTTP_PUT, HTTP_POST, HTTP_DELETE, HTTP_OPTIONS, HTTP_COPY,
	HTTP_PATCH, HTTP_REPLICATE, HTTP_UPDATE,
};
enum http_method http_method_parse(struct str s);
const char *http_method_name(enum http_method m);

enum { REQUEST_MAGIC = 0x72657175 };

struct request {
	unsigned magic;
	enum http_method method;
	struct str method_name;         /* as sent, also for HTTP_OTHER */
	struct str target;              /* request target as sent, without scheme and authority */
	struct str path;                /* before '?', still percent-encoded */
	struct str query;               /* behind '?', or absent */
	struct str scheme;              /* "http" or "https" */
	unsigned minor;                 /* HTTP/1.minor */
	struct headers headers;
	struct body *body; /* never NULL; reading it sends 100 Continue where one is due */
	int64_t content_length;         /* -1: chunked; 0: no body */
	bool chunked, expect_continue;
	/* Header lines that go with the 100 Continue ("X-Obj-Metadata-Footer: yes\r\n"), to be set
	 * before the body is read; absent: none. */
	struct str continue_fields;
	struct arena *arena;
	struct str peer_ip;             /* of the TCP peer */
	unsigned peer_port;
	int64_t started_us;             /* wall clock at the first byte */
	struct str trans_id;
	void *user;                     /* the room's own per-request data (proxy, objectd) */
};

struct response {
	int status;                     /* 0: not answered yet */
	struct str reason;              /* absent: the standard phrase */
	struct headers headers;
	struct body *body;              /* NULL: none */
	int64_t content_length; /* of the body, also for HEAD; -1: chunked (or until close) */
	bool close;                     /* end the connection after this response */
	uint64_t bytes_sent; /* of the body, filled in by the server for the access log */
};

/* "Not Found"; "" for unknown codes. */
struct str http_reason(int status);

/* Sets up an empty response in the arena. */
void response_init(struct response *res, struct arena *arena);
/* Fills status, Content-Type and a body of these bytes (not copied). */
void respond(struct response *res, int status, struct str content_type, struct str body);
/* Swift's (swob's) HTML answer for a status: "<html><h1>Not Found</h1><p>The resource could not be
 * found.</p></html>", or an empty body where swob has none. */
void respond_status(struct response *res, int status);
/* Status with a body of its own, in text/html as swob has it unless told … */
void respond_html(struct response *res, int status, const char *fmt, ...) printf_like(3, 4);
/* … or in text/plain. */
void respond_text(struct response *res, int status, const char *fmt, ...) printf_like(3, 4);

/* The decoded value of a query parameter, or absent; the last one wins (as Swift's). A parameter
 * without '=' is empty. */
struct str request_query(const struct request *req, struct str name);
#define request_query_lit(req, literal) request_query(req, S(literal))
bool request_has_query(const struct request *req, struct str name);
/* Cuts the first parameter off *rest (of request->query to begin with), decoded: false when there
 * is none left. A parameter without '=' is empty. */
bool request_next_query(struct arena *a, struct str *rest, struct str *ret_name,
			struct str *ret_value);
