/* Stream connections used from tasks: TCP, with TLS on top where asked for. After a timed-out or
 * cancelled write a connection is dead: half-sent bytes cannot be taken back. */
#pragma once
#include "lib/base/fault.h"
#include "lib/net/tls.h"
#include "lib/task/task.h"

#include <sys/uio.h>

struct conn;

/* Connects to a numeric IPv4 or IPv6 address. 0, -EINVAL (address), -ECONNREFUSED, -ETIMEDOUT … */
waits must_check int conn_open(const char *ip, unsigned port, uint64_t timeout_ms,
			       struct conn **ret);
waits must_check int conn_open_tls(const char *ip, unsigned port, struct tls_client *tls,
				   const char *server_name, uint64_t timeout_ms, struct conn **ret);
waits void conn_close(struct conn *c);
task_asserted static inline void conn_closep(struct conn *c) { conn_close(c); }
DEFINE_AUTO(conn, struct conn *, conn_closep);

/* Bytes received and not consumed yet: a view, valid until the next conn_fill or conn_consume. */
struct str conn_data(struct conn *c);
void conn_consume(struct conn *c, size_t n);
/* Waits for more bytes (appends to conn_data; the buffer holds up to 64 KiB, more when reserved):
 * 1, 0 at the end of the stream, -ENOBUFS when the buffer is full, -ETIMEDOUT, -ECONNRESET, … */
waits must_check int conn_fill(struct conn *c, uint64_t timeout_ms);
/* Whether bytes have come and not been consumed, as far as is known without waiting. Bytes come
 * also while nobody waits for them, until the buffer is full. */
bool conn_has_input(struct conn *c);
/* Asks for room of n bytes (up to 256 KiB) from the next fill on, for large bodies. */
void conn_reserve(struct conn *c, size_t n);
/* Reads into the caller's memory (buffered bytes first): count, 0 at the end, or negative. */
waits must_check ssize_t conn_read(struct conn *c, void *p, size_t n, uint64_t timeout_ms);

/* Writes everything: 0 or negative. timeout_ms bounds each period without progress. */
waits must_check int conn_write(struct conn *c, const void *p, size_t n, uint64_t timeout_ms);
waits must_check int conn_writev(struct conn *c, struct iovec *iov, unsigned n,
				 uint64_t timeout_ms);

/* Ends the sending direction: 0 or negative. The peer reads the end once it has read everything. */
waits must_check int conn_shutdown(struct conn *c, uint64_t timeout_ms);

/* Breaks the connection off, so that the peer sees an error instead of an end; close it then. */
void conn_reset(struct conn *c);

/* The task is cancelled when the peer resets the connection while nobody reads; NULL: nobody is.
 * Where memory is short, bytes that nobody reads hide a reset behind them. */
void conn_watch(struct conn *c, struct task *t);

/* Hands the connection to the loop while nothing is expected soon: its buffer is released; on_event
 * is called once, outside of a task, when bytes, the end or the timeout come (timed_out). */
void conn_idle(struct conn *c, uint64_t timeout_ms,
	       void (*on_event)(void *arg, struct conn *c, bool timed_out), void *arg);
/* Takes it back before that. */
void conn_unidle(struct conn *c);
/* Begins to close without waiting, and frees later (for callbacks outside of tasks). */
void conn_close_later(struct conn *c);
/* The peer closed or broke the connection, as far as is known without waiting. */
bool conn_is_dead(struct conn *c);
const char *conn_peer_ip(const struct conn *c);
unsigned conn_peer_port(const struct conn *c);
bool conn_is_tls(const struct conn *c);

struct listener;
struct listener_options {
	const char *ip;
	unsigned port;
	bool reuse_port;
	int backlog;
	struct tls_server *tls;
	/* Called outside of tasks with each accepted connection, which it owns. For TLS the
	 * handshake happens at the first read. */
	void (*on_conn)(void *arg, struct conn *c);
	void *arg;
};
int listener_start(const struct listener_options *o, struct listener **ret, struct fault *why);
unsigned listener_port(const struct listener *l);
waits void listener_stop(struct listener *l);
