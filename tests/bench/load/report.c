/* The result of a run as one line of JSON. */
#include "tests/bench/load/job.h"

static const char *const op_names[OP_COUNT] = {
	[OP_PUT] = "PUT", [OP_GET] = "GET", [OP_HEAD] = "HEAD", [OP_DELETE] = "DELETE",
	[OP_LIST] = "LIST", [OP_LISTJSON] = "LISTJSON", [OP_LOGIN] = "LOGIN",
	[OP_TEMPURL] = "TEMPURL",
};

void stats_free(struct stats *s)
{
	if (!s)
		return;
	buf_done(&s->latencies);
	free(s);
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static void print_latencies(struct stats *s)
{
	static const struct {
		const char *name;
		double part;
	} points[] = {
		{ "p50", 0.5 }, { "p95", 0.95 }, { "p99", 0.99 }, { "p999", 0.999 }, { "max", 1 }
	};
	size_t n = s->latencies.n / sizeof(uint32_t);
	uint32_t *us = (uint32_t *)(void *)s->latencies.p;
	double sum = 0;

	if (n > 0)
		qsort(us, n, sizeof(*us), by_value);
	for (size_t i = 0; i < n; i++)
		sum += us[i];
	for (size_t i = 0; i < ARRAY_LEN(points); i++) {
		size_t at = n ? (size_t)(points[i].part * (double)(n - 1) + 0.5) : 0;

		printf("\"%s_ms\":%.3f,", points[i].name, n ? us[at] / 1000.0 : 0.0);
	}
	printf("\"mean_ms\":%.3f,", n ? sum / (double)n / 1000 : 0.0);
}

static void print_counts(const char *name, const uint64_t *counts, size_t n,
			 const char *const *names)
{
	bool first = true;

	printf("\"%s\":{", name);
	for (size_t i = 0; i < n; i++) {
		if (!counts[i])
			continue;
		printf("%s\"", first ? "" : ",");
		if (names)
			printf("%s", names[i]);
		else
			printf("%zu", i);
		printf("\":%" PRIu64, counts[i]);
		first = false;
	}
	printf("}");
}

void stats_print(struct stats *s, const struct job *j, const char *workload)
{
	double seconds = s->seconds > 0 ? s->seconds : 1;

	printf("{\"label\":\"%s\",\"workload\":\"%s\",\"conns\":%d,\"seconds\":%.3f,"
	       "\"ops\":%" PRIu64 ",\"ops_s\":%.1f,\"mb_s\":%.2f,\"bytes\":%" PRIu64 ",",
	       j->load->label, workload, j->conns, s->seconds, s->ops, (double)s->ops / seconds,
	       (double)s->bytes / seconds / 1e6, s->bytes);
	print_latencies(s);
	printf("\"errors\":%" PRIu64 ",\"bad_etag\":%" PRIu64 ",\"bad_length\":%" PRIu64
	       ",\"bad_body\":%" PRIu64 ",\"bad_listing\":%" PRIu64 ",\"timeouts\":%" PRIu64
	       ",\"connect_errors\":%" PRIu64 ",\"reconnects\":%" PRIu64 ",\"client_cpu_s\":%.2f,",
	       s->errors, s->bad_etag, s->bad_length, s->bad_body, s->bad_listing, s->timeouts,
	       s->connect_errors, s->reconnects, s->cpu_s);
	print_counts("status", s->status, ARRAY_LEN(s->status), NULL);
	printf(",");
	print_counts("ops_by_kind", s->by_op, OP_COUNT, op_names);
	if (s->first_error[0]) {
		printf(",\"first_error\":\"");
		for (const char *p = s->first_error; *p; p++)
			if (*p >= ' ' && *p != '"' && *p != '\\')
				putchar(*p);
		printf("\"");
	}
	printf("}\n");
	fflush(stdout);
}
