/* Counts per storage server. */
#include "proxy/backend/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static struct ring_dev one = { .ip = "10.0.0.1", .port = 6200, .device = "sdb" };
static struct ring_dev two = { .ip = "10.0.0.1", .port = 6200, .device = "sdc" };

static void page_has(const char *line)
{
	CLEANUP(buf_done) struct buf page = BUF(4 * MIB);

	servers_format(&page);
	assert_true(str_find(buf_str(&page), str_from(line)) >= 0);
}

static void counts(void **state)
{
	AUTO(arena) a = arena_new();
	struct headers h;

	(void)state;
	headers_init(&h, a);
	server_answered(&two, 0, &h);
	headers_add_ref(&h, S("X-Backend-Needletail"), S("1"));
	assert_false(server_is_ours(&one));
	server_answered(&one, 1500000, &h);
	server_answered(&one, 500000, &h);
	assert_true(server_is_ours(&one) && !server_is_ours(&two));
	server_note(&one, SERVER_FAILED);
	server_note(&two, SERVER_LATE);
	server_note(&two, SERVER_HANDOFF);
	page_has("needletail_proxy_server_answers_total{server=\"10.0.0.1:6200/sdb\"} 2\n");
	page_has("needletail_proxy_server_seconds_total{server=\"10.0.0.1:6200/sdb\"} 2\n");
	page_has("needletail_proxy_server_failures_total{server=\"10.0.0.1:6200/sdb\"} 1\n");
	page_has("needletail_proxy_server_answers_total{server=\"10.0.0.1:6200/sdc\"} 1\n");
	page_has("needletail_proxy_server_late_total{server=\"10.0.0.1:6200/sdc\"} 1\n");
	page_has("needletail_proxy_server_handoffs_total{server=\"10.0.0.1:6200/sdc\"} 1\n");
}

static void workers_share_them(void **state)
{
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0) {
		server_note(&one, SERVER_HANDOFF);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	page_has("needletail_proxy_server_handoffs_total{server=\"10.0.0.1:6200/sdb\"} 1\n");
}

/* More than there is room for are not counted, and nothing else happens. */
static void too_many(void **state)
{
	struct ring_dev dev = one;
	struct headers none = { 0 };

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		dev.port = i;
		server_answered(&dev, 1, &none);
	}
	page_has("needletail_proxy_server_answers_total{server=\"10.0.0.1:6200/sdb\"} 3\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts),
		cmocka_unit_test(workers_share_them),
		cmocka_unit_test(too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
