/* Learns what clients are used to, and gives way when they have to wait longer. */
#include "objectd/replicator/pressure.h"

enum {
	ENOUGH = 20,                    /* requests that make a window count */
	GRACE_US = 2000,                /* below that nobody complains */
	IDLE_WINDOWS_MAX = 64,          /* windows without a call that are made up for */
};

void pressure_init(struct pressure *p, uint64_t now_ms)
{
	*p = (struct pressure){ .window_ms = now_ms, .share = PRESSURE_WHOLE };
}

/* Four slots to a power of two. */
static unsigned slot_of(uint64_t us)
{
	unsigned log;

	us = MAX(us, (uint64_t)4);
	log = 63 - (unsigned)__builtin_clzll(us);
	return MIN(4 * (log - 2) + (unsigned)(us >> (log - 2) & 3), (unsigned)PRESSURE_SLOTS - 1);
}

static uint64_t slot_us(unsigned slot)
{
	return (uint64_t)(4 + slot % 4) << (slot / 4);
}

void pressure_note(struct pressure *p, uint64_t us)
{
	p->slots[slot_of(us)]++;
	p->n++;
}

static uint64_t p99(const struct pressure *p)
{
	uint32_t above = p->n / 100, seen = 0;

	for (unsigned i = PRESSURE_SLOTS; i-- > 0;) {
		seen += p->slots[i];
		if (seen > above)
			return slot_us(i);
	}
	return 0;
}

static void learn(struct pressure *p, bool sending)
{
	if (p->usual_us == 0 || p->p99_us < p->usual_us)
		p->usual_us = p->p99_us;
	else if (!sending)
		p->usual_us += (p->p99_us - p->usual_us) / 8;
	else
		p->usual_us += p->usual_us / 1024;
}

static void end_window(struct pressure *p, bool sending)
{
	bool late = false;

	if (p->n >= ENOUGH) {
		p->p99_us = p99(p);
		learn(p, sending);
		late = p->p99_us > 2 * p->usual_us + GRACE_US;
	}
	if (late)
		p->share = MAX(p->share / 4 * 3, (unsigned)PRESSURE_LEAST);
	else
		p->share = MIN(p->share + PRESSURE_WHOLE / 32, (unsigned)PRESSURE_WHOLE);
	memset(p->slots, 0, sizeof p->slots);
	p->n = 0;
}

unsigned pressure_share(struct pressure *p, uint64_t now_ms, bool sending)
{
	for (unsigned i = 0; i < IDLE_WINDOWS_MAX && now_ms - p->window_ms >= PRESSURE_WINDOW_MS;
	     i++) {
		end_window(p, sending);
		p->window_ms += PRESSURE_WINDOW_MS;
	}
	if (now_ms - p->window_ms >= PRESSURE_WINDOW_MS)
		p->window_ms = now_ms;
	return p->share;
}
