/* The HTTP server over real sockets: life of connections, framing, limits, refusals, timeouts. */
#include "lib/http/server.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "tests/unit/lib/http/wire.h"

#include <setjmp.h>
#include <cmocka.h>

static struct {
	struct http_server *server;
	unsigned port;
	int handled, last_error, last_status;
	uint64_t last_in, last_out;
	char last_method[32], last_path[256];
	int body_rc;                    /* how the last body that a handler read ended */
	bool cancelled;                 /* a handler saw that it was */
} T;

/* ---- what the server answers ---- */

waits static void echo(struct request *req, struct response *res)
{
	struct buf body = BUF(2 * MIB);

	T.body_rc = body_read_all(req->body, &body);
	if (T.body_rc < 0) {
		respond_text(res, T.body_rc == -ETIMEDOUT ? 408 : 499, "body: %d\n", T.body_rc);
	} else {
		respond(res, 200, S("text/plain"), arena_str(req->arena, buf_str(&body)));
		const struct headers *t = req->body->trailers;

		for (unsigned i = 0; t && i < t->n; i++)
			headers_add(&res->headers,
				    arena_printf(req->arena, "X-Trailer-%.*s", STR(t->v[i].name)),
				    t->v[i].value);
	}
	buf_done(&body);
}

/* "abc" in three chunks, with a trailer. */
struct abc {
	struct body body;
	struct headers trailers;
	int at;
};

static int abc_next(struct body *b, struct str *ret_chunk)
{
	struct abc *self = container_of(b, struct abc, body);

	if (self->at == 3)
		return 0;
	*ret_chunk = str_of(&"abc"[self->at++], 1);
	return 1;
}

static void answer_abc(struct request *req, struct response *res, bool trailer)
{
	struct abc *self = arena_zalloc(req->arena, sizeof *self);

	self->body = (struct body){ .next = abc_next, .left = -1 };
	headers_init(&self->trailers, req->arena);
	headers_add(&self->trailers, S("X-Sum"), S("six"));
	if (trailer)
		self->body.trailers = &self->trailers;
	res->status = 200;
	res->content_length = -1;
	res->body = &self->body;
}

static void answer_big(struct request *req, struct response *res)
{
	static char megabyte[MIB];

	(void)req;
	respond(res, 200, S("application/octet-stream"), str_of(megabyte, sizeof megabyte));
}

waits static void answer_slowly(struct request *req, struct response *res)
{
	uint64_t ms = 0;

	if (str_to_u64(request_query(req, S("ms")), &ms) < 0 || task_sleep(ms) < 0) {
		T.cancelled = task_cancelled();
		respond_status(res, 503);
		return;
	}
	respond_text(res, 200, "slept\n");
}

/* Sends back the request's metadata. */
static void respond_names(struct request *req, struct response *res)
{
	respond_status(res, 204);
	for (unsigned i = 0; i < req->headers.n; i++)
		if (str_istarts(req->headers.v[i].name, S("x-")))
			headers_add(&res->headers, req->headers.v[i].name, req->headers.v[i].value);
}

waits static void handle(void *arg, struct request *req, struct response *res)
{
	(void)arg;
	T.handled++;
	snprintf(T.last_method, sizeof T.last_method, "%.*s", STR(req->method_name));
	snprintf(T.last_path, sizeof T.last_path, "%.*s", STR(req->path));
	if (str_eq(req->path, S("/echo")))
		echo(req, res);
	else if (str_eq(req->path, S("/abc")))
		answer_abc(req, res, request_has_query(req, S("trailer")));
	else if (str_eq(req->path, S("/big")))
		answer_big(req, res);
	else if (str_eq(req->path, S("/slow")))
		answer_slowly(req, res);
	else if (str_eq(req->path, S("/nothing")))
		res->status = 0;
	else if (str_eq(req->path, S("/204")))
		respond_status(res, 204);
	else if (str_eq(req->path, S("/304")))
		respond(res, 304, S("text/plain"), S("never sent"));
	else if (str_eq(req->path, S("/names")))
		respond_names(req, res);
	else if (str_eq(req->path, S("/host")))
		respond_text(res, 200, "%.*s", STR(headers_get(&req->headers, S("Host"))));
	else
		respond_text(res, 200, "hello %.*s\n", STR(req->path));
}

static void done(void *arg, struct request *req, struct response *res, int error, uint64_t bytes_in)
{
	(void)arg;
	assert(req->magic == REQUEST_MAGIC);
	T.last_error = error;
	T.last_status = res->status;
	T.last_in = bytes_in;
	T.last_out = res->bytes_sent;
}

static struct http_limits quick(void)
{
	struct http_limits l = http_limits_default;

	l.header_timeout_ms = 200;
	l.body_timeout_ms = 200;
	l.write_timeout_ms = 300;
	l.drain_max = 64 * KIB;
	return l;
}

static void start_with(struct http_limits limits)
{
	struct http_server_options o = {
		.ip = "127.0.0.1", .limits = limits, .handle = handle, .done = done
	};
	struct fault why = { 0 };

	memset(&T, 0, sizeof T);
	T.body_rc = 1;
	int rc = http_server_start(&o, &T.server, &why);
	assert(rc == 0);
	T.port = http_server_port(T.server);
}

waits static void stop(void)
{
	http_server_stop(T.server, 1000);
}

static struct http_server_stats stats(void)
{
	struct http_server_stats s;

	http_server_stats(T.server, &s);
	return s;
}

/* ---- the tests ---- */

waits static void plain_get(void)
{
	start_with(quick());
	AUTO(conn) c = wire_open(T.port);

	wire_send(c, "GET /a%20b?x=1 HTTP/1.1\r\nHost: h\r\n\r\n");
	const char *r = wire_read_response(c, false);
	expect_begins(r, "HTTP/1.1 200 OK\r\n");
	expect_holds(r, "\r\nContent-Type: text/plain\r\n");
	expect_holds(r, "\r\nContent-Length: 13\r\n");
	expect_holds(r, "\r\nDate: ");
	expect_holds(r, " GMT\r\n");
	expect_lacks(r, "Connection:");
	expect_holds(r, "\r\n\r\nhello /a%20b\n");
	assert(T.last_out == 13 && T.last_error == 0 && T.last_status == 200);
	/* The connection is idle now, and serves again. */
	assert(stats().idle == 1 && stats().active == 0 && stats().open == 1);
	wire_send(c, "GET /again HTTP/1.1\r\nConnection: close\r\n\r\n");
	r = wire_read_all(c);
	expect_holds(r, "\r\nConnection: close\r\n");
	expect_holds(r, "hello /again\n");
	stop();
}

waits static void pipelining(void)
{
	start_with(quick());
	AUTO(conn) c = wire_open(T.port);

	wire_send(c, "PUT /echo HTTP/1.1\r\nContent-Length: 3\r\n\r\none"
		     "PUT /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\n"
		     "\r\nGET /three HTTP/1.1\r\n\r\nGET /fo");
	expect_holds(wire_read_response(c, false), "\r\n\r\none");
	expect_holds(wire_read_response(c, false), "\r\n\r\ntwo");
	expect_holds(wire_read_response(c, false), "hello /three\n");
	wire_send(c, "ur HTTP/1.1\r\n\r\n");
	expect_holds(wire_read_response(c, false), "hello /four\n");
	stop();
}

static const struct {
	const char *request;
	const char *status;
} refusals[] = {
	{ "GET /\r\n\r\n", "400" },
	{ "GET / HTTP/0.9\r\n\r\n", "400" },
	{ "GET / HTTP/2.0\r\n\r\n", "505" },
	{ "GET / HTTP/3.0\r\n\r\n", "505" },
	{ "GET / HTTP/1.10\r\n\r\n", "400" },
	{ "GET / http/1.1\r\n\r\n", "400" },
	{ "get / HTTP/1.1\r\n\r\n", "400" },
	{ "Get / HTTP/1.1\r\n\r\n", "400" },
	{ "G(T / HTTP/1.1\r\n\r\n", "400" },
	{ "GET  / HTTP/1.1\r\n\r\n", "400" },
	{ "GET / x HTTP/1.1\r\n\r\n", "400" },
	{ "GET /\x01 HTTP/1.1\r\n\r\n", "400" },
	{ "GET nowhere HTTP/1.1\r\n\r\n", "400" },
	{ " GET / HTTP/1.1\r\n\r\n", "400" },
	{ "\r\n\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n\r\n", "400" },
	{ "GET / HTTP/1.1\nHost: h\r\n\r\n", "400" },
	{ "GET / HTTP/1.1\r\nHost: h\n\r\n", "400" },
	{ "GET / HTTP/1.1\r\nHost: h\r\n\n", "400" },
	{ "GET / HTTP/1.1\r\nHost: h\rX: y\r\n\r\n", "400" },
	{ "GET / HTTP/1.1\r\nHost\r\n\r\n", "400" },
	{ "GET / HTTP/1.1\r\nHost : h\r\n\r\n", "400" },
	{ "GET / HTTP/1.1\r\n: h\r\n\r\n", "400" },
	{ "GET / HTTP/1.1\r\nA b: h\r\n\r\n", "400" },
	{ "GET / HTTP/1.1\r\nX: a\r\n folded\r\n\r\n", "400" },
	{ "GET / HTTP/1.1\r\nX: a\x02\r\n\r\n", "400" },
	{ "PUT / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", "400" },
	{ "PUT / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx", "400" },
	{ "PUT / HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\nx", "400" },
	{ "PUT / HTTP/1.1\r\nContent-Length: x\r\n\r\nx", "400" },
	{ "PUT / HTTP/1.1\r\nContent-Length: -1\r\n\r\nx", "400" },
	{ "PUT / HTTP/1.1\r\nContent-Length: +1\r\n\r\nx", "400" },
	{ "PUT / HTTP/1.1\r\nContent-Length: 1 1\r\n\r\nx", "400" },
	{ "PUT / HTTP/1.1\r\nContent-Length:\r\n\r\nx", "400" },
	{ "PUT / HTTP/1.1\r\nContent-Length: 0x1\r\n\r\nx", "400" },
	{ "PUT / HTTP/1.1\r\nContent-Length: 9223372036854775808\r\n\r\nx", "400" },
	{ "PUT / HTTP/1.1\r\nContent-Length: 18446744073709551617\r\n\r\nx", "400" },
	{ "PUT / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	  "400" },
	{ "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n",
	  "400" },
	{ "PUT / HTTP/1.1\r\nTransfer-Encoding: foo\r\n\r\n", "400" },
	{ "PUT / HTTP/1.1\r\nTransfer-Encoding: identity\r\n\r\n", "400" },
	{ "PUT / HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n", "400" },
	{ "PUT / HTTP/1.1\r\nTransfer-Encoding:\r\n\r\n", "400" },
	{ "PUT / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "501" },
	{ "PUT / HTTP/1.1\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n",
	  "501" },
	{ "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked, chunked\r\n\r\n", "400" },
	{ "PUT / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400" },
};

waits static void refuses(void)
{
	start_with(quick());
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		char begin[64];
		const char *r = wire_talk(T.port, refusals[i].request);

		snprintf(begin, sizeof begin, "HTTP/1.1 %s ", refusals[i].status);
		if (strncmp(r, begin, strlen(begin)))
			fprintf(stderr, "for %s\n", refusals[i].request);
		expect_begins(r, begin);
		expect_holds(r, "\r\nContent-Type: text/plain\r\n");
		expect_holds(r, "\r\nConnection: close\r\n");
		expect_holds(r, "\r\nDate: ");
		/* Exactly one answer. */
		expect_lacks(r + 9, "HTTP/1.1 2");
	}
	assert(T.handled == 0);
	assert(stats().refused == ARRAY_LEN(refusals));
	stop();
}

waits static void refuses_nul(void)
{
	static const char head[] = "GET / HTTP/1.1\r\nX: a\0b\r\n\r\n",
			  line[] = "GET /a\0b HTTP/1.1\r\n\r\n";

	start_with(quick());
	for (int i = 0; i < 2; i++) {
		AUTO(conn) c = wire_open(T.port);
		int rc = i ? conn_write(c, line, sizeof line - 1, 1000)
			   : conn_write(c, head, sizeof head - 1, 1000);

		assert(rc == 0);
		expect_begins(wire_read_all(c), "HTTP/1.1 400 ");
	}
	assert(T.handled == 0);
	stop();
}

/* A request whose line / one header has n bytes, or with n headers. */
static char *long_request(size_t line_n, size_t header_n, unsigned headers)
{
	struct buf b = BUF(8 * MIB);

	buf_add_lit(&b, "GET /");
	for (size_t i = 0;
	     line_n > strlen("GET / HTTP/1.1") && i < line_n - strlen("GET / HTTP/1.1"); i++)
		buf_add_char(&b, 'a');
	buf_add_lit(&b, " HTTP/1.1\r\n");
	for (unsigned i = 0; i < headers; i++)
		buf_addf(&b, "X-%u: y\r\n", i);
	if (header_n) {
		buf_add_lit(&b, "X: ");
		for (size_t i = 0; i < header_n - 3; i++)
			buf_add_char(&b, 'a');
		buf_add_lit(&b, "\r\n");
	}
	buf_add_lit(&b, "Connection: close\r\n\r\n");
	return buf_take(&b);
}

static const struct {
	size_t line_n, header_n;
	unsigned headers;
	const char *begin;
} sizes[] = {
	{ 8192, 0, 0, "HTTP/1.1 200" },     { 8193, 0, 0, "HTTP/1.1 414" },
	{ 1 * MIB, 0, 0, "HTTP/1.1 414" },  { 0, 8192, 0, "HTTP/1.1 200" },
	{ 0, 8193, 0, "HTTP/1.1 400" },     { 0, 200 * KIB, 0, "HTTP/1.1 400" },
	{ 0, 0, 200, "HTTP/1.1 200" },      { 0, 0, 201, "HTTP/1.1 431" },
	{ 0, 0, 20000, "HTTP/1.1 431" },
};

waits static void limits_of_heads(void)
{
	start_with(quick());
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		AUTO(chars)
		text = long_request(sizes[i].line_n, sizes[i].header_n, sizes[i].headers);

		expect_begins(wire_talk(T.port, text), sizes[i].begin);
	}
	/* All lines within their limits, but more than a buffer in total. */
	struct buf b = BUF(MIB);

	buf_add_lit(&b, "GET / HTTP/1.1\r\n");
	for (int i = 0; i < 100; i++)
		buf_addf(&b, "X: %01000d\r\n", i);
	expect_begins(wire_talk(T.port, b.p), "HTTP/1.1 431");
	buf_done(&b);
	stop();
}

waits static void limit_without_line_end(void)
{
	start_with(quick());
	AUTO(conn) c = wire_open(T.port);
	static char a[9000];

	memset(a, 'a', sizeof a);
	memcpy(a, "GET /", 5);
	int rc = conn_write(c, a, sizeof a, 1000); /* a line that never ends need not be awaited */
	assert(rc == 0);
	expect_begins(wire_read_all(c), "HTTP/1.1 414");
	stop();
}

waits static void forms_that_are_accepted(void)
{
	start_with(quick());
	expect_holds(wire_talk(T.port, "GET /host HTTP/1.1\r\nConnection: close\r\n\r\n"),
		     "200 OK");
	expect_holds(wire_talk(T.port, "GET http://other:81/host HTTP/1.1\r\nHost: "
				       "h\r\nConnection: close\r\n\r\n"),
		     "\r\n\r\nother:81");
	expect_holds(wire_talk(T.port, "GET HTTP://o?x HTTP/1.1\r\nConnection: close\r\n\r\n"),
		     "hello /\n");
	expect_holds(wire_talk(T.port, "OPTIONS * HTTP/1.1\r\nConnection: close\r\n\r\n"),
		     "hello *\n");
	expect_holds(wire_talk(T.port, "GET /\xc3\xa9 HTTP/1.1\r\nX-Empty:\r\nX:\t y "
				       "\t\r\nConnection: close\r\n\r\n"),
		     "hello /\xc3\xa9\n");
	expect_holds(wire_talk(T.port, "GET /x HTTP/1.1\r\nUpgrade: websocket\r\nConnection: "
				       "upgrade, close\r\n\r\n"),
		     "hello /x\n");
	expect_holds(wire_talk(T.port, "POST /names HTTP/1.1\r\nX-Meta-\xc3\xa9t\xc3\xa9: "
				       "\xe0\xb8\x92 x\r\nX-A: b\r\n"
				       "Connection: close\r\n\r\n"),
		     "\r\nX-Meta-\xc3\xa9t\xc3\xa9: \xe0\xb8\x92 x\r\nX-A: b\r\n");
	expect_holds(wire_talk(T.port, "GET /a//b/../c HTTP/1.1\r\nConnection: close\r\n\r\n"),
		     "hello /a//b/../c\n");
	wire_talk(T.port, "REPLICATE /x HTTP/1.1\r\nConnection: close\r\n\r\n");
	assert(strcmp(T.last_method, "REPLICATE") == 0);
	wire_talk(T.port, "FOO-BAR /x HTTP/1.1\r\nConnection: close\r\n\r\n");
	assert(strcmp(T.last_method, "FOO-BAR") == 0);
	wire_talk(T.port, "CONNECT h:443 HTTP/1.1\r\nConnection: close\r\n\r\n");
	assert(strcmp(T.last_path, "h:443") == 0);
	stop();
}

waits static void http_1_0(void)
{
	start_with(quick());
	/* Closes unless asked not to; and a body of unknown length ends with the connection. */
	expect_holds(wire_talk(T.port, "GET /x HTTP/1.0\r\n\r\n"), "\r\nConnection: close\r\n");
	const char *r = wire_talk(T.port, "GET /abc HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	expect_lacks(r, "chunked");
	expect_lacks(r, "Content-Length");
	expect_holds(r, "\r\n\r\nabc");
	AUTO(conn) c = wire_open(T.port);

	wire_send(c, "GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	expect_holds(wire_read_response(c, false), "\r\nConnection: keep-alive\r\n");
	wire_send(c, "GET /y HTTP/1.0\r\n\r\n");
	expect_holds(wire_read_all(c), "hello /y\n");
	stop();
}

waits static void chunked_requests(void)
{
	start_with(quick());
	AUTO(conn) c = wire_open(T.port);

	wire_send(c, "PUT /echo HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n"
		     "5;ext=1;other=\"q\"\r\nhello\r\n1\r\n \r\nA\r\n0123456789\r\n0\r\nX-Sum: "
		     "7\r\nEtag: e\r\n\r\n");
	const char *r = wire_read_response(c, false);
	expect_holds(r, "\r\n\r\nhello 0123456789");
	expect_holds(r, "\r\nX-Trailer-X-Sum: 7\r\n");
	expect_holds(r, "\r\nX-Trailer-Etag: e\r\n");
	assert(T.last_in == 16);
	/* The same byte by byte: every state is left and entered again. */
	const char *text = "PUT /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
			   "5;ext=1\r\nhello\r\n0\r\nX-Sum: 7\r\n\r\n";

	for (const char *p = text; *p; p++) {
		int rc = conn_write(c, p, 1, 1000);

		assert(rc == 0);
		task_yield();
		task_yield();
	}
	r = wire_read_response(c, false);
	expect_holds(r, "\r\n\r\nhello");
	expect_holds(r, "\r\nX-Trailer-X-Sum: 7\r\n");
	stop();
}

static const char *const bad_chunks[] = {
	"x\r\nhello\r\n0\r\n\r\n", "-5\r\nhello\r\n0\r\n\r\n", "5\r\nhelloX\r\n0\r\n\r\n",
	"5\nhello\r\n0\r\n\r\n", "5\r\nhello\n0\r\n\r\n", " 5\r\nhello\r\n0\r\n\r\n",
	"FFFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n", "\r\n5\r\nhello\r\n0\r\n\r\n",
	"5\r\nhello\r\n0\r\nBad Trailer: x\r\n\r\n", "5\r\nhello\r\n0\r\nnocolon\r\n\r\n",
	"5\r\nhello\r\n0\r\nX: y\n\r\n",
};

waits static void bad_chunked_requests(void)
{
	start_with(quick());
	for (size_t i = 0; i < ARRAY_LEN(bad_chunks); i++) {
		char text[512];

		T.body_rc = 1;
		snprintf(text, sizeof text,
			 "PUT /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n%s",
			 bad_chunks[i]);
		const char *r = wire_talk(T.port, text);
		if (T.body_rc != -EBADMSG)
			fprintf(stderr, "%d for %s\n", T.body_rc, bad_chunks[i]);
		assert(T.body_rc == -EBADMSG);
		expect_begins(r, "HTTP/1.1 499");
		expect_holds(r, "\r\nConnection: close\r\n");
	}
	stop();
}

/* Extensions and trailers without end do not fill our memory. */
waits static void endless_chunk_overhead(void)
{
	start_with(quick());
	for (int kind = 0; kind < 2; kind++) {
		AUTO(conn) c = wire_open(T.port);
		char junk[1000];

		T.body_rc = 1;
		wire_send(c, "PUT /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n");
		wire_send(c, kind ? "0\r\nX: " : "5;a=");
		memset(junk, 'a', sizeof junk);
		for (int i = 0; i < 100 && conn_write(c, junk, sizeof junk, 1000) == 0; i++)
			task_yield();
		expect_begins(wire_read_all(c), "HTTP/1.1 499");
		assert(T.body_rc == -EBADMSG);
	}
	stop();
}

waits static void chunked_responses(void)
{
	start_with(quick());
	AUTO(conn) c = wire_open(T.port);

	wire_send(c, "GET /abc HTTP/1.1\r\n\r\n");
	const char *r = wire_read_response(c, false);
	expect_holds(r, "\r\nTransfer-Encoding: chunked\r\n");
	expect_holds(r, "\r\n\r\nabc\r\n");
	wire_send(c, "GET /abc?trailer HTTP/1.1\r\nConnection: close\r\n\r\n");
	r = wire_read_all(c);
	expect_holds(r, "1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\nX-Sum: six\r\n\r\n");
	assert(T.last_out == 3);
	stop();
}

waits static void answers_without_body(void)
{
	start_with(quick());
	AUTO(conn) c = wire_open(T.port);

	wire_send(c, "HEAD /x HTTP/1.1\r\n\r\n");
	expect_holds(wire_read_response(c, true), "\r\nContent-Length: 9\r\n");
	wire_send(c, "HEAD /abc HTTP/1.1\r\n\r\n");
	expect_lacks(wire_read_response(c, true), "Content-Length");
	wire_send(c, "DELETE /204 HTTP/1.1\r\n\r\n");
	const char *r = wire_read_response(c, true);
	expect_begins(r, "HTTP/1.1 204 No Content\r\n");
	expect_lacks(r, "Content-Length");
	wire_send(c, "GET /304 HTTP/1.1\r\n\r\n");
	expect_begins(wire_read_response(c, true), "HTTP/1.1 304 Not Modified\r\n");
	wire_send(c, "GET /nothing HTTP/1.1\r\nConnection: close\r\n\r\n");
	expect_begins(wire_read_all(c), "HTTP/1.1 500 Internal Error\r\n");
	stop();
}

waits static void expect_continue(void)
{
	start_with(quick());
	AUTO(conn) c = wire_open(T.port);

	wire_send(c, "PUT /echo HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-Continue\r\n\r\n");
	expect_begins(wire_read_response(c, true), "HTTP/1.1 100 Continue\r\n\r\n");
	wire_send(c, "ok");
	expect_holds(wire_read_response(c, false), "\r\n\r\nok");
	/* Unknown expectations are as if absent. */
	wire_send(c, "PUT /echo HTTP/1.1\r\nContent-Length: 2\r\nExpect: more\r\n\r\nok");
	expect_begins(wire_read_response(c, false), "HTTP/1.1 200");
	/* A refusal instead of the 100: nobody knows whether the body comes, so the connection
	 * ends. */
	wire_send(c, "PUT /x HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
	const char *r = wire_read_all(c);
	expect_begins(r, "HTTP/1.1 200");
	expect_holds(r, "\r\nConnection: close\r\n");
	/* HTTP/1.0 knows no interim answers. */
	expect_begins(wire_talk(T.port, "PUT /echo HTTP/1.0\r\nContent-Length: 2\r\nExpect: "
					"100-continue\r\n\r\nok"),
		      "HTTP/1.1 200");
	stop();
}

waits static void bodies_that_stop(void)
{
	start_with(quick());
	AUTO(conn) c = wire_open(T.port);

	/* Half-closed: still gets its answer. */
	wire_send(c, "PUT /echo HTTP/1.1\r\nContent-Length: 10\r\n\r\nshort");
	int rc = conn_shutdown(c, 1000);
	assert(rc == 0);
	expect_begins(wire_read_all(c), "HTTP/1.1 499");
	assert(T.body_rc == -EPIPE && T.last_in == 5);

	AUTO(conn) d = wire_open(T.port);

	wire_send(d, "PUT /echo HTTP/1.1\r\nContent-Length: 10\r\n\r\nshort");
	uint64_t begin = clock_mono_ms();
	expect_begins(wire_read_all(d), "HTTP/1.1 408");
	assert(T.body_rc == -ETIMEDOUT);
	assert(clock_mono_ms() - begin >= 190);
	stop();
}

waits static void half_closed_get(void)
{
	start_with(quick());
	AUTO(conn) c = wire_open(T.port);

	wire_send(c, "GET /slow?ms=50 HTTP/1.1\r\n\r\n");
	int rc = conn_shutdown(c, 1000);
	assert(rc == 0);
	expect_holds(wire_read_all(c), "slept\n");
	stop();
}

waits static void slow_heads(void)
{
	start_with(quick());
	AUTO(conn) c = wire_open(T.port);
	const char *slow = "GET / HTTP/1.1\r\nHost: h\r\n";

	for (const char *p = slow; *p && !conn_is_dead(c) && conn_data(c).n == 0; p++) {
		int rc = conn_write(c, p, 1, 1000);

		if (rc < 0 || conn_fill(c, 30) != -ETIMEDOUT)
			break;
	}
	expect_begins(wire_read_all(c), "HTTP/1.1 408");
	/* Half a head, then the end. */
	AUTO(conn) d = wire_open(T.port);

	wire_send(d, "GET / HTTP/1.1\r\nHos");
	int rc = conn_shutdown(d, 1000);
	assert(rc == 0);
	expect_begins(wire_read_all(d), "HTTP/1.1 400");
	stop();
}

waits static void idle_connections_end(void)
{
	struct http_limits l = quick();

	l.idle_timeout_ms = 100;
	start_with(l);
	AUTO(conn) silent = wire_open(T.port);
	AUTO(conn) used = wire_open(T.port);

	wire_send(used, "GET / HTTP/1.1\r\n\r\n");
	wire_read_response(used, false);
	uint64_t begin = clock_mono_ms();
	expect_begins(wire_read_all(silent), "");
	expect_begins(wire_read_all(used), "");
	uint64_t ms = clock_mono_ms() - begin;
	assert(ms >= 50 && ms < 1000);
	assert(T.handled == 1 && stats().open == 0);
	stop();
}

waits static void unread_bodies(void)
{
	start_with(quick());
	AUTO(conn) c = wire_open(T.port);
	AUTO(chars) body = xcalloc(1, 2 * MIB + 1);

	memset(body, 'b', 2 * MIB);
	/* Small: read away, and the connection goes on. */
	wire_send(c, "PUT /x HTTP/1.1\r\nContent-Length: 60000\r\n\r\n");
	int rc = conn_write(c, body, 60000, 1000);
	assert(rc == 0);
	expect_lacks(wire_read_response(c, false), "Connection: close");
	wire_send(c,
		  "PUT /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
	expect_begins(wire_read_response(c, false), "HTTP/1.1 200");
	/* Large: the answer says that this is the end, and arrives although we were
	 * still sending. */
	wire_send(c, "PUT /x HTTP/1.1\r\nContent-Length: 2097152\r\n\r\n");
	rc = conn_write(c, body, 2 * MIB, 1000);
	assert(rc == 0);
	const char *r = wire_read_all(c);
	expect_begins(r, "HTTP/1.1 200");
	expect_holds(r, "Connection: close");
	stop();
}

waits static void large_bodies(void)
{
	start_with(quick());
	AUTO(conn) c = wire_open(T.port);
	AUTO(chars) body = xcalloc(1, 2 * MIB + 1);

	for (size_t i = 0; i < 2 * MIB; i++)
		body[i] = (char)('a' + i % 23);
	wire_send(c, "PUT /echo HTTP/1.1\r\nContent-Length: 2097152\r\n\r\n");
	int rc = conn_write(c, body, 2 * MIB, 5000);
	assert(rc == 0);
	const char *r = strstr(wire_read_response(c, false), "\r\n\r\n");
	assert(r && memcmp(r + 4, body, 2 * MIB) == 0);
	stop();
}

waits static void clients_that_never_read(void)
{
	start_with(quick());
	AUTO(conn) c = wire_open(T.port);

	for (int i = 0; i < 12; i++)            /* more than all socket buffers hold */
		wire_send(c, "GET /big HTTP/1.1\r\n\r\n");
	for (int i = 0; i < 40 && stats().open > 0; i++) {
		int rc = task_sleep(100);

		assert(rc == 0);
	}
	assert(T.last_error == -ETIMEDOUT && stats().open == 0);
	stop();
}

waits static void resets_cancel_the_handler(void)
{
	start_with(quick());
	AUTO(conn) c = wire_open(T.port);

	/* A close with unread bytes in our buffer sends a reset. */
	wire_send(c, "GET /a HTTP/1.1\r\n\r\n");
	int rc = task_sleep(30);
	assert(rc == 0);
	wire_send(c, "GET /slow?ms=5000 HTTP/1.1\r\n\r\n");
	rc = task_sleep(30);
	assert(rc == 0);
	conn_reset(c);
	for (int i = 0; i < 50 && !T.cancelled; i++) {
		rc = task_sleep(10);
		assert(rc == 0);
	}
	assert(T.cancelled && stats().open == 0);
	stop();
}

waits static void too_many_connections(void)
{
	struct http_limits l = quick();
	enum { MAX_CONNS = 20, MANY = 200 };
	struct conn *many[MANY];

	l.connections_max = MAX_CONNS;
	start_with(l);
	AUTO(conn) busy = wire_open(T.port);

	wire_send(busy, "GET /slow?ms=300 HTTP/1.1\r\n\r\n");
	for (int i = 0; i < MANY; i++)
		many[i] = wire_open(T.port);
	int rc = task_sleep(50);
	assert(rc == 0);
	assert(stats().open <= MAX_CONNS && stats().accepted == MANY + 1);
	/* The newest have pushed out the oldest silent ones, and nobody else was disturbed. */
	wire_send(many[MANY - 1], "GET /new HTTP/1.1\r\n\r\n");
	expect_holds(wire_read_response(many[MANY - 1], false), "hello /new\n");
	expect_begins(wire_read_all(many[0]), "");
	expect_holds(wire_read_response(busy, false), "slept\n");
	for (int i = 0; i < MANY; i++)
		conn_close(many[i]);
	stop();
}

waits static void stops_gracefully(void)
{
	start_with(quick());
	AUTO(conn) idle = wire_open(T.port);
	AUTO(conn) busy = wire_open(T.port);

	wire_send(busy, "GET /slow?ms=100 HTTP/1.1\r\n\r\n");
	int rc = task_sleep(30);
	assert(rc == 0 && stats().active == 1);
	http_server_stop(T.server, 5000);
	const char *r = wire_read_all(busy);
	expect_holds(r, "slept\n");
	expect_holds(r, "Connection: close");
	expect_begins(wire_read_all(idle), "");
	struct conn *c;
	rc = conn_open("127.0.0.1", T.port, 1000, &c);
	assert(rc == -ECONNREFUSED);
}

waits static void stop_cancels_what_takes_too_long(void)
{
	start_with(quick());
	AUTO(conn) busy = wire_open(T.port);

	wire_send(busy, "GET /slow?ms=60000 HTTP/1.1\r\n\r\n");
	int rc = task_sleep(30);
	assert(rc == 0);
	uint64_t begin = clock_mono_ms();
	http_server_stop(T.server, 50);
	assert(clock_mono_ms() - begin < 1000 && T.cancelled);
}

waits static void busy_port(void)
{
	struct http_server_options o = { .ip = "127.0.0.1",
					 .limits = http_limits_default,
					 .handle = handle };
	struct fault why = { 0 };
	struct http_server *other;

	start_with(quick());
	o.port = T.port;
	int rc = http_server_start(&o, &other, &why);
	assert(rc == -EADDRINUSE);
	expect_holds(why.text, "another program uses that port");
	o.ip = "nowhere";
	rc = http_server_start(&o, &other, &why);
	assert(rc == -EINVAL);
	stop();
}

#define IN_TASK(name) static void test_##name(void **state) { (void)state; run_in_task(name); }
#define TESTS(X)                                                                                 \
	X(plain_get)                                                                             \
	X(pipelining) X(refuses) X(refuses_nul) X(limits_of_heads) X(limit_without_line_end) X(  \
		forms_that_are_accepted) X(http_1_0) X(chunked_requests) X(bad_chunked_requests) \
		X(endless_chunk_overhead) X(chunked_responses) X(answers_without_body)           \
			X(expect_continue) X(bodies_that_stop) X(half_closed_get) X(slow_heads)  \
				X(idle_connections_end) X(unread_bodies) X(large_bodies)         \
					X(clients_that_never_read) X(resets_cancel_the_handler)  \
						X(too_many_connections) X(stops_gracefully)      \
							X(stop_cancels_what_takes_too_long)      \
								X(busy_port)
TESTS(IN_TASK)

int main(void)
{
#define ENTRY(name) cmocka_unit_test(test_##name),
	const struct CMUnitTest tests[] = { TESTS(ENTRY) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
