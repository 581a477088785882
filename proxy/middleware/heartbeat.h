/* A body that says little until work is done: blanks now and then, so that nobody gives the
 * connection up, and then the work's result. */
#pragma once
#include "lib/http/body.h"

struct heartbeat {
	/* Does the work in a task of its own, and writes what the body is to end with. Waits. When
	 * the client goes away it is cancelled. */
	void (*work)(void *arg, struct buf *result);
	void *arg;
	/* Lets go of what arg has, when the body is closed, also if no work was done; may
	 * be NULL. */
	void (*done)(void *arg);
	size_t result_max; /* bytes; more than that breaks the connection off */
	uint64_t every_ms;
	/* The first beat, the later ones, and what stands between beats and result if there were
	 * any. */
	struct str first, beat, separator;
	bool at_once; /* the first beat does not wait for every_ms */
	/* Writes what a beat says instead of first and beat; NULL: they stand. */
	void (*say)(void *arg, struct buf *to);
};

/* The body, in the arena; the work begins when it is first read. */
struct body *heartbeat_body(struct arena *a, const struct heartbeat *h);
