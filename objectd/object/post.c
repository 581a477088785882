/* POST to an object: its metadata is replaced. Swift: obj/server.py POST */
#include "lib/swift/metadata.h"
#include "objectd/object/object.h"
#include "objectd/replicator/replicator.h"
#include "objectd/updater/updater.h"

/* Everything between reading the object and answering. */
struct post {
	struct object_request *r;
	struct object_entry entry;
	const struct headers *existing; /* in the request's arena */
	struct timestamp content_type_ts;       /* after this POST */
	struct headers metadata;        /* to be stored */
	struct timestamp ts;            /* to be stored with */
	struct object_change change;
	struct store_txn *txn;          /* pending rows that were stored with it; may be NULL */
};

waits static int read_existing(struct post *p)
{
	struct object_request *r = p->r;
	AUTO(store_object) object = NULL;
	int rc = store_object_open(r->o->store, &r->id, r->req->arena, &object);

	if (rc < 0)
		return rc == -EIO ? -ENOENT : rc;
	p->entry = *store_object_entry(object);
	if (p->entry.state != OBJECT_DATA)
		return -ENOENT;
	if (p->entry.delete_at && !r->replication &&
	    p->entry.delete_at * 1000000 <= timestamp_us(r->ts))
		return -ENOENT;
	struct headers *copy = arena_alloc(r->req->arena, sizeof *copy);

	headers_init(copy, r->req->arena);
	headers_copy(copy, store_object_metadata(object));
	p->existing = copy;
	return 0;
}

/* The Content-Type that this POST brings, and since when; absent when it brings none. */
static struct str new_content_type(struct object_request *r, struct timestamp *ret_ts)
{
	struct str type = headers_get(&r->req->headers, S("Content-Type"));
	struct str at = headers_get(&r->req->headers, S(META_CONTENT_TYPE_TS));

	*ret_ts = (struct timestamp){ 0 };
	if (type.n == 0)
		return STR_NONE;
	if (!at.p || timestamp_parse(at, ret_ts) < 0)
		*ret_ts = r->ts;
	return type;
}

/* The Content-Type that was PUT may count the bytes of a large object; that must stay with the
 * listing. */
static void replace_content_type(struct post *p, const struct headers *data, struct str type)
{
	struct str old = headers_get(data, S("Content-Type"));
	struct str bytes = headers_get(data, S(META_SWIFT_BYTES));
	char text[TIMESTAMP_SIZE];

	if (!bytes.p)
		bytes = meta_swift_bytes(old);
	headers_set(&p->metadata, S("Content-Type"), type);
	timestamp_internal(p->content_type_ts, text);
	headers_set(&p->metadata, S(META_CONTENT_TYPE_TS), str_from(text));
	if (bytes.p)
		headers_set(&p->metadata, S(META_SWIFT_BYTES), bytes);
}

/* 0, or -EALREADY when neither metadata nor Content-Type are newer than what is there. */
static int build(struct post *p)
{
	struct object_request *r = p->r;
	struct timestamp old_ts = meta_content_type_ts(p->existing, p->entry.data_ts), type_ts;
	struct str type = new_content_type(r, &type_ts);
	bool newer = timestamp_cmp(r->ts, p->entry.meta_ts) > 0;
	bool type_newer = type.p && timestamp_cmp(type_ts, old_ts) > 0;

	if (!newer && !type_newer)
		return -EALREADY;
	headers_init(&p->metadata, r->req->arena);
	if (newer) {
		p->ts = r->ts;
		meta_of_post(&r->req->headers, p->existing, &p->metadata);
	} else {
		/* Only the Content-Type is newer (from a replicator): the rest stays. An offset
		 * makes the change the newest without changing the time that clients see. */
		p->ts = p->entry.meta_ts;
		p->ts.offset++;
		headers_copy(&p->metadata, p->existing);
	}
	p->content_type_ts = type_newer ? type_ts : old_ts;
	if (type_newer)
		replace_content_type(p, p->existing, type);
	return 0;
}

/* What the container should show. A Content-Type from a POST does not say swift_bytes itself. */
static struct str listed_content_type(struct post *p)
{
	struct str type = headers_get(&p->metadata, S("Content-Type"));
	struct str bytes = headers_get(&p->metadata, S(META_SWIFT_BYTES));

	if (!bytes.p || timestamp_cmp(p->content_type_ts, p->entry.data_ts) == 0)
		return type;
	return arena_printf(p->r->req->arena, "%.*s;swift_bytes=%.*s", STR(type), STR(bytes));
}

static int64_t delete_at_of(const struct headers *h)
{
	uint64_t at;

	return str_to_u64(headers_get(h, S("X-Delete-At")), &at) == 0 ? (int64_t)at : 0;
}

int object_keep_post(struct object_request *r, const struct headers *put,
		     struct object_kept_post *ret)
{
	struct post p = { .r = r };
	struct object_entry e;
	struct timestamp type_ts;
	int rc = store_lookup(r->o->store, &r->id, &e);

	ret->any = false;
	if (rc < 0 || e.state != OBJECT_DATA || timestamp_cmp(e.meta_ts, r->ts) <= 0)
		return rc == -ENOENT ? 0 : rc;
	rc = read_existing(&p);
	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	*ret = (struct object_kept_post){ .any = true, .ts = p.entry.meta_ts };
	headers_init(&ret->metadata, r->req->arena);
	meta_of_post(p.existing, put, &ret->metadata);
	type_ts = meta_content_type_ts(p.existing, p.entry.data_ts);
	if (timestamp_cmp(type_ts, r->ts) > 0) {
		p.content_type_ts = type_ts;
		p.metadata = ret->metadata;
		replace_content_type(&p, put, headers_get(p.existing, S("Content-Type")));
		ret->metadata = p.metadata;
	}
	ret->delete_at = delete_at_of(&ret->metadata);
	return 0;
}

waits static int store(struct post *p)
{
	struct object_request *r = p->r;
	int64_t delete_at = delete_at_of(&p->metadata);
	struct object_change *c = &p->change;
	struct str ec_etag = headers_get(p->existing, S("X-Object-Sysmeta-Ec-Etag"));
	struct str ec_size = headers_get(p->existing, S("X-Object-Sysmeta-Ec-Content-Length"));

	*c = (struct object_change){
		.row = { .size = p->entry.size, .ts = p->entry.data_ts,
			 .content_type_ts = p->content_type_ts, .meta_ts = p->ts,
			 .content_type = listed_content_type(p),
			 .etag = headers_get(&p->metadata, S("ETag")) },
		.delete_at_new = delete_at, .delete_at_old = p->entry.delete_at,
	};
	if (ec_etag.p)
		c->row.etag = ec_etag;
	if (ec_size.p)
		(void)!str_to_u64(ec_size, &c->row.size);
	object_change_override(c, p->existing);
	object_change_prepare(r, c, &p->txn);
	int rc = store_post(r->o->store, &r->id, p->ts, &p->metadata, delete_at, p->txn, NULL);

	replicator_touch(r->o->replicator, &r->id);
	return rc;
}

static void respond_accepted(struct post *p)
{
	struct response *res = p->r->res;

	respond_status(res, 202);
	headers_set(&res->headers, S("X-Backend-Content-Type"),
		    headers_get(&p->metadata, S("Content-Type")));
	assert(p->existing);
	for (unsigned i = 0; i < p->existing->n; i++)
		if (meta_is_sys(p->existing->v[i].name))
			headers_add_ref(&res->headers, p->existing->v[i].name,
					p->existing->v[i].value);
}

void object_post(struct object_request *r)
{
	AUTO(lock) lock = NULL;
	struct post p = { .r = r };
	int rc;

	if (delete_headers_check(r->req, r->ts, r->res) < 0)
		return;
	rc = object_lock(r, &lock);
	if (rc == 0)
		rc = read_existing(&p);
	if (rc == 0)
		rc = build(&p);
	if (rc == 0)
		rc = store(&p);
	lock_give(TAKE(lock));
	if (rc == 0)
		rc = object_change_deliver(r, &p.change, p.txn);
	if (rc == -ENOENT)
		respond_status(r->res, 404);
	else if (rc == -EALREADY)
		object_respond_conflict(r, p.entry.meta_ts);
	else if (rc < 0)
		objectd_respond_error(r->res, rc);
	else
		respond_accepted(&p);
}
