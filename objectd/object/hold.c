/* Conditional writes: a HEAD with X-Needletail-Hold asks whether the conditions hold, and when they
 * do (or with X-Needletail-Hold-Anyway) takes the object's lock for the write that comes next with
 * the same token; 423 while another write has it. The proxy gathers a
 * majority of holds before anything is written, so who loses leaves nothing behind. A proxy that
 * does not come back loses its hold after a while. */
#include "lib/swift/conditional.h"
#include "objectd/object/object.h"

enum {
	WAIT_MS = 400,                  /* then the proxy hears that it has to wait longer */
	LEASE_MS = 10000,
	TOKEN_MAX = 96,
};

struct hold {
	struct list node;
	struct object_id id;
	struct str token;
	struct lock *lock;              /* NULL: the write has it, or it was given up */
	struct task *task;              /* waits for the end of the lease; frees */
	char text[TOKEN_MAX];
};

static struct list holds = { &holds, &holds };

static struct hold *find(const struct object_request *r, struct str token)
{
	list_for(n, &holds) {
		struct hold *h = list_entry(n, struct hold, node);

		if (h->lock && h->id.policy == r->id.policy &&
		    memcmp(h->id.hash, r->id.hash, sizeof h->id.hash) == 0 &&
		    str_eq(h->token, token))
			return h;
	}
	return NULL;
}

struct lock *object_hold_take(const struct object_request *r)
{
	/* Background jobs have no request. */
	struct str token =
		r->req ? headers_get(&r->req->headers, S("X-Needletail-Hold")) : STR_NONE;
	struct hold *h = token.n ? find(r, token) : NULL;

	if (!h)
		return NULL;
	task_wake(h->task);
	return TAKE(h->lock);
}

waits static void lease(void *arg)
{
	struct hold *h = arg;
	int rc = 0;

	while (rc == 0 && h->lock)
		rc = task_wait("a conditional write", LEASE_MS);
	list_remove(&h->node);
	lock_give(h->lock);
	free(h);
}

static void remember(struct object_request *r, struct str token, struct lock *lock)
{
	struct hold *h = xcalloc(1, sizeof *h);

	h->id = r->id;
	h->lock = lock;
	memcpy(h->text, token.p, token.n);
	h->token = str_of(h->text, token.n);
	list_push(&holds, &h->node);
	h->task = task_spawn(r->o->background, "hold", lease, h);
}

/* 200: there and as wished; 404: not there, as wished; 412; or a negative error. Tells how old what
 * is there is, for the proxy to see which device knows best. */
waits static int evaluate(struct object_request *r)
{
	struct str match = headers_get(&r->req->headers, S("If-Match"));
	struct str none_match = headers_get(&r->req->headers, S("If-None-Match"));
	AUTO(store_object) object = NULL;
	int rc = store_object_open(r->o->store, &r->id, r->req->arena, &object);
	bool there = false, newer = false;

	if (rc < 0 && rc != -ENOENT && rc != -EIO)
		return rc;
	if (rc == 0) {
		const struct object_entry *e = store_object_entry(object);

		there = e->state == OBJECT_DATA && !object_expired(r, e);
		newer = timestamp_cmp(e->data_ts, r->ts) >= 0;
		object_set_ts(&r->res->headers, S("X-Backend-Data-Timestamp"), e->data_ts);
	}
	/* What came after this request began would win over it. */
	if (newer)
		return 412;
	if (!there)
		return match.p ? 412 : 404;
	struct str etag = object_conditional_etag(&r->req->headers, store_object_metadata(object));

	if ((match.p && !etag_listed(match, etag)) ||
	    (none_match.p && etag_listed(none_match, etag)))
		return 412;
	return 200;
}

waits static int take_turn(struct object_request *r, struct lock **ret)
{
	TASK_DEADLINE(WAIT_MS);
	return object_lock(r, ret);
}

void object_hold(struct object_request *r)
{
	struct str token = headers_get(&r->req->headers, S("X-Needletail-Hold"));
	AUTO(lock) lock = NULL;
	int rc;

	if (token.n == 0 || token.n > TOKEN_MAX) {
		respond_status(r->res, 400);
		return;
	}
	if (headers_has(&r->req->headers, S("X-Needletail-Release"))) {
		lock_give(object_hold_take(r));
		respond_status(r->res, 204);
		return;
	}
	rc = take_turn(r, &lock);
	if (rc == -ETIMEDOUT) {         /* whose write has it is still there */
		respond_status(r->res, 423);
		return;
	}
	if (rc == 0)
		rc = evaluate(r);
	if (rc < 0)
		return objectd_respond_error(r->res, rc);
	respond_status(r->res, rc);
	if (rc == 412 && !headers_has(&r->req->headers, S("X-Needletail-Hold-Anyway")))
		return;
	headers_add_ref(&r->res->headers, S("X-Needletail-Held"), S("yes"));
	remember(r, token, TAKE(lock));
}
