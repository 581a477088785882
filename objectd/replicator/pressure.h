/* How clients of this device fare, and what share of its bandwidth that leaves for background
 * work. Of every second the 99th percentile of the clients' times is compared with what is usual:
 * when it has more than doubled, the share shrinks by a quarter, otherwise it grows again by a
 * thirty-second. What is usual is learned while nothing is sent, and only slowly otherwise.
 * Nothing here waits. */
#pragma once
#include "lib/base/base.h"

enum {
	PRESSURE_WHOLE = 1024,          /* all of the bandwidth */
	PRESSURE_LEAST = 32,            /* what is always left */
	PRESSURE_WINDOW_MS = 1000,
	PRESSURE_SLOTS = 128,           /* four for each power of two */
};

struct pressure {
	uint32_t slots[PRESSURE_SLOTS]; /* requests of this window by the time they took */
	uint32_t n;
	uint64_t window_ms;             /* monotonic: when it began */
	uint64_t p99_us;                /* of the last window with enough of them; 0: none yet */
	uint64_t usual_us;
	unsigned share;                 /* of PRESSURE_WHOLE */
};

void pressure_init(struct pressure *p, uint64_t now_ms);
/* A request of a client took that long. */
void pressure_note(struct pressure *p, uint64_t us);
/* The share to use now. sending: background work has been using it. */
unsigned pressure_share(struct pressure *p, uint64_t now_ms, bool sending);
