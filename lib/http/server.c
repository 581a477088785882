/* The HTTP server: connections and their limits, reading requests, the order of one request's life.
 * What goes out is written in server_send.c. */
#include "lib/http/server_internal.h"
#include "lib/base/clock.h"

enum { SERVER_MAGIC = 0x73727672, SESSION_MAGIC = 0x73657373, LINGER_MS = 1000 };

const struct http_limits http_limits_default = {
	.request_line_max = 8192,
	.header_max = 8192,
	.headers_max = 201,
	.connections_max = 10000,
	.header_timeout_ms = 30000,
	.idle_timeout_ms = 60000,
	.body_timeout_ms = 60000,
	.write_timeout_ms = 60000,
	.drain_max = MIB,
};

struct http_server {
	unsigned magic;
	bool stopping;
	struct http_server_options o;
	struct listener *listener;
	struct list idle, active;       /* sessions; idle ones longest first */
	struct task *stopper;
	struct http_server_stats stats;
};

/* One connection. */
struct session {
	unsigned magic;
	struct http_server *server;
	struct conn *conn;
	struct task *task;              /* while active */
	struct list node;
};

/* ---- connections ---- */

static void serve(void *arg);

static void session_end(struct session *s)
{
	struct http_server *server = s->server;

	if (s->task)
		server->stats.active--;
	else
		server->stats.idle--;
	server->stats.open--;
	list_remove(&s->node);
	conn_close_later(s->conn);
	s->magic = 0;
	free(s);
	if (server->stopper)
		task_wake(server->stopper);
}

static void on_idle_event(void *arg, struct conn *c, bool timed_out)
{
	struct session *s = arg;

	assert(s->magic == SESSION_MAGIC && s->conn == c);
	if (timed_out || (conn_is_dead(c) && conn_data(c).n == 0)) {
		session_end(s);
		return;
	}
	list_remove(&s->node);
	list_append(&s->server->active, &s->node);
	s->server->stats.idle--;
	s->server->stats.active++;
	s->task = task_spawn(NULL, "request", serve, s);
}

static void session_idle(struct session *s)
{
	list_append(&s->server->idle, &s->node);
	s->server->stats.idle++;
	conn_idle(s->conn, s->server->o.limits.idle_timeout_ms, on_idle_event, s);
}

static void on_conn(void *arg, struct conn *c)
{
	struct http_server *server = arg;

	assert(server->magic == SERVER_MAGIC);
	server->stats.accepted++;
	if (server->stats.open >= server->o.limits.connections_max) {
		if (list_empty(&server->idle)) {
			conn_close_later(c);
			return;
		}
		session_end(list_entry(server->idle.next, struct session, node));
	}
	struct session *s = xcalloc(1, sizeof *s);

	s->magic = SESSION_MAGIC;
	s->server = server;
	s->conn = c;
	server->stats.open++;
	session_idle(s);
}

/* ---- reading a request's head ---- */

enum head_result { HEAD_OK, HEAD_REFUSED, HEAD_GONE };

static enum head_result refused(struct refusal *why, int status, const char *text)
{
	*why = (struct refusal){ status, text };
	return HEAD_REFUSED;
}

waits static enum head_result wait_for_more(struct http_exchange *x, uint64_t until_ms,
					    struct refusal *why)
{
	uint64_t now = clock_mono_ms();
	bool begun = conn_data(x->conn).n > 0;

	if (now >= until_ms)
		return begun ? refused(why, 408, "the request's head did not come in time")
			     : HEAD_GONE;
	int rc = conn_fill(x->conn, until_ms - now);

	if (rc == -ETIMEDOUT)
		return begun ? refused(why, 408, "the request's head did not come in time")
			     : HEAD_GONE;
	if (rc == -ENOBUFS)
		return refused(why, 431, "the headers are too large");
	if (rc == 0 && begun)
		return refused(why, 400, "the request's head is not complete");
	return rc > 0 ? HEAD_OK : HEAD_GONE;
}

waits static enum head_result read_head(struct http_exchange *x, struct head *head,
					struct refusal *why)
{
	const struct head_limits limits = { x->limits->request_line_max, x->limits->header_max,
					    x->limits->headers_max };
	struct head_scan scan = { 0 };
	uint64_t until_ms = clock_mono_ms() + x->limits->header_timeout_ms;
	ssize_t n;

	while ((n = head_scan(&scan, conn_data(x->conn), &limits, why)) == 0) {
		enum head_result r = wait_for_more(x, until_ms, why);

		if (r != HEAD_OK)
			return r;
	}
	if (n < 0)
		return HEAD_REFUSED;
	struct str bytes = arena_str(x->req.arena, str_head(conn_data(x->conn), (size_t)n));

	conn_consume(x->conn, (size_t)n);
	return head_parse_request(head, bytes, &scan, &x->req, why) < 0 ? HEAD_REFUSED : HEAD_OK;
}

static void request_init(struct http_exchange *x, struct arena *arena)
{
	struct request *req = &x->req;

	req->magic = REQUEST_MAGIC;
	req->arena = arena;
	headers_init(&req->headers, arena);
	req->scheme = conn_is_tls(x->conn) ? S("https") : S("http");
	req->peer_ip = str_from(conn_peer_ip(x->conn));
	req->peer_port = conn_peer_port(x->conn);
	req->started_us = clock_wall_us();
	req->method_name = req->target = req->path = S("");
	req->minor = 1;
	response_init(&x->res, arena);
}

/* ---- one request ---- */

/* The peer may still be sending: closing now would reset the connection, and our answer with it. So
 * end our direction, and read away what comes, for a moment. */
waits static void linger(struct conn *c)
{
	TASK_DEADLINE(LINGER_MS);

	if (conn_is_dead(c) || conn_shutdown(c, LINGER_MS) < 0)
		return;
	do
		conn_consume(c, conn_data(c).n);
	while (conn_fill(c, LINGER_MS) > 0);
}

/* Whether the connection can be kept although the handler did not read the whole request body. */
static bool body_can_be_drained(const struct http_exchange *x)
{
	const struct incoming *in = &x->in;

	if (in->ended)
		return true;
	/* A client that was never told to continue may send its body or not: nobody can know. */
	if (in->error || in->expect)
		return false;
	return in->body.left < 0 || (uint64_t)in->body.left <= x->limits->drain_max;
}

waits static bool drain(struct http_exchange *x)
{
	if (incoming_finish(&x->in))
		return true;
	return !x->in.error && body_drain(&x->in.body, x->limits->drain_max) == 0 &&
	       incoming_finish(&x->in);
}

waits static void answer(struct http_server *server, struct http_exchange *x, struct head *head)
{
	struct request *req = &x->req;

	incoming_init(&x->in, x->conn, head, req->arena, x->limits->body_timeout_ms);
	x->in.expect = req->expect_continue;
	x->in.continue_fields = &req->continue_fields;
	req->body = &x->in.body;
	server->o.handle(server->o.arg, req, &x->res);
	if (x->res.status == 0)
		respond_status(&x->res, 500);
	x->keep_alive = head->keep_alive && !x->res.close && !server->stopping &&
			!task_cancelled() && body_can_be_drained(x);
}

waits static void refuse(struct http_server *server, struct http_exchange *x,
			 const struct refusal *why)
{
	static const struct head no_body = { .framing = BODY_NONE };

	server->stats.refused++;
	incoming_init(&x->in, x->conn, &no_body, x->req.arena, 0);
	x->req.body = &x->in.body;
	respond_text(&x->res, why->status, "%s\n", why->text);
	if (server->o.refused)
		server->o.refused(server->o.arg, &x->req, &x->res);
	x->keep_alive = false;
}

/* Reads, answers and logs one request: whether the connection goes on. */
waits static bool serve_one(struct session *s)
{
	struct http_server *server = s->server;
	AUTO(arena) arena = arena_new();
	struct http_exchange *x = arena_zalloc(arena, sizeof *x);
	struct head head = { 0 };
	struct refusal why;

	x->conn = s->conn;
	x->limits = &server->o.limits;
	request_init(x, arena);
	enum head_result r = read_head(x, &head, &why);

	if (r == HEAD_GONE)
		return false;
	server->stats.requests++;
	task_set_trans_id(S(""));
	conn_watch(s->conn, s->task);
	if (r == HEAD_OK)
		answer(server, x, &head);
	else
		refuse(server, x, &why);
	int error = http_send_response(x);

	conn_watch(s->conn, NULL);
	body_close(x->res.body);
	if (server->o.done)
		server->o.done(server->o.arg, &x->req, &x->res, error, x->in.received);
	if (error < 0 || task_cancelled())
		return false;
	if (x->keep_alive && drain(x))
		return true;
	if (r == HEAD_REFUSED || !x->in.ended)
		linger(s->conn);
	return false;
}

waits static void serve(void *arg)
{
	struct session *s = arg;

	assert(s->magic == SESSION_MAGIC && s->task == task_self());
	for (;;) {
		if (!serve_one(s)) {
			session_end(s);
			return;
		}
		if (conn_data(s->conn).n == 0)
			break;
		task_yield();           /* pipelined: the others first */
	}
	if (s->server->stopping) {
		session_end(s);
		return;
	}
	list_remove(&s->node);
	s->task = NULL;
	s->server->stats.active--;
	session_idle(s);
}

/* ---- start and stop ---- */

int http_server_start(const struct http_server_options *o, struct http_server **ret,
		      struct fault *why)
{
	struct http_server *server = xcalloc(1, sizeof *server);
	struct listener_options lo = {
		.ip = o->ip, .port = o->port, .reuse_port = o->reuse_port, .backlog = o->backlog,
		.tls = o->tls, .on_conn = on_conn, .arg = server,
	};

	assert(o->handle && o->limits.request_line_max && o->limits.connections_max);
	server->magic = SERVER_MAGIC;
	server->o = *o;
	server->o.ip = NULL;            /* not ours to keep */
	list_init(&server->idle);
	list_init(&server->active);
	int rc = listener_start(&lo, &server->listener, why);

	if (rc < 0) {
		free(server);
		return rc;
	}
	*ret = server;
	return 0;
}

unsigned http_server_port(const struct http_server *s)
{
	return listener_port(s->listener);
}

/* Closing is what ends a session, also when the stopping task itself is cancelled. */
waits static void stop_active(struct http_server *s, uint64_t grace_ms)
{
	uint64_t end = clock_mono_ms() + grace_ms;
	int rc = 0;

	while (rc >= 0 && !list_empty(&s->active)) {
		uint64_t now = clock_mono_ms();

		rc = now < end ? task_wait("requests that run", end - now) : -ETIMEDOUT;
	}
	list_for(n, &s->active)
		task_cancel(list_entry(n, struct session, node)->task);
	while (!list_empty(&s->active))
		task_wait_masked("cancelled requests");
}

void http_server_stop(struct http_server *s, uint64_t grace_ms)
{
	if (!s)
		return;
	assert(s->magic == SERVER_MAGIC && !s->stopping);
	s->stopping = true;
	listener_stop(s->listener);
	s->stopper = task_self();
	while (!list_empty(&s->idle))
		session_end(list_entry(s->idle.next, struct session, node));
	stop_active(s, grace_ms);
	assert(s->stats.open == 0);
	s->magic = 0;
	free(s);
}

void http_server_stats(const struct http_server *s, struct http_server_stats *ret)
{
	*ret = s->stats;
}
