/* DELETE of an object: a tombstone. Swift: obj/server.py DELETE */
#include "objectd/object/object.h"
#include "objectd/replicator/replicator.h"
#include "objectd/updater/updater.h"

/* What is there now, as far as DELETE cares. */
struct present {
	struct timestamp ts;            /* of data or tombstone; unset: nothing */
	int64_t delete_at;
	struct str content_type;
	bool live;
};

waits static int look(struct object_request *r, struct present *ret)
{
	AUTO(store_object) object = NULL;
	int rc = store_object_open(r->o->store, &r->id, r->req->arena, &object);
	const struct object_entry *e;

	*ret = (struct present){ .content_type = S("") };
	if (rc == -ENOENT || rc == -EIO)
		return 0;
	if (rc < 0)
		return rc;
	e = store_object_entry(object);
	ret->ts = e->data_ts;
	if (e->state != OBJECT_DATA)
		return 0;
	ret->delete_at = e->delete_at;
	ret->live = e->delete_at == 0 || e->delete_at * 1000000 > timestamp_us(r->ts);
	ret->content_type = arena_str(
		r->req->arena, headers_get(store_object_metadata(object), S("Content-Type")));
	return 0;
}

/* X-If-Delete-At: an expirer only deletes what still expires then. 0: go on; answered otherwise. */
static int check_if_delete_at(struct object_request *r, const struct present *p, int *status)
{
	struct str text = headers_get(&r->req->headers, S("X-If-Delete-At"));
	struct timestamp at;

	if (!text.p)
		return 0;
	if (timestamp_parse(text, &at) < 0)
		respond_html(r->res, 400, "Bad X-If-Delete-At header value");
	else if (!timestamp_is_set(p->ts))
		respond_status(r->res, 404);
	else if (timestamp_cmp(p->ts, r->ts) >= 0)
		respond_status(r->res, 409);
	else if (timestamp_us(at) != p->delete_at * 1000000)
		respond_html(r->res, 412, "X-If-Delete-At and X-Delete-At do not match");
	else {
		*status = 204;
		return 0;
	}
	return -EINVAL;
}

void object_delete(struct object_request *r)
{
	struct object_change c = { .row = { .deleted = true, .ts = r->ts } };
	struct store_txn *txn = NULL;
	AUTO(lock) lock = NULL;
	struct present p = { 0 };
	int status, rc = object_lock(r, &lock);
	bool newer;

	if (rc == 0)
		rc = look(r, &p);
	if (rc < 0)
		return objectd_respond_error(r->res, rc);
	newer = timestamp_cmp(p.ts, r->ts) < 0;
	status = !p.live ? 404 : newer ? 204 : 409;
	if (check_if_delete_at(r, &p, &status) < 0)
		return;
	if (newer) {
		c.delete_at_old = p.delete_at;
		object_change_prepare(r, &c, &txn);
		rc = store_delete(r->o->store, &r->id, r->name, r->ts, txn, NULL);
		replicator_touch(r->o->replicator, &r->id);
	}
	lock_give(TAKE(lock));
	if (newer && rc == 0)
		rc = object_change_deliver(r, &c, txn);
	if (rc < 0)
		return objectd_respond_error(r->res, rc);
	respond_status(r->res, status);
	object_set_ts(&r->res->headers, S("X-Backend-Timestamp"), newer ? r->ts : p.ts);
	headers_set(&r->res->headers, S("X-Backend-Content-Type"), p.content_type);
}
