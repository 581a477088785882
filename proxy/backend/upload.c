/* An upload: the client's body goes to all replicas at once while its MD5 is computed in the pool.
 *
 * The request's task fills a ring of slots; one putter task per replica and the hasher each go
 * through it at their own pace, and the slowest holds back the client. A slot has memory only while
 * somebody needs it. A putter that is stuck is ended by its write timeout. Putters belong to the
 * worker, not to the request: the last replica may still be writing when the client has its answer.
 * Swift: ReplicatedObjectController in proxy/controllers/obj.py. */
#include "lib/base/clock.h"
#include "lib/base/encode.h"
#include "lib/base/pages.h"
#include "lib/crypto/digest.h"
#include "lib/log/log.h"
#include "lib/swift/conditional.h"
#include "proxy/backend/internal.h"

enum {
	SLOT_SIZE = PAGES_MIDDLE,
	SLOTS = 16,
	SLOTS_SCARCE = 2,               /* while the worker has spent its budget of buffers */
	ANSWER_BODY_MAX = 64 * KIB,
};

struct slot {
	char *p;
	size_t n, size;
};

enum putter_state {
	PUTTER_CONNECTING,
	PUTTER_SENDING,
	PUTTER_ANSWERED,                /* status is the server's last word */
	PUTTER_FAILED,
};

struct putter {
	struct upload_run *run;
	struct headers *headers;
	struct task *task;              /* NULL when it has ended */
	bool waiting;                   /* for slots, or for the end */
	enum putter_state state;
	bool ours;                      /* the server takes the ETag as a trailer */
	struct node node;
	uint64_t sent;                  /* slots */
	int status;
	struct str etag;
};

struct upload_run {
	struct arena *arena;
	struct write *write;            /* may be NULL */
	struct backend *backend;
	struct target target;
	struct nodes nodes;
	unsigned refs;
	struct task *owner;             /* the request's task, while it waits for us */
	struct putter *putters;
	unsigned n;
	struct slot slots[SLOTS];
	uint64_t filled;                /* slots; slot i is slots[i % SLOTS] */
	uint64_t passed;                /* slots that nobody needs any more */
	bool last_filled;               /* no more come */
	bool finish;                    /* the ETag is known and right: end the requests */
	bool aborted;
	struct task *hasher;
	bool hasher_waiting, hasher_done;
	uint64_t hashed;                /* slots */
	struct digest *digest;
	char etag[MD5_HEX_SIZE];
};

static void run_unref(struct upload_run *r)
{
	if (--r->refs > 0)
		return;
	for (unsigned i = 0; i < SLOTS; i++)
		pages_give(r->slots[i].p, r->slots[i].size);
	digest_free(r->digest);
	nodes_done(&r->nodes);
	if (r->write)
		write_unref(r->write);  /* whose arena it is */
	else
		arena_free(r->arena);
}

static void wake_owner(struct upload_run *r)
{
	if (r->owner)
		task_wake(r->owner);
}

/* Somebody is done with a slot, or with all of them: those that everybody has passed are given
 * back. */
static void pass_slots(struct upload_run *r)
{
	uint64_t passed = r->hashed;

	for (unsigned i = 0; i < r->n; i++)
		if (r->putters[i].state == PUTTER_SENDING)
			passed = MIN(passed, r->putters[i].sent);
	for (; r->passed < passed; r->passed++) {
		struct slot *s = &r->slots[r->passed % SLOTS];

		pages_give(s->p, s->size);
		s->p = NULL;
	}
	wake_owner(r);
}

static void wake_consumers(struct upload_run *r)
{
	for (unsigned i = 0; i < r->n; i++)
		if (r->putters[i].waiting)
			task_wake(r->putters[i].task);
	if (r->hasher_waiting)
		task_wake(r->hasher);
}

/* ---- the hasher ---- */

/* In the pool: the slots from..to are complete and nobody changes them before they are hashed. */
struct hash_job {
	struct upload_run *run;
	uint64_t from, to;
};

static void hash_slots(void *arg)
{
	struct hash_job *j = arg;

	for (uint64_t i = j->from; i < j->to; i++)
		digest_add(j->run->digest, j->run->slots[i % SLOTS].p, j->run->slots[i % SLOTS].n);
}

waits static void hasher_run(void *arg)
{
	struct upload_run *r = arg;
	unsigned char md5[MD5_SIZE];
	int rc = 0;

	while (rc >= 0 && !r->aborted && !(r->last_filled && r->hashed == r->filled)) {
		if (r->hashed == r->filled) {
			r->hasher_waiting = true;
			rc = task_wait("more to hash", 0);
			r->hasher_waiting = false;
			continue;
		}
		struct hash_job job = { .run = r, .from = r->hashed, .to = r->filled };

		task_run_blocking("MD5", hash_slots, &job);
		r->hashed = job.to;
		pass_slots(r);
	}
	if (rc >= 0 && !r->aborted) {
		digest_final(r->digest, md5);
		hex_encode(md5, sizeof md5, r->etag);
		r->hasher_done = true;
	}
	r->hasher = NULL;
	wake_owner(r);
	run_unref(r);
}

/* ---- putters ---- */

waits static int putter_answer(struct putter *p, struct response *res)
{
	CLEANUP(buf_done) struct buf text = BUF(ANSWER_BODY_MAX);
	int rc = res->body ? body_read_all(res->body, &text) : 0;

	body_close(res->body);
	if (rc < 0)
		return rc;
	p->status = res->status;
	p->state = res->status >= 500 ? PUTTER_FAILED : PUTTER_ANSWERED;
	if (res->status / 100 == 2)
		p->etag = etag_unquoted(headers_get_lit(&res->headers, "ETag"));
	if (res->status >= 500)
		node_failed(p->run->backend, p->node.dev, res->status, "PUT");
	return 0;
}

/* Sends the head and waits for 100 Continue, or for a refusal. 1: this server is settled. */
waits static int putter_try(struct putter *p, struct exchange **ret)
{
	struct upload_run *r = p->run;
	AUTO(exchange) x = NULL;
	struct response res;
	int rc = node_send(r->backend, &p->node, S("PUT"), r->target.path, STR_NONE, p->headers,
			   EXCHANGE_CHUNKED, STR_NONE, &x);

	if (rc < 0)
		return rc == -ECANCELED ? rc : 0;
	rc = node_receive(r->backend, &p->node, x, r->arena, false,
			  r->backend->proxy->conf->node_timeout, &res);
	if (rc < 0) {
		node_failed(r->backend, p->node.dev, rc, "waiting for 100 Continue");
		return rc == -ECANCELED ? rc : 0;
	}
	if (rc != 100) {
		rc = putter_answer(p, &res);
		if (rc == 0 && p->state == PUTTER_ANSWERED)
			return 1;
		p->state = PUTTER_CONNECTING;
		return rc == -ECANCELED ? rc : 0;
	}
	p->ours = str_eq(headers_get_lit(&res.headers, "X-Needletail"), S("1"));
	*ret = TAKE(x);
	return 1;
}

waits static int putter_connect(struct putter *p, struct exchange **ret)
{
	int rc = 0;

	while (rc == 0 && !p->run->aborted && nodes_next(&p->run->nodes, &p->node))
		rc = putter_try(p, ret);
	return rc < 0 ? rc : rc == 0 ? -EHOSTUNREACH : 0;
}

/* Waits until there is a slot to send (1), or the end is to be sent (0). */
waits static int putter_wait(struct putter *p)
{
	struct upload_run *r = p->run;

	for (;;) {
		if (r->aborted)
			return -ECANCELED;
		if (p->sent < r->filled)
			return 1;
		if (r->finish)
			return 0;
		p->waiting = true;
		int rc = task_wait("more to send", 0);

		p->waiting = false;
		if (rc < 0)
			return rc;
	}
}

waits static int putter_send(struct putter *p, struct exchange *x)
{
	struct upload_run *r = p->run;
	int rc;

	while ((rc = putter_wait(p)) > 0) {
		struct str pieces[EXCHANGE_PIECES_MAX];
		unsigned n = 0;

		if (exchange_answered(x))
			return 0;
		for (; n < EXCHANGE_PIECES_MAX && p->sent + n < r->filled; n++) {
			const struct slot *s = &r->slots[(p->sent + n) % SLOTS];

			pieces[n] = str_of(s->p, s->n);
		}
		rc = exchange_send_pieces(x, pieces, n);
		if (rc < 0)
			return rc;
		p->sent += n;
		pass_slots(r);
	}
	if (rc < 0)
		return rc;
	struct headers trailers;

	headers_init(&trailers, r->arena);
	headers_add_ref(&trailers, S("X-Needletail-Etag"), str_of(r->etag, MD5_HEX_SIZE - 1));
	return exchange_send_end(x, p->ours ? &trailers : NULL);
}

waits static void putter_run(void *arg)
{
	struct putter *p = arg;
	struct upload_run *r = p->run;
	AUTO(exchange) x = NULL;
	struct response res;
	int rc = putter_connect(p, &x);

	if (rc == 0 && x) {
		p->state = PUTTER_SENDING;
		wake_owner(r);
		rc = putter_send(p, x);
		if (rc >= 0)
			rc = exchange_receive(x, r->arena, false, &res);
		if (rc >= 0)
			rc = putter_answer(p, &res);
		if (rc < 0 && !r->aborted)
			node_failed(r->backend, p->node.dev, rc, "PUT");
	}
	if (rc < 0)
		p->state = PUTTER_FAILED;
	exchange_end(TAKE(x));
	p->task = NULL;
	pass_slots(r);
	run_unref(r);
}

/* ---- the request's side ---- */

static unsigned count_state(const struct upload_run *r, enum putter_state state)
{
	unsigned count = 0;

	for (unsigned i = 0; i < r->n; i++)
		count += r->putters[i].state == state;
	return count;
}

/* Nothing is stored by requests that do not come to their end. */
static void run_abort(struct upload_run *r)
{
	r->aborted = true;
	for (unsigned i = 0; i < r->n; i++)
		if (r->putters[i].task)
			task_cancel(r->putters[i].task);
	wake_consumers(r);
}

static bool has_room(const struct upload_run *r)
{
	return r->filled - r->passed < (pages_scarce() ? SLOTS_SCARCE : SLOTS);
}

/* Nothing moved for a while: those that hold everybody back are suspected, and given up when they
 * are put aside. */
static void drop_stuck(struct upload_run *r)
{
	for (unsigned i = 0; i < r->n; i++) {
		struct putter *p = &r->putters[i];

		if (p->state != PUTTER_SENDING || p->sent > r->passed || !p->task)
			continue;
		if (node_limited(r->backend, p->node.dev))
			task_cancel(p->task);
		else if (!node_is_slow(r->backend, p->node.dev))
			node_suspect(r->backend, p->node.dev);
	}
}

/* 0, -EHOSTDOWN when too few replicas are left, -ECANCELED. */
waits static int fill_slots(struct upload_run *r, struct str bytes)
{
	while (bytes.n) {
		while (!has_room(r)) {
			int rc = task_wait("room for the body",
					   r->backend->proxy->conf->concurrency_timeout);

			if (rc == -ETIMEDOUT && !has_room(r))
				drop_stuck(r);
			else if (rc < 0 && rc != -ETIMEDOUT)
				return rc;
		}
		if (count_state(r, PUTTER_SENDING) < quorum_size(r->n))
			return -EHOSTDOWN;
		struct slot *s = &r->slots[r->filled % SLOTS];

		assert(!s->p);
		s->size = pages_fit(MIN(bytes.n, (size_t)SLOT_SIZE));
		s->p = pages_take(s->size);
		s->n = MIN(bytes.n, s->size);
		memcpy(s->p, bytes.p, s->n);
		bytes = str_skip(bytes, s->n);
		r->filled++;
		wake_consumers(r);
	}
	return 0;
}

waits static int transfer(struct request *req, struct upload_run *r, const struct upload *u)
{
	struct str chunk = u->first;
	uint64_t total = 0;
	int rc = chunk.n ? 1 : body_next(req->body, &chunk);

	while (rc > 0) {
		total += chunk.n;
		if (total > u->length_max)
			return -EFBIG;
		rc = fill_slots(r, chunk);
		if (rc == 0)
			rc = body_next(req->body, &chunk);
	}
	if (rc < 0)
		return rc;
	if (u->length >= 0 && total < (uint64_t)u->length)
		return -EPIPE;
	r->last_filled = true;
	wake_consumers(r);
	while (!r->hasher_done)
		if ((rc = task_wait("MD5", 0)) < 0)
			return rc;
	return 0;
}

static unsigned collect(const struct upload_run *r, int statuses[RING_REPLICAS_MAX])
{
	unsigned n = 0;

	for (unsigned i = 0; i < r->n; i++)
		if (r->putters[i].state == PUTTER_ANSWERED)
			statuses[n++] = r->putters[i].status;
	return n;
}

/* Those whose answer is still missing were late before. */
static bool only_slow_left(const struct upload_run *r)
{
	for (unsigned i = 0; i < r->n; i++)
		if (r->putters[i].state == PUTTER_SENDING &&
		    !node_is_slow(r->backend, r->putters[i].node.dev))
			return false;
	return true;
}

waits static int wait_for_answers(struct upload_run *r)
{
	uint64_t until = 0, now = 0, grace = r->backend->proxy->conf->post_quorum_timeout;
	int statuses[RING_REPLICAS_MAX], rc = 0;

	while (count_state(r, PUTTER_SENDING) > 0 && (!until || (now = clock_mono_ms()) < until)) {
		if (!until && quorum_reached(statuses, collect(r, statuses), quorum_size(r->n)))
			until = (now = clock_mono_ms()) + grace;
		if (until && (now >= until || only_slow_left(r)))
			break;
		rc = task_wait("answers to an upload", until ? until - now : 0);
		if (rc == -ECANCELED)
			return rc;
	}
	return 0;
}

/* What the servers said before the body: 0 when it is wanted. */
static int early_answer(const struct upload_run *r, const struct upload *u, struct response *res)
{
	for (unsigned i = 0; i < r->n; i++) {
		const struct putter *p = &r->putters[i];

		if (p->state == PUTTER_ANSWERED && u->if_absent && p->status == 412) {
			respond_status(res, 412);
			return -EEXIST;
		}
		if (p->state == PUTTER_ANSWERED && p->status == 409) {
			respond_status(res, 202);
			return -EEXIST;
		}
	}
	if (count_state(r, PUTTER_SENDING) >= quorum_size(r->n))
		return 0;
	log_error("PUT %.*s: 503, %u of %u servers take it", STR(r->target.path),
		  count_state(r, PUTTER_SENDING), r->n);
	write_failed(TOO_FEW_SERVERS);
	respond_status(res, 503);
	return -EEXIST;
}

static void final_answer(struct request *req, const struct upload_run *r, struct response *res)
{
	int statuses[RING_REPLICAS_MAX];
	unsigned n = collect(r, statuses);

	while (n < r->n)
		statuses[n++] = 503;
	int best = quorum_best(statuses, NULL, n, quorum_size(n));

	for (unsigned i = 0; i < r->n; i++)
		if (r->putters[i].etag.n && !str_ieq(r->putters[i].etag, str_from(r->etag))) {
			log_error("PUT %.*s: %s/%s stored other bytes: ETag %.*s, not %s",
				  STR(r->target.path), r->putters[i].node.dev->ip,
				  r->putters[i].node.dev->device, STR(r->putters[i].etag), r->etag);
			respond_status(res, 500);
			return;
		}
	if (best < 0)
		write_failed(count_state(r, PUTTER_FAILED) > r->n - quorum_size(r->n) ?
			     SERVERS_LOST : ANSWERS_DIFFER);
	respond_status(res, best < 0 ? 503 : statuses[best]);
	if (best >= 0)
		headers_set(&res->headers, S("Etag"), arena_str(req->arena, str_from(r->etag)));
}

static struct upload_run *run_new(struct request *req, const struct upload *u)
{
	struct arena *a = u->write ? u->write->arena : arena_new();
	struct upload_run *r = arena_zalloc(a, sizeof *r);

	r->arena = a;
	r->write = u->write;
	if (r->write)
		r->write->refs++;
	r->backend = proxy_request(req)->proxy->backend;
	r->target = *u->target;
	r->target.path = arena_str(a, u->target->path);
	r->refs = 1;
	r->owner = task_self();
	r->n = u->n;
	r->digest = digest_new(DIGEST_MD5);
	r->putters = arena_zalloc(a, u->n * sizeof *r->putters);
	nodes_start(&r->nodes, r->backend, u->target, NODES_FOR_WRITE);
	for (unsigned i = 0; i < u->n; i++) {
		struct putter *p = &r->putters[i];

		p->run = r;
		p->headers = &u->headers[i];
		if (!u->write) {
			p->headers = arena_alloc(a, sizeof *p->headers);
			headers_init(p->headers, a);
			headers_copy(p->headers, &u->headers[i]);
		}
		headers_add_ref(p->headers, S("Expect"), S("100-continue"));
		headers_add_ref(p->headers, S("Trailer"), S("X-Needletail-Etag"));
		if (u->length >= 0)
			headers_addf(p->headers, S("X-Backend-Obj-Content-Length"), "%" PRId64,
				     u->length);
	}
	return r;
}

static void run_spawn(struct upload_run *r)
{
	struct task_group *g = backend_background(r->backend);

	for (unsigned i = 0; i < r->n; i++) {
		r->refs++;
		r->putters[i].task = task_spawn(g, "putter", putter_run, &r->putters[i]);
	}
	r->refs++;
	r->hasher = task_spawn(g, "hasher", hasher_run, r);
}

waits static int upload_run(struct request *req, struct upload_run *r, const struct upload *u,
			    struct response *res)
{
	int rc;

	while (count_state(r, PUTTER_CONNECTING) > 0)
		if ((rc = task_wait("storage servers", 0)) < 0)
			return rc;
	if (early_answer(r, u, res) < 0)
		return -EEXIST;
	rc = transfer(req, r, u);
	if (rc == -EHOSTDOWN) {
		log_error("PUT %.*s: 503, %u of %u servers are left", STR(r->target.path),
			  count_state(r, PUTTER_SENDING), r->n);
		write_failed(SERVERS_LOST);
		respond_status(res, 503);
		return -EEXIST;
	}
	if (rc < 0)
		return rc;
	if (u->etag.n && !str_ieq(u->etag, str_from(r->etag))) {
		respond_status(res, 422);
		return -EEXIST;
	}
	if (u->before_end && u->before_end(u->arg, res) < 0)
		return -EEXIST;
	r->finish = true;
	wake_consumers(r);
	rc = wait_for_answers(r);
	if (rc == 0)
		final_answer(req, r, res);
	return rc;
}

int backend_upload(struct request *req, const struct upload *u, struct response *res)
{
	struct upload_run *r = run_new(req, u);

	run_spawn(r);
	int rc = upload_run(req, r, u, res);

	if (rc < 0 && !r->finish)
		run_abort(r);
	r->owner = NULL;
	run_unref(r);
	return rc == -EEXIST ? 0 : rc;
}
