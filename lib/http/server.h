/* HTTP/1.1 server: reads requests off connections, calls the handler in a task, sends what it
 * answers. Keep-alive, pipelining (one after another), chunked both ways, Expect: 100-continue
 * (sent when the handler first pulls the body), limits and timeouts on everything. A connection
 * that is idle between requests holds no task and no buffer. */
#pragma once
#include "lib/base/fault.h"
#include "lib/http/request.h"

struct http_limits {
	size_t request_line_max;        /* bytes; beyond: 414 */
	size_t header_max;              /* bytes of one header line; beyond: 400 */
	unsigned headers_max;           /* number of headers; beyond: 431 */
	unsigned connections_max;       /* beyond: the oldest idle one is closed, else the new */
	uint64_t header_timeout_ms;     /* from a request's first byte to its last header: 408 */
	uint64_t idle_timeout_ms;       /* keep-alive, and before the first byte */
	uint64_t body_timeout_ms;       /* between two pieces of a request body: 408 */
	uint64_t write_timeout_ms;      /* a peer that takes nothing for that long is cut off */
	size_t drain_max;               /* bytes of unread bodies read away to keep connections */
};
extern const struct http_limits http_limits_default;

struct tls_server;                      /* lib/net/tls.h */

struct http_server_options {
	const char *ip;                 /* address to bind ("127.0.0.1", "::") */
	unsigned port;                  /* 0: any; see http_server_port */
	bool reuse_port;                /* several workers share the port */
	int backlog;
	struct http_limits limits;
	struct tls_server *tls;         /* NULL: plain */
	/* Answers one request. Runs in a task with a fresh arena; a status of 0 afterwards is our
	 * bug and becomes 500. The response body is pulled after it returned. */
	void (*handle)(void *arg, struct request *req, struct response *res);
	/* May add headers to an answer that the server gives by itself (what cannot be read), with
	 * whatever of the request is known. May be NULL. */
	void (*refused)(void *arg, struct request *req, struct response *res);
	/* After the response was sent or failed (error < 0: client gone, -ETIMEDOUT …): access log.
	 * bytes_in: body bytes read. May be NULL. Also called for requests that the server itself
	 * refused (parse errors), with whatever of the request is known. */
	void (*done)(void *arg, struct request *req, struct response *res, int error,
			   uint64_t bytes_in);
	void *arg;
};

struct http_server;
/* Binds and begins to accept: 0, or -EADDRINUSE, -EACCES … with the reason. Does not wait. */
int http_server_start(const struct http_server_options *o, struct http_server **ret,
		      struct fault *why);
unsigned http_server_port(const struct http_server *s);
/* Closes the listener and idle connections, lets running requests end for up to grace_ms, then
 * cancels them. Frees the server. */
waits void http_server_stop(struct http_server *s, uint64_t grace_ms);

struct http_server_stats {
	uint64_t accepted, requests, refused;   /* since the start; refused: by the server itself */
	unsigned open, idle, active;            /* connections now */
};
void http_server_stats(const struct http_server *s, struct http_server_stats *ret);
