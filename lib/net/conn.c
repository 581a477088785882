/* TCP connections on tasks: reading stays armed and fills a pooled buffer, writing tries at once
 * and waits only for what the socket did not take. */
#include "lib/net/internal.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum { STREAK_MAX = 2 * MIB };

static uv_stream_t *stream_of(struct conn *c)
{
	return (uv_stream_t *)&c->tcp;
}

static struct conn *conn_of(void *data)
{
	struct conn *c = data;

	assert(c->magic == CONN_MAGIC);
	return c;
}

/* ---- life ---- */

static void on_timer(uv_timer_t *timer);

struct conn *conn_new(void)
{
	struct conn *c = xcalloc(1, sizeof *c);

	c->magic = CONN_MAGIC;
	c->want = BUFFER_SIZE;
	uv_tcp_init(tasks_loop(), &c->tcp);
	uv_timer_init(tasks_loop(), &c->timer);
	c->tcp.data = c->timer.data = c;
	c->handles = 2;
	return c;
}

void conn_connected(struct conn *c)
{
	union {
		struct sockaddr_storage any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} a = { 0 };
	int n = sizeof a;

	uv_tcp_nodelay(&c->tcp, 1);
	if (uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&a, &n) < 0)
		return;
	if (a.any.ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&a.v6.sin6_addr)) {
		uv_inet_ntop(AF_INET, a.v6.sin6_addr.s6_addr + 12, c->peer_ip, sizeof c->peer_ip);
		c->peer_port = ntohs(a.v6.sin6_port);
	} else if (a.any.ss_family == AF_INET6) {
		uv_ip6_name(&a.v6, c->peer_ip, sizeof c->peer_ip);
		c->peer_port = ntohs(a.v6.sin6_port);
	} else {
		uv_ip4_name(&a.v4, c->peer_ip, sizeof c->peer_ip);
		c->peer_port = ntohs(a.v4.sin_port);
	}
}

static void on_closed(uv_handle_t *h)
{
	struct conn *c = conn_of(h->data);

	if (--c->handles > 0)
		return;
	inbuf_give(&c->in);
	tls_free(c->tls);
	c->magic = 0;
	free(c);
}

/* The descriptor closes at once. The timer's handle closes only in conn_close_later, so the memory
 * stays until then. */
static void begin_close(struct conn *c)
{
	if (c->closing)
		return;
	c->closing = true;
	c->reading = false;
	c->on_event = NULL;
	c->watcher = NULL;
	uv_close((uv_handle_t *)&c->tcp, on_closed);
}

void conn_close_later(struct conn *c)
{
	if (!c)
		return;
	assert(!c->reader);
	if (c->tls && !c->closing)
		tls_say_goodbye(c);
	begin_close(c);
	uv_close((uv_handle_t *)&c->timer, on_closed);
}

void conn_close(struct conn *c)
{
	conn_close_later(c);
}

/* ---- reading ---- */

/* Something came while nobody waits in a task: tells whoever the idle connection belongs
 * to, once. */
static void fire(struct conn *c, bool timed_out)
{
	void (*fn)(void *, struct conn *, bool) = c->on_event;

	c->on_event = NULL;
	fn(c->arg, c, timed_out);
}

static void on_alloc(uv_handle_t *h, size_t hint, uv_buf_t *buf)
{
	struct conn *c = conn_of(h->data);

	(void)hint;
	/* Nobody wants a client's bytes now, and there is no memory for what is only good for
	 * speed: they stay in the socket. */
	if (!c->in.p && !c->reader && c->watcher && pages_scarce()) {
		*buf = uv_buf_init(NULL, 0);
		return;
	}
	if (!c->in.p)
		inbuf_take(&c->in, c->want);
	*buf = uv_buf_init(c->in.p + c->in.end, c->in.cap - c->in.end);
}

static void stop_reading(struct conn *c)
{
	uv_read_stop(stream_of(c));
	c->reading = false;
}

static void reading_ended(struct conn *c, ssize_t why)
{
	stop_reading(c);
	c->filled = false;
	if (why == UV_EOF)
		c->eof = true;
	else
		c->error = (int)why;
	if (inbuf_n(&c->in) == 0)
		inbuf_give(&c->in);
	/* An end may be half a close, after which the peer still wants its answer; an error
	 * is not. */
	if (c->error && c->watcher)
		task_cancel(c->watcher);
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
	struct conn *c = conn_of(s->data);

	if (n == 0) {
		if (inbuf_n(&c->in) == 0)
			inbuf_give(&c->in);
		return;
	}
	if (n == UV_ENOBUFS) {          /* until the next conn_fill */
		stop_reading(c);
		return;
	}
	if (n < 0) {
		reading_ended(c, n);
	} else {
		c->in.end += (uint32_t)n;
		c->filled = (size_t)n == buf->len;
		if (c->in.end == c->in.cap)
			stop_reading(c);
	}
	if (c->reader)
		task_wake(c->reader);
	else if (c->on_event && (!c->tls || tls_idle_input(c)))
		fire(c, false);
}

static int start_reading(struct conn *c)
{
	if (c->reading)
		return 0;
	int rc = uv_read_start(stream_of(c), on_alloc, on_read);

	c->reading = rc == 0;
	return rc;
}

/* The state that ends reading: 1 while there is none, 0 for the end, or the error. */
static int read_state(const struct conn *c)
{
	if (c->error)
		return c->error;
	if (c->closing)
		return -ECONNABORTED;
	return c->eof ? 0 : 1;
}

/* Reads at once, without a turn of the loop: after a read that took all there was room for, the
 * next bytes are most likely there. True when it read something. */
static bool read_now(struct conn *c)
{
	uv_os_fd_t fd;
	ssize_t n;

	c->filled = false;
	if (c->streak > STREAK_MAX || uv_fileno((uv_handle_t *)&c->tcp, &fd) < 0)
		return false;
	if (!c->in.p)
		inbuf_take(&c->in, c->want);
	size_t room = c->in.cap - c->in.end;

	do
		n = recv(fd, c->in.p + c->in.end, room, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n == 0)
		reading_ended(c, UV_EOF);
	else if (n < 0 && errno != EAGAIN)
		reading_ended(c, -errno);
	if (n <= 0)
		return false;
	c->in.end += (uint32_t)n;
	c->streak += (uint32_t)n;
	c->filled = (size_t)n == room;
	return true;
}

int raw_fill(struct conn *c, uint64_t timeout_ms)
{
	int rc = read_state(c);

	assert(!c->reader && !c->on_event);
	if (rc <= 0)
		return rc;
	if (c->in.p) {
		inbuf_compact(&c->in);
		if (c->in.end == c->in.cap && c->in.cap < c->want)
			inbuf_grow(&c->in, c->in.cap + 1);
		if (c->in.end == c->in.cap)
			return -ENOBUFS;
	}
	if (c->filled && read_now(c))
		return 1;
	uint32_t before = c->in.end;

	c->streak = 0;
	rc = read_state(c) > 0 ? start_reading(c) : 0;
	c->reader = task_self();
	while (rc == 0 && c->in.end == before && read_state(c) > 0)
		rc = task_wait("read", timeout_ms);
	c->reader = NULL;
	if (c->in.end > before)
		return 1;
	return rc < 0 ? rc : read_state(c);
}

int conn_fill(struct conn *c, uint64_t timeout_ms)
{
	return c->tls ? tls_fill(c, timeout_ms) : raw_fill(c, timeout_ms);
}

static struct inbuf *input(struct conn *c)
{
	return c->tls ? tls_plain(c->tls) : &c->in;
}

struct str conn_data(struct conn *c)
{
	return inbuf_str(input(c));
}

bool conn_has_input(struct conn *c)
{
	if (c->tls && conn_data(c).n == 0 && inbuf_n(&c->in) > 0)
		tls_idle_input(c);
	return conn_data(c).n > 0;
}

void conn_consume(struct conn *c, size_t n)
{
	inbuf_consume(input(c), n);
}

void conn_reserve(struct conn *c, size_t n)
{
	c->want = n > BUFFER_SIZE ? BUFFER_SIZE_BIG : BUFFER_SIZE;
}

ssize_t conn_read(struct conn *c, void *p, size_t n, uint64_t timeout_ms)
{
	if (conn_data(c).n == 0) {
		int rc = conn_fill(c, timeout_ms);

		if (rc <= 0)
			return rc;
	}
	struct str data = str_head(conn_data(c), n);

	memcpy(p, data.p, data.n);
	conn_consume(c, data.n);
	return (ssize_t)data.n;
}

/* ---- writing and connecting ---- */

struct pending {
	struct task *task;
	bool done;
	int status;
};

static void finished(struct pending *p, int status)
{
	p->status = status;
	p->done = true;
	task_wake(p->task);
}

static void on_written(uv_write_t *req, int status)
{
	finished(req->data, status);
}

static void on_connected(uv_connect_t *req, int status)
{
	finished(req->data, status);
}

/* Bytes that the peer has not taken: libuv's queue and the socket's, since a slow peer may drain
 * that for minutes before there is room for more. */
static size_t untaken(struct conn *c)
{
	size_t n = uv_stream_get_write_queue_size(stream_of(c));
	uv_os_fd_t fd;
	int queued;

	if (uv_fileno((uv_handle_t *)&c->tcp, &fd) == 0 && ioctl(fd, SIOCOUTQ, &queued) == 0 &&
	    queued > 0)
		n += (size_t)queued;
	return n;
}

/* Waits for a request that libuv owns and whose memory is on our stack: so it never returns before
 * libuv has called back, if need be after closing the connection. Writes that make progress
 * go on. */
waits static int finish(struct conn *c, struct pending *p, const char *why, uint64_t timeout_ms)
{
	size_t before = untaken(c);
	int rc = 0;

	while (!p->done) {
		rc = task_wait(why, timeout_ms);
		if (rc == 0 || p->done)
			continue;
		size_t left = c->closing ? before : untaken(c);

		if (rc != -ETIMEDOUT || left >= before)
			break;
		before = left;
	}
	if (p->done)
		return p->status;
	begin_close(c);
	while (!p->done)
		task_wait_masked(why);
	return rc;
}

/* Drops what was written from the front. */
static void advance(struct iovec **iov, unsigned *n, size_t written)
{
	while (*n > 0 && written >= (*iov)->iov_len) {
		written -= (*iov)->iov_len;
		(*iov)++;
		(*n)--;
	}
	if (*n > 0) {
		(*iov)->iov_base = (char *)(*iov)->iov_base + written;
		(*iov)->iov_len -= written;
	}
}

_Static_assert(sizeof(uv_buf_t) == sizeof(struct iovec) && offsetof(uv_buf_t, len) ==
	       offsetof(struct iovec, iov_len), "libuv's buffers are iovecs on Unix");

int raw_try_write(struct conn *c, struct str bytes)
{
	uv_buf_t buf = uv_buf_init((char *)bytes.p, (unsigned)bytes.n);

	return c->closing ? -ECONNABORTED : uv_try_write(stream_of(c), &buf, 1);
}

int raw_writev(struct conn *c, struct iovec *iov, unsigned n, uint64_t timeout_ms)
{
	if (c->closing)
		return -ECONNABORTED;
	advance(&iov, &n, 0);
	if (n == 0)
		return 0;
	int rc = uv_try_write(stream_of(c), (uv_buf_t *)iov, n);
	if (rc < 0 && rc != UV_EAGAIN)
		return rc;
	advance(&iov, &n, rc > 0 ? (size_t)rc : 0);
	if (n == 0)
		return 0;
	struct pending p = { .task = task_self() };
	uv_write_t req = { .data = &p };

	rc = uv_write(&req, stream_of(c), (uv_buf_t *)iov, n, on_written);
	return rc < 0 ? rc : finish(c, &p, "write", timeout_ms);
}

int conn_writev(struct conn *c, struct iovec *iov, unsigned n, uint64_t timeout_ms)
{
	return c->tls ? tls_writev(c, iov, n, timeout_ms) : raw_writev(c, iov, n, timeout_ms);
}

int conn_write(struct conn *c, const void *p, size_t n, uint64_t timeout_ms)
{
	struct iovec iov = { (void *)p, n };

	return conn_writev(c, &iov, 1, timeout_ms);
}

int conn_open(const char *ip, unsigned port, uint64_t timeout_ms, struct conn **ret)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} a;

	if (port > 65535 ||
	    (uv_ip4_addr(ip, (int)port, &a.v4) && uv_ip6_addr(ip, (int)port, &a.v6)))
		return -EINVAL;
	AUTO(conn) c = conn_new();
	struct pending p = { .task = task_self() };
	uv_connect_t req = { .data = &p };
	int rc = uv_tcp_connect(&req, &c->tcp, &a.any, on_connected);

	if (rc == 0)
		rc = finish(c, &p, "connect", timeout_ms);
	if (rc < 0)
		return rc;
	conn_connected(c);
	rc = start_reading(c);          /* from now on: an answer may come while we still send */
	if (rc < 0)
		return rc;
	*ret = TAKE(c);
	return 0;
}

int conn_open_tls(const char *ip, unsigned port, struct tls_client *tls, const char *server_name,
		  uint64_t timeout_ms, struct conn **ret)
{
	AUTO(conn) c = NULL;
	int rc = conn_open(ip, port, timeout_ms, &c);

	if (rc < 0)
		return rc;
	rc = tls_connect(c, tls, server_name);
	if (rc == 0)
		rc = tls_handshake(c, timeout_ms);
	if (rc < 0)
		return rc;
	*ret = TAKE(c);
	return 0;
}

static void on_shut(uv_shutdown_t *req, int status)
{
	finished(req->data, status);
}

int conn_shutdown(struct conn *c, uint64_t timeout_ms)
{
	struct pending p = { .task = task_self() };
	uv_shutdown_t req = { .data = &p };

	if (c->closing)
		return -ECONNABORTED;
	if (c->tls)
		tls_say_goodbye(c);
	int rc = uv_shutdown(&req, stream_of(c), on_shut);

	return rc < 0 ? rc : finish(c, &p, "shutdown", timeout_ms);
}

void conn_reset(struct conn *c)
{
	const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };
	uv_os_fd_t fd;

	if (c->closing || uv_fileno((uv_handle_t *)&c->tcp, &fd) < 0)
		return;
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
	begin_close(c);
}

/* ---- idle ---- */

/* The timer is not touched for every request: it runs out now and then, looks, and goes on. */
static void arm(struct conn *c, uint64_t ms)
{
	c->timer_armed = true;
	uv_timer_start(&c->timer, on_timer, ms, 0);
}

static void on_timer(uv_timer_t *timer)
{
	struct conn *c = conn_of(timer->data);
	uint64_t now = uv_now(tasks_loop());

	c->timer_armed = false;
	if (!c->on_event)
		return;
	if (read_state(c) <= 0 || conn_data(c).n > 0)
		fire(c, false);
	else if (c->idle_until_ms && now >= c->idle_until_ms)
		fire(c, true);
	else if (c->idle_until_ms)
		arm(c, c->idle_until_ms - now);
}

void conn_idle(struct conn *c, uint64_t timeout_ms,
	       void (*on_event)(void *arg, struct conn *c, bool timed_out), void *arg)
{
	assert(!c->reader && !c->on_event && on_event);
	c->on_event = on_event;
	c->arg = arg;
	c->watcher = NULL;
	c->want = BUFFER_SIZE;
	c->filled = false;
	c->idle_until_ms = timeout_ms ? uv_now(tasks_loop()) + timeout_ms : 0;
	if (read_state(c) > 0 && start_reading(c) < 0)
		c->error = -EIO;
	if (read_state(c) <= 0 || conn_data(c).n > 0)
		arm(c, 0);              /* on_event comes with the loop's next turn */
	else if (timeout_ms && (!c->timer_armed || uv_timer_get_due_in(&c->timer) > timeout_ms))
		arm(c, timeout_ms);
}

void conn_unidle(struct conn *c)
{
	c->on_event = NULL;
}

void conn_watch(struct conn *c, struct task *t)
{
	c->watcher = t;
	if (t && c->error)
		task_cancel(t);
}

bool conn_is_dead(struct conn *c)
{
	return read_state(c) <= 0;
}

const char *conn_peer_ip(const struct conn *c)
{
	return c->peer_ip;
}

unsigned conn_peer_port(const struct conn *c)
{
	return c->peer_port;
}

bool conn_is_tls(const struct conn *c)
{
	return c->tls != NULL;
}
