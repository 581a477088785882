/* The HTTP client: exchanges, and the connections that wait for the next one. A struct exchange
 * stays with its connection: pooled, it is the pool's entry. */
#include "lib/http/client.h"
#include "lib/base/clock.h"
#include "lib/base/list.h"
#include "lib/base/map.h"
#include "lib/http/internal.h"

enum {
	EXCHANGE_MAGIC = 0x65786368,
	HEAD_MAX = 1 * MIB,             /* of a request we send */
	KEEP_MAX = 16 * KIB,            /* first_bytes kept for sending them again */
	LINE_MAX_ = 8 * KIB,
	HEADERS_MAX = 512,
	KEY_MAX = 512,
};

const struct http_client_options http_client_options_default = {
	.connect_timeout_ms = 500,
	.response_timeout_ms = 10000,
	.write_timeout_ms = 10000,
	.idle_timeout_ms = 30000,
	.idle_max = 64,
};

/* The idle connections to one address. */
struct peer {
	struct list idle;               /* exchanges, the last used first */
	unsigned idle_n;
};

struct http_client {
	struct http_client_options o;
	struct map *peers;
	unsigned busy;
};

struct exchange {
	unsigned magic;
	struct http_client *client;
	struct peer *peer;
	struct http_address to;
	struct conn *conn;
	struct list node;               /* in peer->idle */
	uint64_t response_ms, write_ms;
	struct buf head;                /* as sent, with first_bytes where those are kept */
	struct incoming in;
	int64_t left;                   /* body bytes still to send; EXCHANGE_CHUNKED */
	bool reused;                    /* the connection had served before */
	bool again;                     /* head may be sent again on a new connection */
	bool idempotent, expects;
	bool sent, received;            /* the whole request; a final response's head */
	bool keep_alive;
};

struct http_client *http_client_new(const struct http_client_options *o)
{
	struct http_client *c = xcalloc(1, sizeof *c);

	c->o = *o;
	c->peers = map_new();
	return c;
}

/* ---- the pool ---- */

static void exchange_free(struct exchange *x)
{
	assert(x->magic == EXCHANGE_MAGIC);
	conn_close_later(x->conn);
	buf_done(&x->head);
	x->magic = 0;
	free(x);
}

static void unpool(struct exchange *x)
{
	list_remove(&x->node);
	x->peer->idle_n--;
}

static void peer_free(void *value)
{
	struct peer *p = value;

	while (!list_empty(&p->idle)) {
		struct exchange *x = list_entry(p->idle.next, struct exchange, node);

		unpool(x);
		exchange_free(x);
	}
	free(p);
}

void http_client_free(struct http_client *c)
{
	if (!c)
		return;
	assert(c->busy == 0);
	map_free(c->peers, peer_free);
	free(c);
}

/* Whatever comes on an idle connection ends it: its close, its timeout, or bytes nobody
 * asked for. */
static void on_idle_event(void *arg, struct conn *c, bool timed_out)
{
	struct exchange *x = arg;

	(void)timed_out;
	assert(x->magic == EXCHANGE_MAGIC && x->conn == c);
	unpool(x);
	exchange_free(x);
}

static struct peer *peer_of(struct http_client *c, const struct http_address *to)
{
	char key[KEY_MAX];
	size_t ip = strlen(to->ip), host = to->host ? strlen(to->host) : 0;
	char *end = mempcpy(key, to->ip, ip + 1);

	end = mempcpy(end, &to->port, sizeof to->port);
	*end++ = (char)to->tls;
	end = mempcpy(end, to->host ? to->host : "", MIN(host, (size_t)(key + KEY_MAX - end)));
	struct str k = str_of(key, (size_t)(end - key));
	struct peer *p = map_get(c->peers, k);

	if (p)
		return p;
	p = xcalloc(1, sizeof *p);
	list_init(&p->idle);
	map_put(c->peers, k, p);
	return p;
}

static struct exchange *take_idle(struct peer *p)
{
	while (!list_empty(&p->idle)) {
		struct exchange *x = list_entry(p->idle.next, struct exchange, node);

		unpool(x);
		conn_unidle(x->conn);
		if (!conn_is_dead(x->conn) && conn_data(x->conn).n == 0)
			return x;
		exchange_free(x);
	}
	return NULL;
}

waits static int connect_to(struct exchange *x)
{
	const struct http_client_options *o = &x->client->o;
	const struct http_address *to = &x->to;

	if (to->tls)
		return conn_open_tls(to->ip, to->port, o->tls, to->host ? to->host : to->ip,
				     o->connect_timeout_ms, &x->conn);
	return conn_open(to->ip, to->port, o->connect_timeout_ms, &x->conn);
}

/* ---- the exchange's life ---- */

static void reset(struct exchange *x, const struct http_address *to)
{
	x->to = *to;
	x->response_ms = x->client->o.response_timeout_ms;
	x->write_ms = x->client->o.write_timeout_ms;
	x->sent = x->received = x->keep_alive = x->again = x->expects = false;
	x->left = 0;
	x->in = (struct incoming){ 0 };
	buf_clear(&x->head);
}

int exchange_start(struct http_client *c, const struct http_address *to, struct exchange **ret)
{
	struct peer *p = peer_of(c, to);
	struct exchange *x = take_idle(p);

	assert(!to->tls || c->o.tls);
	if (x) {
		reset(x, to);
		x->reused = true;
	} else {
		x = xcalloc(1, sizeof *x);
		x->magic = EXCHANGE_MAGIC;
		x->client = c;
		x->peer = p;
		x->head = BUF(HEAD_MAX);
		list_init(&x->node);
		reset(x, to);
		int rc = connect_to(x);

		if (rc < 0) {
			exchange_free(x);
			return rc;
		}
	}
	c->busy++;
	*ret = x;
	return 0;
}

void exchange_end(struct exchange *x)
{
	if (!x)
		return;
	assert(x->magic == EXCHANGE_MAGIC && x->client->busy > 0);
	x->client->busy--;
	bool reusable = x->conn && x->sent && x->received && incoming_finish(&x->in) &&
			x->keep_alive && !conn_is_dead(x->conn) && conn_data(x->conn).n == 0 &&
			x->peer->idle_n < x->client->o.idle_max;

	if (!reusable) {
		exchange_free(x);
		return;
	}
	list_push(&x->peer->idle, &x->node);
	x->peer->idle_n++;
	if (x->head.cap > KEEP_MAX)
		buf_done(&x->head);
	conn_idle(x->conn, x->client->o.idle_timeout_ms, on_idle_event, x);
}

void exchange_set_timeouts(struct exchange *x, uint64_t response_ms, uint64_t write_ms)
{
	x->response_ms = response_ms ? response_ms : x->response_ms;
	x->in.timeout_ms = x->response_ms;      /* of a body that is being read */
	x->write_ms = write_ms ? write_ms : x->write_ms;
}

/* ---- sending ---- */

static void add_host(struct buf *b, const struct http_address *to)
{
	struct str name = str_from(to->host ? to->host : to->ip);
	bool v6 = str_chr(name, ':') >= 0;

	buf_add_str(b, v6 ? S("Host: [") : S("Host: "));
	buf_add_str(b, name);
	if (v6)
		buf_add_char(b, ']');
	if (to->port != (to->tls ? 443 : 80)) {
		buf_add_char(b, ':');
		buf_add_u64(b, to->port);
	}
	buf_add_lit(b, "\r\n");
}

/* 0, or -EINVAL for what would not be one request. */
static int build_head(struct exchange *x, struct str method, struct str target,
		      const struct headers *h, int64_t content_length)
{
	struct buf *b = &x->head;

	if (!header_name_valid(method) || !header_value_valid(target) || str_chr(target, ' ') >= 0)
		return -EINVAL;
	buf_clear(b);
	buf_add_str(b, method);
	buf_add_char(b, ' ');
	buf_add_str(b, target);
	buf_add_lit(b, " HTTP/1.1\r\n");
	if (!headers_has(h, S("Host")))
		add_host(b, &x->to);
	for (unsigned i = 0; i < h->n; i++) {
		const struct header *f = &h->v[i];

		if (header_is_framing(f->name))
			continue;
		if (!field_name_ok(f->name) || !header_value_valid(f->value))
			return -EINVAL;
		buf_add_str(b, f->name);
		buf_add_lit(b, ": ");
		buf_add_str(b, f->value);
		buf_add_lit(b, "\r\n");
	}
	enum http_method m = http_method_parse(method);

	if (content_length == EXCHANGE_CHUNKED)
		buf_add_lit(b, "Transfer-Encoding: chunked\r\n");
	else if (content_length > 0 || m == HTTP_PUT || m == HTTP_POST || m == HTTP_PATCH)
		buf_addf(b, "Content-Length: %" PRId64 "\r\n", content_length);
	buf_add_lit(b, "\r\n");
	x->idempotent = m != HTTP_POST && m != HTTP_PATCH;
	x->expects = headers_has(h, S("Expect"));
	return buf_failed(b) ? -EFBIG : 0;
}

/* The pieces, as one chunk where that is asked for, behind head. */
waits static int write_framed(struct exchange *x, struct str head, const struct str *pieces,
			      unsigned count)
{
	char line[CHUNK_LINE_MAX];
	struct iovec iov[EXCHANGE_PIECES_MAX + 3];
	unsigned n = 0;
	size_t bytes = 0;

	assert(count <= EXCHANGE_PIECES_MAX);
	for (unsigned i = 0; i < count; i++)
		bytes += pieces[i].n;
	bool chunk = x->left == EXCHANGE_CHUNKED && bytes > 0;

	if (head.n)
		iov[n++] = (struct iovec){ (void *)head.p, head.n };
	if (chunk)
		iov[n++] = (struct iovec){ line, chunk_line(line, bytes) };
	for (unsigned i = 0; i < count; i++)
		if (pieces[i].n)
			iov[n++] = (struct iovec){ (void *)pieces[i].p, pieces[i].n };
	if (chunk)
		iov[n++] = (struct iovec){ (void *)"\r\n", 2 };
	int rc = n ? conn_writev(x->conn, iov, n, x->write_ms) : 0;

	return rc == -ECONNRESET || rc == -ECONNABORTED ? -EPIPE : rc;
}

/* The pooled connection turned out to be closed: another, once. */
waits static int reconnect(struct exchange *x)
{
	conn_close(TAKE(x->conn));
	x->reused = x->again = false;
	return connect_to(x);
}

static void count_sent(struct exchange *x, size_t n)
{
	if (x->left == EXCHANGE_CHUNKED)
		return;
	assert(n <= (uint64_t)x->left);
	x->left -= (int64_t)n;
	x->sent = x->left == 0;
}

int exchange_send(struct exchange *x, struct str method, struct str target, const struct headers *h,
		  int64_t content_length, struct str first_bytes)
{
	assert(content_length == EXCHANGE_CHUNKED || (uint64_t)content_length >= first_bytes.n);
	int rc = build_head(x, method, target, h, content_length);

	if (rc < 0)
		return rc;
	x->left = content_length;
	rc = x->conn ? write_framed(x, buf_str(&x->head), &first_bytes, 1) : -EPIPE;
	if (rc == -EPIPE && x->reused) {
		rc = reconnect(x);
		if (rc == 0)
			rc = write_framed(x, buf_str(&x->head), &first_bytes, 1);
	}
	if (rc < 0)
		return rc;
	count_sent(x, first_bytes.n);
	x->again = x->reused && x->idempotent && first_bytes.n <= KEEP_MAX &&
		   (content_length >= 0 || first_bytes.n == 0);
	if (x->again) {
		buf_add_str(&x->head, first_bytes);
		x->again = !buf_failed(&x->head);
	}
	return 0;
}

int exchange_send_pieces(struct exchange *x, const struct str *pieces, unsigned n)
{
	size_t bytes = 0;

	for (unsigned i = 0; i < n; i++)
		bytes += pieces[i].n;
	if (bytes == 0)
		return 0;
	x->again = false;
	int rc = x->conn ? write_framed(x, STR_NONE, pieces, n) : -EPIPE;

	if (rc == 0)
		count_sent(x, bytes);
	return rc;
}

int exchange_send_body(struct exchange *x, struct str bytes)
{
	return exchange_send_pieces(x, &bytes, 1);
}

int exchange_send_end(struct exchange *x, const struct headers *trailers)
{
	if (x->left != EXCHANGE_CHUNKED || x->sent)
		return 0;
	CLEANUP(buf_done) struct buf text = BUF(64 * KIB);

	buf_add_lit(&text, "0\r\n");
	for (unsigned i = 0; trailers && i < trailers->n; i++) {
		const struct header *f = &trailers->v[i];

		if (!field_name_ok(f->name) || !header_value_valid(f->value))
			return -EINVAL;
		buf_addf(&text, "%.*s: %.*s\r\n", STR(f->name), STR(f->value));
	}
	buf_add_lit(&text, "\r\n");
	if (buf_failed(&text))
		return -EFBIG;
	x->again = false;
	int rc = x->conn ? conn_write(x->conn, text.p, text.n, x->write_ms) : -EPIPE;

	x->sent = rc == 0;
	return rc == -ECONNRESET || rc == -ECONNABORTED ? -EPIPE : rc;
}

/* ---- receiving ---- */

/* The next head, as bytes in the arena. */
waits static int read_head(struct exchange *x, struct arena *arena, uint64_t until_ms,
			   struct head_scan *scan, struct str *ret)
{
	static const struct head_limits limits = { LINE_MAX_, LINE_MAX_, HEADERS_MAX };
	struct refusal why;
	ssize_t n;

	while ((n = head_scan(scan, conn_data(x->conn), &limits, &why)) == 0) {
		uint64_t now = clock_mono_ms();
		struct str begin = str_head(conn_data(x->conn), 5);

		/* Something else speaks: its end is not waited for. */
		if (!str_starts(S("HTTP/"), begin))
			return -EBADMSG;
		int rc = now < until_ms ? conn_fill(x->conn, until_ms - now) : -ETIMEDOUT;

		if (rc == -ENOBUFS)
			return -EBADMSG;
		if (rc <= 0)
			return rc < 0 ? rc : -EPIPE;
	}
	if (n < 0)
		return -EBADMSG;
	*ret = arena_str(arena, str_head(conn_data(x->conn), (size_t)n));
	conn_consume(x->conn, (size_t)n);
	return 0;
}

/* As read_head; where a pooled connection ended before the first byte came, on a new one. */
waits static int read_head_again(struct exchange *x, struct arena *arena, uint64_t until_ms,
				 struct head_scan *scan, struct str *ret)
{
	int rc = read_head(x, arena, until_ms, scan, ret);
	bool gone = rc == -EPIPE || rc == -ECONNRESET || rc == -ECONNABORTED;

	if (!gone || !x->again || conn_data(x->conn).n > 0)
		return rc;
	rc = reconnect(x);
	if (rc == 0)
		rc = conn_write(x->conn, x->head.p, x->head.n, x->write_ms);
	*scan = (struct head_scan){ 0 };
	return rc < 0 ? rc : read_head(x, arena, until_ms, scan, ret);
}

static void response_fill(struct exchange *x, struct arena *arena, struct head *h,
			  struct response *res)
{
	res->status = h->status;
	res->reason = h->reason;
	res->content_length = h->content_length;
	incoming_init(&x->in, x->conn, h, arena, x->response_ms);
	res->body = &x->in.body;
	res->close = !h->keep_alive;
}

int exchange_receive(struct exchange *x, struct arena *arena, bool head_request,
		     struct response *res)
{
	uint64_t until_ms = clock_mono_ms() + x->response_ms;

	assert(!x->received);
	if (!x->conn)
		return -EPIPE;
	for (;;) {
		struct head_scan scan = { 0 };
		struct head h = { 0 };
		struct str bytes;

		response_init(res, arena);
		h.headers = &res->headers;
		int rc = read_head_again(x, arena, until_ms, &scan, &bytes);
		if (rc == 0)
			rc = head_parse_response(&h, bytes, &scan, head_request);
		if (rc == 0 && h.status == 101)
			rc = -EBADMSG;
		if (rc < 0)
			return rc;
		x->again = false;
		if (h.status / 100 == 1 && !(h.status == 100 && x->expects))
			continue;
		response_fill(x, arena, &h, res);
		x->received = h.status != 100;
		x->keep_alive = h.keep_alive;
		return h.status;
	}
}

bool exchange_answered(struct exchange *x)
{
	return !x->conn || conn_has_input(x->conn) || conn_is_dead(x->conn);
}

const struct http_address *exchange_address(const struct exchange *x)
{
	return &x->to;
}
