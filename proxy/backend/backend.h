/* How the proxy speaks to storage servers: whom to ask (nodes.c), one question to several of them
 * with a quorum of answers (write.c), a read that tries one after another (get.c), an upload that
 * is sent to all at once (upload.c). Swift: proxy/controllers/base.py and obj.py. */
#pragma once
#include "lib/swift/metadata.h"
#include "proxy/proxy.h"

/* ---- the worker's state: which servers are in trouble ---- */

struct backend *backend_new(struct proxy *p);
/* Lets writes that were answered already go on for up to grace_ms, then ends them; frees. */
waits void backend_stop(struct backend *b, uint64_t grace_ms);
/* For tasks that outlive the request which began them. */
struct task_group *backend_background(struct backend *b);

/* What went wrong with a server: a refused connection puts it aside at once, and so does a full
 * disk; timeouts count as a third of what is tolerated, other errors as one. Servers that did not
 * answer are tried in the background and come back as soon as they do. error: negative errno, or a
 * status of 500 and above. Logs. */
void node_failed(struct backend *b, const struct ring_dev *dev, int error, const char *doing);
/* It is late (concurrency_timeout): others are preferred for some seconds, and it is asked
 * something easy. When it does not answer that within a second it is put aside. */
void node_suspect(struct backend *b, const struct ring_dev *dev);
/* The same, and another server is asked instead: counts as one error. */
void node_slow(struct backend *b, const struct ring_dev *dev);
/* It was late within the last seconds. */
bool node_is_slow(struct backend *b, const struct ring_dev *dev);
/* Whether requests pass it over for now. */
bool node_limited(struct backend *b, const struct ring_dev *dev);

/* Counts per storage server, in memory that the workers share: call it before they are forked. */
void servers_share(void);
/* Adds them to the page of metrics. */
void servers_format(struct buf *to);

/* ---- what a request is about ---- */

struct target {
	enum swift_kind kind;
	struct ring *ring;              /* as long as the request */
	uint32_t part;
	struct str path;                /* "/part/account[/container[/object]]", percent-encoded */
	int policy_index;               /* of objects; -1 otherwise */
};
void target_account(struct request *req, struct str account, struct target *ret);
void target_container(struct request *req, struct str account, struct str container,
		      struct target *ret);
/* -ENOENT when there is no such policy or it has no ring. */
int target_object(struct request *req, const struct swift_path *path, unsigned policy_index,
		  struct target *ret) must_check;
/* Devices that hold it: how many (at most max are written). */
unsigned target_primaries(const struct target *t, const struct ring_dev *out[], unsigned max);
/* Devices that held it before a rebalance and may still do: how many (at most max are written). */
unsigned target_previous(const struct target *t, const struct ring_dev *out[], unsigned max);

/* ---- the order in which servers are asked ---- */

struct node {
	const struct ring_dev *dev;     /* lives as long as the nodes */
	bool handoff;                   /* no primary */
	bool previous;                  /* a handoff that was a primary before a rebalance */
};
enum { NODES_REFUSING_MAX = 8, NODES_PREVIOUS_MAX = 8 };
/* Primaries in random (or affinity) order, for reads the late ones last and the partition's
 * previous owners behind them; then handoffs. Without those in trouble, up to request_node_factor
 * times the replicas. One that gets into trouble after it was handed out is replaced. When there
 * are no others, those that were not there (for reads: that refused connections) are tried again:
 * after a restart of everything they may all be back. */
struct nodes {
	struct backend *backend;
	struct ring *ring;
	uint32_t part;
	unsigned primaries, next, left;
	const struct ring_dev *primary[RING_REPLICAS_MAX], *last;
	bool handing_off, writing;
	bool behind;                    /* for reads: a primary was away lately */
	struct ring_handoffs handoffs;
	const struct ring_dev *previous[NODES_PREVIOUS_MAX];
	unsigned previous_n, previous_at;
	/* Passed over because they were not there lately: the last resort. */
	const struct ring_dev *refusing[NODES_REFUSING_MAX];
	unsigned refusing_n, refusing_at;
};
enum nodes_for { NODES_FOR_READ, NODES_FOR_WRITE };
void nodes_start(struct nodes *n, struct backend *b, const struct target *t, enum nodes_for what);
/* Puts one of the primaries first, before the first nodes_next. */
void nodes_prefer(struct nodes *n, const struct ring_dev *dev);
bool nodes_next(struct nodes *n, struct node *ret);
void nodes_done(struct nodes *n);

/* ---- one exchange ---- */

/* Connects and sends a request: 0 or negative. Errors are noted against the server. */
waits must_check int node_send(struct backend *b, const struct node *node, struct str method,
			       struct str target_path, struct str query, const struct headers *h,
			       int64_t length, struct str first_bytes, struct exchange **ret);
/* Waits for the answer to what was sent (exchange_receive), for timeout_ms at most, which then
 * holds between two pieces of its body. A server that is late is suspected (node_suspect) and given
 * up with -ETIMEDOUT as soon as it is put aside. Notes nothing else against it. */
waits must_check int node_receive(struct backend *b, const struct node *node, struct exchange *x,
				  struct arena *a, bool head, uint64_t timeout_ms,
				  struct response *res);
/* "/device" in front of the target's path, "?query" behind it. */
struct str node_path(struct arena *a, const struct ring_dev *dev, struct str target_path,
		     struct str query);

/* ---- reads ---- */

struct get {
	const struct target *target;
	struct str query;               /* for the server; absent: none */
	const struct headers *headers;  /* to send, in the request's arena */
	bool head;
	bool newest;                    /* ask everybody, take the newest */
	/* May be NULL: a server to ask first; and where to write which one gave the answer (a dev
	 * of NULL when nobody did). */
	const struct ring_dev *prefer;
	struct node *source;
};
/* Asks servers until one has it; a server that is late (concurrency_timeout) gets company. res
 * becomes the answer as the server gave it (connection headers removed), or the best refusal, or
 * 503. The body is read from the server as it is pulled; an object's moves to another server with
 * the same version when one stops in the middle. 0, or -ECANCELED. Swift: GetOrHeadHandler. */
waits must_check int backend_get(struct request *req, const struct get *g, struct response *res);
/* Headers for servers: the transaction id, what middlewares set (X-Backend-*), and from the
 * client's request what concerns reading (ranges, conditions). */
void get_headers(struct request *req, struct headers *ret);

/* ---- writes without a long body ---- */

/* A write is one request per replica, each sent by a task of its own which goes to a handoff when
 * its server fails. What it needs lives in its own arena, for a straggler may go on after the
 * client was answered. */
struct write {
	struct arena *arena;
	struct backend *backend;
	struct target target;           /* strings in the arena */
	struct str method, query, body;
	char *body_memory;              /* freed at the end; may be NULL */
	unsigned n;                     /* requests */
	struct headers *headers;        /* of each; the transaction id is there already */
	/* A status that stands for another when there is no quorum (404 for 204 of an object
	 * DELETE); 0: none. */
	int override_from, override_to;
	/* Of each server that was asked, in the order of the answers. */
	unsigned answered;
	struct write_answer {
		int status;
		bool handoff;           /* it came from no primary */
		struct headers headers;
		struct str body;
	} *answers;
	/* The proxy has computed the MD5 of the body itself: a server that says 422 got other
	 * bytes, and a handoff is asked in its place. */
	bool verified;
	/* Internal. */
	struct nodes nodes;
	struct sender *senders;
	struct task *waiter;
	unsigned refs, running;
};
/* For n requests (0: as many as there are primaries) to the servers of the target. */
struct write *write_new(struct request *req, const struct target *t, enum http_method m,
			unsigned n);
/* Drops the caller's share. */
void write_unref(struct write *w);
DEFINE_AUTO(write, struct write *, write_unref);
/* Sends, and waits for a quorum of like answers and then a little for the others. 0, or -ECANCELED
 * (requests go on). */
waits must_check int write_run(struct write *w);
/* The best answer into res: status, headers, body copied to the request's arena; 503 without
 * quorum. */
void write_respond(struct request *req, const struct write *w, struct response *res);

/* Sends it, with other headers and no body, to the devices that held the partition before
 * a rebalance, one after another: how many answered 2xx. For what primaries do not know because it
 * is still on its way to them. */
waits unsigned write_ask_previous(struct request *req, const struct write *w, struct headers *h);

/* ---- quorum ---- */

/* (n + 1) / 2. */
static inline unsigned quorum_size(unsigned n)
{
	return (n + 1) / 2;
}
/* Whether one class of statuses (2xx, 3xx, 4xx) has a quorum already. */
bool quorum_reached(const int statuses[], unsigned n, unsigned quorum);
/* The index of the answer to give: the highest status of the first class that has a quorum; -1 when
 * there is none (503). Statuses for which avoid[i] is set count but are not chosen; avoid may be
 * NULL. */
int quorum_best(const int statuses[], const bool avoid[], unsigned n, unsigned quorum);

/* ---- uploads ---- */

struct upload {
	const struct target *target;
	struct headers *headers;        /* one set per replica */
	unsigned n;
	/* Whose headers they are: the upload takes a share in it, and room in its arena. NULL: the
	 * headers are copied. */
	struct write *write;
	int64_t length;                 /* -1: unknown */
	uint64_t length_max;
	struct str first;               /* what was read of the body already */
	bool if_absent;                 /* If-None-Match: * */
	struct str etag;                /* hex MD5 that the client promises; absent: none */
	/* May be NULL. The last word before the object is stored: negative, with res filled, when
	 * it must not be. May wait. */
	int (*before_end)(void *arg, struct response *res);
	void *arg;
};
/* Sends the request's body to all replicas at once, as fast as the slowest that is not given up.
 * res is the answer, without headers of the object but ETag. 0, or a negative error of the client's
 * body
 * (-ETIMEDOUT, -EPIPE, -EBADMSG), -ECANCELED, -EFBIG. No object is stored then. */
waits must_check int backend_upload(struct request *req, const struct upload *u,
				    struct response *res);

/* Removes what belongs to one connection (Connection, Transfer-Encoding, Date…), which must not be
 * passed on; update_headers in Swift. */
void backend_clean_headers(struct headers *h);
