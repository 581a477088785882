/* The receiving side: what other devices' replicators ask of this one. */
#include "objectd/replicator/internal.h"

#include "lib/base/clock.h"

waits static void answer(struct request *req, struct response *res, struct buf *b)
{
	if (buf_failed(b))
		return respond_status(res, 413);
	respond(res, 200, S("application/x-needletail"), arena_str(req->arena, buf_str(b)));
}

static int part_cmp(const void *key, const void *held)
{
	uint32_t part = *(const uint32_t *)key, other = ((const struct part_held *)held)->part;

	return part < other ? -1 : part > other;
}

/* Body: policy, part power, partitions; answer: 8 bytes of digest each. */
waits static void handle_digest(struct objectd *o, struct request *req, struct response *res,
				struct str body)
{
	CLEANUP(buf_done) struct buf out = BUF(REPLICATOR_BODY_MAX), held = BUF(HELD_BYTES_MAX);
	uint32_t policy, part_power, part, first = UINT32_MAX, last = 0;

	if (wire_take_u32(&body, &policy) < 0 || wire_take_u32(&body, &part_power) < 0 ||
	    policy >= POLICIES_MAX || part_power > RING_PART_POWER_MAX)
		return respond_status(res, 400);
	for (struct str rest = body; rest.n;) {
		if (wire_take_u32(&rest, &part) < 0 || (uint64_t)part >> part_power)
			return respond_status(res, 400);
		first = MIN(first, part);
		last = MAX(last, part);
	}
	if (body.n) {
		int rc = parts_walk(o->replicator, (uint16_t)policy, part_power, first, last,
				    &held);

		if (rc < 0)
			return objectd_respond_error(res, rc);
	}
	while (wire_take_u32(&body, &part) == 0) {
		const struct part_held *h = bsearch(&part, held.p, held.n / sizeof *h, sizeof *h,
						    part_cmp);

		wire_u64(&out, h ? h->digest : 0);
	}
	answer(req, res, &out);
}

/* The entries of this device for listed objects, which are in hash order: found by
 * reading along. */
struct along {
	struct objectd *o;
	uint16_t policy;
	unsigned char last[16];         /* of all that are asked for */
	struct object_listed list[CHUNK_ENTRIES];
	int n, at;
};

waits static int along_find(struct along *a, const unsigned char hash[16],
			    const struct object_entry **ret)
{
	for (;;) {
		while (a->at < a->n && memcmp(a->list[a->at].hash, hash, 16) < 0)
			a->at++;
		if (a->at < a->n || (a->n >= 0 && a->n < CHUNK_ENTRIES))
			break;
		a->n = store_list(a->o->store, a->policy, hash, a->last, a->list, CHUNK_ENTRIES);
		a->at = 0;
		if (a->n < 0)
			return a->n;
	}
	*ret = a->at < a->n && memcmp(a->list[a->at].hash, hash, 16) == 0 ? &a->list[a->at].entry
									  : NULL;
	return 0;
}

/* Body: policy, objects in hash order; answer: a character each, what is needed of it. */
waits static void handle_missing(struct objectd *o, struct request *req, struct response *res,
				 struct str body)
{
	CLEANUP(buf_done) struct buf out = BUF(REPLICATOR_BODY_MAX);
	struct along *a = arena_zalloc(req->arena, sizeof *a);
	uint32_t policy;

	if (wire_take_u32(&body, &policy) < 0 || policy >= POLICIES_MAX || body.n % LISTED_SIZE ||
	    body.n == 0)
		return respond_status(res, 400);
	*a = (struct along){
		.o = o, .policy = (uint16_t)policy, .n = CHUNK_ENTRIES, .at = CHUNK_ENTRIES
	};
	memcpy(a->last, body.p + body.n - LISTED_SIZE, 16);
	while (body.n) {
		const struct object_entry *mine;
		struct object_listed theirs;

		if (wire_take_listed(&body, &theirs) < 0)
			return respond_status(res, 400);
		int rc = along_find(a, theirs.hash, &mine);

		if (rc < 0)
			return objectd_respond_error(res, rc);
		buf_add_char(&out, entry_needs(mine, &theirs.entry));
	}
	answer(req, res, &out);
}

/* ---- databases ---- */

static int take_id(struct str *body, struct db_id *ret)
{
	uint32_t kind;

	if (wire_take_u32(body, &kind) < 0 || (kind != DB_ACCOUNT && kind != DB_CONTAINER) ||
	    body->n < sizeof ret->hash)
		return -EBADMSG;
	ret->kind = (enum db_kind)kind;
	memcpy(ret->hash, body->p, sizeof ret->hash);
	*body = str_skip(*body, sizeof ret->hash);
	return 0;
}

/* Body: ids with digests; answer: '0' where this device has the same. */
waits static void handle_compare(struct objectd *o, struct request *req, struct response *res,
				 struct str body)
{
	CLEANUP(buf_done) struct buf out = BUF(REPLICATOR_BODY_MAX);

	while (body.n) {
		AUTO(db_info) info = NULL;
		unsigned char digest[DB_DIGEST_SIZE];
		struct db_id id;
		int rc = take_id(&body, &id);

		if (rc < 0 || body.n < sizeof digest)
			return respond_status(res, 400);
		rc = db_info_get(o->dbs, &id, &info);
		if (rc < 0)
			return objectd_respond_error(res, rc);
		if (info->exists)
			db_info_digest(info, digest);
		buf_add_char(&out, info->exists && memcmp(digest, body.p, sizeof digest) == 0
					   ? '0'
					   : '1');
		body = str_skip(body, sizeof digest);
	}
	answer(req, res, &out);
}

static int take_name(struct str *body, struct str *ret)
{
	uint32_t n;

	if (wire_take_u32(body, &n) < 0 || n > body->n)
		return -EBADMSG;
	*ret = n ? str_head(*body, n) : STR_NONE;
	*body = str_skip(*body, n);
	return 0;
}

/* Body: id, and ranges of names with digests; answer: '0' where this device has the same. */
waits static void handle_ranges(struct objectd *o, struct request *req, struct response *res,
				struct str body)
{
	CLEANUP(buf_done) struct buf out = BUF(REPLICATOR_BODY_MAX), last = BUF(64 * KIB);
	struct db_id id;

	if (take_id(&body, &id) < 0)
		return respond_status(res, 400);
	while (body.n) {
		struct str after, until;
		struct db_range mine;

		if (take_name(&body, &after) < 0 || take_name(&body, &until) < 0 ||
		    body.n < sizeof mine.digest)
			return respond_status(res, 400);
		buf_clear(&last);
		int rc = db_digest_range(o->dbs, &id, after, until, UINT64_MAX, &mine, &last);

		if (rc < 0)
			return objectd_respond_error(res, rc);
		buf_add_char(&out,
			     memcmp(mine.digest, body.p, sizeof mine.digest) == 0 ? '0' : '1');
		body = str_skip(body, sizeof mine.digest);
	}
	answer(req, res, &out);
}

/* Body: id, and what db_export_info or db_export_rows wrote. */
waits static void handle_import(struct objectd *o, struct request *req, struct response *res,
				struct str body)
{
	int64_t reclaim_s = (int64_t)(replicator_conf.reclaim_age / 1000);
	struct db_id id;
	int rc;

	(void)req;
	if (take_id(&body, &id) < 0)
		return respond_status(res, 400);
	rc = db_import(o->dbs, &id, body, timestamp_of_us((clock_wall_s() - reclaim_s) * 1000000));
	if (rc == -ENOENT)
		return respond_status(res, 404);
	if (rc < 0)
		return objectd_respond_error(res, rc);
	respond_text(res, 200, "merged");
}

bool receive_handle(struct objectd *o, struct request *req, struct response *res, struct str what)
{
	static const struct {
		struct str name;
		void (*handle)(struct objectd *o, struct request *req, struct response *res,
			       struct str body);
	} handlers[] = {
		{ STR_INIT("digest"), handle_digest },
		{ STR_INIT("missing"), handle_missing },
		{ STR_INIT("objects"), bulk_receive },
		{ STR_INIT("db-compare"), handle_compare },
		{ STR_INIT("db-ranges"), handle_ranges },
		{ STR_INIT("db-import"), handle_import },
	};

	for (size_t i = 0; i < ARRAY_LEN(handlers); i++) {
		CLEANUP(buf_done) struct buf body = BUF(REPLICATOR_BODY_MAX);

		if (!str_eq(what, handlers[i].name))
			continue;
		int rc = body_read_all(req->body, &body);

		if (rc < 0)
			objectd_respond_error(res, rc);
		else
			handlers[i].handle(o, req, res, buf_str(&body));
		return true;
	}
	return false;
}
