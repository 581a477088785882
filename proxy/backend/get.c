/* Reads: one server after another until one has it; and a body that moves to another server when
 * the first stops in the middle. Swift: GetOrHeadHandler in proxy/controllers/base.py. */
#include "lib/base/clock.h"
#include "lib/log/log.h"
#include "lib/metrics/metrics.h"
#include "lib/swift/conditional.h"
#include "proxy/backend/internal.h"
#include "proxy/backend/multirange.h"

METRIC_COUNTER(resumed, "needletail_proxy_resumed_reads_total",
	       "Object reads that went on from another replica.");

static const char *const reasons[] = { "no answer", "not proven", "no quorum", NULL };
enum reason { NO_ANSWER, NOT_PROVEN, NO_QUORUM };
METRIC_COUNTER_BY(unavailable, "needletail_proxy_read_failures_total",
		  "Reads that were answered 503.", "reason", reasons);

enum { REFUSAL_BODY_MAX = 64 * KIB, DRAIN_MAX = 64 * KIB, REFUSALS_MAX = 16, LATE_MAX = 8,
       ATTEMPTS_MAX = 3,
       STALL_FACTOR = 4,                /* times concurrency_timeout: a body is late */
};

struct refusal {
	int status;
	struct headers headers;
	struct str body;
};

/* A server that has not answered yet, while others are asked. */
struct late {
	struct exchange *x;
	struct node node;
	uint64_t until_ms;
};

/* A request that is being read. In the request's arena; the body that it is part of outlives the
 * call. */
struct getter {
	struct body body;
	struct request *req;
	struct backend *backend;
	struct get get;
	struct headers headers;         /* the caller's struct need not last as long as we do */
	struct target target;
	struct nodes nodes;
	unsigned suppress;              /* so many 404s of primaries are not believed */
	unsigned known;                 /* owners that said what they have */
	struct timestamp tombstone;     /* the newest that was seen */
	struct refusal *refusals;
	unsigned refused;
	struct late late[LATE_MAX];
	unsigned lates;
	/* The source: NULL while there is none. */
	struct exchange *x;
	struct node node;
	struct response res;
	struct timestamp ts;
	/* For going on elsewhere: the bytes first..last of the entity were promised. */
	bool resumable, several_ranges;
	struct str etag;
	uint64_t first, last;           /* first moves on as bytes are handed out */
	uint64_t stuck_at;              /* where it went on last */
	unsigned attempts;              /* from there */
	uint64_t given;                 /* bytes of the body */
};

void get_headers(struct request *req, struct headers *ret)
{
	static const struct str names[] = {
		STR_INIT("Range"),
		STR_INIT("If-Range"),
		STR_INIT("If-Match"),
		STR_INIT("If-None-Match"),
		STR_INIT("If-Modified-Since"),
		STR_INIT("If-Unmodified-Since"),
	};

	headers_init(ret, req->arena);
	headers_add_ref(ret, S("X-Trans-Id"), req->trans_id);
	for (unsigned i = 0; i < req->headers.n; i++) {
		const struct header *h = &req->headers.v[i];
		bool wanted = str_istarts(h->name, S("X-Backend-"));

		for (size_t j = 0; !wanted && j < ARRAY_LEN(names); j++)
			wanted = h->name.n == names[j].n && str_ieq(h->name, names[j]);
		if (wanted)
			headers_add_ref(ret, h->name, h->value);
	}
}

static struct timestamp timestamp_in(const struct headers *h, struct str name)
{
	struct timestamp ts = { 0 };
	struct str value = headers_get(h, name);

	if (!value.p || timestamp_parse(value, &ts) < 0)
		return (struct timestamp){ 0 };
	return ts;
}

/* source_key: how old a source is. */
static struct timestamp source_timestamp(const struct headers *h)
{
	static const struct str names[] = {
		STR_INIT("X-Backend-Data-Timestamp"), STR_INIT("X-Backend-Timestamp"),
		STR_INIT("X-Put-Timestamp"), STR_INIT("X-Timestamp"),
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (headers_has(h, names[i]))
			return timestamp_in(h, names[i]);
	return (struct timestamp){ 0 };
}

/* Ends an exchange whose answer is not needed; a short one is read so that the connection
 * lives on. */
waits static void discard(struct exchange *x, struct response *res)
{
	if (res->body && res->body->left >= 0 && res->body->left <= DRAIN_MAX &&
	    body_drain(res->body, DRAIN_MAX) < 0)
		log_debug("the rest of an answer could not be read, ignoring");
	body_close(res->body);
	exchange_end(x);
}

waits static void refuse(struct getter *g, int status, struct response *res)
{
	CLEANUP(buf_done) struct buf text = BUF(REFUSAL_BODY_MAX);
	struct arena *a = g->req->arena;

	if (!g->refusals)
		g->refusals = arena_alloc(a, REFUSALS_MAX * sizeof *g->refusals);
	if (g->refused == REFUSALS_MAX)
		return;
	struct refusal *r = &g->refusals[g->refused++];

	*r = (struct refusal){ .status = status };
	headers_init(&r->headers, a);
	if (!res)
		return;
	r->headers = res->headers;
	if (res->body && !g->get.head && body_read_all(res->body, &text) == 0)
		r->body = arena_str(a, buf_str(&text));
}

static bool is_good(const struct getter *g, int status)
{
	return status / 100 == 2 || status / 100 == 3 ||
	       (g->target.kind == SWIFT_OBJECT && status == 416);
}

/* A refusal, or one that is not believed (_make_node_request): handoffs that know nothing, and as
 * many primaries as may be waiting for their data after a rebalance. */
waits static void weigh_refusal(struct getter *g, const struct node *node, struct response *res)
{
	struct timestamp ts = timestamp_in(&res->headers, S("X-Backend-Timestamp"));
	bool missing = res->status == 404 && !timestamp_is_set(ts);

	if (res->status >= 500)
		node_failed(g->backend, node->dev, res->status, "reading");
	if (res->status < 500 && (!node->handoff || node->previous))
		g->known++;
	if (node->handoff && (missing || (res->status >= 500 && !timestamp_is_set(ts))))
		return;
	if (missing && g->suppress > 0) {
		g->suppress--;
		return;
	}
	refuse(g, res->status, res);
	if (g->target.kind == SWIFT_OBJECT && res->status == 404 &&
	    timestamp_cmp(ts, g->tombstone) > 0)
		g->tombstone = ts;
}

/* An answer that has what was asked for. True when it became the source. */
waits static bool weigh_source(struct getter *g, const struct node *node, struct exchange *x,
			       struct response *res)
{
	struct timestamp ts = source_timestamp(&res->headers);
	struct str put = headers_get_lit(&res->headers, "X-Put-Timestamp");

	/* A database that knows of no PUT is a husk that replication left. */
	if (put.p && !timestamp_is_set(timestamp_in(&res->headers, S("X-Put-Timestamp")))) {
		g->known += !node->handoff || node->previous;
		refuse(g, 404, NULL);
		return false;
	}
	if (timestamp_cmp(ts, g->tombstone) < 0)
		return false;
	if (g->x) {
		if (timestamp_cmp(ts, g->ts) <= 0)
			return false;
		discard(g->x, &g->res);
	}
	g->x = x;
	g->node = *node;
	g->res = *res;
	g->ts = ts;
	return true;
}

/* What came of waiting for an answer: 1 for a source, 0 when others have to be asked, -ECANCELED.
 * Ends the exchange unless it became the source. */
waits static int weigh(struct getter *g, const struct node *node, struct exchange *from, int rc,
		       struct response *res)
{
	AUTO(exchange) x = from;

	if (rc < 0) {
		node_failed(g->backend, node->dev, rc, "waiting for an answer");
		return rc == -ECANCELED ? rc : 0;
	}
	if (is_good(g, res->status) && weigh_source(g, node, x, res)) {
		x = NULL;
		return 1;
	}
	if (!is_good(g, res->status))
		weigh_refusal(g, node, res);
	discard(TAKE(x), res);
	return 0;
}

/* How long an answer may take. */
static uint64_t answer_ms(const struct getter *g)
{
	const struct proxy_conf *conf = g->backend->proxy->conf;

	return g->target.kind == SWIFT_OBJECT && !g->get.newest ? conf->recoverable_node_timeout :
								  conf->node_timeout;
}

/* How long the next piece of a body may take. Where another server can go on it is not waited for
 * long, unless that was tried at this place already. */
static uint64_t stall_ms(const struct getter *g)
{
	const struct proxy_conf *conf = g->backend->proxy->conf;

	if (g->target.kind != SWIFT_OBJECT || g->attempts > 0)
		return answer_ms(g);
	return MIN(STALL_FACTOR * conf->concurrency_timeout, conf->recoverable_node_timeout);
}

/* Asks one server. When it does not answer soon it is put among the late ones. */
waits static int ask(struct getter *g, const struct node *node)
{
	uint64_t timeout = answer_ms(g);
	uint64_t patience = MIN(g->backend->proxy->conf->concurrency_timeout, timeout);
	AUTO(exchange) x = NULL;
	struct response res;
	int rc = node_send(g->backend, node, g->get.head ? S("HEAD") : S("GET"), g->target.path,
			   g->get.query, g->get.headers, 0, STR_NONE, &x);

	if (rc < 0)
		return rc == -ECANCELED ? rc : 0;
	uint64_t sent = clock_mono_ns();

	exchange_set_timeouts(x, g->lates < LATE_MAX ? patience : timeout, 0);
	rc = exchange_receive(x, g->req->arena, g->get.head, &res);
	if (rc >= 0)
		server_answered(node->dev, (clock_mono_ns() - sent) / 1000, &res.headers);
	exchange_set_timeouts(x, stall_ms(g), 0);
	if (rc == -ETIMEDOUT && patience < timeout && g->lates < LATE_MAX) {
		node_slow(g->backend, node->dev);
		g->late[g->lates++] = (struct late){
			.x = TAKE(x),
			.node = *node,
			.until_ms = clock_mono_ms() + timeout - patience,
		};
		return 0;
	}
	return weigh(g, node, TAKE(x), rc, &res);
}

/* A primary that was away may have missed what the others know: all of them are asked then, so that
 * nothing comes back that was deleted or overwritten meanwhile. */
static bool is_careful(const struct getter *g)
{
	return g->target.kind == SWIFT_OBJECT && g->nodes.behind;
}

/* Looks at the late ones, without waiting or until each is overdue. */
waits static int ask_late(struct getter *g, bool wait)
{
	for (unsigned i = 0; i < g->lates; i++) {
		struct late *l = &g->late[i];
		uint64_t now = clock_mono_ms();
		struct response res;

		if (!l->x || (!wait && !exchange_answered(l->x)))
			continue;
		int rc = node_receive(g->backend, &l->node, l->x, g->req->arena, g->get.head,
				      l->until_ms > now ? l->until_ms - now : 1, &res);

		exchange_set_timeouts(l->x, stall_ms(g), 0);
		rc = weigh(g, &l->node, TAKE(l->x), rc, &res);
		if (rc < 0 || (rc > 0 && !g->get.newest && !is_careful(g)))
			return rc;
	}
	return 0;
}

waits static void drop_late(struct getter *g)
{
	for (unsigned i = 0; i < g->lates; i++)
		exchange_end(TAKE(g->late[i].x));
	g->lates = 0;
}

waits static int find_source(struct getter *g)
{
	struct node node;
	int rc = 0;

	while (nodes_next(&g->nodes, &node)) {
		if (g->x && !g->get.newest && node.handoff)
			break;
		rc = ask(g, &node);
		if (rc == 0 && g->lates)
			rc = ask_late(g, false);
		if (rc < 0)
			return rc;
		if (rc > 0 && !g->get.newest && !is_careful(g))
			return 0;
	}
	if (g->lates)
		rc = ask_late(g, !g->x || g->get.newest);
	if (rc < 0)
		return rc;
	/* Found copies may be older than a tombstone that was seen after them. */
	if (g->x && timestamp_cmp(g->ts, g->tombstone) < 0) {
		discard(TAKE(g->x), &g->res);
		refuse(g, 404, NULL);
	}
	return 0;
}

/* ---- the body ---- */

/* "bytes 0-9/100" */
static int content_range_parse(struct str value, uint64_t *ret_first, uint64_t *ret_last)
{
	struct str rest = value, first, last;

	if (!str_istarts(rest, S("bytes ")))
		return -EINVAL;
	rest = str_skip(rest, 6);
	last = str_cut(&rest, '/');
	first = str_cut(&last, '-');
	if (str_to_u64(str_trim(first), ret_first) < 0 || !last.p ||
	    str_to_u64(str_trim(last), ret_last) < 0 || *ret_first > *ret_last)
		return -EINVAL;
	return 0;
}

static bool is_multipart(const struct response *res)
{
	return str_istarts(headers_get_lit(&res->headers, "Content-Type"),
			   S("multipart/byteranges"));
}

/* Notes which bytes of the entity the answer promises, when that is one run of known length. */
static void note_promise(struct getter *g)
{
	const struct response *res = &g->res;

	g->etag = etag_unquoted(headers_get_lit(&res->headers, "ETag"));
	if (g->target.kind != SWIFT_OBJECT || res->content_length <= 0 || !g->etag.n)
		return;
	g->several_ranges = res->status == 206 && is_multipart(res);
	if (res->status == 200) {
		g->first = 0;
		g->last = (uint64_t)res->content_length - 1;
		g->resumable = true;
	} else if (res->status == 206 && !g->several_ranges) {
		g->resumable = content_range_parse(headers_get_lit(&res->headers, "Content-Range"),
						   &g->first, &g->last) == 0;
	}
}

/* Whether the answer holds the bytes that are missing, of the same object. */
static bool continues(const struct getter *g, const struct response *res)
{
	uint64_t first, last;

	if (!str_eq(etag_unquoted(headers_get_lit(&res->headers, "ETag")), g->etag) ||
	    is_multipart(res))
		return false;
	if (res->status == 200)
		return g->first == 0 && (uint64_t)res->content_length == g->last + 1;
	return res->status == 206 &&
	       content_range_parse(headers_get_lit(&res->headers, "Content-Range"), &first,
				   &last) == 0 &&
	       first == g->first && last == g->last;
}

static void resume_headers(const struct getter *g, struct headers *ret)
{
	const struct headers *from = g->get.headers;

	headers_init(ret, g->req->arena);
	for (unsigned i = 0; i < from->n; i++)
		if (!str_istarts(from->v[i].name, S("If-")) &&
		    !str_ieq(from->v[i].name, S("Range")))
			headers_add_ref(ret, from->v[i].name, from->v[i].value);
	headers_addf(ret, S("Range"), "bytes=%" PRIu64 "-%" PRIu64, g->first, g->last);
}

waits static int resume_at(struct getter *g, const struct node *node, const struct headers *h)
{
	AUTO(exchange) x = NULL;
	struct response res;
	int rc = node_send(g->backend, node, S("GET"), g->target.path, g->get.query, h, 0, STR_NONE,
			   &x);

	if (rc < 0)
		return rc == -ECANCELED ? rc : 0;
	rc = node_receive(g->backend, node, x, g->req->arena, false,
			  g->backend->proxy->conf->recoverable_node_timeout, &res);
	exchange_set_timeouts(x, stall_ms(g), 0);
	if (rc < 0 || res.status >= 500)
		node_failed(g->backend, node->dev, rc < 0 ? rc : res.status, "reading");
	if (rc < 0)
		return rc == -ECANCELED ? rc : 0;
	if (!continues(g, &res)) {
		discard(TAKE(x), &res);
		return 0;
	}
	g->x = TAKE(x);
	g->res.body = res.body;
	g->node = *node;
	return 1;
}

/* Tries servers that were not asked yet, then all once more: the one that broke off may be well
 * again. */
waits static int resume_elsewhere(struct getter *g)
{
	struct headers h;
	struct node node;

	resume_headers(g, &h);
	for (unsigned round = 0; round < 2; round++) {
		while (nodes_next(&g->nodes, &node)) {
			int rc = resume_at(g, &node, &h);

			if (rc != 0)
				return rc < 0 ? rc : 0;
		}
		nodes_done(&g->nodes);
		nodes_start(&g->nodes, g->backend, &g->target, NODES_FOR_READ);
	}
	return -EHOSTUNREACH;
}

/* Several ranges: what is missing is put together from new requests. */
waits static int resume_ranges(struct getter *g)
{
	struct multirange m = {
		.req = g->req,
		.get = g->get,
		.etag = g->etag,
		.type = headers_get_lit(&g->res.headers, "Content-Type"),
		.length = (uint64_t)g->body.left + g->given,
		.given = g->given,
	};

	g->several_ranges = false;
	return multirange_continue(&m, &g->res.body);
}

/* The source broke off: 0 when another took over, else the error. */
waits static int resume(struct getter *g, int error)
{
	if (error == -ECANCELED)
		return error;
	if (g->node.dev && error == -ETIMEDOUT && stall_ms(g) < answer_ms(g))
		node_suspect(g->backend, g->node.dev);
	else if (g->node.dev)
		node_failed(g->backend, g->node.dev, error, "reading a body");
	g->node.dev = NULL;
	body_close(g->res.body);
	g->res.body = NULL;
	exchange_end(TAKE(g->x));
	if (!g->resumable && !g->several_ranges)
		return error;
	g->attempts = g->first == g->stuck_at ? g->attempts + 1 : 0;
	g->stuck_at = g->first;
	if (g->attempts > ATTEMPTS_MAX)
		return error;
	int rc = g->resumable ? resume_elsewhere(g) : resume_ranges(g);

	if (rc == 0)
		metric_add(&resumed, 1);
	else if (rc != -ECANCELED)
		log_error("GET %.*s: no replica could go on from byte %" PRIu64 " of its answer",
			  STR(g->target.path), g->given);
	return rc == 0 || rc == -ECANCELED ? rc : error;
}

waits static int getter_next(struct body *b, struct str *ret_chunk)
{
	struct getter *g = container_of(b, struct getter, body);

	for (;;) {
		int rc = g->res.body ? body_next(g->res.body, ret_chunk) : -EIO;

		if (rc > 0) {
			g->first += ret_chunk->n;
			g->given += ret_chunk->n;
			if (b->left >= 0)
				b->left -= (int64_t)ret_chunk->n;
			return rc;
		}
		if (rc == 0 && b->left <= 0)
			return 0;
		rc = resume(g, rc == 0 ? -EPIPE : rc);
		if (rc < 0)
			return rc;
	}
}

waits static void getter_close(struct body *b)
{
	struct getter *g = container_of(b, struct getter, body);

	body_close(g->res.body);
	g->res.body = NULL;
	exchange_end(TAKE(g->x));
	nodes_done(&g->nodes);
}

/* ---- the answer ---- */

static void respond_with_source(struct getter *g, struct response *res)
{
	*res = g->res;
	note_promise(g);
	backend_clean_headers(&res->headers);
	res->body = NULL;
	if (g->get.head || !g->res.body || g->res.body->left == 0)
		return;
	g->body = (struct body){ .next = getter_next,
				 .close = getter_close,
				 .left = g->res.body->left };
	res->body = &g->body;
}

/* Whether so many owners are silent that a quorum of writers may have been among them. Those of a
 * tombstone know better. */
static bool may_be_elsewhere(const struct getter *g)
{
	unsigned owners = g->nodes.primaries + g->nodes.previous_n;

	return !timestamp_is_set(g->tombstone) &&
	       owners - MIN(g->known, owners) >= quorum_size(g->nodes.primaries);
}

static void respond_unavailable(struct getter *g, enum reason why, struct response *res)
{
	metric_add_at(&unavailable, why, 1);
	log_warn("%s %.*s: 503 from %u answers, %s", g->get.head ? "HEAD" : "GET",
		 STR(g->target.path), g->refused, reasons[why]);
	respond_status(res, 503);
}

static void respond_with_refusal(struct getter *g, struct response *res)
{
	int statuses[REFUSALS_MAX];

	for (unsigned i = 0; i < g->refused; i++)
		statuses[i] = g->refusals[i].status;
	int best = quorum_best(statuses, NULL, g->refused, quorum_size(g->refused));

	response_init(res, g->req->arena);
	if (best < 0) {
		respond_unavailable(g, g->refused ? NO_QUORUM : g->known ? NOT_PROVEN : NO_ANSWER,
				    res);
		return;
	}
	if (statuses[best] == 404 && may_be_elsewhere(g)) {
		respond_unavailable(g, NOT_PROVEN, res);
		return;
	}
	const struct refusal *r = &g->refusals[best];

	respond_status(res, r->status);
	for (unsigned i = 0; i < r->headers.n; i++)
		if (!str_ieq(r->headers.v[i].name, S("Content-Type")))
			headers_add_ref(&res->headers, r->headers.v[i].name, r->headers.v[i].value);
	backend_clean_headers(&res->headers);
	if (r->body.n) {
		struct str type = headers_get_lit(&r->headers, "Content-Type");

		respond(res, r->status, type.p ? type : S("text/plain"), r->body);
	}
}

int backend_get(struct request *req, const struct get *get, struct response *res)
{
	struct getter *g = arena_zalloc(req->arena, sizeof *g);
	struct proxy *p = proxy_request(req)->proxy;

	g->req = req;
	g->backend = p->backend;
	g->get = *get;
	g->headers = *get->headers;
	g->get.headers = &g->headers;
	g->target = *get->target;
	g->get.target = &g->target;
	nodes_start(&g->nodes, p->backend, get->target, NODES_FOR_READ);
	nodes_prefer(&g->nodes, get->prefer);
	g->suppress = (unsigned)p->conf->rebalance_missing_suppression_count;
	if (g->suppress >= g->nodes.primaries)
		g->suppress = g->nodes.primaries ? g->nodes.primaries - 1 : 0;
	int rc = find_source(g);

	drop_late(g);
	if (rc == 0 && g->x)
		respond_with_source(g, res);
	else if (rc == 0)
		respond_with_refusal(g, res);
	if (get->source)
		*get->source = rc == 0 && g->x ? g->node : (struct node){ .dev = NULL };
	if (rc < 0 || res->body != &g->body)
		getter_close(&g->body);
	return rc;
}
