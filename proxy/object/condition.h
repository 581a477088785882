/* If-Match and If-None-Match on PUT and DELETE: compare and swap. */
#pragma once
#include "proxy/app.h"

struct condition {
	struct str match, none_match;   /* as the client wrote them; absent: none */
	struct timestamp ts;            /* of the write */
	struct str token;
	uint64_t held_ms;               /* when the first hold was taken, clock_mono_ms */
	bool ours;                      /* storage servers keep holds; Swift's do not */
};

/* Whether the client has conditions. */
bool condition_read(const struct request *req, struct timestamp ts, struct condition *ret);
/* Asks a majority of the object's devices whether the conditions hold, and keeps others from
 * changing the object until the write with condition_add_header comes, or some seconds have passed.
 * 0; or negative and answered (412; 503 when no majority says the same). */
waits must_check int condition_hold(struct request *req, const struct target *t,
				    struct condition *c, struct response *res);
/* The same without keeping anything: for refusing a body before it is sent. */
waits must_check int condition_check(struct request *req, const struct target *t,
				     struct condition *c, struct response *res);
/* To every request of the write. */
void condition_add_header(const struct condition *c, struct headers *to);
