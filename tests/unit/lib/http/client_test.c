/* The HTTP client against servers that behave, and against scripted ones that do not. */
#include "lib/http/client.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "tests/unit/lib/http/wire.h"

#include <setjmp.h>
#include <cmocka.h>

/* ---- a scripted peer: one entry per request, whichever connection it comes on ---- */

struct step {
	const char *answer;             /* NULL: says nothing */
	bool close;                     /* and closes then */
	unsigned wait_ms;               /* before answering */
};

static struct {
	struct listener *listener;
	const struct step *steps;
	unsigned at, accepted, open;
	char seen[64 * KIB];            /* the last request's head and what came with it */
} P;

waits static bool read_request(struct conn *c)
{
	struct str end = S("\r\n\r\n");

	while (str_find(conn_data(c), end) < 0)
		if (conn_fill(c, 5000) <= 0)
			return false;
	struct str data = conn_data(c);

	assert(data.n < sizeof P.seen);
	memcpy(P.seen, data.p, data.n);
	P.seen[data.n] = 0;
	conn_consume(c, data.n);
	return true;
}

waits static void play(void *arg)
{
	AUTO(conn) c = arg;

	while (read_request(c)) {
		const struct step *s = &P.steps[P.at++];

		if (s->wait_ms && task_sleep(s->wait_ms) < 0)
			break;
		if (s->answer)
			wire_send(c, s->answer);
		if (s->close)
			break;
	}
	P.open--;
}

static void on_conn(void *arg, struct conn *c)
{
	(void)arg;
	P.accepted++;
	P.open++;
	task_spawn(NULL, "peer", play, c);
}

static struct http_address script(const struct step *steps)
{
	struct listener_options o = { .ip = "127.0.0.1", .on_conn = on_conn };
	struct http_address a = { .ip = "127.0.0.1" };

	memset(&P, 0, sizeof P);
	P.steps = steps;
	int rc = listener_start(&o, &P.listener, NULL);
	assert(rc == 0);
	a.port = listener_port(P.listener);
	return a;
}

waits static void script_end(struct http_client *c)
{
	http_client_free(c);
	listener_stop(P.listener);
	while (P.open > 0)
		if (task_sleep(1) < 0)
			break;
}

static struct http_client *client(void)
{
	struct http_client_options o = http_client_options_default;

	o.response_timeout_ms = 300;
	o.write_timeout_ms = 300;
	return http_client_new(&o);
}

/* One whole exchange without a request body: status or error; the body's text (or its error). */
waits static int fetch(struct http_client *c, const struct http_address *to, const char *method,
		       char *text, int *body_rc)
{
	AUTO(arena) a = arena_new();
	AUTO(exchange) x = NULL;
	struct headers h;
	struct response res;

	headers_init(&h, a);
	headers_add(&h, S("X-Test"), S("yes"));
	int rc = exchange_start(c, to, &x);

	if (rc == 0)
		rc = exchange_send(x, str_from(method), S("/path?q"), &h, 0, STR_NONE);
	if (rc == 0)
		rc = exchange_receive(x, a, str_eq(str_from(method), S("HEAD")), &res);
	if (rc < 0)
		return rc;
	CLEANUP(buf_done) struct buf body = BUF(MIB);

	*body_rc = body_read_all(res.body, &body);
	if (text)
		memcpy(text, body.p, body.n + 1);
	body_close(res.body);
	return rc;
}

#define OK_ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

waits static void reuses_connections(void)
{
	static const struct step steps[] = {
		{ .answer = OK_ANSWER },
		{ .answer = OK_ANSWER },
		{ .answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: "
			    "chunked\r\n\r\n2\r\nab\r\n0\r\nX: y\r\n\r\n" },
		{ .answer = "HTTP/1.1 204 No Content\r\n\r\n" },
		{ .answer = "HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n" },
		{ .answer = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nz" },
		{ .answer = OK_ANSWER }
	};
	struct http_address to = script(steps);
	struct http_client *c = client();
	char text[100];
	int rc, body_rc;

	rc = fetch(c, &to, "GET", text, &body_rc);
	assert(rc == 200 && body_rc == 0 && strcmp(text, "hello") == 0);
	expect_begins(P.seen, "GET /path?q HTTP/1.1\r\nHost: 127.0.0.1:");
	expect_holds(P.seen, "\r\nX-Test: yes\r\n\r\n");
	expect_lacks(P.seen, "Content-Length");
	rc = fetch(c, &to, "PUT", text, &body_rc);
	assert(rc == 200 && P.accepted == 1);
	expect_holds(P.seen, "\r\nContent-Length: 0\r\n");
	rc = fetch(c, &to, "GET", text, &body_rc);
	assert(rc == 200 && body_rc == 0 && strcmp(text, "ab") == 0 && P.accepted == 1);
	rc = fetch(c, &to, "DELETE", text, &body_rc);
	assert(rc == 204 && body_rc == 0);
	rc = fetch(c, &to, "HEAD", text, &body_rc);
	assert(rc == 200 && body_rc == 0);
	rc = fetch(c, &to, "GET", text, &body_rc);
	assert(rc == 200 && strcmp(text, "z") == 0 && P.accepted == 1);
	rc = fetch(c, &to, "GET", text, &body_rc);
	assert(rc == 200 && P.accepted == 2);
	script_end(c);
}

waits static void body_until_close(void)
{
	static const struct step steps[] = { { .answer = "HTTP/1.0 200 OK\r\n\r\nuntil the end",
					       .close = true } };
	struct http_address to = script(steps);
	struct http_client *c = client();
	char text[100];
	int body_rc, rc = fetch(c, &to, "GET", text, &body_rc);

	assert(rc == 200 && body_rc == 0 && strcmp(text, "until the end") == 0);
	script_end(c);
}

/* A response that is read only in part, or not at all but is there, or is not. */
waits static void unread_responses(void)
{
	static const struct step steps[] = {
		{ .answer = OK_ANSWER },
		{ .answer = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello" },
		{ .answer = OK_ANSWER }
	};
	struct http_address to = script(steps);
	struct http_client *c = client();

	for (int i = 0; i < 3; i++) {
		AUTO(arena) a = arena_new();
		AUTO(exchange) x = NULL;
		struct headers h;
		struct response res;

		headers_init(&h, a);
		int rc = exchange_start(c, &to, &x);
		assert(rc == 0);
		rc = exchange_send(x, S("GET"), S("/"), &h, 0, STR_NONE);
		assert(rc == 0);
		rc = exchange_receive(x, a, false, &res);
		assert(rc == 200);
	}
	/* The first could be kept: all of it was there. The second not. */
	assert(P.accepted == 2);
	script_end(c);
}

static const struct {
	const char *answer;
	int want, want_body;
} bad_answers[] = {
	{ "SSH-2.0-OpenSSH_9.2\r\n", -EBADMSG, 0 },
	{ "HTTP/1.1 2000 OK\r\n\r\n", -EBADMSG, 0 },
	{ "HTTP/1.1 20 OK\r\n\r\n", -EBADMSG, 0 },
	{ "HTTP/1.1 abc OK\r\n\r\n", -EBADMSG, 0 },
	{ "HTTP/2.0 200 OK\r\n\r\n", -EBADMSG, 0 },
	{ "HTTP/1.1 101 Switching\r\n\r\n", -EBADMSG, 0 },
	{ "HTTP/1.1 200 OK\nX: y\n\n", -EBADMSG, 0 },
	{ "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", -EBADMSG, 0 },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", -EBADMSG, 0 },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nab", -EBADMSG,
	  0 },
	{ "HTTP/1.1 200 OK\r\nno colon\r\n\r\n", -EBADMSG, 0 },
	{ "HTTP/1.1 200 OK\r\nX: y", -EPIPE, 0 },
	{ "", -EPIPE, 0 },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", 200, -EPIPE },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", 200, -EPIPE },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", 200, -EPIPE },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n", 200, -EBADMSG },
	{ "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", 200, 0 },
	{ "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" OK_ANSWER, 200,
	  0 },
};

waits static void bad_responses(void)
{
	for (size_t i = 0; i < ARRAY_LEN(bad_answers); i++) {
		struct step step = { .answer = bad_answers[i].answer, .close = true };
		struct http_address to = script(&step);
		struct http_client *c = client();
		int body_rc = 0, rc = fetch(c, &to, "GET", NULL, &body_rc);

		if (rc != bad_answers[i].want || body_rc != bad_answers[i].want_body)
			fprintf(stderr, "%d, %d for %s\n", rc, body_rc, bad_answers[i].answer);
		assert(rc == bad_answers[i].want && body_rc == bad_answers[i].want_body);
		script_end(c);
	}
}

waits static void timeouts(void)
{
	static const struct step steps[] = { { .answer = NULL },
		{ .answer = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort" },
		{ .answer = "HTTP/1.1 200 OK\r\nContent-" } };
	struct http_address to = script(steps), nobody = { .ip = "127.0.0.1", .port = 1 };
	struct http_client *c = client();
	uint64_t begin = clock_mono_ms();
	int body_rc, rc = fetch(c, &to, "GET", NULL, &body_rc);

	assert(rc == -ETIMEDOUT && clock_mono_ms() - begin >= 290);
	rc = fetch(c, &to, "GET", NULL, &body_rc);
	assert(rc == 200 && body_rc == -ETIMEDOUT);
	rc = fetch(c, &to, "GET", NULL, &body_rc);
	assert(rc == -ETIMEDOUT);
	rc = fetch(c, &nobody, "GET", NULL, &body_rc);
	assert(rc == -ECONNREFUSED);
	snprintf(nobody.ip, sizeof nobody.ip, "example.com");
	rc = fetch(c, &nobody, "GET", NULL, &body_rc);
	assert(rc == -EINVAL);
	script_end(c);
}

/* The peer closed the pooled connection while it was idle: noticed at once, another one is used. */
waits static void closed_while_idle(void)
{
	static const struct step steps[] = { { .answer = OK_ANSWER, .close = true },
					     { .answer = OK_ANSWER } };
	struct http_address to = script(steps);
	struct http_client *c = client();
	int body_rc, rc = fetch(c, &to, "POST", NULL, &body_rc);

	assert(rc == 200);
	rc = task_sleep(20);
	assert(rc == 0);
	rc = fetch(c, &to, "POST", NULL, &body_rc);
	assert(rc == 200 && P.accepted == 2);
	script_end(c);
}

/* It closed it when the request was on its way. */
waits static void closed_instead_of_an_answer(void)
{
	static const struct step steps[] = { { .answer = OK_ANSWER },
					     { .close = true },
					     { .answer = OK_ANSWER },
					     { .close = true },
					     { .close = true } };
	struct http_address to = script(steps);
	struct http_client *c = client();
	int body_rc, rc = fetch(c, &to, "GET", NULL, &body_rc);

	assert(rc == 200);
	rc = fetch(c, &to, "PUT", NULL, &body_rc);
	assert(rc == 200 && P.accepted == 2 && P.at == 3);
	/* What may have been begun is not asked for twice. */
	rc = fetch(c, &to, "POST", NULL, &body_rc);
	assert(rc == -EPIPE && P.accepted == 2);
	/* On a new connection there is no second try. */
	rc = fetch(c, &to, "GET", NULL, &body_rc);
	assert(rc == -EPIPE && P.accepted == 3);
	script_end(c);
}

waits static void resends_the_small_body(void)
{
	static const struct step steps[] = { { .answer = OK_ANSWER },
					     { .close = true },
					     { .answer = OK_ANSWER } };
	struct http_address to = script(steps);
	struct http_client *c = client();

	for (int i = 0; i < 2; i++) {
		AUTO(arena) a = arena_new();
		AUTO(exchange) x = NULL;
		struct headers h;
		struct response res;
		char body[] = "first bytes";

		headers_init(&h, a);
		int rc = exchange_start(c, &to, &x);
		assert(rc == 0);
		rc = exchange_send(x, S("PUT"), S("/"), &h, 11, str_of(body, 11));
		assert(rc == 0);
		memset(body, '?', sizeof body); /* they are the caller's again */
		rc = exchange_receive(x, a, false, &res);
		assert(rc == 200);
	}
	expect_holds(P.seen, "\r\n\r\nfirst bytes");
	assert(P.at == 3 && P.accepted == 2);
	script_end(c);
}

waits static void idle_limits(void)
{
	static const struct step steps[] = { { .answer = OK_ANSWER }, { .answer = OK_ANSWER },
					     { .answer = OK_ANSWER }, { .answer = OK_ANSWER } };
	struct http_address to = script(steps);
	struct http_client_options o = http_client_options_default;
	struct exchange *x[3];
	AUTO(arena) a = arena_new();
	struct headers h;
	struct response res;

	o.idle_max = 2;
	o.idle_timeout_ms = 50;
	struct http_client *c = http_client_new(&o);

	headers_init(&h, a);
	for (int i = 0; i < 3; i++) {
		int rc = exchange_start(c, &to, &x[i]);
		assert(rc == 0);
		rc = exchange_send(x[i], S("GET"), S("/"), &h, 0, STR_NONE);
		assert(rc == 0);
	}
	for (int i = 0; i < 3; i++) {
		int rc = exchange_receive(x[i], a, false, &res);
		assert(rc == 200);
		exchange_end(x[i]);
	}
	int rc = task_sleep(20);
	assert(rc == 0 && P.open == 2);
	rc = task_sleep(100);
	assert(rc == 0 && P.open == 0);
	script_end(c);
}

waits static void refuses_to_send_nonsense(void)
{
	struct http_address to = script(NULL);
	struct http_client *c = client();
	AUTO(arena) a = arena_new();
	AUTO(exchange) x = NULL;
	struct headers h, bad;

	headers_init(&h, a);
	headers_init(&bad, a);
	headers_add(&bad, S("X"), S("a\r\nInjected: yes"));
	int rc = exchange_start(c, &to, &x);
	assert(rc == 0);
	rc = exchange_send(x, S("GET"), S("/"), &bad, 0, STR_NONE);
	assert(rc == -EINVAL);
	rc = exchange_send(x, S("GET"), S("/ x"), &h, 0, STR_NONE);
	assert(rc == -EINVAL);
	rc = exchange_send(x, S("G T"), S("/"), &h, 0, STR_NONE);
	assert(rc == -EINVAL);
	exchange_end(TAKE(x));
	script_end(c);
}

/* ---- against our own server ---- */

static unsigned handled;
static int handler_rc;

waits static void handle(void *arg, struct request *req, struct response *res)
{
	struct buf body = BUF(4 * MIB);

	(void)arg;
	handled++;
	if (str_eq(req->path, S("/refuse"))) {
		respond_status(res, 413);
		return;
	}
	handler_rc = body_read_all(req->body, &body);
	if (str_eq(req->path, S("/slow")) && task_sleep(50) < 0)
		handler_rc = -ECANCELED;
	if (handler_rc < 0)
		respond_status(res, 499);
	else
		respond(res, 201, S("x/y"), arena_str(req->arena, buf_str(&body)));
	const struct headers *t = req->body->trailers;

	if (t && t->n)
		headers_add(&res->headers, S("X-Trailer"), t->v[0].value);
	buf_done(&body);
}

static struct http_server *server(struct http_address *to)
{
	struct http_server_options o = { .ip = "127.0.0.1",
					 .limits = http_limits_default,
					 .handle = handle };
	struct http_server *s;
	int rc = http_server_start(&o, &s, NULL);

	assert(rc == 0);
	*to = (struct http_address){ .ip = "127.0.0.1", .port = http_server_port(s) };
	handled = 0;
	return s;
}

waits static void exchange_bodies(struct http_client *c, const struct http_address *to,
				  bool chunked, size_t pieces)
{
	AUTO(arena) a = arena_new();
	AUTO(exchange) x = NULL;
	struct headers h, trailers;
	struct response res;
	static char piece[100000];

	memset(piece, 'p', sizeof piece);
	headers_init(&h, a);
	headers_init(&trailers, a);
	headers_add(&trailers, S("Etag"), S("sum"));
	int rc = exchange_start(c, to, &x);
	assert(rc == 0);
	rc = exchange_send(x, S("PUT"), S("/x"), &h,
			   chunked ? EXCHANGE_CHUNKED : (int64_t)(pieces * sizeof piece), STR_NONE);
	assert(rc == 0);
	for (size_t i = 0; i < pieces; i++) {
		rc = exchange_send_body(x, str_of(piece, sizeof piece));
		assert(rc == 0);
	}
	rc = exchange_send_end(x, &trailers);
	assert(rc == 0);
	rc = exchange_receive(x, a, false, &res);
	assert(rc == 201 && res.content_length == (int64_t)(pieces * sizeof piece));
	assert(headers_has(&res.headers, S("X-Trailer")) == chunked);
	struct buf body = BUF(4 * MIB);
	rc = body_read_all(res.body, &body);
	assert(rc == 0 && body.n == pieces * sizeof piece && body.p[body.n - 1] == 'p');
	buf_done(&body);
}

waits static void bodies_both_ways(void)
{
	struct http_address to;
	struct http_server *s = server(&to);
	struct http_client *c = client();
	struct http_server_stats st;

	for (size_t pieces = 1; pieces < 20; pieces += 6) {
		exchange_bodies(c, &to, false, pieces);
		exchange_bodies(c, &to, true, pieces);
	}
	http_server_stats(s, &st);
	assert(st.accepted == 1);
	http_client_free(c);
	http_server_stop(s, 0);
}

/* What lies in several places is one chunk. */
waits static void bodies_in_pieces(void)
{
	static const struct str pieces[EXCHANGE_PIECES_MAX] = { STR_INIT("one"), STR_INIT(""),
								STR_INIT("two"), STR_INIT("3") };
	struct http_address to;
	struct http_server *s = server(&to);
	struct http_client *c = client();

	for (int chunked = 0; chunked < 2; chunked++) {
		AUTO(arena) a = arena_new();
		AUTO(exchange) x = NULL;
		struct headers h;
		struct response res;
		struct buf body = BUF(KIB);

		headers_init(&h, a);
		int rc = exchange_start(c, &to, &x);
		assert(rc == 0);
		rc = exchange_send(x, S("PUT"), S("/x"), &h, chunked ? EXCHANGE_CHUNKED : 13,
				   STR_NONE);
		assert(rc == 0);
		rc = exchange_send_pieces(x, pieces, EXCHANGE_PIECES_MAX);
		assert(rc == 0);
		rc = exchange_send_pieces(x, pieces + 1, 1);    /* nothing is not the end */
		assert(rc == 0);
		rc = exchange_send_pieces(x, pieces, 3);
		assert(rc == 0);
		rc = exchange_send_end(x, NULL);
		assert(rc == 0);
		rc = exchange_receive(x, a, false, &res);
		assert(rc == 201);
		rc = body_read_all(res.body, &body);
		assert(rc == 0 && str_eq(buf_str(&body), S("onetwo3onetwo")));
		buf_done(&body);
	}
	http_client_free(c);
	http_server_stop(s, 100);
}

waits static void continues(void)
{
	struct http_address to;
	struct http_server *s = server(&to);
	struct http_client *c = client();
	AUTO(arena) a = arena_new();
	struct headers h;
	struct response res;

	headers_init(&h, a);
	headers_add(&h, S("Expect"), S("100-continue"));
	for (int refuse = 0; refuse < 2; refuse++) {
		AUTO(exchange) x = NULL;
		int rc = exchange_start(c, &to, &x);

		assert(rc == 0);
		rc = exchange_send(x, S("PUT"), refuse ? S("/refuse") : S("/x"), &h, 4, STR_NONE);
		assert(rc == 0);
		rc = exchange_receive(x, a, false, &res);
		assert(rc == (refuse ? 413 : 100));
		if (refuse)
			break;
		rc = exchange_send_body(x, S("four"));
		assert(rc == 0);
		rc = exchange_receive(x, a, false, &res);
		assert(rc == 201);
	}
	http_client_free(c);
	http_server_stop(s, 100);
}

waits static void early_answers(void)
{
	struct http_address to;
	struct http_server *s = server(&to);
	struct http_client *c = client();
	AUTO(arena) a = arena_new();
	AUTO(exchange) x = NULL;
	struct headers h;
	struct response res;
	static char piece[100000];
	int rc = exchange_start(c, &to, &x), sent = 0;

	assert(rc == 0);
	headers_init(&h, a);
	rc = exchange_send(x, S("PUT"), S("/refuse"), &h, EXCHANGE_CHUNKED, STR_NONE);
	assert(rc == 0 && !exchange_answered(x));
	while (!exchange_answered(x) && exchange_send_body(x, str_of(piece, sizeof piece)) == 0) {
		sent++;
		task_yield();
	}
	assert(sent < 1000);
	rc = exchange_receive(x, a, false, &res);
	assert(rc == 413);
	exchange_end(TAKE(x));
	http_client_free(c);
	http_server_stop(s, 100);
}

/* ---- cancelled at every stage ---- */

static struct {
	struct http_client *c;
	struct http_address to;
	int rc;
} V;

waits static void victim(void *arg)
{
	(void)arg;
	AUTO(arena) a = arena_new();
	AUTO(exchange) x = NULL;
	struct headers h;
	struct response res;
	static char piece[100000];

	headers_init(&h, a);
	V.rc = exchange_start(V.c, &V.to, &x);
	if (V.rc == 0)
		V.rc = exchange_send(x, S("PUT"), S("/slow"), &h, 30 * (int64_t)sizeof piece,
				     STR_NONE);
	for (int i = 0; i < 30 && V.rc == 0; i++) {
		V.rc = exchange_send_body(x, str_of(piece, sizeof piece));
		task_yield();
	}
	if (V.rc == 0)
		V.rc = exchange_receive(x, a, false, &res);
	struct str chunk;

	while (V.rc > 0)
		V.rc = body_next(res.body, &chunk);
}

waits static void cancelled_anywhere(void)
{
	struct http_server *s = server(&V.to);
	int cancelled = 0;

	V.c = client();
	for (int turns = 0; turns < 120; turns++) {
		TASK_GROUP(g);
		struct task *t = task_spawn(&g, "victim", victim, NULL);

		for (int i = 0; i < turns; i++)
			task_yield();
		if (turns % 3 == 2 && task_sleep((uint64_t)turns / 3) < 0)
			break;
		task_cancel(t);
		int rc = task_group_join(&g);
		assert(rc == 0);
		assert(V.rc == 0 || V.rc == -ECANCELED);
		cancelled += V.rc == -ECANCELED;
	}
	assert(cancelled > 60);
	http_client_free(V.c);
	http_server_stop(s, 0);
}

#define IN_TASK(name) static void test_##name(void **state) { (void)state; run_in_task(name); }
#define TESTS(X)                                                                                  \
	X(reuses_connections)                                                                     \
	X(body_until_close) X(unread_responses) X(bad_responses) X(timeouts) X(closed_while_idle) \
		X(closed_instead_of_an_answer) X(resends_the_small_body) X(idle_limits)           \
			X(refuses_to_send_nonsense) X(bodies_both_ways) X(continues)              \
				X(bodies_in_pieces) X(early_answers) X(cancelled_anywhere)
TESTS(IN_TASK)

int main(void)
{
#define ENTRY(name) cmocka_unit_test(test_##name),
	const struct CMUnitTest tests[] = { TESTS(ENTRY) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
