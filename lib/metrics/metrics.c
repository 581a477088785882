/* Values of all workers in one shared segment, and the page that shows them. */
#include "lib/metrics/metrics.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SLOTS_MAX = 16 * KIB, WORKERS_MAX = 512, COLLECTORS_MAX = 16 };
/* In a histogram's slots: the sum comes first, then the buckets. */
enum { SUM = 0, BUCKETS = 1, BUCKETS_N = METRIC_HISTOGRAM_SLOTS - BUCKETS };

_Static_assert(BUCKETS_N == 2 * (METRIC_OCTAVE_MAX - METRIC_OCTAVE_MIN) + 3,
	       "bounds and buckets agree");

/* Of one worker; lies in front of its values. */
struct row_head {
	_Atomic int pid;
	_Atomic uint64_t starts;
};

enum { HEAD_SLOTS = 8 };
_Static_assert(sizeof(struct row_head) <= HEAD_SLOTS * sizeof(uint64_t), "the head fits");

struct collector {
	void (*fn)(void *arg);
	void *arg;
};

static uint64_t private_row[SLOTS_MAX];
uint64_t *metrics_row = private_row;

static struct {
	struct metric *first;
	unsigned slots;                 /* in use */
	uint64_t *rows;                 /* NULL: only private_row */
	size_t stride;                  /* slots from one row to the next */
	unsigned workers;
	const char *label;              /* workers are shown one by one */
	const char *label_values[WORKERS_MAX];
	struct collector collectors[COLLECTORS_MAX];
	unsigned collector_count;
} M;

static unsigned count_values(const char *const *values)
{
	unsigned n = 0;

	while (values && values[n])
		n++;
	return values ? n : 1;
}

void metric_register(struct metric *m)
{
	unsigned each = m->kind == METRIC_KIND_HISTOGRAM ? METRIC_HISTOGRAM_SLOTS : 1;

	m->n1 = count_values(m->values1);
	m->n2 = count_values(m->values2);
	m->first_slot = M.slots;
	M.slots += each * m->n1 * m->n2;
	assert(M.slots <= SLOTS_MAX && !M.rows);
	/* By name, so that the page has an order that does not depend on linking. */
	struct metric **at = &M.first;

	while (*at && strcmp((*at)->name, m->name) < 0)
		at = &(*at)->next;
	m->next = *at;
	*at = m;
}

void metrics_share(unsigned workers)
{
	assert(workers > 0 && workers <= WORKERS_MAX && !M.rows);
	/* Whole cache lines, so that workers do not write into each other's. */
	M.stride = (HEAD_SLOTS + M.slots + 7) / 8 * 8;
	M.rows = mmap(NULL, workers * M.stride * sizeof(uint64_t), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (M.rows == MAP_FAILED)
		unreachable("no memory for the metrics of the workers");
	M.workers = workers;
}

static struct row_head *row_head(unsigned worker)
{
	return (void *)(M.rows + worker * M.stride);
}

void metrics_set_worker(unsigned worker)
{
	assert(M.rows && worker < M.workers);
	metrics_row = M.rows + worker * M.stride + HEAD_SLOTS;
	atomic_store(&row_head(worker)->pid, getpid());
	atomic_fetch_add(&row_head(worker)->starts, 1);
	for (const struct metric *m = M.first; m; m = m->next)
		if (m->kind == METRIC_KIND_GAUGE)
			memset(metrics_row + m->first_slot, 0, m->n1 * m->n2 * sizeof(uint64_t));
}

void metrics_label_worker(unsigned worker, const char *label, const char *value)
{
	assert(worker < WORKERS_MAX);
	M.label = label;
	M.label_values[worker] = value;
}

void metrics_on_page(void (*fn)(void *arg), void *arg)
{
	assert(M.collector_count < COLLECTORS_MAX);
	M.collectors[M.collector_count++] = (struct collector){ fn, arg };
}

void metric_gauge_set_at(const struct metric *m, unsigned i, int64_t v)
{
	assert(m->kind == METRIC_KIND_GAUGE && i < m->n1);
	__atomic_store_n(&metrics_row[m->first_slot + i], (uint64_t)v, __ATOMIC_RELAXED);
}

void metric_gauge_add_at(const struct metric *m, unsigned i, int64_t n)
{
	assert(m->kind == METRIC_KIND_GAUGE);
	metric_add_at(m, i, (uint64_t)n);
}

/* Bucket 2k holds values up to 2^(min+k), bucket 2k+1 up to 1.5 times that; the last one
 * the rest. */
static unsigned bucket_of(uint64_t v)
{
	if (v <= 1u << METRIC_OCTAVE_MIN)
		return 0;
	unsigned octave = 63 - (unsigned)__builtin_clzll(v - 1);        /* 2^octave < v */

	if (octave >= METRIC_OCTAVE_MAX)
		return v <= 3ull << (METRIC_OCTAVE_MAX - 1) ? BUCKETS_N - 2 : BUCKETS_N - 1;
	return 2 * (octave - METRIC_OCTAVE_MIN) + (v <= 3ull << (octave - 1) ? 1 : 2);
}

static uint64_t bucket_bound(unsigned bucket)
{
	uint64_t power = 1ull << (METRIC_OCTAVE_MIN + bucket / 2);

	return bucket % 2 ? power + power / 2 : power;
}

void metric_observe_at(const struct metric *m, unsigned i, uint64_t value)
{
	assert(m->kind == METRIC_KIND_HISTOGRAM && i < m->n1);
	uint64_t *p = &metrics_row[m->first_slot + i * METRIC_HISTOGRAM_SLOTS];
	uint64_t *bucket = &p[BUCKETS + bucket_of(value)];

	__atomic_store_n(&p[SUM], p[SUM] + value, __ATOMIC_RELAXED);
	__atomic_store_n(bucket, *bucket + 1, __ATOMIC_RELAXED);
}

uint64_t metric_value_at(const struct metric *m, unsigned i, unsigned j)
{
	uint64_t n = 0;

	if (m->kind != METRIC_KIND_HISTOGRAM)
		return metrics_row[m->first_slot + i * m->n2 + j];
	for (unsigned b = 0; b < BUCKETS_N; b++)
		n += metrics_row[m->first_slot + i * METRIC_HISTOGRAM_SLOTS + BUCKETS + b];
	return n;
}

/* ---- the page ---- */

/* Which row a series is of: one worker, or the sum of all (-1). */
static uint64_t value_of(int worker, unsigned slot)
{
	uint64_t sum = 0;

	if (!M.rows)
		return metrics_row[slot];
	for (unsigned w = 0; w < M.workers; w++)
		if (worker < 0 || (unsigned)worker == w)
			sum += __atomic_load_n(&M.rows[w * M.stride + HEAD_SLOTS + slot],
					       __ATOMIC_RELAXED);
	return sum;
}

static void add_label(struct buf *to, const char *name, const char *value)
{
	bool first = to->n && to->p[to->n - 1] == '{';

	buf_addf(to, "%s%s=\"", first ? "" : ",", name);
	for (; *value; value++) {
		if (*value == '\\' || *value == '"')
			buf_add_char(to, '\\');
		buf_add_char(to, *value == '\n' ? ' ' : *value);
	}
	buf_add_char(to, '"');
}

struct series {
	const struct metric *m;
	unsigned i, j;
	int worker;
};

/* name_suffix{labels} without the value; le NULL: not a bucket. */
static void add_series(struct buf *to, const struct series *s, const char *suffix, const char *le)
{
	const struct metric *m = s->m;

	buf_addf(to, "%s%s", m->name, suffix);
	if (m->label1 || s->worker >= 0 || le) {
		buf_add_char(to, '{');
		if (s->worker >= 0)
			add_label(to, M.label, M.label_values[s->worker]);
		if (m->label1)
			add_label(to, m->label1, m->values1[s->i]);
		if (m->label2)
			add_label(to, m->label2, m->values2[s->j]);
		if (le)
			add_label(to, "le", le);
		buf_add_char(to, '}');
	}
	buf_add_char(to, ' ');
}

static void add_histogram(struct buf *to, const struct series *s)
{
	const struct metric *m = s->m;
	unsigned slot = m->first_slot + s->i * METRIC_HISTOGRAM_SLOTS;
	uint64_t count = 0;
	char le[32];

	for (unsigned b = 0; b < BUCKETS_N; b++) {
		count += value_of(s->worker, slot + BUCKETS + b);
		if (b + 1 < BUCKETS_N)
			snprintf(le, sizeof le, "%.9g", (double)bucket_bound(b) * m->unit);
		else
			snprintf(le, sizeof le, "+Inf");
		add_series(to, s, "_bucket", le);
		buf_addf(to, "%" PRIu64 "\n", count);
	}
	add_series(to, s, "_sum", NULL);
	buf_addf(to, "%.9g\n", (double)value_of(s->worker, slot + SUM) * m->unit);
	add_series(to, s, "_count", NULL);
	buf_addf(to, "%" PRIu64 "\n", count);
}

static void add_values(struct buf *to, const struct metric *m, int worker)
{
	for (unsigned i = 0; i < m->n1; i++)
		for (unsigned j = 0; j < m->n2; j++) {
			struct series s = { m, i, j, worker };
			uint64_t v = m->kind == METRIC_KIND_HISTOGRAM ? 0 :
				     value_of(worker, m->first_slot + i * m->n2 + j);

			if (m->kind == METRIC_KIND_HISTOGRAM) {
				add_histogram(to, &s);
				continue;
			}
			add_series(to, &s, "", NULL);
			if (m->kind == METRIC_KIND_GAUGE)
				buf_addf(to, "%" PRId64 "\n", (int64_t)v);
			else
				buf_addf(to, "%" PRIu64 "\n", v);
		}
}

/* Resident pages of a process as /proc says, in bytes; 0 when it is gone. */
static uint64_t resident(int pid)
{
	char path[32], text[128] = "";
	uint64_t pages = 0;

	snprintf(path, sizeof path, "/proc/%d/statm", pid);
	int fd = pid > 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;

	if (fd < 0)
		return 0;
	ssize_t n = read(fd, text, sizeof text - 1);

	close(fd);
	if (n > 0) {
		struct str rest = str_of(text, (size_t)n);

		str_cut(&rest, ' ');
		if (str_to_u64(str_cut(&rest, ' '), &pages) < 0)
			return 0;
	}
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void add_workers(struct buf *to)
{
	const char *label = M.label ? M.label : "worker";
	char number[16];

	for (int pass = 0; pass < 2; pass++) {
		buf_addf(to, "%s",
			 pass == 0 ? "# HELP needletail_worker_memory_bytes Resident memory of a "
				     "worker process.\n"
				     "# TYPE needletail_worker_memory_bytes gauge\n"
				   : "# HELP needletail_worker_starts_total Times that a worker "
				     "was started.\n"
				     "# TYPE needletail_worker_starts_total counter\n");
		for (unsigned w = 0; w < M.workers; w++) {
			struct row_head *head = row_head(w);
			uint64_t v = pass == 0 ? resident(atomic_load(&head->pid)) :
						 atomic_load(&head->starts);

			snprintf(number, sizeof number, "%u", w);
			buf_addf(to, "needletail_worker_%s{",
				 pass == 0 ? "memory_bytes" : "starts_total");
			add_label(to, label, M.label_values[w] ? M.label_values[w] : number);
			buf_addf(to, "} %" PRIu64 "\n", v);
		}
	}
}

void metrics_format(struct buf *to)
{
	static const char *const types[] = { "counter", "gauge", "histogram" };
	const char *last = "";

	for (unsigned i = 0; i < M.collector_count; i++)
		M.collectors[i].fn(M.collectors[i].arg);
	for (const struct metric *m = M.first; m; m = m->next) {
		if (strcmp(last, m->name) != 0)
			buf_addf(to, "# HELP %s %s\n# TYPE %s %s\n", m->name, m->help, m->name,
				 types[m->kind]);
		last = m->name;
		if (!M.label)
			add_values(to, m, -1);
		else
			for (unsigned w = 0; w < M.workers; w++)
				add_values(to, m, (int)w);
	}
	if (M.rows)
		add_workers(to);
}
