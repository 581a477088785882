/* Records: JSON documents, each an object of one container, named by its id. Several hosts change
 * them at the same time: a change is read, made and written back on the condition that nobody wrote
 * meanwhile (If-Match), else made anew. Against a store that has only If-None-Match: * that holds
 * among the requests of this process; between hosts it is a window of one round trip.
 *
 * Documents are remembered by their ETag. A listing of the container tells which of them are still
 * current, so listing N records costs one request for each 10,000 of them and one for each that
 * changed since. */
#pragma once
#include "compute/store/store.h"

struct records;
struct records *records_new(struct store *s, const char *container);
void records_free(struct records *r);

struct record {
	struct str id;
	json_t *doc;                    /* shared: not to be changed; a reference of one's own */
};

/* 0 with a new reference to the shared document; -ENOENT; or as store_run. */
waits must_check int records_get(struct records *r, struct arena *a, struct str id, json_t **ret);
/* The same, but of all replicas the newest: for who destroys something because of it. */
waits must_check int records_get_newest(struct records *r, struct arena *a, struct str id,
					json_t **ret);
/* 0; -EEXIST. */
waits must_check int records_create(struct records *r, struct arena *a, struct str id,
				    const json_t *doc);
/* Changes a copy in place: 1 to have it written, 0 when nothing is to be written, or a negative
 * error, which records_change then returns. It may be called several times. (It may wait.) */
typedef int record_change(void *arg, json_t *doc);
/* 0, with a new reference to the document as it is now in *ret_doc (which may be NULL); -ENOENT;
 * -ESTALE after too many attempts; what fn returned. */
waits must_check int records_change(struct records *r, struct arena *a, struct str id,
				    record_change *fn, void *arg, json_t **ret_doc);
/* A missing one is fine. */
waits must_check int records_remove(struct records *r, struct arena *a, struct str id);

/* All of them, in the order of their ids. -EFBIG beyond 100,000. */
struct record_list {
	struct record *v;
	size_t n;
};
waits must_check int records_list(struct records *r, struct arena *a, struct record_list *ret);
/* Only those whose id begins so. */
waits must_check int records_list_prefix(struct records *r, struct arena *a, struct str prefix,
					 struct record_list *ret);
void record_list_done(struct record_list *l);
