/* Writes without a long body: one request per replica, answered by quorum; stragglers go on.
 * Swift: make_requests and _make_request in proxy/controllers/base.py. */
#include "lib/base/clock.h"
#include "lib/log/log.h"
#include "proxy/backend/internal.h"

enum { ANSWER_BODY_MAX = 64 * KIB };

struct sender {
	struct write *write;
	unsigned index;
	const struct ring_dev *dev;     /* that is being asked; NULL: nobody */
};

struct write *write_new(struct request *req, const struct target *t, enum http_method m, unsigned n)
{
	struct arena *a = arena_new();
	struct write *w = arena_zalloc(a, sizeof *w);
	const struct ring_dev *primary[RING_REPLICAS_MAX];

	w->arena = a;
	w->backend = proxy_request(req)->proxy->backend;
	w->target = *t;
	w->target.path = arena_str(a, t->path);
	w->method = str_from(http_method_name(m));
	w->refs = 1;
	nodes_start(&w->nodes, w->backend, t, NODES_FOR_WRITE);
	w->n = n ? n : target_primaries(t, primary, RING_REPLICAS_MAX);
	w->headers = arena_zalloc(a, w->n * sizeof *w->headers);
	w->answers = arena_zalloc(a, w->n * sizeof *w->answers);
	struct str id = arena_str(a, req->trans_id);

	for (unsigned i = 0; i < w->n; i++) {
		headers_init(&w->headers[i], a);
		headers_add_ref(&w->headers[i], S("X-Trans-Id"), id);
	}
	return w;
}

void write_unref(struct write *w)
{
	if (!w || --w->refs > 0)
		return;
	nodes_done(&w->nodes);
	free(w->body_memory);
	arena_free(w->arena);
}

waits static int read_answer(struct write *w, struct response *res)
{
	CLEANUP(buf_done) struct buf body = BUF(ANSWER_BODY_MAX);
	int rc = res->body ? body_read_all(res->body, &body) : 0;

	body_close(res->body);
	if (rc < 0)
		return rc;
	assert(w->answered < w->n);
	struct write_answer *a = &w->answers[w->answered];

	a->status = res->status;
	a->headers = res->headers;
	if (body.n)
		a->body = arena_str(w->arena, buf_str(&body));
	return 0;
}

/* The server could not do it, and another one may. */
static bool is_failure(const struct write *w, int status)
{
	return status >= 500 || (w->verified && status == 422);
}

/* 1 when this server answered for good, 0 when another one is to be asked, -ECANCELED. */
waits static int send_to(struct sender *s, const struct node *node)
{
	struct write *w = s->write;
	AUTO(exchange) x = NULL;
	struct response res;
	int rc = node_send(w->backend, node, w->method, w->target.path, w->query,
			   &w->headers[s->index], (int64_t)w->body.n, w->body, &x);

	if (rc < 0)
		return rc == -ECANCELED ? rc : 0;
	rc = node_receive(w->backend, node, x, w->arena, false,
			  w->backend->proxy->conf->node_timeout, &res);
	if (rc >= 0 && !is_failure(w, res.status))
		rc = read_answer(w, &res);
	else if (rc >= 0)
		body_close(res.body);
	if (rc < 0 || is_failure(w, res.status))
		node_failed(w->backend, node->dev, rc < 0 ? rc : res.status, w->method.p);
	if (rc < 0 || is_failure(w, res.status))
		return rc == -ECANCELED ? rc : 0;
	w->answers[w->answered].handoff = node->handoff;
	w->answered++;
	return 1;
}

waits static void sender_run(void *arg)
{
	struct sender *s = arg;
	struct write *w = s->write;
	struct node node;

	while (nodes_next(&w->nodes, &node)) {
		s->dev = node.dev;
		if (send_to(s, &node) != 0)
			break;
	}
	s->dev = NULL;
	w->running--;
	if (w->waiter)
		task_wake(w->waiter);
	write_unref(w);
}

static unsigned statuses_of(const struct write *w, int statuses[RING_REPLICAS_MAX])
{
	for (unsigned i = 0; i < w->answered; i++)
		statuses[i] = w->answers[i].status;
	return w->answered;
}

static bool has_quorum(const struct write *w)
{
	int statuses[RING_REPLICAS_MAX];
	unsigned n = statuses_of(w, statuses);

	return quorum_reached(statuses, n, quorum_size(w->n));
}

/* Nobody whose answer is worth a client's time: those that are left were late before. */
static bool only_slow_left(const struct write *w)
{
	for (unsigned i = 0; i < w->n; i++)
		if (w->senders[i].dev && !node_is_slow(w->backend, w->senders[i].dev))
			return false;
	return true;
}

waits static int wait_for_answers(struct write *w)
{
	uint64_t grace = w->backend->proxy->conf->post_quorum_timeout, until, now;

	while (w->running > 0 && !has_quorum(w)) {
		int rc = task_wait("quorum", 0);

		if (rc < 0)
			return rc;
	}
	until = clock_mono_ms() + grace;
	while (w->running > 0 && !only_slow_left(w) && (now = clock_mono_ms()) < until) {
		int rc = task_wait("replicas after the quorum", until - now);

		if (rc == -ECANCELED)
			return rc;
	}
	return 0;
}

int write_run(struct write *w)
{
	assert(w->n <= RING_REPLICAS_MAX);
	w->waiter = task_self();
	w->senders = arena_zalloc(w->arena, w->n * sizeof *w->senders);
	for (unsigned i = 0; i < w->n; i++) {
		w->senders[i] = (struct sender){ .write = w, .index = i };
		w->refs++;
		w->running++;
		task_spawn(&w->backend->background, "write", sender_run, &w->senders[i]);
	}
	int rc = wait_for_answers(w);

	w->waiter = NULL;
	return rc;
}

/* The index of the answer to give, or -1; *ret_status is what it counts as. */
static int choose(const struct write *w, int *ret_status)
{
	int statuses[RING_REPLICAS_MAX];
	bool faked[RING_REPLICAS_MAX] = { false };
	unsigned n = statuses_of(w, statuses);

	while (n < w->n)
		statuses[n++] = 503;
	int best = quorum_best(statuses, NULL, n, quorum_size(n));

	if (best < 0 && w->override_from) {
		for (unsigned i = 0; i < n; i++) {
			faked[i] = statuses[i] == w->override_from;
			if (faked[i])
				statuses[i] = w->override_to;
		}
		best = quorum_best(statuses, faked, n, quorum_size(n));
	}
	if (best >= 0)
		*ret_status = statuses[best];
	return best;
}

void write_respond(struct request *req, const struct write *w, struct response *res)
{
	int status, best = choose(w, &status);

	response_init(res, req->arena);
	if (best < 0) {
		log_error("%.*s %.*s: 503 from %u of %u answers", STR(w->method),
			  STR(w->target.path), w->answered, w->n);
		write_failed(w->answered < quorum_size(w->n) ? TOO_FEW_SERVERS : ANSWERS_DIFFER);
		respond_status(res, 503);
		return;
	}
	const struct write_answer *a = &w->answers[best];

	respond_status(res, status);
	for (unsigned i = 0; i < a->headers.n; i++)
		if (!str_ieq(a->headers.v[i].name, S("Content-Type")))
			headers_add(&res->headers, a->headers.v[i].name, a->headers.v[i].value);
	backend_clean_headers(&res->headers);
	if (a->body.n) {
		struct str type = headers_get_lit(&a->headers, "Content-Type");

		respond(res, status, type.p ? arena_str(req->arena, type) : S("text/plain"),
			arena_str(req->arena, a->body));
	}
}

unsigned write_ask_previous(struct request *req, const struct write *w, struct headers *h)
{
	const struct ring_dev *devs[NODES_PREVIOUS_MAX];
	unsigned n = target_previous(&w->target, devs, NODES_PREVIOUS_MAX), done = 0;
	uint64_t timeout = w->backend->proxy->conf->node_timeout;

	for (unsigned i = 0; i < n; i++) {
		struct node node = { .dev = devs[i], .handoff = true, .previous = true };
		AUTO(exchange) x = NULL;
		struct response res;

		if (node_limited(w->backend, devs[i]) ||
		    node_send(w->backend, &node, w->method, w->target.path, w->query, h, 0,
			      STR_NONE, &x) < 0)
			continue;
		int rc = node_receive(w->backend, &node, x, req->arena, false, timeout, &res);

		if (rc < 0 || res.status >= 500)
			node_failed(w->backend, devs[i], rc < 0 ? rc : res.status, w->method.p);
		if (rc < 0)
			continue;
		done += res.status / 100 == 2;
		body_close(res.body);
	}
	return done;
}
