/* What the files of lib/net share: buffers, the struct of a connection, the TLS engine's calls. */
#pragma once
#include "lib/base/pages.h"
#include "lib/net/conn.h"

#include <netinet/in.h>

/* ---- buffers: only connections with bytes in flight have one ---- */

/* What is good for a message, and for a large body. */
enum { BUFFER_SIZE = PAGES_MIDDLE, BUFFER_SIZE_BIG = PAGES_LARGE };

/* Bytes start to end of p are there; p is NULL when there is no buffer. */
struct inbuf {
	char *p;
	uint32_t start, end, cap;
};

/* Takes a buffer of `want` bytes or less, if many are in use, but at least PAGES_SMALL. */
void inbuf_take(struct inbuf *b, size_t want);
/* Gives the buffer back; what is in it is gone. */
void inbuf_give(struct inbuf *b);
/* Moves to a buffer of at least size (up to BUFFER_SIZE_BIG), with its bytes at the front. */
void inbuf_grow(struct inbuf *b, size_t size);
static inline size_t inbuf_n(const struct inbuf *b) { return b->end - b->start; }
static inline struct str inbuf_str(const struct inbuf *b)
{
	return (struct str){ b->p ? b->p + b->start : "", inbuf_n(b) };
}
/* Drops n bytes; an empty buffer goes back to the pool. */
void inbuf_consume(struct inbuf *b, size_t n);
/* Moves the bytes to the front. */
void inbuf_compact(struct inbuf *b);

/* ---- connections ---- */

enum { CONN_MAGIC = 0x636f6e6e };

struct tls;

struct conn {
	unsigned magic;
	bool closing;                   /* uv_close was called */
	bool reading;                   /* uv_read_start is in force */
	bool eof;                       /* the peer sends no more */
	bool filled; /* the last read took all the room there was: more is likely */
	bool timer_armed;
	uint8_t handles;                /* that have to close before the memory may go */
	int error;                      /* of reading; stays */
	uint32_t want;                  /* size of the buffer to ask for */
	uint32_t streak;                /* bytes read without giving the loop a turn */
	struct inbuf in;                /* as they came from the socket */
	struct tls *tls;                /* NULL: plain */
	struct task *reader, *watcher;
	void (*on_event)(void *arg, struct conn *c, bool timed_out);    /* set: idle */
	void *arg;
	uint64_t idle_until_ms;         /* by uv_now; 0: no limit */
	uv_timer_t timer;
	uv_tcp_t tcp;
	uint16_t peer_port;
	char peer_ip[INET6_ADDRSTRLEN];
};

/* A connection with initialised handles that is not connected. */
struct conn *conn_new(void);
/* Looks up the peer's address and sets options, after accept or connect. */
void conn_connected(struct conn *c);
/* conn_fill and conn_writev below TLS: bytes as they are on the wire. */
waits must_check int raw_fill(struct conn *c, uint64_t timeout_ms);
waits must_check int raw_writev(struct conn *c, struct iovec *iov, unsigned n, uint64_t timeout_ms);
/* As much as the socket takes at once: count, or negative. */
int raw_try_write(struct conn *c, struct str bytes);

/* ---- TLS on a connection (tls.c) ---- */

/* Make c a TLS connection that waits for the peer's hello / that says hello itself. */
void tls_accept(struct conn *c, struct tls_server *s);
must_check int tls_connect(struct conn *c, struct tls_client *t, const char *server_name);
void tls_free(struct tls *t);
/* Shakes hands. Reading and writing do so by themselves. */
waits must_check int tls_handshake(struct conn *c, uint64_t timeout_ms);
struct inbuf *tls_plain(struct tls *t);
waits must_check int tls_fill(struct conn *c, uint64_t timeout_ms);
waits must_check int tls_writev(struct conn *c, struct iovec *iov, unsigned n, uint64_t timeout_ms);
/* Bytes came while the connection is idle: whether anybody has to know (decrypted bytes,
 * the end). */
bool tls_idle_input(struct conn *c);
/* Tells the peer that this is the end, if that can be done without waiting. */
void tls_say_goodbye(struct conn *c);
