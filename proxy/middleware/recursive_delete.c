/* DELETE /v1/a/c?recursive=true: a container goes with everything in it, by one request. The answer
 * is a bulk delete's: 200 at once, signs of life, a report. Swift has no such thing;
 * docs/swift/bulk.md */
#include "lib/base/encode.h"
#include "proxy/middleware/bulk_delete.h"
#include "proxy/middleware/kinds.h"
#include "proxy/proxy_conf.h"

#include <jansson.h>

struct recursive_conf {
	int64_t concurrency, max_failed_deletes;
	uint64_t yield_frequency;       /* ms */
};

static struct recursive_conf conf;
static const struct conf_option options[] = {
	OPT_INT(struct recursive_conf, concurrency, "4", 1, 1000,
		"Deletes of one request at the same time."),
	OPT_INT(struct recursive_conf, max_failed_deletes, "1000", 1, 100000,
		"Deletes that may fail before the rest is left."),
	OPT_DURATION(struct recursive_conf, yield_frequency, "10s", 10, 3600 * 1000,
		     "How often a sign of life is sent while the work goes on."),
	OPT_END,
};
static const struct conf_section section = {
	.name = "recursive_delete",
	.help = "DELETE of a container with everything in it (?recursive=true).",
	.options = options,
	.into = &conf,
	.size = sizeof conf,
};

enum {
	PAGE = 100,                     /* names that are held at a time */
	PAGE_MAX = 8 * MIB,             /* bytes of a listing of so many */
	ROUNDS_MAX = 5,                 /* over a container that others go on filling */
};

struct deletion {
	struct bulk_job job;
	struct bulk_delete d;
	struct str container;
};

/* ---- a page of names ---- */

static int add_names(const struct deletion *d, const json_t *page, struct bulk_list *to,
		     struct str *ret_last, struct arena *a)
{
	CLEANUP(buf_done) struct buf path = BUF(64 * KIB);
	size_t i;
	json_t *item;
	int rc = 0;

	json_array_foreach(page, i, item) {
		json_t *name = json_object_get(item, "name");

		if (!json_is_string(name))
			return -EBADMSG;
		*ret_last = str_of(json_string_value(name), json_string_length(name));
		buf_clear(&path);
		buf_add_str(&path, d->container);
		buf_add_char(&path, '/');
		buf_add_str(&path, *ret_last);
		rc = bulk_list_add(to, buf_str(&path));
		if (rc < 0)
			return rc;
	}
	*ret_last = arena_str(a, *ret_last);
	return (int)json_array_size(page);
}

/* Lists what comes behind the marker: how many, or negative; *ret_status says what was answered. */
waits static int list_page(const struct deletion *d, struct str marker, struct bulk_list *to,
			   struct arena *a, struct str *ret_last, int *ret_status)
{
	AUTO(arena) own = arena_new();
	CLEANUP(buf_done) struct buf query = BUF(64 * KIB), text = BUF(PAGE_MAX);
	struct response res;

	buf_addf(&query, "format=json&limit=%d&marker=", PAGE);
	percent_encode(&query, marker, S(""));
	middleware_call(d->d.mw,
			bulk_subrequest(own, d->d.req, HTTP_GET, d->container, STR_NONE,
					arena_str(own, buf_str(&query)), S("RD")),
			&res);
	*ret_status = res.status;
	int rc = res.status == 200 && res.body ? body_read_all(res.body, &text) : 0;

	body_close(res.body);
	if (rc < 0 || res.status == 204)
		return rc;
	if (res.status != 200)
		return -EBADMSG;
	json_t *page = json_loadb(text.p, text.n, JSON_ALLOW_NUL, NULL);

	rc = json_is_array(page) ? add_names(d, page, to, ret_last, a) : -EBADMSG;
	json_decref(page);
	return rc;
}

/* ---- the job ---- */

/* Deletes everything that is listed, once: 0, or the status that ends all. */
waits static int delete_listed(struct deletion *d)
{
	AUTO(arena) even = arena_new();
	struct str marker = S("");
	int n, status;

	do {
		CLEANUP(bulk_list_done) struct bulk_list list;
		AUTO(arena) a = arena_new();

		bulk_list_init(&list, PAGE, 4 * KIB);
		n = list_page(d, marker, &list, a, &marker, &status);
		if (n < 0)
			return n == -ECANCELED ? 499 : status / 100 == 2 ? 503 : status;
		int rc = bulk_delete_list(&d->d, &list);
		if (rc == -EDQUOT)
			return 400;
		if (rc < 0)
			return 499;
		arena_free(even);
		even = TAKE(a);         /* the marker is in it */
	} while (n > 0);
	return 0;
}

waits static int delete_container(struct deletion *d)
{
	AUTO(arena) a = arena_new();
	struct response res;

	middleware_call(d->d.mw, bulk_subrequest(a, d->d.req, HTTP_DELETE, d->container, STR_NONE,
						 STR_NONE, S("RD")), &res);
	body_close(res.body);
	return res.status;
}

/* What is put there meanwhile is taken as well, a few times. */
waits static int delete_all(struct deletion *d)
{
	int status = 409;

	for (int round = 0; status == 409 && round < ROUNDS_MAX; round++) {
		uint64_t before = d->d.deleted;

		status = delete_listed(d);
		if (status)
			return status;
		if (d->d.failures)
			return bulk_delete_status(&d->d);
		status = delete_container(d);
		if (status == 409 && d->d.deleted == before)
			break;          /* something else keeps it: old versions */
	}
	if (status / 100 == 2)
		d->d.deleted++;
	else if (status == 404)
		d->d.not_found++;
	else
		bulk_report_error(&d->job.report, d->container,
				  bulk_status(d->job.req->arena, status));
	return status / 100 == 2 || status == 404 ? 200 : status / 100 == 5 ? 502 : 400;
}

waits static void run(struct bulk_job *job)
{
	struct deletion *d = container_of(job, struct deletion, job);
	int status = job->acceptable ? delete_all(d) : 406;

	bulk_report_text(&job->report, S("Response Status"),
			 bulk_status(job->report.arena, status));
	bulk_report_text(&job->report, S("Response Body"),
			 d->d.failures >= d->d.failures_max ? S("Max delete failures exceeded")
							    : S(""));
	bulk_report_number(&job->report, S("Number Deleted"), d->d.deleted);
	bulk_report_number(&job->report, S("Number Not Found"), d->d.not_found);
}

static void progress(const struct bulk_job *job, struct buf *to)
{
	const struct deletion *d = container_of(job, struct deletion, job);

	buf_addf(to, "Deleted so far: %" PRIu64 "\n", d->d.deleted);
}

static void begin(struct middleware *mw, struct request *req, struct response *res)
{
	struct deletion *d = arena_zalloc(req->arena, sizeof *d);

	d->container = proxy_request(req)->path.container;
	d->job = (struct bulk_job){ .req = req,
				    .root = "delete",
				    .yield_ms = conf.yield_frequency,
				    .run = run,
				    .progress = progress };
	d->d = (struct bulk_delete){ .mw = mw,
				     .req = req,
				     .report = &d->job.report,
				     .source = S("RD"),
				     .concurrency = (unsigned)conf.concurrency,
				     .failures_max = (unsigned)conf.max_failed_deletes };
	bulk_job_respond(&d->job, res);
}

/* Deleting the container as it is comes first: it tells whether the caller may, and when it was
 * empty that is all. Only a refusal because of what is in it begins the job. */
waits static void handle(struct middleware *mw, struct request *req, struct response *res)
{
	const struct swift_path *p = &proxy_request(req)->path;

	if (req->method != HTTP_DELETE || !p->container.n || p->object.p ||
	    !str_is_true(request_query_lit(req, "recursive"))) {
		middleware_next(mw, req, res);
		return;
	}
	req->query = STR_NONE;
	middleware_next(mw, req, res);
	if (res->status != 409)
		return;
	body_close(res->body);
	response_init(res, req->arena);
	begin(mw, req, res);
}

static int start(struct middleware *mw, struct proxy *proxy, struct fault *why)
{
	json_t *info = json_object();

	(void)mw, (void)why;
	json_object_set_new(info, "max_failed_deletes", json_integer(conf.max_failed_deletes));
	json_object_set_new(proxy->info, "recursive_delete", info);
	return 0;
}

const struct middleware_kind middleware_recursive_delete = {
	.name = "recursive_delete", .section = &section, .start = start, .handle = handle,
};
