/* GET and HEAD of an object. Swift: obj/server.py GET, HEAD */
#include "lib/swift/conditional.h"
#include "lib/base/clock.h"
#include "objectd/object/object.h"

/* A response body that keeps its object open. */
struct object_body {
	struct body body, *inner;
	struct store_object *object;
};

task_asserted static int object_body_next(struct body *b, struct str *ret_chunk)
{
	struct object_body *self = container_of(b, struct object_body, body);
	int rc = body_next(self->inner, ret_chunk);

	b->left = self->inner->left;
	return rc;
}

task_asserted static void object_body_close(struct body *b)
{
	struct object_body *self = container_of(b, struct object_body, body);

	body_close(self->inner);
	store_object_close(self->object);
	self->object = NULL;
}

static struct body *object_body(struct arena *a, struct body *inner, struct store_object *object)
{
	struct object_body *self = arena_zalloc(a, sizeof *self);

	self->body = (struct body){ .next = object_body_next,
				    .close = object_body_close,
				    .left = inner->left };
	self->inner = inner;
	self->object = object;
	return &self->body;
}

static struct body *open_range(void *object, uint64_t first, uint64_t last)
{
	return store_object_body(object, first, last);
}

/* 404, or 412 for If-Match: *; with the time of the deletion when there was one. */
static void respond_missing(struct object_request *r, struct timestamp deleted)
{
	if (conditional_status(&r->req->headers, 404, STR_NONE, 0) == 412)
		respond_status(r->res, 412);
	else
		respond_status(r->res, 404);
	if (timestamp_is_set(deleted))
		object_set_ts(&r->res->headers, S("X-Backend-Timestamp"), deleted);
}

struct str object_conditional_etag(const struct headers *request, const struct headers *meta)
{
	struct str rest = headers_get(request, S("X-Backend-Etag-Is-At")), name;

	while ((name = str_cut(&rest, ',')).p) {
		struct str value = headers_get(meta, str_trim(name));

		if (value.p)
			return value;
	}
	return headers_get(meta, S("ETag"));
}

static bool range_ignored(const struct headers *request, const struct headers *meta)
{
	struct str rest = headers_get(request, S("X-Backend-Ignore-Range-If-Metadata-Present")),
		   name;

	while ((name = str_cut(&rest, ',')).p)
		if (headers_has(meta, str_trim(name)))
			return true;
	return false;
}

static void add_headers(struct object_request *r, const struct object_entry *e,
			const struct headers *meta)
{
	struct headers *h = &r->res->headers;
	struct str type = headers_get(meta, S("Content-Type"));
	char text[TIMESTAMP_SIZE], date[HTTP_DATE_SIZE];

	headers_add_ref(h, S("Content-Type"), type.n ? type : S("application/octet-stream"));
	for (unsigned i = 0; i < meta->n; i++)
		if (meta_is_shown(meta->v[i].name))
			headers_add_ref(h, meta->v[i].name, meta->v[i].value);
	headers_addf(h, S("Etag"), "\"%.*s\"", STR(headers_get(meta, S("ETag"))));
	clock_http_date(timestamp_ceil_s(e->meta_ts), date);
	headers_add(h, S("Last-Modified"), str_from(date));
	timestamp_normal(e->meta_ts, text);
	headers_add(h, S("X-Timestamp"), str_from(text));
	timestamp_internal(e->meta_ts, text);
	headers_add(h, S("X-Backend-Timestamp"), str_from(text));
	timestamp_internal(e->data_ts, text);
	headers_add(h, S("X-Backend-Data-Timestamp"), str_from(text));
	headers_add(h, S("X-Backend-Durable-Timestamp"), str_from(text));
}

bool object_expired(const struct object_request *r, const struct object_entry *e)
{
	if (e->delete_at == 0 || r->replication ||
	    str_is_true(headers_get(&r->req->headers, S("X-Backend-Open-Expired"))))
		return false;
	return e->delete_at * 1000000 <= timestamp_us(r->ts);
}

void object_get(struct object_request *r)
{
	AUTO(store_object) object = NULL;
	const struct headers *meta, *request = &r->req->headers;
	const struct object_entry *e;
	int rc = store_object_open(r->o->store, &r->id, r->req->arena, &object);

	if (rc == -ENOENT || rc == -EIO)        /* damaged: quarantined, as if it were not there */
		return respond_missing(r, (struct timestamp){ 0 });
	if (rc < 0)
		return objectd_respond_error(r->res, rc);
	e = store_object_entry(object);
	if (e->state == OBJECT_TOMBSTONE)
		return respond_missing(r, e->data_ts);
	if (object_expired(r, e))
		return respond_missing(r, e->meta_ts);
	meta = store_object_metadata(object);
	add_headers(r, e, meta);
	struct entity entity = {
		.size = e->size, .etag = object_conditional_etag(request, meta),
		.last_modified = timestamp_ceil_s(e->meta_ts),
		.ignore_range = range_ignored(request, meta), .open = open_range, .arg = object,
	};

	conditional_respond(r->req, r->res, &entity);
	if (r->res->body && (r->res->status == 200 || r->res->status == 206))
		r->res->body = object_body(r->req->arena, r->res->body, TAKE(object));
}
