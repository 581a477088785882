/* The store as any client has it: the public Swift API of one account, with this daemon's login.
 * Requests that are refused as 401 log in again, 503 and broken connections are tried again where
 * that is safe. Works with OpenStack Swift; what only Needletail has (If-Match on writes) is used
 * where /info says so. */
#pragma once
#include "compute/identity/login.h"
#include "lib/json/json_text.h"

struct store;
/* login is that of identity, or one of its own when that is NULL (v1 auth). */
struct store *store_new(struct http_client *http, struct login *login);
void store_free(struct store *s);

/* What /info says. */
struct store_features {
	bool if_match;                  /* PUT and DELETE with If-Match and If-None-Match */
	bool slo;
	uint64_t object_max;            /* bytes of one object */
	uint64_t segments_max;          /* of one manifest */
	uint64_t listing_max;           /* rows of one page */
};
/* Asked once, then remembered: 0, or -EAGAIN. */
waits must_check int store_features(struct store *s, struct store_features *ret);

struct store_request {
	struct str method;
	struct str container, name;     /* plain text; a name may have slashes, or be absent */
	struct str query;               /* encoded already, without '?'; absent: none */
	const struct headers *headers;  /* may be NULL */
	struct str body;
	size_t answer_max;
};
/* Runs it: the status, whatever it is; or negative: -EAGAIN (nobody answers, or only with 5xx that
 * does not pass), -EACCES (login refused), -ECANCELED, -EFBIG (answer). A write that is tried again
 * may have been done by the first attempt. */
waits must_check int store_run(struct store *s, struct arena *a, const struct store_request *r,
			       struct response *ret_res, struct str *ret_body);

/* For a status that is no success: -ENOENT (404), -ESTALE (409, 412), -EDQUOT (413), -ENOSPC (507),
 * -EACCES (401, 403), -ERANGE (416), else -EAGAIN. */
int store_error(int status);

/* A container comes into being: 0 or negative. */
waits must_check int store_make_container(struct store *s, struct arena *a, struct str container);
/* One page of a listing, as a JSON array of rows (new reference). -ENOENT: no such container. */
waits must_check int store_list(struct store *s, struct arena *a, struct str container,
				struct str prefix, struct str marker, json_t **ret);
/* Deletes an object; a missing one is fine. */
waits must_check int store_delete(struct store *s, struct arena *a, struct str container,
				  struct str name);
/* Deletes everything with the prefix (which is not empty). */
waits must_check int store_delete_prefix(struct store *s, struct arena *a, struct str container,
					 struct str prefix);
/* Opens an object for reading, from first to last byte (last < 0: to the end): its size in
 * *ret_size (of what comes), and a body that lives as long as the arena and has to be closed. */
waits must_check int store_open(struct store *s, struct arena *a, struct str container,
				struct str name, uint64_t first, int64_t last, int64_t *ret_size,
				struct body **ret);

/* ---- writing as it comes ---- */

struct store_put;
/* Begins an object of that length, or of unknown length (-1). The store is asked before any byte is
 * sent, so what is refused is refused here. 0 or as store_error. */
waits must_check int store_put_open(struct store *s, struct str container, struct str name,
				    int64_t length, struct store_put **ret);
/* Sends bytes: 0; as store_error when the store refuses meanwhile; -EPIPE. */
waits must_check int store_put_write(struct store_put *p, struct str bytes);
/* Ends the object and waits for the store to have it: 0 with its ETag (MD5 of the bytes, without
 * quotes). */
waits must_check int store_put_end(struct store_put *p, char ret_etag[33]);
/* Frees; without store_put_end before it the object is not stored. */
waits void store_put_close(struct store_put *p);
task_asserted static inline void store_put_closep(struct store_put *p) { store_put_close(p); }
DEFINE_AUTO(store_put, struct store_put *, store_put_closep);

/* A static large object of segments in the same account: segments is the manifest's array. */
waits must_check int store_put_manifest(struct store *s, struct arena *a, struct str container,
					struct str name, const json_t *segments);
