/* If-Match and If-None-Match on PUT and DELETE. Devices are asked in the ring's order, so that of
 * several writers the first one at the first device goes on and the others wait there for it: they
 * cannot hold some devices each and block one another. */
#include "proxy/object/condition.h"
#include "lib/base/clock.h"
#include "lib/log/log.h"
#include "proxy/object/object.h"

/* Storage servers wait 3 s for a lock and keep a hold for 10 s. */
enum { ASK_MS = 4000, HELD_MAX_MS = 6000 };

struct vote {
	const struct ring_dev *dev;
	bool granted;
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
waits static int ask(struct request *req, const struct target *t, const struct ring_dev *dev,
		     const struct headers *h, struct response *res)
{
	struct backend *b = proxy_request(req)->proxy->backend;
	const struct node node = { .dev = dev };
	AUTO(exchange) x = NULL;

	TASK_DEADLINE(ASK_MS);
	int rc = node_send(b, &node, S("HEAD"), t->path, STR_NONE, h, 0, STR_NONE, &x);

	if (rc < 0)
		return rc;
	rc = exchange_receive(x, req->arena, true, res);
	if (rc >= 0) {
		body_close(res->body);
		rc = res->status;
	}
	if ((rc < 0 && rc != -ECANCELED) || rc >= 500)
		node_failed(b, dev, rc, "HEAD before a conditional write");
	return rc;
}

/* Whether this answer agrees; Swift's servers say 304 for If-None-Match, and 404 whatever If-Match
 * says. */
static bool is_grant(const struct condition *c, int status)
{
	return status == 200 || (status == 404 && !c->match.p);
}

static bool is_refusal(const struct condition *c, int status)
{
	return status == 412 || status == 304 || (status == 404 && c->match.p);
}

waits static void release(struct request *req, const struct target *t, const struct vote *votes,
			  unsigned n, struct headers *h)
{
	struct response res;

	headers_add_ref(h, S("X-Needletail-Release"), S("yes"));
	for (unsigned i = 0; i < n; i++)
		if (votes[i].granted && ask(req, t, votes[i].dev, h, &res) < 0)
			log_info("a hold of %.*s on %s is left to its lease", STR(t->path),
				 votes[i].dev->device);
}

waits static int gather(struct request *req, const struct target *t, struct condition *c,
			bool keep, struct response *res)
{
	const struct ring_dev *devs[RING_REPLICAS_MAX];
	struct vote votes[RING_REPLICAS_MAX];
	struct backend *b = proxy_request(req)->proxy->backend;
	unsigned n = target_primaries(t, devs, RING_REPLICAS_MAX), needed = n / 2 + 1, yes = 0,
		 no = 0;
	struct headers h;
	struct response answer;
	int rc = 0;

	make_headers(req, c, &h);
	c->ours = false;
	for (unsigned i = 0; i < n; i++) {
		votes[i] = (struct vote){ .dev = devs[i] };
		if (rc == -ECANCELED || no >= needed || node_limited(b, devs[i]))
			continue;
		rc = ask(req, t, devs[i], &h, &answer);
		if (rc < 0)
			continue;
		votes[i].granted = headers_has(&answer.headers, S("X-Needletail-Held"));
		if (votes[i].granted && !c->ours)
			c->held_ms = clock_mono_ms();
		c->ours |= votes[i].granted;
		yes += is_grant(c, answer.status);
		no += is_refusal(c, answer.status);
	}
	bool late = c->ours && clock_mono_ms() - c->held_ms > HELD_MAX_MS;

	if (late)       /* who knows what the first ones hold */
		yes = 0;
	if (!keep || yes < needed)
		release(req, t, votes, n, &h);
	if (rc == -ECANCELED)
		return rc;
	if (yes >= needed)
		return 0;
	if (no < needed)
		log_error("conditional write of %.*s: %u of %u devices agree, %u refuse",
			  STR(t->path), yes, n, no);
	respond_status(res, no >= needed ? 412 : 503);
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
