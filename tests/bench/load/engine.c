/* Runs a job: all connections on one epoll, each sending its next request when the last is
 * answered. */
#include "tests/bench/load/conn.h"

#include "lib/base/clock.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
	EVENTS = 256,
	READ_SIZE = 256 * KIB,
	READS_AT_ONCE = 4,       /* then the other connections have their turn */
	RETRY_US = 100000,
	SCAN_US = 500000,        /* how often timeouts are looked for */
	GIVE_UP_CONNECTS = 200,
	JSON_MAX = 4 * MIB,
	PIECES = 4,
};

static void conn_watch(struct conn *c, bool out)
{
	struct epoll_event e = { .events = EPOLLIN | (out ? EPOLLOUT : 0), .data.ptr = c };

	if (c->wants_out == out)
		return;
	c->wants_out = out;
	if (epoll_ctl(c->epoll, EPOLL_CTL_MOD, c->fd, &e) < 0)
		die("epoll_ctl: %s", strerror(errno));
}

static void conn_close(struct conn *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

static void conn_down(struct conn *c)
{
	conn_close(c);
	c->stats->connect_errors++;
	c->state = CONN_DOWN;
	c->retry_us = now_us() + RETRY_US;
}

static void conn_open(struct conn *c)
{
	const struct load *l = c->job->load;
	struct epoll_event e = { .events = EPOLLIN | EPOLLOUT, .data.ptr = c };
	int one = 1;

	c->fd = socket(l->addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		die("socket: %s", strerror(errno));
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	c->served = 0;
	c->wants_out = true;
	c->state = CONN_CONNECTING;
	c->last_us = now_us();
	if (epoll_ctl(c->epoll, EPOLL_CTL_ADD, c->fd, &e) < 0)
		die("epoll_ctl: %s", strerror(errno));
	if (connect(c->fd, (const struct sockaddr *)&l->addr, l->addr_len) < 0 &&
	    errno != EINPROGRESS)
		conn_down(c);
}

static void conn_send(struct conn *c);

static void conn_start(struct conn *c)
{
	c->state = CONN_SENDING;
	c->start_us = c->last_us = now_us();
	c->body_wrong = false;
	c->marks = 0;
	buf_clear(&c->json);
	response_init(&c->res, c->op == OP_HEAD);
	conn_send(c);
}

static void conn_next(struct conn *c)
{
	if (!request_next(c)) {
		conn_close(c);
		c->state = CONN_DONE;
	} else if (c->fd < 0) {
		conn_open(c);
	} else {
		conn_start(c);
	}
}

static void conn_failed(struct conn *c, const char *what)
{
	struct stats *s = c->stats;
	struct str line = str_of(c->request, c->request_n);

	s->errors++;
	line = str_cut(&line, '\r');
	if (!s->first_error[0])
		snprintf(s->first_error, sizeof(s->first_error), "%s (%d): %.*s", what,
			 c->res.status, STR(str_head(line, 120)));
}

/* The connection went away. */
static void conn_lost(struct conn *c, const char *why)
{
	if (c->state == CONN_CONNECTING)
		return conn_down(c);
	conn_close(c);
	/* A server may close an idle connection just when the next request is sent. */
	if (c->served > 0 && c->res.head_n == 0 && !c->retried) {
		c->stats->reconnects++;
		c->retried = true;
		c->request_sent = 0;
		c->put_sent = 0;
		return conn_open(c);
	}
	conn_failed(c, why);
	conn_next(c);
}

static size_t pieces_of(struct conn *c, struct iovec v[PIECES])
{
	size_t n = 0;

	if (c->request_sent < c->request_n)
		v[n++] = (struct iovec){ c->request + c->request_sent,
					 c->request_n - c->request_sent };
	for (uint64_t at = c->put_sent; at < c->put_size && n < PIECES;) {
		struct str s = body_at(c->variant, at);

		s = str_head(s, MIN(s.n, c->put_size - at));
		v[n++] = (struct iovec){ (char *)s.p, s.n };
		at += s.n;
	}
	return n;
}

static void conn_send(struct conn *c)
{
	struct iovec v[PIECES];
	struct msghdr m = { .msg_iov = v };

	while ((m.msg_iovlen = pieces_of(c, v)) > 0) {
		ssize_t n = sendmsg(c->fd, &m, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN)
			return conn_watch(c, true);
		if (n < 0) {
			/* It may have answered before it shut its side: let the reader see. */
			if (c->put_sent == 0)
				return conn_lost(c, "sending failed");
			break;
		}
		size_t head = MIN((size_t)n, c->request_n - c->request_sent);

		c->request_sent += head;
		c->put_sent += (size_t)n - head;
		c->last_us = now_us();
	}
	c->state = CONN_READING;
	conn_watch(c, false);
}

static void conn_record(struct conn *c, uint64_t end_us)
{
	struct stats *s = c->stats;
	uint64_t us = end_us - c->start_us;
	uint32_t latency = (uint32_t)MIN(us, UINT32_MAX);

	if (c->start_us < c->job->record_us)
		return;
	buf_add(&s->latencies, &latency, sizeof(latency));
	s->ops++;
	s->by_op[c->op]++;
	s->bytes += c->op == OP_PUT ? c->put_size : c->res.got;
}

static void conn_answered(struct conn *c)
{
	uint64_t end_us = now_us();
	const char *wrong = check_response(c);

	c->stats->status[c->res.status]++;
	if (wrong) {
		conn_failed(c, wrong);
	} else {
		if (c->job->op == JOB_MIXED && c->op == OP_PUT)
			c->mixed_put++;
		if (c->job->op == JOB_MIXED && c->op == OP_DELETE)
			c->mixed_deleted++;
		conn_record(c, end_us);
	}
	c->served++;
	if (c->res.closes || c->put_sent < c->put_size) {
		conn_close(c);
		c->stats->reconnects++;
	}
	conn_next(c);
}

static void conn_read(struct conn *c, char *memory)
{
	for (int i = 0; i < READS_AT_ONCE; i++) {
		ssize_t n = recv(c->fd, memory, READ_SIZE, 0);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n < 0)
			return conn_lost(c, "receiving failed");
		if (n == 0) {
			if (!response_ends_with_close(&c->res))
				return conn_lost(c, "closed early");
			c->res.closes = true;
			return conn_answered(c);
		}
		c->last_us = now_us();
		int rc = response_feed(&c->res, str_of(memory, (size_t)n), check_body, c);

		if (rc < 0)
			return conn_lost(c, "malformed response");
		if (rc == 1)
			return conn_answered(c);
		if (n < READ_SIZE)
			return;
	}
}

static void conn_event(struct conn *c, uint32_t events, char *memory)
{
	int error = 0;
	socklen_t size = sizeof(error);

	if (c->fd < 0)
		return;
	if (c->state == CONN_CONNECTING) {
		if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 || error)
			conn_lost(c, strerror(error));
		else if (events & EPOLLOUT)
			conn_start(c);
		return;
	}
	if (c->state == CONN_SENDING && (events & EPOLLOUT))
		conn_send(c);
	if (c->fd >= 0 && c->state != CONN_CONNECTING && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		conn_read(c, memory);
}

/* Connects again what is down, and gives up what has waited too long. */
static void conn_scan(struct conn *c, uint64_t now)
{
	struct load *l = c->job->load;

	if (c->state == CONN_DOWN && now >= c->retry_us) {
		if (c->stats->ops == 0 && c->stats->connect_errors > GIVE_UP_CONNECTS)
			die("cannot connect to %s:%d", l->host, l->port);
		if (c->job->limit || now < c->job->end_us)
			return conn_open(c);
		conn_failed(c, "no connection");
		c->state = CONN_DONE;
	} else if (c->state < CONN_DOWN && now - c->last_us > (uint64_t)(l->timeout_s * 1e6)) {
		c->stats->timeouts++;
		c->retried = true;
		conn_lost(c, "timed out");
	}
}

static void engine_loop(struct conn *conns, int n, int epoll)
{
	AUTO(free) memory = xmalloc(READ_SIZE);
	struct epoll_event events[EVENTS];
	uint64_t scanned = now_us();

	for (;;) {
		int live = 0, down = 0;

		for (int i = 0; i < n; i++) {
			live += conns[i].state != CONN_DONE;
			down += conns[i].state == CONN_DOWN;
		}
		if (!live)
			return;
		int got = epoll_wait(epoll, events, EVENTS, down ? 20 : 500);

		for (int i = 0; i < got; i++)
			conn_event(events[i].data.ptr, events[i].events, memory);
		uint64_t now = now_us();

		if (!down && now - scanned < SCAN_US)
			continue;
		scanned = now;
		for (int i = 0; i < n; i++)
			conn_scan(&conns[i], now);
	}
}

static double cpu_s(void)
{
	struct rusage r;

	if (getrusage(RUSAGE_SELF, &r) < 0)
		return 0;
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
	       (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

/* The ETags that will be expected, so that computing them is not measured. */
static void prepare_etags(const struct job *j)
{
	bool has_bodies = j->op == OP_PUT || j->op == OP_GET || j->op == OP_HEAD ||
			  j->op == OP_TEMPURL || j->op == (enum op)JOB_MIXED;

	for (unsigned v = 0; has_bodies && !j->load->plain && v < BODY_VARIANTS; v++)
		if (body_variant(v, j->size) == v)
			(void)body_etag(v, j->size);
}

struct stats *job_run(struct job *j)
{
	struct stats *s = xcalloc(1, sizeof(*s));
	struct conn *conns = xcalloc((size_t)j->conns, sizeof(*conns));
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	double cpu = cpu_s();

	prepare_etags(j);
	s->latencies = BUF(LATENCIES_MAX);
	j->next = 0;
	/* Without warming up where single requests take as long as that. */
	j->record_us = now_us();
	if (!j->limit && j->size < BODY_BIG)
		j->record_us += (uint64_t)(j->load->warm_s * 1e6);
	j->end_us = j->record_us + (uint64_t)(j->seconds * 1e6);
	for (int i = 0; i < j->conns; i++) {
		conns[i] = (struct conn){
			.job = j, .stats = s, .fd = -1, .id = i, .epoll = epoll,
			.rng = 88172645463325252 + (uint64_t)i * 7919 + now_us(),
			.json = BUF(JSON_MAX),
		};
		conn_next(&conns[i]);
	}
	engine_loop(conns, j->conns, epoll);
	uint64_t end = now_us();

	s->seconds = end > j->record_us ? (double)(end - j->record_us) / 1e6 : 0;
	s->cpu_s = cpu_s() - cpu;
	for (int i = 0; i < j->conns; i++)
		buf_done(&conns[i].json);
	close(epoll);
	free(conns);
	return s;
}
