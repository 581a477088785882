/* Requests of background jobs to the storage servers that a ring names for an account, container or
 * object (Swift: common/direct_client.py). One may be this very device: it is asked like any
 * other. */
#pragma once
#include "objectd/objectd.h"

struct direct {
	struct objectd *o;
	struct ring *ring;              /* referenced */
	uint32_t part;
	struct str account, container, object;  /* decoded; views */
	unsigned policy;                /* of an object */
	const struct ring_dev *devs[RING_REPLICAS_MAX];
	unsigned n;                     /* of them */
};

/* Finds the primaries: 0, or -ENOENT without a ring. policy is for objects. */
must_check int direct_init(struct direct *d, struct objectd *o, struct str account,
			   struct str container, struct str object, unsigned policy);
void direct_done(struct direct *d);
/* Which of them this device is, or -1. */
int direct_own_place(const struct direct *d);
/* Adds X-Container-Host, -Device and -Partition (kind "Container"; or "Account") for the i-th
 * device of `to`, so that it tells the listing in `rows`: each of these is told by one, and one
 * may have to tell several (proxy/controllers/obj.py _generate_request_headers). */
void direct_add_rows(const struct direct *to, unsigned i, const struct direct *rows,
		     const char *kind, struct headers *h);
/* Sends a request without a body to the i-th: the status or negative. query may be absent,
 * ret_body NULL (then the body is dropped). The response's headers live in the arena. */
waits must_check int direct_ask(const struct direct *d, unsigned i, struct arena *a,
				struct str method, struct str query, const struct headers *h,
				struct response *res, struct buf *ret_body);
/* The same to all of them at once, h[i] to the i-th: an answer of each, in the arena. status is
 * what direct_ask returned. */
struct direct_answer {
	int status;
	struct response res;
};
waits struct direct_answer *direct_ask_all(const struct direct *d, struct arena *a,
					   struct str method, const struct headers *h);
/* Room for the headers of each, empty but for X-Timestamp and User-Agent. */
struct headers *direct_headers(const struct direct *d, struct arena *a, struct timestamp ts,
			       struct str agent);
/* The i-th's path. */
struct str direct_path(const struct direct *d, unsigned i, struct arena *a, struct str query);
/* Adds X-Timestamp. */
void direct_add_ts(struct headers *h, struct timestamp ts);
