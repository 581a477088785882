/* Runs a job beside the task that sends its answer. */
#include "proxy/middleware/bulk_job.h"
#include "lib/base/clock.h"

/* A report of a thousand failures with the longest names fits many times. */
enum { REPORT_MAX = 64 * MIB };

waits static void work(void *arg)
{
	struct bulk_job *job = arg;

	job->run(job);
	job->running = false;
	job->done = true;
	if (job->waiter)
		task_wake(job->waiter);
}

/* Waits until the work is done (1), the next sign of life is due (0), or negative. */
waits static int await(struct bulk_job *job)
{
	uint64_t until = clock_mono_ms() + job->yield_ms, now;
	int rc = 0;

	while (!job->done && rc == 0 && (now = clock_mono_ms()) < until) {
		job->waiter = task_self();
		rc = task_wait("bulk job", until - now);
		job->waiter = NULL;
		if (rc == -ETIMEDOUT && clock_mono_ms() >= until)
			rc = 0;
	}
	return rc < 0 ? rc : job->done;
}

/* XML begins with its declaration, which nothing may stand before. */
static void add_sign(struct bulk_job *job)
{
	if (job->progress && str_eq(job->type, S("text/plain")))
		job->progress(job, &job->text);
	else if (!job->gave_sign && str_ends(job->type, S("/xml")))
		buf_add_lit(&job->text, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
	else
		buf_add_char(&job->text, ' ');
	job->gave_sign = true;
}

waits static int job_next(struct body *b, struct str *ret_chunk)
{
	struct bulk_job *job = container_of(b, struct bulk_job, body);

	if (job->ended)
		return 0;
	if (!job->worker) {
		job->running = true;
		job->worker = task_spawn(NULL, "bulk job", work, job);
	}
	int rc = await(job);

	if (rc < 0)
		return rc;
	buf_clear(&job->text);
	if (rc == 0) {
		add_sign(job);
	} else {
		job->ended = true;
		if (job->gave_sign)
			buf_add_lit(&job->text, "\r\n\r\n");
		bulk_report_print(&job->report, job->type, job->root, &job->text);
	}
	*ret_chunk = buf_str(&job->text);
	return buf_failed(&job->text) ? -EFBIG : 1;
}

waits static void job_close(struct body *b)
{
	struct bulk_job *job = container_of(b, struct bulk_job, body);

	if (job->running)
		task_cancel(job->worker);
	while (job->running) {
		job->waiter = task_self();
		task_wait_masked("end of a bulk job");
	}
	job->waiter = NULL;
	buf_done(&job->text);
}

void bulk_job_respond(struct bulk_job *job, struct response *res)
{
	struct str accept = headers_joined(&job->req->headers, S("Accept"));

	bulk_report_init(&job->report, job->req->arena);
	job->acceptable = bulk_report_type(accept, &job->type) == 0;
	if (!job->acceptable)
		job->type = S("text/plain");
	job->text = BUF(REPORT_MAX);
	job->body = (struct body){ .next = job_next, .close = job_close, .left = -1 };
	res->status = 200;
	headers_set(&res->headers, S("Content-Type"),
		    job->acceptable ? job->type : S("text/html; charset=UTF-8"));
	res->content_length = -1;
	res->body = &job->body;
}
