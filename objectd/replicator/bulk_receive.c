/* Takes many objects that came in one request: each goes the way of a replicator's PUT, POST or
 * DELETE, all at the same time, so that they share commits. */
#include "objectd/replicator/internal.h"

#include "lib/base/clock.h"
#include "objectd/object/object.h"
#include "objectd/store/bulk.h"

struct item_job {
	struct objectd *o;
	const struct request *from;     /* the request that brought it */
	uint32_t part;
	struct bulk_item item;
	char result;
};

static struct object_id object_id_of(const struct objectd *o, const struct bulk_item *i)
{
	struct str rest = str_skip(i->name, 1), account = str_cut(&rest, '/'),
		   container = str_cut(&rest, '/');
	struct object_id id = { .policy = i->policy };

	ring_hash_path(o->cluster->hash_prefix, o->cluster->hash_suffix, account, container, rest,
		       id.hash);
	return id;
}

static void set_ts(struct headers *h, struct timestamp ts)
{
	char text[TIMESTAMP_SIZE];

	timestamp_internal(ts, text);
	headers_add(h, S("X-Timestamp"), str_from(text));
}

static void make_request(const struct item_job *j, struct arena *a, enum http_method method,
			 struct timestamp ts, struct str data, struct request *req)
{
	struct headers *h = &req->headers;

	*req = (struct request){
		.magic = REQUEST_MAGIC, .method = method,
		.method_name = str_from(http_method_name(method)), .target = j->from->target,
		.path = j->from->path, .minor = 1, .content_length = (int64_t)data.n, .arena = a,
		.peer_ip = j->from->peer_ip, .peer_port = j->from->peer_port,
		.started_us = clock_wall_us(), .trans_id = j->from->trans_id,
		.body = data.n ? body_bytes(a, data) : body_empty(a),
	};
	headers_init(h, a);
	set_ts(h, ts);
	headers_addf(h, S("X-Backend-Storage-Policy-Index"), "%u", j->item.policy);
	headers_add_ref(h, S("X-Backend-Replication"), S("true"));
	headers_addf(h, S("Content-Length"), "%zu", data.n);
	if (method != HTTP_DELETE)
		push_metadata_headers(h, &j->item.metadata, method == HTTP_PUT);
	/* The Content-Type is the data's own unless a POST gave another. */
	if (method == HTTP_POST && !headers_has(h, S(META_CONTENT_TYPE_TS)))
		headers_remove(h, S("Content-Type"));
	/* The sender verified the bytes, and the CRC says that they are the same here. */
	struct str etag = headers_get(&j->item.metadata, S("ETag"));

	if (method == HTTP_PUT && etag.n)
		headers_add_ref(h, S("X-Needletail-Etag"), etag);
}

/* The status of one verb. */
waits static int run(const struct item_job *j, enum http_method method, struct timestamp ts,
		     struct str data)
{
	AUTO(arena) a = arena_new();
	struct str rest = str_skip(j->item.name, 1);
	struct backend_path path = { .device = str_from(j->o->device), .partition = j->part };
	struct request *req = arena_zalloc(a, sizeof *req);
	struct response *res = arena_zalloc(a, sizeof *res);

	path.account = str_cut(&rest, '/');
	path.container = str_cut(&rest, '/');
	path.object = rest;
	response_init(res, a);
	make_request(j, a, method, ts, data, req);
	object_handle(j->o, req, res, &path);
	body_close(req->body);
	body_close(res->body);
	return res->status;
}

static char judge(int status, bool deletion)
{
	if ((status >= 200 && status < 300) || status == 409 || (deletion && status == 404))
		return BULK_STORED;
	return status == 507 ? BULK_FULL : BULK_FAILED;
}

task_asserted static void item_run(void *arg)
{
	struct item_job *j = arg;
	const struct bulk_item *i = &j->item;

	if (i->what == BULK_TOMBSTONE) {
		j->result = judge(run(j, HTTP_DELETE, i->data_ts, STR_NONE), true);
		return;
	}
	j->result = i->what == BULK_DATA ? judge(run(j, HTTP_PUT, i->data_ts, i->data), false)
					 : BULK_STORED;
	if (j->result == BULK_STORED && timestamp_cmp(i->meta_ts, i->data_ts) > 0)
		j->result = judge(run(j, HTTP_POST, i->meta_ts, STR_NONE), false);
}

/* Whether it can be stored as it is, provided that nothing is known of it here. */
static bool is_plain(const struct bulk_item *i)
{
	return i->what == BULK_DATA && headers_has(&i->metadata, S("ETag")) &&
	       headers_has(&i->metadata, S("Content-Type"));
}

/* Another device was faster: several fill an empty one at the same time. */
static bool is_here(const struct bulk_item *i, const struct store_bulk_put *p)
{
	struct object_entry theirs = { .state = OBJECT_DATA, .data_ts = i->data_ts,
				       .meta_ts = i->meta_ts };

	return p->result == -EEXIST && p->existing.state != 0 &&
	       entry_needs(&p->existing, &theirs) == PEER_HAS_IT;
}

/* What is new here goes into the store at once. Fills in done: nothing else is left to do for
 * those, unless they had a POST. */
waits static int store_new(struct objectd *o, struct item_job *jobs, unsigned n, bool *done)
{
	AUTO(free) room = xcalloc(n + 1, sizeof(struct store_bulk_put));
	struct store_bulk_put *list = room;
	unsigned used = 0, at = 0;

	for (unsigned k = 0; k < n; k++) {
		const struct bulk_item *i = &jobs[k].item;
		struct store_put *p = &list[used].put;
		uint64_t delete_at = 0;

		if (!is_plain(i))
			continue;
		(void)!str_to_u64(headers_get(&i->metadata, S("X-Delete-At")), &delete_at);
		*p = (struct store_put){ .id = object_id_of(o, i), .ts = i->data_ts,
					 .name = i->name, .metadata = &i->metadata,
					 .delete_at = (int64_t)delete_at };
		list[used++].data = i->data;
	}
	int rc = used ? store_put_all(o->store, list, used) : 0;

	for (unsigned k = 0; k < n; k++) {
		if (!is_plain(&jobs[k].item))
			continue;
		done[k] = list[at].result == 0;
		if (done[k])
			replicator_touch(o->replicator, &list[at].put.id);
		else if (is_here(&jobs[k].item, &list[at])) {
			done[k] = true;
			jobs[k].item.meta_ts = jobs[k].item.data_ts;
		}
		at++;
	}
	return rc;
}

/* All else goes the way of single requests. */
waits static int run_all(struct item_job *jobs, unsigned n, const bool *done)
{
	TASK_GROUP(g);

	for (unsigned i = 0; i < n; i++) {
		struct bulk_item *item = &jobs[i].item;

		if (done[i]) {
			jobs[i].result = BULK_STORED;
			if (timestamp_cmp(item->meta_ts, item->data_ts) <= 0)
				continue;
			item->what = BULK_METADATA;
		}
		task_spawn(&g, "replica", item_run, &jobs[i]);
	}
	return task_group_join(&g);
}

/* Body: objects as bulk_take reads them; answer: a character each, what became of it. */
void bulk_receive(struct objectd *o, struct request *req, struct response *res, struct str body)
{
	struct item_job *jobs = arena_zalloc(req->arena, BULK_OBJECTS * sizeof *jobs);
	bool *done = arena_zalloc(req->arena, BULK_OBJECTS * sizeof *done);
	struct str rest = req->path;
	uint64_t part = 0;
	unsigned n = 0;

	rest = str_skip(rest, 1);
	(void)str_cut(&rest, '/');
	(void)!str_to_u64(str_cut(&rest, '/'), &part);
	while (body.n) {
		if (n == BULK_OBJECTS)
			return respond_status(res, 413);
		jobs[n] = (struct item_job){
			.o = o, .from = req, .part = (uint32_t)part, .result = BULK_FAILED
		};
		if (bulk_take(&body, req->arena, &jobs[n++].item) < 0)
			return respond_status(res, 400);
	}
	int rc = store_new(o, jobs, n, done);

	if (rc < 0)
		return objectd_respond_error(res, rc);
	if (run_all(jobs, n, done) < 0)
		return respond_status(res, 503);
	char *out = arena_alloc(req->arena, n + 1);

	for (unsigned i = 0; i < n; i++)
		out[i] = jobs[i].result;
	respond(res, 200, S("application/x-needletail"), str_of(out, n));
}
