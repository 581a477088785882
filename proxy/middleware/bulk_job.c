/* A job's answer: beats, then its report. */
#include "proxy/middleware/bulk_job.h"
#include "proxy/middleware/heartbeat.h"

/* A report of a thousand failures with the longest names fits many times. */
enum { REPORT_MAX = 64 * MIB };

waits static void work(void *arg, struct buf *result)
{
	struct bulk_job *job = arg;

	job->run(job);
	bulk_report_print(&job->report, job->type, job->root, result);
}

static void say(void *arg, struct buf *to)
{
	const struct bulk_job *job = arg;

	job->progress(job, to);
}

void bulk_job_respond(struct bulk_job *job, struct response *res)
{
	bulk_report_init(&job->report, job->req->arena);
	job->acceptable =
		bulk_report_type(headers_joined(&job->req->headers, S("Accept")), &job->type) == 0;
	if (!job->acceptable)
		job->type = S("text/plain");
	bool xml = str_ends(job->type, S("/xml"));
	bool text = str_eq(job->type, S("text/plain"));
	struct heartbeat h = {
		.work = work,
		.arg = job,
		.result_max = REPORT_MAX,
		.every_ms = job->yield_ms,
		/* Nothing may stand before XML's declaration. */
		.first = xml ? S("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n") : S(" "),
		.beat = S(" "),
		.separator = S("\r\n\r\n"),
		.say = text && job->progress ? say : NULL,
	};

	res->status = 200;
	headers_set(&res->headers, S("Content-Type"),
		    job->acceptable ? job->type : S("text/html; charset=UTF-8"));
	res->content_length = -1;
	res->body = heartbeat_body(job->req->arena, &h);
}
