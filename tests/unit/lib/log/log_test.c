/* lib/log: the form of lines, escaping, repeats, rotation. */
#include "lib/log/log.h"
#include "lib/base/buf.h"
#include "lib/task/task.h"

#include <fcntl.h>
#include <setjmp.h>
#include <cmocka.h>
#include <unistd.h>

static char dir[] = "/tmp/needletail-log-XXXXXX";
static struct buf text;

/* What the file has now. */
static const char *content(const char *name)
{
	char path[128];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	int fd = open(path, O_RDONLY);

	assert_true(fd >= 0);
	buf_done(&text);
	text = BUF(4 * MIB);
	for (ssize_t n = 1; n > 0; text.n += (size_t)n) {
		char *room = buf_reserve(&text, 64 * KIB);

		assert_non_null(room);
		n = read(fd, room, 64 * KIB);
		assert_true(n >= 0);
	}
	text.p[text.n] = 0;
	close(fd);
	return text.p;
}

static void empty(const char *name)
{
	char path[128];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	assert_int_equal(truncate(path, 0), 0);
}

static unsigned lines(const char *s)
{
	unsigned n = 0;

	for (; *s; s++)
		n += *s == '\n';
	return n;
}

static int setup(void **state)
{
	struct fault why = { "" };
	struct log_options o = {
		.program = "prog", .dir = dir, .level = LOG_LEVEL_INFO, .access = true
	};

	(void)state;
	if (!mkdtemp(dir))
		return -1;
	return log_open(&o, &why);
}

static int teardown(void **state)
{
	static const char *const names[] = { "prog.log", "prog.access.log", "old.log",
					     "old.access.log" };

	(void)state;
	buf_done(&text);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char path[128];

		snprintf(path, sizeof path, "%s/%s", dir, names[i]);
		unlink(path);
	}
	return rmdir(dir);
}

static void form(void **state)
{
	char expected[128];

	(void)state;
	empty("prog.log");
	log_set_worker("3");
	errno = EIO;
	log_warn("disk %s is %d%% full", "d\n1", 95);
	assert_int_equal(errno, EIO);
	snprintf(expected, sizeof expected, " warn prog[3 %d] disk d\\x0a1 is 95%% full\n",
		 (int)getpid());
	assert_string_equal(content("prog.log") + 26, expected);
	assert_int_equal(text.p[10], 'T');
	log_set_worker(NULL);
	empty("prog.log");
	log_debug("not %s", "seen");
	log_set_level(LOG_LEVEL_DEBUG);
	log_debug("seen %s", "\xc3\xbc\x7f");
	log_set_level(LOG_LEVEL_ERROR);
	log_info("too low");
	log_set_level(LOG_LEVEL_INFO);
	snprintf(expected, sizeof expected, " debug prog[%d] seen \xc3\xbc\\x7f\n", (int)getpid());
	assert_string_equal(content("prog.log") + 26, expected);
}

static void long_line(void **state)
{
	char *many = xmalloc(20000);

	(void)state;
	memset(many, 'x', 19999);
	many[19999] = 0;
	empty("prog.log");
	log_error("%s", many);
	log_error("ends %.3000s.", many);
	const char *all = content("prog.log");

	assert_int_equal(lines(all), 2);
	assert_in_range(strchr(all, '\n') - all, 8000, 8192);
	assert_non_null(strstr(all, "xxx.\n"));
	free(many);
}

static void repeats(void **state)
{
	(void)state;
	empty("prog.log");
	for (int i = 0; i < 1000; i++)
		log_error("the same again, %d", i);
	assert_int_equal(lines(content("prog.log")), 10);
	log_error("another");
	assert_int_equal(lines(content("prog.log")), 11);
}

static void logging_task(void *arg)
{
	(void)arg;
	task_set_trans_id(S("tx123"));
	log_info("from a task");
}

static void from_task(void **state)
{
	uv_loop_t loop;
	char expected[128];

	(void)state;
	empty("prog.log");
	assert_int_equal(uv_loop_init(&loop), 0);
	tasks_start(&loop);
	task_spawn(NULL, "put", logging_task, NULL);
	while (tasks_live())
		uv_run(&loop, UV_RUN_ONCE);
	tasks_stop();
	assert_int_equal(uv_loop_close(&loop), 0);
	snprintf(expected, sizeof expected, " info prog[%d] tx123 put: from a task\n",
		 (int)getpid());
	assert_string_equal(content("prog.log") + 26, expected);
}

static const struct log_access request = {
	.client_ip = STR_INIT("10.0.0.9"),
	.remote_addr = STR_INIT("127.0.0.1"),
	.method = STR_INIT("PUT"),
	.path = STR_INIT("/v1/AUTH_a/c/o%20p?x=1"),
	.protocol = STR_INIT("HTTP/1.1"),
	.status = 201,
	.user_agent = STR_INIT("curl 1\n"),
	.auth_token = STR_INIT("AUTH_tk0123456789abcdef"),
	.bytes_in = 4096,
	.trans_id = STR_INIT("tx1-2"),
	.source = STR_INIT("TU"),
	.start_us = 1763821200123456,
	.end_us = 1763821200223456,
	.policy_index = 1,
};

static void access_form(void **state)
{
	struct log_access other = { .status = 499,
				    .policy_index = -1,
				    .start_us = 1000000,
				    .end_us = 1000000,
				    .auth_token = STR_INIT("short") };

	(void)state;
	empty("prog.access.log");
	log_access(&request);
	log_access(&other);
	log_access_line(S("a line"));
	assert_string_equal(
		content("prog.access.log"),
		"10.0.0.9 127.0.0.1 22/Nov/2025/14/20/00 PUT /v1/AUTH_a/c/o%2520p%3Fx%3D1 HTTP/1.1 "
		"201 - "
		"curl%201%0A AUTH_tk012345678... 4096 - - tx1-2 - 0.1000 TU - 1763821200.123456000 "
		"1763821200.223456000 1 -\n"
		"- - 01/Jan/1970/00/00/01 - - - 499 - - short - - - - - 0.0000 - - 1.000000000 "
		"1.000000000 "
		"- -\na line\n");
}

static void storage_form(void **state)
{
	struct log_storage s = {
		.remote_addr = STR_INIT("127.0.0.1"), .method = STR_INIT("GET"),
		.path = STR_INIT("/d1/77/a/c/o"), .status = 200, .content_length = STR_INIT("12"),
		.referer = STR_INIT("GET http://h/v1/a/c/\"o"), .trans_id = STR_INIT("tx9"),
		.user_agent = STR_INIT("proxy-server 1"), .start_us = 1763821200000000,
		.end_us = 1763821200000700, .policy_index = 0,
	};
	char expected[256];

	(void)state;
	empty("prog.access.log");
	log_storage(&s);
	snprintf(expected, sizeof expected,
		 "127.0.0.1 - - [22/Nov/2025:14:20:00 +0000] \"GET /d1/77/a/c/o\" 200 12 "
		 "\"GET http://h/v1/a/c/%%22o\" \"tx9\" \"proxy-server 1\" 0.0007 \"-\" %d 0\n",
		 (int)getpid());
	assert_string_equal(content("prog.access.log"), expected);
}

static void rotation(void **state)
{
	char from[128], to[128];
	struct fault why;

	(void)state;
	for (int i = 0; i < 2; i++) {
		snprintf(from, sizeof from, "%s/prog%s.log", dir, i ? ".access" : "");
		snprintf(to, sizeof to, "%s/old%s.log", dir, i ? ".access" : "");
		assert_int_equal(rename(from, to), 0);
	}
	assert_int_equal(log_reopen(&why), 0);
	log_info("fresh");
	log_access_line(S("fresh"));
	assert_int_equal(lines(content("prog.log")), 1);
	assert_string_equal(content("prog.access.log"), "fresh\n");
	assert_null(strstr(content("old.log"), "fresh"));
}

waits static void collecting_task(void *arg)
{
	TASK_GROUP(g);

	(void)arg;
	log_access_start(&g);
	log_access(&request);
	assert_string_equal(content("prog.access.log"), "");
	assert_int_equal(task_sleep(700), 0);
	assert_int_equal(lines(content("prog.access.log")), 1);
	for (int i = 0; i < 2000; i++)
		log_access(&request);
	assert_in_range(lines(content("prog.access.log")), 1000, 2000);
	task_group_end(&g);
	assert_int_equal(lines(content("prog.access.log")), 2001);
}

static void collected(void **state)
{
	uv_loop_t loop;

	(void)state;
	empty("prog.access.log");
	assert_int_equal(uv_loop_init(&loop), 0);
	tasks_start(&loop);
	task_spawn(NULL, "collecting", collecting_task, NULL);
	while (tasks_live())
		uv_run(&loop, UV_RUN_ONCE);
	tasks_stop();
	assert_int_equal(uv_loop_close(&loop), 0);
}

static void no_folder(void **state)
{
	struct log_options o = { .program = "prog", .dir = "/proc/none" };
	struct fault why;

	(void)state;
	assert_int_equal(log_open(&o, &why), -ENOENT);
	assert_string_equal(why.text,
			    "cannot open the log /proc/none/prog.log: No such file or directory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(form),        cmocka_unit_test(long_line),
		cmocka_unit_test(repeats),     cmocka_unit_test(from_task),
		cmocka_unit_test(access_form), cmocka_unit_test(storage_form),
		cmocka_unit_test(rotation),    cmocka_unit_test(collected),
		cmocka_unit_test(no_folder),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
