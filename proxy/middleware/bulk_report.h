/* Reports of requests that do many things at once (bulk delete, uploads of archives and manifests),
 * in text, JSON or XML. Swift: get_response_body in common/middleware/bulk.py */
#pragma once
#include "lib/base/arena.h"
#include "lib/base/buf.h"

struct bulk_error {
	struct str name, status; /* the name percent-encoded, or whatever is to be shown */
};

/* In an arena, with everything it shows. */
struct bulk_report {
	struct arena *arena;
	struct bulk_field {
		struct str key, text;
		bool number;
	} fields[8];
	unsigned n;
	struct bulk_error *errors;
	unsigned error_n, error_cap;
};

void bulk_report_init(struct bulk_report *r, struct arena *a);
/* "Response Status" and the like, in the order that JSON shows; texts outlive the report. */
void bulk_report_text(struct bulk_report *r, struct str key, struct str text);
void bulk_report_number(struct bulk_report *r, struct str key, uint64_t v);
/* Both are copied. */
void bulk_report_error(struct bulk_report *r, struct str name, struct str status);
/* Writes it in the type that bulk_report_type found; root is XML's outermost element. */
void bulk_report_print(const struct bulk_report *r, struct str type, const char *root,
		       struct buf *to);

/* What the Accept header likes best of text/plain, application/json, application/xml and text/xml:
 * 0; -EINVAL or -ENOENT (text/plain is what most answer then). */
int bulk_report_type(struct str accept, struct str *ret);
/* "400 Bad Request". */
struct str bulk_status(struct arena *a, int status);
