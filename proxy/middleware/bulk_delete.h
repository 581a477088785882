/* Deleting many things with one request: the list of names as it came, and those who work it off.
 * Swift: get_objs_to_delete and handle_delete_iter in common/middleware/bulk.py */
#pragma once
#include "proxy/middleware/bulk_job.h"
#include "proxy/middleware/middleware.h"

/* ---- the list ---- */

/* Names in the order they came, decoded, close together: as many bytes as the list itself. */
struct bulk_list {
	struct buf names;               /* two bytes of length and the name, again and again */
	struct buf line;                /* of which the end has not come */
	unsigned n, max;
	size_t name_max, line_max;      /* bytes of a name, and of a line as sent */
};

/* max: so many names; name_max: bytes of the longest one that can exist. Names up to twice as long
 * are taken, and will be refused one by one; lines are up to three times as long, because of the
 * escapes. */
void bulk_list_init(struct bulk_list *l, unsigned max, size_t name_max);
void bulk_list_done(struct bulk_list *l);
/* The next bytes of a list of percent-encoded names, one per line: 0, -E2BIG when there are too
 * many lines, -ENAMETOOLONG for a line that is too long. Empty lines count. */
int bulk_list_feed(struct bulk_list *l, struct str bytes) must_check;
/* The end of the list: the line that had none. */
int bulk_list_end(struct bulk_list *l) must_check;
/* Forgets the names so far; their lines still count. */
void bulk_list_clear(struct bulk_list *l);
/* Appends a name as it is. 0 or -E2BIG, -ENAMETOOLONG. */
int bulk_list_add(struct bulk_list *l, struct str name) must_check;
/* The name at *at, which moves behind it: false at the end. Begin with 0. */
bool bulk_list_next(const struct bulk_list *l, size_t *at, struct str *ret_name);

/* Whether "/c/o" names an object (else it is a container, or nothing), and the two parts, leading
 * slashes dropped. */
bool bulk_name_split(struct str name, struct str *ret_container, struct str *ret_object);

/* ---- deleting ---- */

struct bulk_delete {
	struct middleware *mw;          /* what stands behind it gets the DELETEs */
	struct request *req;            /* on whose behalf, in whose account */
	struct bulk_report *report;     /* gets those that fail */
	struct str source;              /* for logs: "BD" */
	unsigned concurrency;
	unsigned failures_max;          /* then nothing more is tried */
	unsigned retries;               /* of a container's 409 */
	uint64_t retry_ms;              /* the first pause; the next ones grow by half */
	uint64_t deleted, not_found;
	unsigned failures;
	bool server_failed;             /* one of the failures was a 5xx */
};

/* Deletes the objects of the list, then its containers: 0, -ECANCELED, or -EDQUOT when there were
 * too many failures. */
waits must_check int bulk_delete_list(struct bulk_delete *d, const struct bulk_list *l);
/* Deletes its objects, and appends its containers to another list. Also -E2BIG. */
waits must_check int bulk_delete_objects(struct bulk_delete *d, const struct bulk_list *l,
					 struct bulk_list *containers);
/* Deletes its containers. */
waits must_check int bulk_delete_containers(struct bulk_delete *d, const struct bulk_list *l);
/* What the whole came to: 200; 502 or 400 when something failed. */
int bulk_delete_status(const struct bulk_delete *d);
/* A sub-request from outside the gates: it is authorised like one of the client's own, by his
 * token. */
struct request *bulk_subrequest(struct arena *a, struct request *req, enum http_method m,
				struct str container, struct str object, struct str query,
				struct str source);
