/* Asks for a listing, compares digests, and merges where they differ. */
#include "proxy/listing/listing.h"
#include "lib/base/encode.h"
#include "lib/log/log.h"
#include "lib/metrics/metrics.h"
#include "proxy/backend/internal.h"
#include "proxy/listing/rollup.h"

enum {
	RAW_LIMIT = 10000, /* names per raw answer: what servers give at most */
	PASS_MAX = 256, /* rows of a directory that are read before it is jumped over */
	LISTING_MAX = 256 * MIB,
	WITNESS_MS = 2000,              /* then the next one is asked */
	OWNERS_MAX = RING_REPLICAS_MAX + NODES_PREVIOUS_MAX,
};

METRIC_COUNTER(passed_through, "needletail_proxy_listings_passed_total",
	       "Listings that a replica wrote and others agreed with.");
METRIC_COUNTER(merged, "needletail_proxy_listings_merged_total",
	       "Listings that were merged because replicas disagreed.");

/* Another replica's opinion. */
struct witness {
	const struct ring_dev *dev;     /* who answered */
	int status;
	struct str digest;
	struct timestamp deleted;       /* of a 404 */
};

struct listing_run {
	struct request *req;
	const struct target *target;
	const struct headers *headers;
	/* Primaries, and behind them those that were before a rebalance. */
	const struct ring_dev *owner[OWNERS_MAX];
	unsigned owners, claimed;       /* owner[claimed…] were not asked yet */
	unsigned wanted;                /* witnesses */
	struct witness witness[OWNERS_MAX];     /* in the order of their answers */
	unsigned heard, running;
	struct task *waiter;
	struct response *res;
	struct node source;
};

/* ---- witnesses ---- */

waits static int ask_digest(struct listing_run *run, const struct ring_dev *dev)
{
	struct backend *b = proxy_request(run->req)->proxy->backend;
	struct node node = { .dev = dev };
	AUTO(exchange) x = NULL;
	struct response res;
	int rc = node_send(b, &node, S("HEAD"), run->target->path, STR_NONE, run->headers, 0,
			   STR_NONE, &x);

	if (rc < 0)
		return rc;
	rc = node_receive(b, &node, x, run->req->arena, true, WITNESS_MS, &res);
	if (rc >= 0 && res.status >= 500)
		rc = -EIO;
	if (rc < 0) {
		node_failed(b, dev, rc, "asking for a digest");
		return rc;
	}
	struct witness *w = &run->witness[run->heard++];

	w->dev = dev;
	w->status = res.status;
	w->digest = headers_get_lit(&res.headers, "X-Needletail-Digest");
	struct str deleted = headers_get_lit(&res.headers, "X-Backend-Delete-Timestamp");

	if (timestamp_parse(deleted, &w->deleted) < 0)
		w->deleted = (struct timestamp){ 0 };
	body_close(res.body);
	return 0;
}

/* Asks the next owner that nobody has asked until one answers. */
waits static void witness_run(void *arg)
{
	struct listing_run *run = arg;
	struct backend *b = proxy_request(run->req)->proxy->backend;
	int rc = -ENODEV;

	while (rc < 0 && rc != -ECANCELED && run->claimed < run->owners) {
		const struct ring_dev *dev = run->owner[run->claimed++];

		rc = node_limited(b, dev) ? -ENODEV : ask_digest(run, dev);
	}
	run->running--;
	if (run->waiter)
		task_wake(run->waiter);
}

static void witness_start(struct listing_run *run, struct task_group *g)
{
	run->running++;
	task_spawn(g, "witness", witness_run, run);
}

static void witnesses_start(struct listing_run *run, struct task_group *g)
{
	for (unsigned i = 0; i < run->wanted; i++)
		witness_start(run, g);
}

/* Waits until there are enough; one that is late gets company. */
waits static int witnesses_hear(struct listing_run *run, struct task_group *g)
{
	uint64_t patience = proxy_request(run->req)->proxy->conf->concurrency_timeout;
	int rc = 0;

	run->waiter = task_self();
	while (rc >= 0 && run->heard < run->wanted && run->running > 0) {
		rc = task_wait("digests", patience);
		if (rc == -ETIMEDOUT) {
			if (run->claimed < run->owners)
				witness_start(run, g);
			rc = 0;
		}
	}
	run->waiter = NULL;
	task_group_end(g);
	return rc;
}

/* ---- raw rows of one replica, in order ---- */

struct stream {
	struct listing_run *run;
	const struct ring_dev *dev;
	struct exchange *x;
	struct response res;
	struct buf pending; /* bytes that came; the current row's texts are among them */
	size_t at;                      /* where in it the next line begins */
	struct buf last;                /* the last name, where to go on */
	uint64_t names;                 /* in this answer */
	bool ended, has_row, failed;
	struct raw_row row;
};

waits static void stream_close(struct stream *s)
{
	if (s->x) {
		body_close(s->res.body);
		exchange_end(s->x);
	}
	s->x = NULL;
}

/* "limit=…&marker=…": what of the query a server is to apply. */
static struct str raw_query(struct arena *a, const struct rollup *u, struct str marker)
{
	CLEANUP(buf_done) struct buf q = BUF(64 * KIB);

	buf_addf(&q, "limit=%d", RAW_LIMIT);
	if (marker.n) {
		buf_add_lit(&q, "&marker=");
		percent_encode(&q, marker, S(""));
	}
	if (u->q.end_marker.n) {
		buf_add_lit(&q, "&end_marker=");
		percent_encode(&q, u->q.end_marker, S(""));
	}
	if (u->q.prefix.n) {
		buf_add_lit(&q, "&prefix=");
		percent_encode(&q, u->q.prefix, S(""));
	}
	return arena_str(a, buf_str(&q));
}

/* Asks for rows behind the marker. */
waits static int stream_open(struct stream *s, const struct rollup *u, struct str marker)
{
	struct listing_run *run = s->run;
	struct arena *a = run->req->arena;
	struct node node = { .dev = s->dev };
	struct headers h;

	stream_close(s);
	buf_clear(&s->pending);
	s->at = 0;
	s->names = 0;
	s->ended = false;
	headers_init(&h, a);
	for (unsigned i = 0; i < run->headers->n; i++)
		headers_add_ref(&h, run->headers->v[i].name, run->headers->v[i].value);
	headers_add_ref(&h, S("X-Needletail-Raw"), S("true"));
	struct backend *b = proxy_request(run->req)->proxy->backend;
	int rc = node_send(b, &node, S("GET"), run->target->path, raw_query(a, u, marker), &h, 0,
			   STR_NONE, &s->x);

	if (rc == 0)
		rc = node_receive(b, &node, s->x, a, false, b->proxy->conf->node_timeout, &s->res);
	if (rc < 0)
		return rc;
	exchange_set_timeouts(s->x, WITNESS_MS, 0);
	if (rc == 404)                  /* not even a deleted one */
		s->ended = true;
	else if (rc / 100 != 2 || !headers_has(&s->res.headers, S("X-Needletail-Raw")))
		return -EIO;
	return 0;
}

/* The next line: 1, or 0 at the end. What the last one's row pointed to is gone. */
waits static int stream_line(struct stream *s, char **ret_line, size_t *ret_n)
{
	struct str chunk;

	for (;;) {
		char *line = s->pending.p + s->at;
		size_t rest = s->pending.n - s->at;
		char *end = memchr(line, '\n', rest);

		if (end) {
			*ret_line = line;
			*ret_n = (size_t)(end - line);
			s->at += *ret_n + 1;
			return 1;
		}
		if (rest > RAW_LINE_MAX)
			return -EBADMSG;
		buf_consume(&s->pending, s->at);
		s->at = 0;
		int rc = s->res.body ? body_next(s->res.body, &chunk) : 0;

		if (rc <= 0)
			return rc == 0 && rest ? -EBADMSG : rc;
		buf_add_str(&s->pending, chunk);
		if (buf_failed(&s->pending))
			return -EFBIG;
	}
}

/* Moves on to the next row; asks for more when a server gave as much as it gives at once. */
waits static int stream_next(struct stream *s, const struct rollup *u)
{
	char *line;
	size_t n;

	s->has_row = false;
	for (;;) {
		int rc = s->ended ? 0 : stream_line(s, &line, &n);

		if (rc < 0)
			return rc;
		if (rc > 0)
			break;
		if (s->ended || s->names < RAW_LIMIT) {
			s->ended = true;
			return 0;
		}
		rc = stream_open(s, u, buf_str(&s->last));
		if (rc < 0)
			return rc;
	}
	if (raw_row_parse(line, n, &s->row) < 0)
		return -EBADMSG;
	if (!str_eq(s->row.name, buf_str(&s->last))) {
		s->names++;
		buf_clear(&s->last);
		buf_add_str(&s->last, s->row.name);
	}
	s->has_row = true;
	return 0;
}

/* The same, and remembers whose fault it was. */
waits static int stream_step(struct stream *s, const struct rollup *u)
{
	int rc = stream_next(s, u);

	s->failed = rc < 0;
	return rc;
}

/* From behind the marker on. */
waits static int stream_start(struct stream *s, const struct rollup *u, struct str marker)
{
	int rc = stream_open(s, u, marker);

	s->failed = rc < 0;
	return rc < 0 ? rc : stream_step(s, u);
}

/* ---- merging ---- */

/* Order of rows: by name, then policy. */
static int row_cmp(const struct raw_row *a, const struct raw_row *b)
{
	int c = str_cmp(a->name, b->name);

	if (c == 0)
		c = a->policy < b->policy ? -1 : a->policy > b->policy;
	return c;
}

/* Accounts have one row per container, whatever its policy is said to be. */
static int cmp(enum swift_kind kind, const struct raw_row *a, const struct raw_row *b)
{
	return kind == SWIFT_CONTAINER ? row_cmp(a, b) : str_cmp(a->name, b->name);
}

/* The streams' smallest row, joined: false at the end of all. */
static bool smallest(struct stream *s, unsigned n, enum swift_kind kind, struct raw_row *ret)
{
	bool found = false;

	for (unsigned i = 0; i < n; i++) {
		if (!s[i].has_row)
			continue;
		int c = found ? cmp(kind, &s[i].row, ret) : -1;

		if (c < 0)
			*ret = s[i].row;
		else if (c == 0)
			raw_row_join(kind, ret, &s[i].row);
		found = true;
	}
	return found;
}

/* Moves all streams on that stand at this row. */
waits static int advance(struct stream *s, unsigned n, const struct rollup *u,
			 const struct raw_row *r)
{
	bool at[OWNERS_MAX + 1];

	/* First look at all: moving on overwrites the texts that r may point to. */
	for (unsigned i = 0; i < n; i++)
		at[i] = s[i].has_row && cmp(u->kind, &s[i].row, r) == 0;
	for (unsigned i = 0; i < n; i++) {
		int rc = at[i] ? stream_step(&s[i], u) : 0;

		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Long directories are not read: everything in them sorts before this. */
waits static int jump(struct stream *s, unsigned n, struct rollup *u)
{
	CLEANUP(buf_done) struct buf marker = BUF(64 * KIB);

	buf_add(&marker, u->directory, u->directory_n);
	buf_add_lit(&marker, "\xf4\x8f\xbf\xbf");
	u->passed = 0;
	for (unsigned i = 0; i < n; i++) {
		int rc = stream_start(&s[i], u, buf_str(&marker));

		if (rc < 0)
			return rc;
	}
	return 0;
}

waits static int merge_streams(struct stream *s, unsigned n, struct rollup *u)
{
	struct str start = str_cmp(u->q.marker, u->q.prefix) > 0 ? u->q.marker : STR_NONE;
	struct raw_row row;
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < n; i++)
		rc = stream_start(&s[i], u, start);
	while (rc == 0 && smallest(s, n, u->kind, &row) && rollup_add(u, &row)) {
		if (u->directory && u->passed > PASS_MAX && !u->q.path.p)
			rc = jump(s, n, u);
		else
			rc = advance(s, n, u, &row);
	}
	return rc;
}

static void stream_init(struct stream *s, struct listing_run *run, const struct ring_dev *dev)
{
	*s = (struct stream){
		.run = run,
		.dev = dev,
		.pending = BUF(2 * MIB),
		.last = BUF(RAW_LINE_MAX),
	};
}

waits static void stream_done(struct stream *s)
{
	stream_close(s);
	buf_done(&s->pending);
	buf_done(&s->last);
}

static void take_query(struct listing_run *run, struct listing_query *ret)
{
	const struct swift_limits *l = &proxy_request(run->req)->proxy->conf->limits;
	bool container = run->target->kind == SWIFT_CONTAINER;
	uint64_t policy = 0;

	listing_query_take(run->req,
			   container ? l->container_listing_limit : l->account_listing_limit, ret);
	if (str_to_u64(headers_get_lit(run->headers, "X-Backend-Storage-Policy-Index"), &policy) <
		    0 &&
	    str_to_u64(headers_get_lit(&run->res->headers, "X-Backend-Storage-Policy-Index"),
		       &policy) < 0)
		policy = 0;
	ret->policy = (unsigned)policy;
}

static void respond_merged(struct listing_run *run, const struct rollup *u)
{
	const struct swift_path *path = &proxy_request(run->req)->path;
	CLEANUP(buf_done) struct buf text = BUF(LISTING_MAX);
	struct response *res = run->res;
	struct str body;

	rollup_print(u, u->kind == SWIFT_CONTAINER ? path->container : path->account, &text);
	body = arena_str(run->req->arena, buf_str(&text));
	res->status = body.n ? 200 : 204;
	res->body = body.n ? body_bytes(run->req->arena, body) : NULL;
	res->content_length = (int64_t)body.n;
}

/* *ret_bad: the device whose rows could not be read, if it was that. */
waits static int merge_known(struct listing_run *run, const struct ring_dev **ret_bad)
{
	struct listing_query q;
	struct rollup u;
	unsigned n = 0;
	struct stream *s =
		arena_alloc(run->req->arena, (run->heard + 1) * sizeof *s);

	take_query(run, &q);
	rollup_init(&u, run->req->arena, run->target->kind, &q);
	u.cluster = proxy_request(run->req)->proxy->cluster;
	if (run->source.dev)
		stream_init(&s[n++], run, run->source.dev);
	for (unsigned i = 0; i < run->heard; i++)
		if (run->witness[i].dev != run->source.dev)
			stream_init(&s[n++], run, run->witness[i].dev);
	int rc = n ? merge_streams(s, n, &u) : -EHOSTUNREACH;

	if (rc == 0)
		respond_merged(run, &u);
	for (unsigned i = 0; i < n; i++) {
		if (s[i].failed)
			*ret_bad = s[i].dev;
		stream_done(&s[i]);
	}
	rollup_done(&u);
	return rc;
}

/* Goes on without a device whose rows could not be read; another is asked in its place. */
waits static int replace_witness(struct listing_run *run, const struct ring_dev *bad)
{
	unsigned kept = 0;

	if (run->source.dev == bad)
		run->source.dev = NULL;
	for (unsigned i = 0; i < run->heard; i++)
		if (run->witness[i].dev != bad)
			run->witness[kept++] = run->witness[i];
	run->heard = kept;
	run->wanted = kept + 1;
	TASK_GROUP(more);
	if (run->claimed < run->owners)
		witness_start(run, &more);
	return witnesses_hear(run, &more);
}

waits static int merge(struct listing_run *run)
{
	struct backend *b = proxy_request(run->req)->proxy->backend;
	const struct ring_dev *bad;
	int rc;

	metric_add(&merged, 1);
	headers_remove(&run->res->headers, S("X-Needletail-Links"));
	body_close(run->res->body);
	run->res->body = NULL;
	for (;;) {
		bad = NULL;
		rc = merge_known(run, &bad);
		if (rc >= 0 || rc == -ECANCELED || !bad)
			return rc;
		node_failed(b, bad, rc, "reading rows");
		rc = replace_witness(run, bad);
		if (rc < 0)
			return rc;
	}
}

/* ---- the verdict ---- */

/* A replica knows that what the source lists was deleted since. */
static bool is_deleted(const struct listing_run *run)
{
	struct timestamp put;

	if (timestamp_parse(headers_get_lit(&run->res->headers, "X-Backend-Put-Timestamp"), &put) <
	    0)
		return false;
	for (unsigned i = 0; i < run->heard; i++)
		if (run->witness[i].status == 404 &&
		    timestamp_cmp(run->witness[i].deleted, put) > 0)
			return true;
	return false;
}

static bool agree(const struct listing_run *run, struct str digest)
{
	for (unsigned i = 0; i < run->heard; i++) {
		const struct witness *w = &run->witness[i];

		if (w->dev != run->source.dev && !str_eq(w->digest, digest))
			return false;
	}
	return true;
}

waits static int judge(struct listing_run *run)
{
	struct str digest = headers_get_lit(&run->res->headers, "X-Needletail-Digest");
	struct backend *b = proxy_request(run->req)->proxy->backend;

	if (run->res->status / 100 != 2 || !run->source.dev)
		return 0;
	b->no_digests = digest.n == 0;
	if (b->no_digests)
		return 0;
	if (is_deleted(run)) {
		body_close(run->res->body);
		response_init(run->res, run->req->arena);
		respond_status(run->res, 404);
		return 0;
	}
	if (agree(run, digest)) {
		metric_add(&passed_through, 1);
		return 0;
	}
	int rc = merge(run);

	if (rc < 0 && rc != -ECANCELED) {
		log_error("listing %.*s: replicas could not be merged: %s", STR(run->target->path),
			  strerror(-rc));
		response_init(run->res, run->req->arena);
		respond_status(run->res, 503);
		rc = 0;
	}
	return rc;
}

/* Shuffled primaries, those that were late lately behind the others; then previous owners. */
static void order_owners(struct listing_run *run, struct backend *b)
{
	unsigned n = target_primaries(run->target, run->owner, RING_REPLICAS_MAX), slow = n;

	for (unsigned i = n; i > 1; i--) {
		unsigned j = backend_random(b, i);
		const struct ring_dev *swap = run->owner[i - 1];

		run->owner[i - 1] = run->owner[j];
		run->owner[j] = swap;
	}
	for (unsigned i = n; i-- > 0;)
		if (node_is_slow(b, run->owner[i])) {
			const struct ring_dev *swap = run->owner[--slow];

			run->owner[slow] = run->owner[i];
			run->owner[i] = swap;
		}
	run->owners = n + target_previous(run->target, run->owner + n, NODES_PREVIOUS_MAX);
	/* Any quorum of writers, before or after the rebalance, has a member among that many and
	 * the source. */
	run->wanted = run->owners - quorum_size(n);
}

int listing_get(struct request *req, const struct target *t, const struct headers *h,
		struct response *res)
{
	struct backend *b = proxy_request(req)->proxy->backend;
	struct listing_run *run = arena_zalloc(req->arena, sizeof *run);
	struct get g = {
		.target = t,
		.query = req->query,
		.headers = h,
		.source = &run->source,
	};

	*run = (struct listing_run){ .req = req, .target = t, .headers = h, .res = res };
	order_owners(run, b);
	while (run->claimed < run->owners && !g.prefer)
		if (!node_limited(b, run->owner[run->claimed++]))
			g.prefer = run->owner[run->claimed - 1];
	/* A foreign cluster is not bothered with questions that it cannot answer. */
	bool ask = !b->no_digests;
	TASK_GROUP(witnesses);
	if (ask)
		witnesses_start(run, &witnesses);
	int rc = backend_get(req, &g, res);

	if (rc == 0 && !ask && headers_has(&res->headers, S("X-Needletail-Digest")))
		witnesses_start(run, &witnesses);
	if (rc == 0)
		rc = witnesses_hear(run, &witnesses);
	if (rc == 0)
		rc = judge(run);
	if (rc < 0)
		body_close(res->body);
	return rc;
}
