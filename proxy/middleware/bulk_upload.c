/* PUT ?extract-archive: an archive is unpacked while it comes in, each file a PUT. libarchive runs
 * in the task of the job: when it wants more bytes, its callback waits like any other function of
 * ours. Swift: handle_extract_iter in common/middleware/bulk.py; docs/swift/bulk.md */
#include "lib/base/encode.h"
#include "proxy/middleware/archive_name.h"
#include "proxy/middleware/bulk.h"
#include "proxy/proxy_conf.h"

#include <archive.h>
#include <archive_entry.h>

enum { HOLE = 4 * KIB };

enum packing { PACKED_NOT, PACKED_GZIP, PACKED_BZIP2 };

struct extraction {
	struct bulk_job job;
	struct middleware *mw;
	enum packing packing;
	struct str base;                /* container and prefix, without slashes at the end */
	struct archive *archive;
	int error;                      /* of the request's body */
	struct map *containers;         /* those that were written to */
	int64_t containers_created;
	uint64_t files_created;
	int64_t failures;
	bool server_failed;
	struct str body;                /* the report's words */
};

static void close_archive(struct archive *a)
{
	archive_read_free(a);
}
DEFINE_AUTO(archive, struct archive *, close_archive);
static void set_free(struct map *m)
{
	map_free(m, NULL);
}
DEFINE_AUTO(set, struct map *, set_free);

/* ---- the archive ---- */

/* Called by libarchive, on the stack of the job's task. */
task_asserted static la_ssize_t read_body(struct archive *a, void *arg, const void **ret)
{
	struct extraction *x = arg;
	struct str chunk;

	/* Decompressing keeps the loop busy: others go first, chunk by chunk. */
	task_yield();
	int rc = body_next(x->job.req->body, &chunk);

	if (rc < 0) {
		x->error = rc;
		archive_set_error(a, -rc, "%s", "the upload ended early");
		return ARCHIVE_FATAL;
	}
	*ret = chunk.p;
	return rc ? (la_ssize_t)chunk.n : 0;
}

static int open_archive(struct extraction *x)
{
	static const int filters[] = { [PACKED_NOT] = ARCHIVE_FILTER_NONE,
				       [PACKED_GZIP] = ARCHIVE_FILTER_GZIP,
				       [PACKED_BZIP2] = ARCHIVE_FILTER_BZIP2 };
	struct archive *a = x->archive;

	archive_read_support_format_tar(a);
	if (x->packing == PACKED_GZIP)
		archive_read_support_filter_gzip(a);
	if (x->packing == PACKED_BZIP2)
		archive_read_support_filter_bzip2(a);
	if (archive_read_open(a, x, NULL, read_body, NULL) != ARCHIVE_OK)
		return -EBADMSG;
	if (archive_filter_code(a, 0) == filters[x->packing])
		return 0;
	archive_set_error(a, EINVAL, "%s", "not compressed in that way");
	return -EBADMSG;
}

static int bad_archive(struct extraction *x)
{
	const char *words = archive_error_string(x->archive);

	if (x->error == -ETIMEDOUT)
		return 408;
	if (x->error)
		return 499;
	x->body = arena_printf(x->job.req->arena, "Invalid Tar File: %s",
			       words ? words : "not an archive");
	return 400;
}

/* ---- what is stored ---- */

/* A file of the archive as the body of its PUT. */
struct file_body {
	struct body body;
	struct extraction *x;
	struct str block;               /* what libarchive gave, a view, */
	int64_t at, block_at;           /* and where we and it are in the file */
	bool ended;
};

/* The next block, behind a hole maybe: 1, 0 at the end, or negative. */
static int take_block(struct file_body *f)
{
	const void *p;
	size_t n;
	la_int64_t at;
	int rc = archive_read_data_block(f->x->archive, &p, &n, &at);

	if (rc == ARCHIVE_EOF) {
		f->ended = true;
		f->block = STR_NONE;
		f->block_at = f->at + f->body.left;     /* a hole at the end */
		return 0;
	}
	if (rc != ARCHIVE_OK && rc != ARCHIVE_WARN)
		return f->x->error ? f->x->error : -EPIPE;
	if (at < f->at)
		return -EPIPE;
	f->block = str_of(p, n);
	f->block_at = at;
	return 1;
}

waits static int file_next(struct body *b, struct str *ret_chunk)
{
	static const char zeros[HOLE];
	struct file_body *f = container_of(b, struct file_body, body);
	int rc = 1;

	while (rc > 0 && f->block.n == 0 && f->at >= f->block_at && !f->ended)
		rc = take_block(f);
	if (rc < 0)
		return rc;
	if (f->at < f->block_at) {
		*ret_chunk = str_of(zeros, (size_t)MIN(f->block_at - f->at, (int64_t)HOLE));
	} else {
		*ret_chunk = f->block;
		f->block = STR_NONE;
	}
	f->at += (int64_t)ret_chunk->n;
	b->left -= (int64_t)ret_chunk->n;
	return ret_chunk->n > 0;
}

static void fail(struct extraction *x, struct str path, int status)
{
	const struct swift_limits *l = &x->mw->proxy->conf->limits;
	CLEANUP(buf_done) struct buf quoted = BUF(256 * KIB);

	percent_encode(&quoted,
		       str_head(path, l->max_object_name_length + l->max_container_name_length + 2),
		       S("/"));
	bulk_report_error(&x->job.report, buf_str(&quoted),
			  bulk_status(x->job.report.arena, status));
	x->failures++;
	x->server_failed |= status / 100 == 5;
}

waits static int ask_container(struct extraction *x, enum http_method m, struct str container)
{
	AUTO(arena) a = arena_new();
	struct response res;

	middleware_call(x->mw, bulk_subrequest(a, x->job.req, m, container, STR_NONE, STR_NONE,
					       S("EA")), &res);
	body_close(res.body);
	return res.status;
}

/* Makes the container if it is not there: 200, or the status of what failed. */
waits static int make_container(struct extraction *x, struct str container)
{
	int status = ask_container(x, HTTP_HEAD, container);

	if (status / 100 == 2)
		return 200;
	if (status == 404)
		status = ask_container(x, HTTP_PUT, container);
	if (status / 100 == 2) {
		x->containers_created++;
		return 200;
	}
	return status;
}

/* What the request says for all files. */
static void copy_headers(const struct request *from, struct request *put)
{
	for (unsigned i = 0; i < from->headers.n; i++) {
		const struct header *h = &from->headers.v[i];

		if (str_ieq(h->name, S("X-Delete-At")) || str_ieq(h->name, S("X-Delete-After")) ||
		    str_istarts(h->name, S("X-Object-Meta-")))
			headers_add(&put->headers, h->name, h->value);
	}
}

/* What the archive says of this one: 0, or -EINVAL for what cannot be a header. */
static int add_attributes(struct archive_entry *e, struct request *put)
{
	const char *name;
	const void *value;
	size_t size;

	archive_entry_xattr_reset(e);
	while (archive_entry_xattr_next(e, &name, &value, &size) == ARCHIVE_OK) {
		struct str header = archive_attribute_header(put->arena, str_from(name));

		if (!header.p)
			continue;
		if (!header_name_valid(header) || !header_value_valid(str_of(value, size)))
			return -EINVAL;
		headers_set(&put->headers, header, str_of(value, size));
	}
	return 0;
}

waits static int put_file(struct extraction *x, struct arena *a, struct archive_entry *e,
			  struct str container, struct str object)
{
	struct request *put = bulk_subrequest(a, x->job.req, HTTP_PUT, container, object, STR_NONE,
					      S("EA"));
	struct file_body file = { .body = { .next = file_next, .left = archive_entry_size(e) },
				  .x = x };
	struct response res;

	copy_headers(x->job.req, put);
	if (add_attributes(e, put) < 0)
		return 400;
	headers_setf(&put->headers, S("Content-Length"), "%" PRId64, file.body.left);
	put->content_length = file.body.left;
	put->body = &file.body;
	middleware_call(x->mw, put, &res);
	body_close(res.body);
	return res.status;
}

/* 0 to go on, else the status that ends all. */
waits static int store(struct extraction *x, struct arena *a, struct archive_entry *e,
		       struct str path)
{
	struct str object = path, container = str_cut(&object, '/');
	int made = 200;

	if (!map_get(x->containers, container))
		made = make_container(x, container);
	if (x->containers_created > bulk_conf.max_containers_per_extraction) {
		x->body = arena_printf(x->job.req->arena,
				       "More than %" PRId64 " containers to create from tar.",
				       bulk_conf.max_containers_per_extraction);
		return 400;
	}
	if (made == 401)
		return 401;
	int status = put_file(x, a, e, container, object);

	if (status / 100 == 2) {
		map_put(x->containers, container, x);
		x->files_created++;
		return 0;
	}
	/* Somebody may write to a container that he may not look at or make, so its failure only
	 * counts with the file's. */
	if (made != 200)
		fail(x,
		     swift_path_join(a,
				     arena_printf(a, "v1/%.*s",
						  STR(proxy_request(x->job.req)->path.account)),
				     container, STR_NONE),
		     made);
	fail(x, path, status);
	return status == 401 ? 401 : 0;
}

waits static int take_entry(struct extraction *x, struct archive_entry *e)
{
	AUTO(arena) a = arena_new();
	struct str path;

	if (archive_entry_filetype(e) != AE_IFREG || archive_entry_hardlink(e) ||
	    !archive_target(a, x->base, str_from(archive_entry_pathname(e)), &path))
		return 0;
	if (!str_is_utf8(path)) {
		fail(x, path, 412);
		return 0;
	}
	if ((uint64_t)archive_entry_size(e) > x->mw->proxy->conf->limits.max_file_size) {
		fail(x, path, 413);
		return 0;
	}
	return store(x, a, e, path);
}

/* ---- the job ---- */

waits static int extract(struct extraction *x)
{
	struct archive_entry *e;
	int rc = ARCHIVE_OK, status = 0;

	if (open_archive(x) < 0)
		return bad_archive(x);
	while (status == 0 && x->failures < bulk_conf.max_failed_extractions) {
		rc = archive_read_next_header(x->archive, &e);
		if (rc != ARCHIVE_OK && rc != ARCHIVE_WARN)
			break;
		status = task_cancelled() ? 499 : take_entry(x, e);
	}
	if (status)
		return status;
	if (x->error || (rc != ARCHIVE_OK && rc != ARCHIVE_WARN && rc != ARCHIVE_EOF))
		return bad_archive(x);
	if (x->failures)
		return x->server_failed ? 502 : 400;
	if (x->files_created == 0) {
		x->body = S("Invalid Tar File: No Valid Files");
		return 400;
	}
	return 201;
}

static int check(const struct extraction *x)
{
	const struct proxy_request *p = proxy_request(x->job.req);

	if (!x->job.acceptable)
		return 406;
	if (!bulk_has_length(x->job.req))
		return 411;
	return p->path_error || !p->path.account.n ? 404 : 200;
}

waits static void run(struct bulk_job *job)
{
	struct extraction *x = container_of(job, struct extraction, job);
	AUTO(archive) archive = archive_read_new();
	AUTO(set) containers = map_new();
	int status = check(x);

	x->archive = archive;
	x->containers = containers;
	if (status == 200)
		status = extract(x);
	bulk_begin_report(&job->report, status, x->body);
	bulk_report_number(&job->report, S("Number Files Created"), x->files_created);
}

static bool parse_format(struct str s, enum packing *ret)
{
	while (str_starts(s, S(".")))
		s = str_skip(s, 1);
	while (str_ends(s, S(".")))
		s.n--;
	if (str_ieq(s, S("tar")))
		*ret = PACKED_NOT;
	else if (str_ieq(s, S("tar.gz")))
		*ret = PACKED_GZIP;
	else if (str_ieq(s, S("tar.bz2")))
		*ret = PACKED_BZIP2;
	else
		return false;
	return true;
}

void bulk_upload(struct middleware *mw, struct request *req, struct response *res,
		 struct str format)
{
	const struct swift_path *p = &proxy_request(req)->path;
	struct extraction *x = arena_zalloc(req->arena, sizeof *x);

	if (!parse_format(format, &x->packing)) {
		respond(res, 400, S("text/html; charset=UTF-8"), S("Unsupported archive format"));
		return;
	}
	x->mw = mw;
	x->body = S("");
	x->base = archive_base(req->arena, p->container, p->object);
	x->job = (struct bulk_job){ .req = req,
				    .root = "extract",
				    .yield_ms = bulk_conf.yield_frequency,
				    .run = run };
	bulk_job_respond(&x->job, res);
}
