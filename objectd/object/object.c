/* Prepares object requests for their verbs: policy, hash, timestamp. */
#include "objectd/object/object.h"

void object_set_ts(struct headers *h, struct str name, struct timestamp ts)
{
	char text[TIMESTAMP_SIZE];

	timestamp_internal(ts, text);
	headers_set(h, name, str_from(text));
}

void object_respond_conflict(struct object_request *r, struct timestamp existing)
{
	respond_status(r->res, 409);
	object_set_ts(&r->res->headers, S("X-Backend-Timestamp"), existing);
}

int object_lock(struct object_request *r, struct lock **ret)
{
	unsigned char key[2 + sizeof r->id.hash] = { (unsigned char)(r->id.policy >> 8),
						     (unsigned char)r->id.policy };

	*ret = object_hold_take(r);
	if (*ret)
		return 0;
	memcpy(key + 2, r->id.hash, sizeof r->id.hash);
	return lock_take(r->o->object_locks, str_of((const char *)key, sizeof key), ret);
}

/* X-Backend-Storage-Policy-Index; absent is the first
 * (request_helpers.py get_name_and_placement). */
static int find_policy(struct object_request *r)
{
	struct str text = headers_get(&r->req->headers, S("X-Backend-Storage-Policy-Index"));
	uint64_t index = 0;

	if ((text.n && str_to_u64(text, &index) < 0) || index >= UINT16_MAX ||
	    !cluster_policy(r->o->cluster, (unsigned)index)) {
		respond_text(r->res, 503, "No policy with index %.*s", STR(text));
		return -EINVAL;
	}
	r->policy_index = (unsigned)index;
	r->id.policy = (uint16_t)index;
	return 0;
}

static bool is_reserved(struct str name)
{
	return name.n > 0 && name.p[0] == 0;
}

/* A NUL makes a name reserved (old versions of objects) and stands in front or nowhere; objects and
 * their container are reserved together, except in hidden accounts. Swift: request_helpers.py
 * validate_internal_obj */
static int check_names(struct object_request *r)
{
	const struct backend_path *p = r->path;
	const struct {
		struct str name;
		const char *what;
	} parts[] = { { p->account, "account" },
		      { p->container, "container" },
		      { p->object, "object" } };
	bool hidden = p->account.p[0] == '.';

	for (unsigned i = 0; i < (hidden ? 2 : 3); i++) {
		if (str_chr(parts[i].name, 0) < 0 || is_reserved(parts[i].name))
			continue;
		respond_text(r->res, 400, "Invalid reserved-namespace %s", parts[i].what);
		return -EINVAL;
	}
	if (hidden || is_reserved(p->container) == is_reserved(p->object))
		return 0;
	respond_text(r->res, 400, is_reserved(p->container) ?
		     "Invalid user-namespace object in reserved-namespace container" :
		     "Invalid reserved-namespace object in user-namespace container");
	return -EINVAL;
}

void object_handle(struct objectd *o, struct request *req, struct response *res,
		   const struct backend_path *p)
{
	struct object_request r = { .o = o, .req = req, .res = res, .path = p };
	const struct cluster *c = o->cluster;
	bool reads = req->method == HTTP_GET || req->method == HTTP_HEAD;

	if (find_policy(&r) < 0 || check_names(&r) < 0)
		return;
	ring_hash_path(c->hash_prefix, c->hash_suffix, p->account, p->container, p->object,
		       r.id.hash);
	r.name = swift_path_join(req->arena, p->account, p->container, p->object);
	r.replication = str_is_true(headers_get(&req->headers, S("X-Backend-Replication")));
	if (reads && !headers_has(&req->headers, S("X-Timestamp")))
		r.ts = timestamp_now();
	else if (objectd_timestamp(req, res, &r.ts) < 0)
		return;
	switch (req->method) {
	case HTTP_HEAD:
		if (headers_has(&req->headers, S("X-Needletail-Hold")))
			return object_hold(&r);
		return object_get(&r);
	case HTTP_GET:
		return object_get(&r);
	case HTTP_PUT:
		return object_put(&r);
	case HTTP_POST:
		return object_post(&r);
	case HTTP_DELETE:
		return object_delete(&r);
	default:
		respond_status(res, 405);
	}
}

/* A pickled empty dictionary, protocol 2: no suffix has anything to compare, so a Swift replicator
 * sends all it has. */
void object_replicate(struct request *req, struct response *res)
{
	(void)req;
	respond(res, 200, S("application/octet-stream"), S("\x80\x02}q\x00."));
}
