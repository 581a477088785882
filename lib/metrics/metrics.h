/* Counters, gauges and histograms for /metrics in Prometheus' text format. A room declares them
 * where it uses them, at file scope, and adding to one is a plain addition:
 *
 *	METRIC_COUNTER(puts_failed, "needletail_put_failures_total", "PUTs that failed.");
 *	static const char *const verbs[] = { "GET", "PUT", NULL };
 *	METRIC_HISTOGRAM_BY(took, "needletail_request_seconds", "Time per request.", 1e-6,
 *			    "method", verbs);
 *	…
 *	metric_add(&puts_failed, 1);
 *	metric_observe_at(&took, VERB_PUT, microseconds);
 *
 * Worker processes share one segment made before the fork, a row of values per worker; the page
 * shows the sum over all of them, or with metrics_label_worker() each worker's own. */
#pragma once
#include "lib/base/base.h"
#include "lib/base/buf.h"

enum metric_kind { METRIC_KIND_COUNTER, METRIC_KIND_GAUGE, METRIC_KIND_HISTOGRAM };

/* Histograms have two buckets per power of two from 2^4 to 2^30 units (16 us to 18 minutes), one
 * below and one above. */
enum { METRIC_OCTAVE_MIN = 4, METRIC_OCTAVE_MAX = 30, METRIC_HISTOGRAM_SLOTS = 2 * (30 - 4) + 4 };

struct metric {
	const char *name, *help;
	enum metric_kind kind;
	double unit;                    /* what one counted unit is in the unit of the name: 1e-6 */
	const char *label1;             /* NULL: none */
	const char *const *values1;     /* ended by NULL */
	const char *label2;
	const char *const *values2;
	/* Set when registered. */
	unsigned n1, n2, first_slot;
	struct metric *next;
};

/* Called by the macros before main. */
void metric_register(struct metric *m);

#define METRIC_(var, ...)                                                            \
	static struct metric var = { __VA_ARGS__ };                                  \
	__attribute__((constructor)) static void var##_register(void) { metric_register(&var); } \
	_Static_assert(1, "")
#define METRIC_COUNTER(var, n, h) \
	METRIC_(var, .name = n, .help = h, .kind = METRIC_KIND_COUNTER, .unit = 1)
#define METRIC_COUNTER_BY(var, n, h, l1, v1)                                          \
	METRIC_(var, .name = n, .help = h, .kind = METRIC_KIND_COUNTER, .unit = 1, \
		.label1 = l1, .values1 = v1)
#define METRIC_COUNTER_BY2(var, n, h, l1, v1, l2, v2)                              \
	METRIC_(var, .name = n, .help = h, .kind = METRIC_KIND_COUNTER, .unit = 1, \
		.label1 = l1, .values1 = v1, .label2 = l2, .values2 = v2)
#define METRIC_GAUGE(var, n, h) \
	METRIC_(var, .name = n, .help = h, .kind = METRIC_KIND_GAUGE, .unit = 1)
#define METRIC_GAUGE_BY(var, n, h, l1, v1)                                      \
	METRIC_(var, .name = n, .help = h, .kind = METRIC_KIND_GAUGE, .unit = 1, \
		.label1 = l1, .values1 = v1)
/* u: 1e-6 for observations in microseconds under a name in _seconds, 1 for bytes. */
#define METRIC_HISTOGRAM(var, n, h, u) \
	METRIC_(var, .name = n, .help = h, .kind = METRIC_KIND_HISTOGRAM, .unit = u)
#define METRIC_HISTOGRAM_BY(var, n, h, u, l1, v1)                                   \
	METRIC_(var, .name = n, .help = h, .kind = METRIC_KIND_HISTOGRAM, .unit = u, \
		.label1 = l1, .values1 = v1)

/* This process's row of values; a private one until metrics_set_worker. */
extern uint64_t *metrics_row;

/* i, j: index of the label's value in the table. Only from the loop's thread. */
static inline void metric_add_at2(const struct metric *m, unsigned i, unsigned j, uint64_t n)
{
	uint64_t *p = &metrics_row[m->first_slot + i * m->n2 + j];

	assert(i < m->n1 && j < m->n2);
	__atomic_store_n(p, __atomic_load_n(p, __ATOMIC_RELAXED) + n, __ATOMIC_RELAXED);
}
static inline void metric_add_at(const struct metric *m, unsigned i, uint64_t n)
{
	metric_add_at2(m, i, 0, n);
}
static inline void metric_add(const struct metric *m, uint64_t n)
{
	metric_add_at2(m, 0, 0, n);
}
/* Gauges hold int64_t; add may be negative. */
void metric_gauge_set_at(const struct metric *m, unsigned i, int64_t v);
void metric_gauge_add_at(const struct metric *m, unsigned i, int64_t n);
static inline void metric_gauge_set(const struct metric *m, int64_t v)
{
	metric_gauge_set_at(m, 0, v);
}
static inline void metric_gauge_add(const struct metric *m, int64_t n)
{
	metric_gauge_add_at(m, 0, n);
}
void metric_observe_at(const struct metric *m, unsigned i, uint64_t value);
static inline void metric_observe(const struct metric *m, uint64_t value)
{
	metric_observe_at(m, 0, value);
}
/* This worker's own value of a counter or gauge; of a histogram the number of observations. */
uint64_t metric_value_at(const struct metric *m, unsigned i, unsigned j);

/* Before the fork: the shared segment, for so many workers. Aborts when there is no memory. */
void metrics_share(unsigned workers);
/* In the worker, after the fork: takes its row, where counters go on from before a crash and gauges
 * begin at 0. Takes note of the process id. */
void metrics_set_worker(unsigned worker);
/* Shows each worker's own values with label="value" instead of sums: "device", "sdb1". Before the
 * fork; strings are kept. */
void metrics_label_worker(unsigned worker, const char *label, const char *value);
/* Called in front of each page for values that are looked up only then (this worker's). */
void metrics_on_page(void (*fn)(void *arg), void *arg);
/* The page: Content-Type "text/plain; version=0.0.4; charset=utf-8". */
void metrics_format(struct buf *to);
