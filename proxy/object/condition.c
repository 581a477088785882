/* If-Match and If-None-Match on PUT and DELETE. Everybody begins at the ring's first device, so
 * that of several writers one goes on and the others wait there for it. Those that find another
 * first device, since theirs does not answer, may come to hold some devices each: then they give
 * back what they have and begin again. */
#include "proxy/object/condition.h"
#include "lib/base/clock.h"
#include "lib/log/log.h"
#include "proxy/backend/internal.h"
#include "proxy/object/object.h"

enum {
	ASK_MS = 4000,
	/* A round that takes that long gives everything back and begins again: it may be in the way
	 * of others that began at another device. */
	ROUND_MS = 3000, PAUSE_MS = 100,
	/* Longer than the lease of a hold whose proxy is gone (10 s, objectd/object/hold.c). */
	GATHER_MS = 15000,
	HELD_MAX_MS = 6000,             /* of that lease, until the write begins */
	WATCH_MS = 100,
};

enum verdict {
	UNKNOWN,
	SILENT,                         /* or broken */
	BUSY,                           /* another write has it */
	AGREES,
	REFUSES,
};

struct vote {
	struct ballot *ballot;
	const struct ring_dev *dev;
	enum verdict verdict;
	bool held;
	bool open;                      /* a task asks */
	struct timestamp ts;            /* of what the device has */
};

/* One round of questions. */
struct ballot {
	struct request *req;
	const struct target *target;
	struct condition *condition;
	struct headers headers;
	unsigned n, needed;
	uint64_t until_ms;
	struct task *owner;
	struct vote votes[RING_REPLICAS_MAX];
};

bool condition_read(const struct request *req, struct timestamp ts, struct condition *ret)
{
	*ret = (struct condition){
		.match = headers_get_lit(&req->headers, "If-Match"),
		.none_match = headers_get_lit(&req->headers, "If-None-Match"),
		.ts = ts,
	};
	if (!ret->match.p && !ret->none_match.p)
		return false;
	char text[TIMESTAMP_SIZE];

	timestamp_internal(ts, text);
	ret->token = arena_printf(req->arena, "%.*s-%s", (int)MIN(req->trans_id.n, (size_t)60),
				  req->trans_id.p, text);
	return true;
}

void condition_add_header(const struct condition *c, struct headers *to)
{
	if (c->token.n)
		headers_add(to, S("X-Needletail-Hold"), c->token);
}

static void make_headers(struct request *req, const struct condition *c, struct headers *h)
{
	struct str is_at = headers_get_lit(&req->headers, "X-Backend-Etag-Is-At");

	headers_init(h, req->arena);
	headers_add_ref(h, S("X-Trans-Id"), req->trans_id);
	object_common_headers(req, c->ts, h);
	headers_set(h, S("X-Backend-Etag-Is-At"),
		    arena_printf(req->arena, "%.*s%sX-Object-Sysmeta-Slo-Etag", STR(is_at),
				 is_at.n ? "," : ""));
	if (c->match.p)
		headers_add_ref(h, S("If-Match"), c->match);
	if (c->none_match.p)
		headers_add_ref(h, S("If-None-Match"), c->none_match);
	condition_add_header(c, h);
}

/* The device's status, or a negative error. */
waits static int ask(const struct ballot *b, const struct ring_dev *dev, const struct headers *h,
		     struct response *res)
{
	struct backend *backend = proxy_request(b->req)->proxy->backend;
	const struct node node = { .dev = dev };
	AUTO(exchange) x = NULL;

	TASK_DEADLINE(ASK_MS);
	int rc = node_send(backend, &node, S("HEAD"), b->target->path, STR_NONE, h, 0, STR_NONE,
			   &x);

	if (rc < 0)
		return rc;
	rc = node_receive(backend, &node, x, b->req->arena, true, ASK_MS, res);
	if (rc >= 0) {
		body_close(res->body);
		rc = res->status;
	}
	if ((rc < 0 && rc != -ECANCELED) || rc >= 500)
		node_failed(backend, dev, rc, "HEAD before a conditional write");
	return rc;
}

/* Swift's servers say 304 for If-None-Match, and 404 whatever If-Match says. */
static enum verdict verdict_of(const struct condition *c, int status)
{
	if (status == 423)
		return BUSY;
	if (status == 200 || (status == 404 && !c->match.p))
		return AGREES;
	if (status == 412 || status == 304 || status == 404)
		return REFUSES;
	return SILENT;
}

waits static void take_vote(struct vote *v, const struct headers *h)
{
	struct condition *c = v->ballot->condition;
	struct response answer;
	int status = ask(v->ballot, v->dev, h, &answer);

	v->verdict = status < 0 ? SILENT : verdict_of(c, status);
	if (status < 0)
		return;
	struct str ts = headers_get_lit(&answer.headers, "X-Backend-Data-Timestamp");

	if (!ts.p || timestamp_parse(ts, &v->ts) < 0)
		v->ts = (struct timestamp){ 0 };
	v->held = headers_has(&answer.headers, S("X-Needletail-Held"));
	if (v->held && !c->ours)
		c->held_ms = clock_mono_ms();
	c->ours |= headers_has(&answer.headers, S("X-Backend-Needletail"));
}

static unsigned answers(const struct ballot *b)
{
	unsigned n = 0;

	for (unsigned i = 0; i < b->n; i++)
		n += b->votes[i].verdict == AGREES || b->votes[i].verdict == REFUSES;
	return n;
}

/* Who waits for another write hears of it every now and then, and asks again. */
waits static void vote_run(void *arg)
{
	struct vote *v = arg;
	struct ballot *b = v->ballot;

	do
		take_vote(v, &b->headers);
	while (v->verdict == BUSY && clock_mono_ms() < b->until_ms && answers(b) < b->needed &&
	       !task_cancelled());
	v->open = false;
	if (b->owner)
		task_wake(b->owner);
}

/* Whether somebody is still asked who is not known to be late. */
static bool worth_waiting(const struct ballot *b)
{
	struct backend *backend = proxy_request(b->req)->proxy->backend;

	for (unsigned i = 0; i < b->n; i++)
		if (b->votes[i].open &&
		    (answers(b) < b->needed || !node_is_slow(backend, b->votes[i].dev)))
			return true;
	return false;
}

/* The first device that answers is waited for alone; then the others are asked at once. */
waits static int ask_all(struct ballot *b)
{
	struct backend *backend = proxy_request(b->req)->proxy->backend;
	unsigned at = 0;
	int rc = 0;

	for (bool begun = false; at < b->n && !begun; at++) {
		if (node_limited(backend, b->votes[at].dev))
			continue;
		vote_run(&b->votes[at]);
		if (task_cancelled())
			return -ECANCELED;
		begun = b->votes[at].verdict != SILENT;
	}
	b->owner = task_self();
	TASK_GROUP(others);
	for (; at < b->n; at++) {
		if (node_limited(backend, b->votes[at].dev))
			continue;
		b->votes[at].open = true;
		task_spawn(&others, "vote", vote_run, &b->votes[at]);
	}
	while (rc != -ECANCELED && worth_waiting(b))
		rc = task_wait("votes", WATCH_MS);
	b->owner = NULL;
	task_group_end(&others);
	/* Those that were put aside are the last resort: they may be back. */
	for (at = 0; at < b->n && rc != -ECANCELED && answers(b) < b->needed; at++)
		if (b->votes[at].verdict == UNKNOWN)
			vote_run(&b->votes[at]);
	return rc == -ECANCELED || task_cancelled() ? -ECANCELED : 0;
}

/* What the newest version that a majority knows says; without timestamps (Swift's servers) what
 * a majority says. */
static enum verdict outcome(const struct ballot *b)
{
	const struct vote *newest = NULL;
	unsigned yes = 0, no = 0;

	for (unsigned i = 0; i < b->n; i++) {
		const struct vote *v = &b->votes[i];

		if (v->verdict != AGREES && v->verdict != REFUSES)
			continue;
		yes += v->verdict == AGREES;
		no += v->verdict == REFUSES;
		int c = newest ? timestamp_cmp(v->ts, newest->ts) : 1;

		if (c > 0 || (c == 0 && v->verdict == REFUSES))
			newest = v;
	}
	if (!newest || yes + no < b->needed)
		return UNKNOWN;
	if (b->condition->ours)
		return newest->verdict;
	return yes >= b->needed ? AGREES : no >= b->needed ? REFUSES : UNKNOWN;
}

/* A device with an old version refuses by that, but has to be held as well. */
waits static bool hold_majority(struct ballot *b)
{
	struct headers h;
	unsigned held = 0;

	headers_init(&h, b->req->arena);
	headers_copy(&h, &b->headers);
	headers_add_ref(&h, S("X-Needletail-Hold-Anyway"), S("yes"));
	for (unsigned i = 0; i < b->n; i++)
		held += b->votes[i].held;
	for (unsigned i = 0; i < b->n && held < b->needed; i++) {
		struct vote *v = &b->votes[i];

		if (v->verdict != REFUSES || v->held)
			continue;
		struct timestamp before = v->ts;

		take_vote(v, &h);
		if (v->held && timestamp_cmp(v->ts, before) > 0)
			return false;
		held += v->held;
	}
	return held >= b->needed &&
	       clock_mono_ms() - b->condition->held_ms <= HELD_MAX_MS;
}

waits static void release(struct ballot *b)
{
	struct response res;
	struct headers h;

	headers_init(&h, b->req->arena);
	headers_copy(&h, &b->headers);
	headers_add_ref(&h, S("X-Needletail-Release"), S("yes"));
	for (unsigned i = 0; i < b->n; i++)
		if (b->votes[i].held && ask(b, b->votes[i].dev, &h, &res) < 0)
			log_info("a hold of %.*s on %s is left to its lease", STR(b->target->path),
				 b->votes[i].dev->device);
}

static bool is_contended(const struct ballot *b)
{
	for (unsigned i = 0; i < b->n; i++)
		if (b->votes[i].verdict == BUSY)
			return true;
	return false;
}

static void ballot_init(struct ballot *b, struct request *req, const struct target *t,
			struct condition *c)
{
	const struct ring_dev *devs[RING_REPLICAS_MAX];

	*b = (struct ballot){ .req = req, .target = t, .condition = c };
	b->n = target_primaries(t, devs, RING_REPLICAS_MAX);
	b->needed = b->n / 2 + 1;
	b->until_ms = clock_mono_ms() + ROUND_MS;
	for (unsigned i = 0; i < b->n; i++)
		b->votes[i] = (struct vote){ .ballot = b, .dev = devs[i] };
	make_headers(req, c, &b->headers);
	c->ours = false;
}

/* AGREES (with holds, when they are kept), REFUSES, BUSY when it is worth another try, SILENT; or
 * -ECANCELED. */
waits static int try_once(struct request *req, const struct target *t, struct condition *c,
			  bool keep)
{
	struct ballot *b = arena_alloc(req->arena, sizeof *b);

	ballot_init(b, req, t, c);
	int rc = ask_all(b);
	enum verdict said = rc < 0 ? UNKNOWN : outcome(b);
	bool kept = keep && said == AGREES && (!c->ours || hold_majority(b));

	if (!kept)
		release(b);
	if (rc < 0)
		return rc;
	if (said == REFUSES || kept || (said == AGREES && !keep))
		return (int)said;
	log_debug("conditional write of %.*s: %u of %u devices answer", STR(t->path), answers(b),
		  b->n);
	return said == AGREES || is_contended(b) ? BUSY : SILENT;
}

waits static int gather(struct request *req, const struct target *t, struct condition *c,
			bool keep, struct response *res)
{
	struct backend *b = proxy_request(req)->proxy->backend;
	uint64_t until = clock_mono_ms() + GATHER_MS;
	int rc;

	while ((rc = try_once(req, t, c, keep)) == BUSY && clock_mono_ms() < until)
		if (task_sleep(1 + backend_random(b, PAUSE_MS)) == -ECANCELED)
			return -ECANCELED;
	if (rc < 0 || rc == AGREES)
		return rc < 0 ? rc : 0;
	if (rc != REFUSES)
		log_error("conditional write of %.*s: no majority of its devices says the same",
			  STR(t->path));
	respond_status(res, rc == REFUSES ? 412 : 503);
	return -EEXIST;
}

int condition_hold(struct request *req, const struct target *t, struct condition *c,
		   struct response *res)
{
	return gather(req, t, c, true, res);
}

int condition_check(struct request *req, const struct target *t, struct condition *c,
		    struct response *res)
{
	return gather(req, t, c, false, res);
}
