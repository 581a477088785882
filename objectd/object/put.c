/* PUT of an object: the body goes into the store, then a row into the container's listing. Swift:
 * obj/server.py PUT and what it calls. */
#include "lib/base/clock.h"
#include "lib/base/encode.h"
#include "lib/crypto/digest.h"
#include "lib/swift/conditional.h"
#include "lib/swift/metadata.h"
#include "objectd/object/footer.h"
#include "objectd/object/object.h"
#include "objectd/replicator/replicator.h"
#include "objectd/updater/updater.h"

enum {
	DIGEST_POOL_MIN = 64 * KIB,     /* pieces from that size on are digested in the pool */
	LOOKUP_FIRST_MIN = 1 * MIB,     /* bodies worth a look whether they will be refused */
	LATE_US = 500 * 1000,           /* a PUT that old may have been overtaken by a POST */
};

struct put {
	struct object_request *r;
	struct body *body;              /* the object's bytes */
	struct mime *mime;              /* NULL: the body is the object */
	struct headers footers;         /* with mime */
	int64_t size_expected;          /* -1: unknown */
	bool etag_trusted;              /* the proxy has computed it: X-Needletail-Etag */
	struct digest *digest;          /* NULL: no need */
	char etag[MD5_HEX_SIZE];
	struct store_writer *writer;
	struct object_entry before;
	struct object_change change;
	struct store_txn *txn;
};

static bool is_md5_hex(struct str s)
{
	if (s.n != 32)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f')))
			return false;
	return true;
}

/* ---- before the body ---- */

/* 409 and 412 by what is there: 0, or answered. */
waits static int check_existing(struct object_request *r)
{
	struct str none_match = headers_joined(&r->req->headers, S("If-None-Match"));
	AUTO(store_object) object = NULL;
	struct object_entry e;
	int rc = store_lookup(r->o->store, &r->id, &e);
	bool live;

	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	live = e.state == OBJECT_DATA &&
	       (e.delete_at == 0 || e.delete_at * 1000000 > timestamp_us(r->ts));
	if (none_match.n && live && !etag_listed(none_match, S("*"))) {
		rc = store_object_open(r->o->store, &r->id, r->req->arena, &object);
		if (rc < 0)
			return rc == -ENOENT || rc == -EIO ? 0 : rc;
		struct str etag = headers_get(store_object_metadata(object), S("ETag"));

		live = etag_listed(none_match, etag);
	}
	if (none_match.n && live) {
		respond_status(r->res, 412);
		return -EEXIST;
	}
	if (timestamp_cmp(e.data_ts, r->ts) >= 0) {
		object_respond_conflict(r, e.data_ts);
		return -EALREADY;
	}
	return 0;
}

static int read_expected_size(struct put *p)
{
	struct object_request *r = p->r;
	struct str given = headers_get(&r->req->headers, S("X-Backend-Obj-Content-Length"));
	uint64_t size;

	p->size_expected = r->req->chunked ? -1 : r->req->content_length;
	if (p->size_expected >= 0 || !given.p)
		return 0;
	if (str_to_u64(given, &size) < 0 || size > INT64_MAX) {
		respond_text(r->res, 400, "invalid X-Backend-Obj-Content-Length");
		return -EINVAL;
	}
	p->size_expected = (int64_t)size;
	return 0;
}

/* A body with footers comes as MIME documents, of which the first is the object. */
waits static int open_body(struct put *p)
{
	struct object_request *r = p->r;
	struct headers head;
	struct str boundary;
	int rc;

	p->body = r->req->body;
	r->req->continue_fields = S("X-Needletail: 1\r\n");
	if (!str_is_true(headers_get(&r->req->headers, S("X-Backend-Obj-Metadata-Footer"))))
		return 0;
	boundary = headers_get(&r->req->headers, S("X-Backend-Obj-Multipart-Mime-Boundary"));
	if (boundary.n == 0 || boundary.n > 200) {
		respond_text(r->res, 400, "no MIME boundary");
		return -EINVAL;
	}
	r->req->continue_fields = S("X-Obj-Metadata-Footer: yes\r\nX-Needletail: 1\r\n");
	p->mime = mime_open(r->req->arena, r->req->body, boundary);
	rc = mime_next(p->mime, &head, &p->body);
	return rc == 0 ? -EBADMSG : rc < 0 ? rc : 0;
}

/* ---- the body ---- */

struct digest_job {
	struct digest *digest;
	struct str bytes;
};

static void digest_run(void *arg)
{
	struct digest_job *job = arg;

	digest_add(job->digest, job->bytes.p, job->bytes.n);
}

waits static void add_to_digest(struct put *p, struct str bytes)
{
	struct digest_job job = { p->digest, bytes };

	if (!p->digest)
		return;
	if (bytes.n >= DIGEST_POOL_MIN)
		task_run_blocking("md5", digest_run, &job);
	else
		digest_run(&job);
}

waits static int receive(struct put *p)
{
	struct headers *request = &p->r->req->headers;
	struct str known = headers_get(request, S("X-Needletail-Etag")), chunk;
	bool in_trailer = headers_has_token(request, S("Trailer"), S("X-Needletail-Etag"));
	int rc;

	p->etag_trusted = is_md5_hex(known) || in_trailer;
	if (!p->etag_trusted)
		p->digest = digest_new(DIGEST_MD5);
	while ((rc = body_next(p->body, &chunk)) > 0) {
		add_to_digest(p, chunk);
		rc = store_writer_add(p->writer, chunk);
		if (rc < 0)
			return rc;
		if (store_writer_size(p->writer) > objectd_conf.max_file_size)
			return -EFBIG;
	}
	if (rc < 0)
		return rc;
	if (p->size_expected >= 0 && (uint64_t)p->size_expected != store_writer_size(p->writer))
		return -EPIPE;
	if (in_trailer && p->body->trailers)
		known = headers_get(p->body->trailers, S("X-Needletail-Etag"));
	if (p->digest) {
		unsigned char md5[MD5_SIZE];

		digest_final(p->digest, md5);
		hex_encode(md5, sizeof md5, p->etag);
		return 0;
	}
	if (!is_md5_hex(known))
		return -EBADMSG;
	memcpy(p->etag, known.p, 32);
	p->etag[32] = 0;
	return 0;
}

/* What follows the object: footers, and the end of the body. */
waits static int receive_footers(struct put *p)
{
	struct headers head;
	struct body *body;
	int rc;

	if (!p->mime)
		return 0;
	rc = footer_read(p->mime, p->r->req->arena, &p->footers);
	while (rc >= 0 && (rc = mime_next(p->mime, &head, &body)) > 0)
		rc = body_drain(body, MIB);
	if (rc >= 0)
		rc = body_drain(p->r->req->body, 64 * KIB);
	return rc;
}

/* ---- behind the body ---- */

static bool etag_matches(struct put *p)
{
	const struct headers *from = &p->r->req->headers;
	struct str want;

	if (p->mime && headers_has(&p->footers, S("ETag")))
		from = &p->footers;
	want = etag_unquoted(headers_get(from, S("ETag")));
	return want.n == 0 || str_ieq(want, str_from(p->etag));
}

/* The looking up is saved where no POST can have come before. */
static bool may_be_overtaken(const struct object_request *r)
{
	return r->replication || clock_wall_us() - timestamp_us(r->ts) > LATE_US;
}

/* Data and what a newer POST left, with the object's lock held. */
waits static int store_both(struct put *p, const struct store_put *put)
{
	struct object_request *r = p->r;
	struct object_kept_post kept = { .any = false };
	int rc = may_be_overtaken(r) ? object_keep_post(r, put->metadata, &kept) : 0;

	if (rc == 0)
		rc = store_writer_commit(p->writer, put, &p->before);
	if (rc == 0 && kept.any)
		rc = store_post(r->o->store, &r->id, kept.ts, &kept.metadata, kept.delete_at, NULL,
				NULL);
	replicator_touch(r->o->replicator, &r->id);
	return rc;
}

waits static int commit(struct put *p)
{
	struct object_request *r = p->r;
	struct request *req = r->req;
	struct headers metadata;
	AUTO(lock) lock = NULL;
	uint64_t delete_at = 0;
	int rc;

	headers_init(&metadata, req->arena);
	meta_of_put(&req->headers, p->mime ? &p->footers : NULL, str_from(p->etag), &metadata);
	(void)!str_to_u64(headers_get(&metadata, S("X-Delete-At")), &delete_at);
	p->change = (struct object_change){
		.row = { .size = store_writer_size(p->writer),
			 .ts = r->ts,
			 .etag = str_from(p->etag),
			 .content_type = headers_get(&req->headers, S("Content-Type")) },
		.delete_at_new = (int64_t)delete_at,
	};
	object_change_override(&p->change, &req->headers);
	if (p->mime)
		object_change_override(&p->change, &p->footers);
	object_change_prepare(r, &p->change, &p->txn);
	rc = object_lock(r, &lock);
	if (rc == 0 && headers_has(&req->headers, S("If-None-Match")))
		rc = check_existing(r);
	if (rc < 0)
		return rc;
	struct store_put put = { .id = r->id, .ts = r->ts, .name = r->name, .metadata = &metadata,
				 .delete_at = (int64_t)delete_at, .with = p->txn };

	rc = store_both(p, &put);
	if (rc == -EALREADY)
		object_respond_conflict(r, p->before.data_ts);
	return rc;
}

static void respond_failure(struct put *p, int rc)
{
	struct response *res = p->r->res;

	if (res->status)                /* answered already: 409, 412 */
		return;
	switch (rc) {
	case -EFBIG:
		return respond_status(res, 413);
	case -EILSEQ:
		return respond_text(res, 422, "footer MD5 mismatch");
	case -EBADMSG:
		return respond_text(res, 400,
				    p->mime ? "invalid footer document" : "broken request body");
	default:
		objectd_respond_error(res, rc);
	}
}

waits static int put(struct put *p)
{
	struct object_request *r = p->r;
	int rc = open_body(p);

	if (rc == 0)
		rc = store_writer_open(r->o->store, p->size_expected, &p->writer);
	if (rc == 0)
		rc = receive(p);
	if (rc == 0)
		rc = receive_footers(p);
	if (rc == 0 && !etag_matches(p)) {
		respond_status(r->res, 422);
		rc = -EINVAL;
	}
	if (rc == 0)
		rc = commit(p);
	if (rc == 0) {
		p->change.delete_at_old = p->before.state == OBJECT_DATA ? p->before.delete_at : 0;
		rc = object_change_deliver(r, &p->change, p->txn);
	}
	return rc;
}

void object_put(struct object_request *r)
{
	struct swift_limits limits = swift_limits_default;
	struct put p = { .r = r };
	int rc;

	limits.max_file_size = objectd_conf.max_file_size;
	if (object_creation_check(&limits, r->req, r->path->object, r->ts, r->res) < 0)
		return;
	if (read_expected_size(&p) < 0)
		return;
	rc = 0;
	if (headers_has(&r->req->headers, S("If-None-Match")) ||
	    p.size_expected >= LOOKUP_FIRST_MIN)
		rc = check_existing(r);
	if (rc == 0)
		rc = put(&p);
	store_writer_close(p.writer);
	digest_free(p.digest);
	mime_close(p.mime);
	if (rc < 0)
		return respond_failure(&p, rc);
	respond_status(r->res, 201);
	headers_setf(&r->res->headers, S("Etag"), "\"%s\"", p.etag);
}
