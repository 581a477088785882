/* An answer that is given while its work goes on: 200 at once, white space every few seconds so
 * that nobody gives up, and at the end a report that says how it went. The work is cancelled when
 * the client goes away. Swift: handle_delete_iter and handle_extract_iter in
 * common/middleware/bulk.py */
#pragma once
#include "lib/http/request.h"
#include "proxy/middleware/bulk_report.h"

/* Zero it, fill the first part, respond. It lives in the request's arena. */
struct bulk_job {
	struct request *req;
	const char *root;               /* XML's outermost element */
	uint64_t yield_ms;              /* between two signs of life */
	/* Does the work, in a task of its own, and fills the report. Waits. */
	void (*run)(struct bulk_job *job);
	/* A sign of life with more to read than a blank, in plain text; may be NULL. */
	void (*progress)(const struct bulk_job *job, struct buf *to);

	struct bulk_report report;
	struct str type;                /* of the report */
	bool acceptable;                /* the client takes one of the types: else run says 406 */
};

/* Fills the answer; the work begins when its body is pulled. */
void bulk_job_respond(struct bulk_job *job, struct response *res);
