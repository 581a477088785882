/* What is counted per storage server. The table is shared by the workers, since a scrape reaches
 * one of them; lib/metrics has fixed labels only. */
#include "proxy/backend/internal.h"

#include <stdatomic.h>
#include <sys/mman.h>

enum { SERVERS_MAX = 4096, PROBES_MAX = 64, KIND_EVERY = 256 /* answers */ };

enum { SLOT_FREE, SLOT_FILLING, SLOT_READY };

struct server {
	_Atomic int state;
	unsigned port;
	char ip[RING_HOST_SIZE], device[RING_DEVICE_SIZE];
	_Atomic int ours;               /* a needletail-objectd, when it was last looked at */
	_Atomic uint64_t answers, microseconds, failures, late, handoffs;
};

static struct server *servers;          /* SERVERS_MAX slots, found by hash */

void servers_share(void)
{
	if (servers)
		return;
	servers = mmap(NULL, SERVERS_MAX * sizeof *servers, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (servers == MAP_FAILED)
		unreachable("no memory for a shared table");
}

static bool is_same(const struct server *s, const struct ring_dev *dev)
{
	return s->port == dev->port && strcmp(s->device, dev->device) == 0 &&
	       strcmp(s->ip, dev->ip) == 0;
}

static uint32_t hash_of(const struct ring_dev *dev)
{
	uint32_t h = 2166136261u ^ dev->port;

	for (const char *p = dev->ip; *p; p++)
		h = (h ^ (unsigned char)*p) * 16777619u;
	for (const char *p = dev->device; *p; p++)
		h = (h ^ (unsigned char)*p) * 16777619u;
	return h ^ h >> 15;
}

/* Finds or makes it; NULL when there are too many. A sibling may be filling a slot: then this one
 * observation is not counted. */
static struct server *server_of(const struct ring_dev *dev)
{
	uint32_t at = hash_of(dev);

	servers_share();
	for (unsigned i = 0; i < PROBES_MAX; i++) {
		struct server *s = &servers[(at + i) % SERVERS_MAX];
		int state = atomic_load_explicit(&s->state, memory_order_acquire);

		if (state == SLOT_READY && is_same(s, dev))
			return s;
		if (state == SLOT_FILLING)
			return NULL;
		if (state == SLOT_READY)
			continue;
		if (!atomic_compare_exchange_strong(&s->state, &state, SLOT_FILLING))
			return NULL;
		s->port = dev->port;
		memcpy(s->ip, dev->ip, sizeof s->ip);
		memcpy(s->device, dev->device, sizeof s->device);
		atomic_store_explicit(&s->state, SLOT_READY, memory_order_release);
		return s;
	}
	return NULL;
}

static void add(_Atomic uint64_t *to, uint64_t n)
{
	atomic_fetch_add_explicit(to, n, memory_order_relaxed);
}

/* A server may be replaced by one of the other kind, but not often. */
void server_answered(const struct ring_dev *dev, uint64_t microseconds, const struct headers *h)
{
	struct server *s = server_of(dev);

	if (!s)
		return;
	if (atomic_load_explicit(&s->answers, memory_order_relaxed) % KIND_EVERY == 0)
		atomic_store(&s->ours, headers_has(h, S("X-Backend-Needletail")) ||
					       headers_has(h, S("X-Needletail")));
	add(&s->answers, 1);
	add(&s->microseconds, microseconds);
}

bool server_is_ours(const struct ring_dev *dev)
{
	struct server *s = server_of(dev);

	return s && atomic_load_explicit(&s->ours, memory_order_relaxed);
}

void server_note(const struct ring_dev *dev, enum server_event what)
{
	struct server *s = server_of(dev);

	if (s)
		add(what == SERVER_FAILED ? &s->failures :
		    what == SERVER_LATE	  ? &s->late :
					    &s->handoffs, 1);
}

/* ---- the page ---- */

static const struct {
	const char *name, *type, *help;
	size_t at;
	double unit;
} series[] = {
	{ "needletail_proxy_server_answers_total", "counter", "Answers of a storage server.",
	  offsetof(struct server, answers), 1 },
	{ "needletail_proxy_server_seconds_total", "counter",
	  "Time until a storage server began to answer, added up.",
	  offsetof(struct server, microseconds), 1e-6 },
	{ "needletail_proxy_server_failures_total", "counter",
	  "Failed exchanges with a storage server.", offsetof(struct server, failures), 1 },
	{ "needletail_proxy_server_late_total", "counter",
	  "Requests that a storage server did not answer within concurrency_timeout.",
	  offsetof(struct server, late), 1 },
	{ "needletail_proxy_server_handoffs_total", "counter",
	  "Requests to a storage server in place of another.",
	  offsetof(struct server, handoffs), 1 },
};

void servers_format(struct buf *to)
{
	servers_share();
	for (size_t k = 0; k < ARRAY_LEN(series); k++) {
		buf_addf(to, "# HELP %s %s\n# TYPE %s %s\n", series[k].name, series[k].help,
			 series[k].name, series[k].type);
		for (unsigned i = 0; i < SERVERS_MAX; i++) {
			struct server *s = &servers[i];

			if (atomic_load_explicit(&s->state, memory_order_acquire) != SLOT_READY)
				continue;
			_Atomic uint64_t *v = (void *)((char *)s + series[k].at);

			buf_addf(to, "%s{server=\"%s:%u/%s\"} %.15g\n", series[k].name, s->ip,
				 s->port, s->device,
				 (double)atomic_load_explicit(v, memory_order_relaxed) *
					 series[k].unit);
		}
	}
}
