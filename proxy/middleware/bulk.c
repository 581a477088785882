/* Many operations by one request: deleting a list of objects and containers; bulk_upload.c stores
 * what an archive holds. Swift: common/middleware/bulk.py; docs/swift/bulk.md */
#include "proxy/middleware/bulk.h"
#include "proxy/middleware/kinds.h"
#include "proxy/proxy_conf.h"

#include <jansson.h>

struct bulk_conf bulk_conf;
static const struct conf_option options[] = {
	OPT_INT(struct bulk_conf, max_containers_per_extraction, "10000", 0, 1000000,
		"Containers that one archive may create."),
	OPT_INT(struct bulk_conf, max_failed_extractions, "1000", 1, 100000,
		"Files of an archive that may fail before the rest is left."),
	OPT_INT(struct bulk_conf, max_deletes_per_request, "10000", 1, 100000,
		"Lines of a bulk delete."),
	OPT_INT(struct bulk_conf, max_failed_deletes, "1000", 1, 100000,
		"Deletes that may fail before the rest is left."),
	OPT_DURATION(struct bulk_conf, yield_frequency, "10s", 10, 3600 * 1000,
		     "How often a blank is sent while the work goes on."),
	OPT_INT(struct bulk_conf, delete_concurrency, "2", 1, 1000,
		"Deletes of one request at the same time."),
	OPT_INT(struct bulk_conf, delete_container_retry_count, "0", 0, 100,
		"How often a delete that got 409 is tried again, after 1.5 s and growing pauses."),
	OPT_END,
};
static const struct conf_section section = {
	.name = "bulk",
	.help = "Bulk delete and upload of archives.",
	.options = options,
	.into = &bulk_conf,
	.size = sizeof bulk_conf,
};

enum {
	RETRY_MS = 1500,
	HELD_MAX = 1 * KIB,             /* bytes of names before they are deleted */
	PIECE = 512,
};

struct deletion {
	struct bulk_job job;
	struct bulk_delete d;
};

bool bulk_has_length(const struct request *req)
{
	return req->chunked || headers_has(&req->headers, S("Content-Length"));
}

void bulk_begin_report(struct bulk_report *r, int status, struct str body)
{
	bulk_report_text(r, S("Response Status"), bulk_status(r->arena, status));
	bulk_report_text(r, S("Response Body"), body);
}

/* What can be refused before the list is read: the status, 200 when nothing. */
static int check(const struct deletion *d)
{
	const struct request *req = d->job.req;
	const struct proxy_request *p = proxy_request(req);
	struct str type = headers_get_lit(&req->headers, "Content-Type");

	if (!d->job.acceptable)
		return 406;
	if (p->path_error || !p->path.account.n)
		return 404;
	if (type.n && !str_starts(type, S("text/plain")))
		return 406;
	return bulk_has_length(req) ? 200 : 411;
}

/* A list as it comes in: names that are held, and containers, which come last. */
struct incoming_list {
	struct bulk_list held, containers;
};

static void lists_init(struct incoming_list *l, const struct swift_limits *limits)
{
	unsigned max = (unsigned)bulk_conf.max_deletes_per_request;
	size_t name_max = limits->max_object_name_length + limits->max_container_name_length + 2;

	bulk_list_init(&l->held, max, name_max);
	bulk_list_init(&l->containers, max, name_max);
}

static void lists_done(struct incoming_list *l)
{
	bulk_list_done(&l->held);
	bulk_list_done(&l->containers);
}

waits static int delete_held(struct deletion *d, struct incoming_list *l)
{
	int rc = bulk_delete_objects(&d->d, &l->held, &l->containers);

	bulk_list_clear(&l->held);
	return rc;
}

/* Reads the list. Whatever is too much to hold is deleted on the way. */
waits static int read_list(struct deletion *d, struct incoming_list *l)
{
	struct str chunk = STR_NONE;
	int rc = 0;

	for (;;) {
		if (chunk.n == 0 && (rc = body_next(d->job.req->body, &chunk)) <= 0)
			break;
		rc = bulk_list_feed(&l->held, str_head(chunk, PIECE));
		chunk = str_skip(chunk, MIN(chunk.n, (size_t)PIECE));
		/* Empty lines, of which two bytes are held each, do not count. */
		if (rc == 0 && l->held.names.n > HELD_MAX + 2 * l->held.n)
			rc = delete_held(d, l);
		if (rc < 0)
			break;
	}
	if (rc == 0)
		rc = bulk_list_end(&l->held);
	if (rc == 0)
		rc = delete_held(d, l);
	return rc == 0 ? bulk_delete_containers(&d->d, &l->containers) : rc;
}

/* The status for what went wrong on the way, with the words for it. */
static int explain(struct arena *a, int error, struct str *ret_body)
{
	switch (error) {
	case -E2BIG:
		*ret_body = arena_printf(a, "Maximum Bulk Deletes: %" PRId64 " per request",
					 bulk_conf.max_deletes_per_request);
		return 413;
	case -ENAMETOOLONG:
		*ret_body = S("Invalid File Name");
		return 400;
	case -EDQUOT:
		*ret_body = S("Max delete failures exceeded");
		return 400;
	case -ETIMEDOUT:
		return 408;
	default:
		return 499;
	}
}

waits static int delete_listed(struct deletion *d, struct str *ret_body)
{
	CLEANUP(lists_done) struct incoming_list lists;

	lists_init(&lists, &d->d.mw->proxy->conf->limits);
	int rc = read_list(d, &lists);

	if (rc < 0)
		return explain(d->job.req->arena, rc, ret_body);
	if (d->d.failures == 0 && d->d.deleted == 0 && d->d.not_found == 0) {
		*ret_body = S("Invalid bulk delete.");
		return 400;
	}
	return bulk_delete_status(&d->d);
}

waits static void run(struct bulk_job *job)
{
	struct deletion *d = container_of(job, struct deletion, job);
	struct str body = S("");
	int status = check(d);

	if (status == 200)
		status = delete_listed(d, &body);
	bulk_begin_report(&job->report, status, body);
	bulk_report_number(&job->report, S("Number Deleted"), d->d.deleted);
	bulk_report_number(&job->report, S("Number Not Found"), d->d.not_found);
}

static void delete(struct middleware *mw, struct request *req, struct response *res)
{
	struct deletion *d = arena_zalloc(req->arena, sizeof *d);

	d->job = (struct bulk_job){ .req = req,
				    .root = "delete",
				    .yield_ms = bulk_conf.yield_frequency,
				    .run = run };
	d->d = (struct bulk_delete){ .mw = mw,
				     .req = req,
				     .report = &d->job.report,
				     .source = S("BD"),
				     .concurrency = (unsigned)bulk_conf.delete_concurrency,
				     .failures_max = (unsigned)bulk_conf.max_failed_deletes,
				     .retries = (unsigned)bulk_conf.delete_container_retry_count,
				     .retry_ms = RETRY_MS };
	bulk_job_respond(&d->job, res);
}

waits static void handle(struct middleware *mw, struct request *req, struct response *res)
{
	if ((req->method == HTTP_POST || req->method == HTTP_DELETE) &&
	    request_has_query(req, S("bulk-delete")))
		delete(mw, req, res);
	else if (req->method == HTTP_PUT && request_has_query(req, S("extract-archive")))
		bulk_upload(mw, req, res, request_query_lit(req, "extract-archive"));
	else
		middleware_next(mw, req, res);
}

static int start(struct middleware *mw, struct proxy *proxy, struct fault *why)
{
	json_t *upload = json_object(), *deletes = json_object();

	(void)mw, (void)why;
	json_object_set_new(upload, "max_containers_per_extraction",
			    json_integer(bulk_conf.max_containers_per_extraction));
	json_object_set_new(upload, "max_failed_extractions",
			    json_integer(bulk_conf.max_failed_extractions));
	json_object_set_new(deletes, "max_deletes_per_request",
			    json_integer(bulk_conf.max_deletes_per_request));
	json_object_set_new(deletes, "max_failed_deletes",
			    json_integer(bulk_conf.max_failed_deletes));
	json_object_set_new(proxy->info, "bulk_upload", upload);
	json_object_set_new(proxy->info, "bulk_delete", deletes);
	return 0;
}

const struct middleware_kind middleware_bulk = {
	.name = "bulk", .section = &section, .start = start, .handle = handle,
};
