/* Sends one object to a peer, as it is here: data, metadata or tombstone under their own
 * timestamps. */
#include "objectd/replicator/internal.h"

#include "objectd/object/metadata.h"

static void set_ts(struct headers *h, struct str name, struct timestamp ts)
{
	char text[TIMESTAMP_SIZE];

	timestamp_internal(ts, text);
	headers_set(h, name, str_from(text));
}

static void common_headers(struct headers *h, const struct object_id *id, struct timestamp ts)
{
	set_ts(h, S("X-Timestamp"), ts);
	headers_addf(h, S("X-Backend-Storage-Policy-Index"), "%u", id->policy);
	headers_add_ref(h, S("X-Backend-Replication"), S("true"));
	headers_add_ref(h, S("User-Agent"), S("object-replicator"));
}

void push_metadata_headers(struct headers *h, const struct headers *stored, bool with_data)
{
	CLEANUP(buf_done) struct buf names = BUF(64 * KIB);

	for (unsigned i = 0; i < stored->n; i++) {
		const struct header *s = &stored->v[i];

		if (str_ieq(s->name, S("ETag")) && !with_data)
			continue;
		headers_add_ref(h, s->name, s->value);
		if (!str_ieq(s->name, S("ETag")) && !str_ieq(s->name, S("Content-Type")))
			buf_addf(&names, "%s%.*s", names.n ? " " : "", STR(s->name));
	}
	headers_add(h, S("X-Backend-Replication-Headers"), buf_str(&names));
}

/* Stored, or something newer is there, or (a tombstone) nothing was there to delete. */
static int judge(struct replicator *r, struct peer *p, int status, bool deletion)
{
	if (status < 0) {
		peer_failed(r, p, status);
		return status;
	}
	if ((status >= 200 && status < 300) || status == 409 || (deletion && status == 404))
		return 0;
	if (status == 507)
		peer_failed(r, p, -ENOSPC);
	return -EREMOTEIO;
}

waits static int send_body(struct replicator *r, struct exchange *x, struct body *body)
{
	struct str chunk;
	int rc;

	while ((rc = body_next(body, &chunk)) > 0) {
		rc = replicator_throttle(r, chunk.n);
		if (rc == 0)
			rc = exchange_send_body(x, chunk);
		if (rc < 0)
			return rc;
		r->now->bytes += chunk.n;
		if (exchange_answered(x))       /* refused early */
			break;
	}
	return rc < 0 ? rc : 0;
}

/* One request; the status or negative. body may be NULL. *ret_ours: our own disk failed, not the
 * peer. */
waits static int exchange(struct replicator *r, struct peer *p, struct str method, struct str path,
			  const struct headers *h, struct body *body, uint64_t size, bool *ret_ours)
{
	AUTO(arena) a = arena_new();
	AUTO(exchange) x = NULL;
	struct response res = { 0 };
	int rc = exchange_start(r->o->client, &p->address, &x);

	*ret_ours = false;
	if (rc < 0)
		return rc;
	exchange_set_timeouts(x, replicator_conf.node_timeout, 0);
	rc = exchange_send(x, method, path, h, (int64_t)size, STR_NONE);
	if (rc == 0 && body) {
		rc = send_body(r, x, body);
		*ret_ours = rc == -EIO;
	}
	if (rc == 0)
		rc = exchange_receive(x, a, str_eq(method, S("HEAD")), &res);
	if (rc < 0)
		return rc;
	(void)!body_drain(res.body, 64 * KIB);
	body_close(res.body);
	return res.status;
}

waits static int push_data(struct replicator *r, struct peer *p, struct str path,
			   const struct object_id *id, struct store_object *object, struct arena *a)
{
	const struct object_entry *e = store_object_entry(object);
	struct body *body = e->size ? store_object_body(object, 0, e->size - 1) : NULL;
	struct headers h;
	bool ours;

	headers_init(&h, a);
	common_headers(&h, id, e->data_ts);
	push_metadata_headers(&h, store_object_metadata(object), true);
	int status = exchange(r, p, S("PUT"), path, &h, body, e->size, &ours);

	body_close(body);
	return ours ? status : judge(r, p, status, false);
}

waits static int push_metadata(struct replicator *r, struct peer *p, struct str path,
			       const struct object_id *id, struct store_object *object,
			       struct arena *a)
{
	const struct object_entry *e = store_object_entry(object);
	struct headers h;
	bool ours;

	headers_init(&h, a);
	common_headers(&h, id, e->meta_ts);
	push_metadata_headers(&h, store_object_metadata(object), false);
	/* The Content-Type is the data's own unless a POST gave another. */
	if (!headers_has(&h, S(META_CONTENT_TYPE_TS)))
		headers_remove(&h, S("Content-Type"));
	return judge(r, p, exchange(r, p, S("POST"), path, &h, NULL, 0, &ours), false);
}

waits static int push_tombstone(struct replicator *r, struct peer *p, struct str path,
				const struct object_id *id, struct timestamp ts, struct arena *a)
{
	struct headers h;
	bool ours;

	headers_init(&h, a);
	common_headers(&h, id, ts);
	return judge(r, p, exchange(r, p, S("DELETE"), path, &h, NULL, 0, &ours), true);
}

static struct str object_path(struct arena *a, struct peer *p, uint32_t part, struct str name)
{
	struct str rest = str_skip(name, 1), account = str_cut(&rest, '/'),
		   container = str_cut(&rest, '/');

	return backend_path_quote(a, str_from(p->device), part, account, container, rest);
}

int object_push(struct replicator *r, struct peer *p, uint32_t part, const struct object_id *id,
		char needs)
{
	AUTO(arena) a = arena_new();
	AUTO(store_object) object = NULL;
	int rc = store_object_open(r->o->store, id, a, &object);
	const struct object_entry *e;

	if (rc < 0)
		return rc;
	e = store_object_entry(object);
	struct str path = object_path(a, p, part, store_object_name(object));

	if (e->state == OBJECT_TOMBSTONE)
		return push_tombstone(r, p, path, id, e->data_ts, a);
	if (needs == PEER_NEEDS_DATA)
		rc = push_data(r, p, path, id, object, a);
	if (rc == 0 && timestamp_cmp(e->meta_ts, e->data_ts) > 0)
		rc = push_metadata(r, p, path, id, object, a);
	if (rc == 0)
		r->now->pushed++;
	return rc;
}

int object_ask_foreign(struct replicator *r, struct peer *p, uint32_t part,
		       const struct object_id *id, const struct object_entry *e, char *ret_needs)
{
	AUTO(arena) a = arena_new();
	AUTO(store_object) object = NULL;
	AUTO(exchange) x = NULL;
	struct object_entry theirs = { .state = OBJECT_DATA };
	struct response res = { 0 };
	struct headers h;
	int rc = store_object_open(r->o->store, id, a, &object);

	if (rc == 0)
		rc = exchange_start(r->o->client, &p->address, &x);
	if (rc < 0)
		return rc;
	struct str path = object_path(a, p, part, store_object_name(object));

	headers_init(&h, a);
	common_headers(&h, id, timestamp_now());
	rc = exchange_send(x, S("HEAD"), path, &h, 0, STR_NONE);
	if (rc == 0)
		rc = exchange_receive(x, a, true, &res);
	if (rc < 0) {
		peer_failed(r, p, rc);
		return rc;
	}
	struct str data = headers_get(&res.headers, S("X-Backend-Data-Timestamp"));
	struct str meta = headers_get(&res.headers, S("X-Backend-Timestamp"));

	body_close(res.body);
	if (res.status != 200 && res.status != 404)
		return judge(r, p, res.status, false);
	if (res.status == 404)
		theirs.state = OBJECT_TOMBSTONE;
	if (timestamp_parse(meta, &theirs.meta_ts) < 0)
		*ret_needs = PEER_NEEDS_DATA;
	else if (timestamp_parse(data.p ? data : meta, &theirs.data_ts) == 0)
		*ret_needs = entry_needs(&theirs, e);
	return 0;
}
