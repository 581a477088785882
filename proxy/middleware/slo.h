/* What the files of static large objects share. */
#pragma once
#include "proxy/middleware/segments.h"
#include "proxy/middleware/slo_manifest.h"

struct slo_conf {
	int64_t max_manifest_segments;
	uint64_t max_manifest_size;
	uint64_t yield_frequency, max_get_time; /* ms */
	int64_t concurrency, delete_concurrency;
	bool allow_async_delete;
};
extern struct slo_conf slo_conf;

#define SLO_ETAG S("X-Object-Sysmeta-Slo-Etag")
#define SLO_SIZE S("X-Object-Sysmeta-Slo-Size")

waits void slo_get(struct middleware *mw, struct request *req, struct response *res);
waits void slo_put(struct middleware *mw, struct request *req, struct response *res);
waits void slo_delete(struct middleware *mw, struct request *req, struct response *res);

/* Whether an answer is a manifest. */
bool slo_is_manifest(const struct response *res);
/* Reads an answer's body as a manifest and closes it: 0, -EBADMSG, -EFBIG or the body's error. */
waits must_check int slo_read_manifest(struct response *res, struct slo_manifest **ret);
/* Asks for the manifest stored at account/container/object, in the arena, which lives until the
 * answer's body is closed: 0 with the manifest as the body, or -ENOENT (something else was
 * answered; no body is open) or -ECANCELED. */
waits must_check int slo_ask_manifest(struct middleware *mw, struct request *req, struct arena *a,
				      struct str container, struct str object, struct str query,
				      struct response *res);
/* Reads the manifest stored at account/container/object ("?multipart-manifest=get"): 0 with the
 * manifest, or negative. *ret_status is what was answered; *ret_etag (may be NULL, in the arena of
 * req) the ETag of its content, if that is known. */
waits must_check int slo_fetch_manifest(struct middleware *mw, struct request *req,
					struct str container, struct str object, struct str query,
					struct slo_manifest **ret, int *ret_status,
					struct str *ret_etag);
/* Appends an item to a comma-separated header of the request. */
void slo_append_header(struct request *req, struct str name, struct str item);
/* Calls fn(arg, i) for i in 0..n-1, in up to `width` tasks: 0 or -ECANCELED. fn waits. */
waits must_check int slo_each(unsigned n, unsigned width, void (*fn)(void *arg, unsigned i),
			      void *arg);
