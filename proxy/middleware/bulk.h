/* What the files of the bulk middleware share. */
#pragma once
#include "proxy/middleware/bulk_delete.h"

struct bulk_conf {
	int64_t max_containers_per_extraction, max_failed_extractions;
	int64_t max_deletes_per_request, max_failed_deletes;
	uint64_t yield_frequency;       /* ms */
	int64_t delete_concurrency, delete_container_retry_count;
};
extern struct bulk_conf bulk_conf;

/* PUT ?extract-archive=…: answers. */
void bulk_upload(struct middleware *mw, struct request *req, struct response *res,
		 struct str format);
/* "Response Status" and "Response Body", which every report begins with. */
void bulk_begin_report(struct bulk_report *r, int status, struct str body);
/* Whether a request says how long its body is. */
bool bulk_has_length(const struct request *req);
