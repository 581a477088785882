/* A stored manifest that is read a page at a time, so that its length does not matter: only some of
 * its segments are in memory, the next ones are read by a range of the manifest's own bytes. */
#pragma once
#include "proxy/middleware/slo.h"

/* A walk over the segments that make some bytes of what a manifest stands for. */
struct slo_pages {
	struct middleware *mw;
	struct request *req;
	char *memory;                   /* of these four */
	struct str container, object, query;
	struct str etag;                /* of the manifest's own text; absent: any */
	struct slo_manifest *page;
	uint64_t next;                  /* where in the text the next page begins */
	bool last;
	bool from_start;                /* the page begins with the first segment */
	struct slo_walk walk;
};

/* Where the manifest is; then the bytes first..first+length-1 of its content are walked over. text
 * is an answer's body with all of the manifest (closed here), or NULL: it is asked for. 0,
 * -EBADMSG, -ESTALE (it has changed), -EHOSTDOWN, -ECANCELED. */
struct slo_place {
	struct middleware *mw;
	struct request *req;
	struct str container, object, query, etag;
};
waits must_check int slo_pages_open(struct slo_pages *p, const struct slo_place *place,
				    struct body *text, uint64_t first, uint64_t length);
waits must_check int slo_pages_next(struct slo_pages *p, const struct slo_segment **ret,
				    uint64_t *ret_first, uint64_t *ret_length);
/* Walks over other bytes, when the page that is there begins with the manifest's first segment. */
bool slo_pages_again(struct slo_pages *p, uint64_t first, uint64_t length);
void slo_pages_done(struct slo_pages *p);

/* Reads a whole manifest and closes it, and keeps nothing but sums: 0, -EBADMSG, or the
 * body's error. */
waits must_check int slo_sum_read(struct body *text, struct slo_sum *sum);
