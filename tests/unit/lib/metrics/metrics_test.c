/* lib/metrics: values of several processes on one page. */
#include "lib/metrics/metrics.h"

#include <setjmp.h>
#include <cmocka.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const verbs[] = { "GET", "PUT", NULL };
static const char *const codes[] = { "2xx", "5xx", NULL };
METRIC_COUNTER(plain, "t_plain_total", "A counter.");
METRIC_COUNTER_BY(by, "t_by_total", "By verb.", "method", verbs);
METRIC_COUNTER_BY2(by2, "t_by2_total", "By verb and class.", "method", verbs, "status", codes);
METRIC_GAUGE(gauge, "t_gauge", "A gauge.");
METRIC_GAUGE_BY(gauge_by, "t_gauge_by", "A gauge by verb.", "method", verbs);
METRIC_HISTOGRAM(took, "t_took_seconds", "Time.", 1e-6);
METRIC_HISTOGRAM_BY(size, "t_size_bytes", "Size.", 1, "method", verbs);

static void page_has(const char *line, bool wanted)
{
	CLEANUP(buf_done) struct buf page = BUF(MIB);

	metrics_format(&page);
	if ((strstr(page.p, line) != NULL) != wanted)
		fail_msg("%s is %sin\n%s", line, wanted ? "not " : "", page.p);
}

static void alone(void **state)
{
	(void)state;
	metric_add(&plain, 2);
	metric_add(&plain, 3);
	metric_add_at(&by, 1, 7);
	metric_add_at2(&by2, 1, 1, 9);
	metric_gauge_set(&gauge, 10);
	metric_gauge_add(&gauge, -12);
	metric_gauge_set_at(&gauge_by, 1, 4);
	page_has("# HELP t_plain_total A counter.\n# TYPE t_plain_total counter\nt_plain_total 5\n",
		 true);
	page_has("\nt_by_total{method=\"GET\"} 0\nt_by_total{method=\"PUT\"} 7\n", true);
	page_has("\nt_by2_total{method=\"PUT\",status=\"5xx\"} 9\n", true);
	page_has("# TYPE t_gauge gauge\nt_gauge -2\n", true);
	page_has("\nt_gauge_by{method=\"PUT\"} 4\n", true);
	assert_int_equal(metric_value_at(&plain, 0, 0), 5);
	assert_int_equal(metric_value_at(&by2, 1, 1), 9);
}

static void histograms(void **state)
{
	static const uint64_t values[] = { 0, 16, 17, 24, 25, 32, 33, 1ull << 30, (1ull << 30) + 1,
					   3ull << 29, (3ull << 29) + 1, UINT32_MAX };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(values); i++)
		metric_observe(&took, values[i]);
	metric_observe_at(&size, 1, 100);
	page_has(
		"t_took_seconds_bucket{le=\"1.6e-05\"} 2\nt_took_seconds_bucket{le=\"2.4e-05\"} 4\n"
		"t_took_seconds_bucket{le=\"3.2e-05\"} 6\nt_took_seconds_bucket{le=\"4.8e-05\"} "
		"7\n",
		true);
	page_has("t_took_seconds_bucket{le=\"805.306368\"} "
		 "7\nt_took_seconds_bucket{le=\"1073.74182\"} 8\n"
		 "t_took_seconds_bucket{le=\"1610.61274\"} 10\nt_took_seconds_bucket{le=\"+Inf\"} "
		 "12\n",
		 true);
	page_has("t_took_seconds_count 12\n", true);
	page_has("t_size_bytes_bucket{method=\"PUT\",le=\"96\"} 0\n"
		 "t_size_bytes_bucket{method=\"PUT\",le=\"128\"} 1\n", true);
	page_has("t_size_bytes_sum{method=\"PUT\"} 100\nt_size_bytes_count{method=\"PUT\"} 1\n",
		 true);
	assert_int_equal(metric_value_at(&took, 0, 0), 12);
}

static void worker(unsigned w)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		metrics_set_worker(w);
		metric_add(&plain, w + 1);
		metric_gauge_add(&gauge, 5);
		metric_observe(&took, 20);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void shared(void **state)
{
	(void)state;
	metrics_share(3);
	for (unsigned w = 0; w < 3; w++)
		worker(w);
	page_has("\nt_plain_total 6\n", true);
	page_has("\nt_gauge 15\n", true);
	page_has("t_took_seconds_bucket{le=\"2.4e-05\"} 3\n", true);
	worker(1);              /* started again: the counter goes on, the gauge begins at 0 */
	page_has("\nt_plain_total 8\n", true);
	page_has("\nt_gauge 15\n", true);
	page_has("needletail_worker_starts_total{worker=\"1\"} 2\n", true);
	for (unsigned w = 0; w < 3; w++)
		metrics_label_worker(w, "device", (const char *[]){ "d1", "d\"2", "d3" }[w]);
	page_has("\nt_plain_total{device=\"d1\"} 1\nt_plain_total{device=\"d\\\"2\"} 4\n", true);
	page_has("\nt_by_total{device=\"d3\",method=\"PUT\"} 0\n", true);
	page_has("needletail_worker_starts_total{device=\"d3\"} 1\n", true);
}

static void collect(void *arg)
{
	metric_gauge_set_at(&gauge_by, 0, *(int *)arg);
}

static void on_page(void **state)
{
	int v = 77;

	(void)state;
	metrics_set_worker(0);
	metrics_on_page(collect, &v);
	page_has("t_gauge_by{device=\"d1\",method=\"GET\"} 77\n", true);
	page_has("needletail_worker_memory_bytes{device=\"d1\"} 0\n", false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(alone), cmocka_unit_test(histograms), cmocka_unit_test(shared),
		cmocka_unit_test(on_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
