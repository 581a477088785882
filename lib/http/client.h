/* HTTP/1.1 client with a pool of keep-alive connections per address. One exchange is one request
 * and its response; a body may be sent while the response is not there yet.
 *
 *   AUTO(exchange) x = NULL;
 *   rc = exchange_start(pool, &to, &x);  exchange_send(x, ...);
 *   exchange_send_body(x, ...);  exchange_receive(x, ...); */
#pragma once
#include "lib/base/fault.h"
#include "lib/http/request.h"

struct http_address {
	char ip[64];
	unsigned port;
	bool tls;
	/* The name for Host and the certificate; NULL: the ip. Bytes outlive the exchange. */
	const char *host;
};

struct http_client_options {
	uint64_t connect_timeout_ms;    /* Swift's conn_timeout: 500 */
	/* From the request's end to the response's head, and between two pieces of its body.
	 * Swift's node_timeout: 10000. */
	uint64_t response_timeout_ms;
	uint64_t write_timeout_ms;
	uint64_t idle_timeout_ms;       /* pooled connections are closed after that */
	unsigned idle_max;              /* pooled connections per address */
	struct tls_client *tls;         /* for addresses that ask for it; outlives the client */
};
extern const struct http_client_options http_client_options_default;

struct http_client;
struct http_client *http_client_new(const struct http_client_options *o);
/* All exchanges must have ended. */
waits void http_client_free(struct http_client *c);

struct exchange;
/* Takes a pooled connection or opens one: 0, or -ECONNREFUSED, -ETIMEDOUT, -ECANCELED … */
waits must_check int exchange_start(struct http_client *c, const struct http_address *to,
				    struct exchange **ret);
/* Gives the connection back when the response was read to its end, closes it otherwise. */
waits void exchange_end(struct exchange *x);
task_asserted static inline void exchange_endp(struct exchange *x) { exchange_end(x); }
DEFINE_AUTO(exchange, struct exchange *, exchange_endp);
/* Overrides of the pool's timeouts for this exchange; 0 keeps. That of the response also holds for
 * a body that is being read. */
void exchange_set_timeouts(struct exchange *x, uint64_t response_ms, uint64_t write_ms);

/* What follows the head: nothing, this many bytes, or chunks. */
enum { EXCHANGE_CHUNKED = -1 };
/* Sends request line and headers (Host and the framing headers are added here, those in h are left
 * out). When the body is small and at hand, pass it as first_bytes and head and body leave in one
 * write. A pooled connection that the peer had closed is replaced by a new one once, as long as
 * nothing but this was sent (and, where only the missing response shows it, first_bytes were at
 * most 16 KiB and the method is neither POST nor PATCH, which the peer may have begun to do). */
waits must_check int exchange_send(struct exchange *x, struct str method, struct str target,
				   const struct headers *h, int64_t content_length,
				   struct str first_bytes);
/* Sends body bytes (framed as a chunk when chunked). */
waits must_check int exchange_send_body(struct exchange *x, struct str bytes);
/* The same with what lies in several places, as one chunk. */
enum { EXCHANGE_PIECES_MAX = 4 };
waits must_check int exchange_send_pieces(struct exchange *x, const struct str *pieces,
					  unsigned n);
/* Ends a chunked body; trailers may be NULL. A no-op for a body of known length. */
waits must_check int exchange_send_end(struct exchange *x, const struct headers *trailers);
/* Waits for an interim 100 (returns 100, its headers in res) or the final response's head (its
 * status). With Expect: 100-continue call it before the body, and again after a 100. Other interim
 * responses are skipped. res lives in arena; its body (never NULL; pulled by the caller, bounded by
 * the response timeout) lives as long as the exchange. Negative: -ETIMEDOUT, -EPIPE / -ECONNRESET
 * (peer went away), -EBADMSG (not HTTP), -ECANCELED. */
waits must_check int exchange_receive(struct exchange *x, struct arena *arena, bool head_request,
				      struct response *res);
/* Whether bytes of a response are there already (an early refusal while we still send). Does not
 * wait. */
bool exchange_answered(struct exchange *x);
/* The local address and the peer, for logs. */
const struct http_address *exchange_address(const struct exchange *x);
