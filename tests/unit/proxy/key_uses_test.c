/* Uses of keys: counted over processes, bounded, and shown. */
#include "tests/unit/cmocka.h"
#include "lib/base/arena.h"
#include "proxy/key_uses.h"

#include <sys/wait.h>
#include <unistd.h>

static const struct key_used first = { KEY_SCOPE_ACCOUNT, 1 };
static const struct key_used second = { KEY_SCOPE_CONTAINER, 2 };

/* The value of a series, or -1 when it is not there. */
static long shown(const char *series)
{
	CLEANUP(buf_done) struct buf page = BUF(16 * MIB), line = BUF(2 * KIB);
	struct str rest;
	uint64_t v;

	key_uses_format(&page);
	buf_addf(&line, "\n%s ", series);
	ssize_t at = str_find(buf_str(&page), buf_str(&line));

	if (at < 0)
		return -1;
	rest = str_skip(buf_str(&page), (size_t)at + line.n);
	assert_int_equal(str_to_u64(str_cut(&rest, '\n'), &v), 0);
	return (long)v;
}

static void nothing_before_sharing(void **state)
{
	CLEANUP(buf_done) struct buf page = BUF(KIB);

	(void)state;
	key_uses_count(KEY_USE_TEMPURL, S("AUTH_a"), first, 200);
	key_uses_format(&page);
	assert_int_equal(page.n, 0);
}

static void results_and_names(void **state)
{
	(void)state;
	key_uses_share();
	key_uses_share();
	static const int statuses[] = { 200, 201, 206, 304, 404, 412, 503 };

	for (size_t i = 0; i < ARRAY_LEN(statuses); i++)
		key_uses_count(KEY_USE_TEMPURL, S("AUTH_a"), first, statuses[i]);
	key_uses_count(KEY_USE_TEMPURL, S("AUTH_a"), second, 200);
	key_uses_count(KEY_USE_FORMPOST, S("AUTH_b\"\\\n"), second, 201);
#define LINK "needletail_tempurl_requests_total{account=\"AUTH_a\",scope="
	assert_int_equal(shown(LINK "\"account\",key=\"1\",result=\"ok\"}"), 4);
	assert_int_equal(shown(LINK "\"account\",key=\"1\",result=\"client_error\"}"), 2);
	assert_int_equal(shown(LINK "\"account\",key=\"1\",result=\"server_error\"}"), 1);
	assert_int_equal(shown(LINK "\"container\",key=\"2\",result=\"ok\"}"), 1);
	assert_int_equal(shown(LINK "\"container\",key=\"1\",result=\"ok\"}"), -1);
	assert_int_equal(shown("needletail_formpost_files_total{account=\"AUTH_b\\\"\\\\\\n\","
			       "scope=\"container\",key=\"2\",result=\"ok\"}"), 1);
}

/* Processes that begin with the same accounts at once do not make two of one. */
static void processes(void **state)
{
	enum { PROCESSES = 4, ACCOUNTS = 20, TIMES = 50 };

	(void)state;
	for (int p = 0; p < PROCESSES; p++)
		if (fork() == 0) {
			for (int i = 0; i < ACCOUNTS * TIMES; i++) {
				AUTO(arena) a = arena_new();

				key_uses_count(KEY_USE_TEMPURL,
					       arena_printf(a, "shared%d", i % ACCOUNTS), first,
					       200);
			}
			_exit(0);
		}
	for (int p = 0; p < PROCESSES; p++)
		wait(NULL);
	long sum = MAX(shown("needletail_tempurl_requests_total{account=\"\",scope=\"account\","
			     "key=\"1\",result=\"ok\"}"), 0L);

	for (int i = 0; i < ACCOUNTS; i++) {
		char series[160];

		snprintf(series, sizeof series, "needletail_tempurl_requests_total{account="
			 "\"shared%d\",scope=\"account\",key=\"1\",result=\"ok\"}", i);
		long n = shown(series);

		assert_true(n >= TIMES && n <= PROCESSES * TIMES);
		sum += n;
	}
	assert_int_equal(sum, PROCESSES * ACCOUNTS * TIMES);
}

/* Those beyond the limit are counted together; those before it still by themselves. */
static void bounded(void **state)
{
	enum { MORE = 3 * KEY_USES_ACCOUNTS };
	CLEANUP(buf_done) struct buf page = BUF(16 * MIB);
	unsigned lines = 0;
	char name[300];

	(void)state;
	memset(name, 'n', sizeof name);
	key_uses_count(KEY_USE_FORMPOST, str_of(name, sizeof name), first, 200);
	for (int i = 0; i < MORE; i++) {
		AUTO(arena) a = arena_new();

		key_uses_count(KEY_USE_FORMPOST, arena_printf(a, "many%d", i), first, 200);
	}
	assert_true(shown("needletail_formpost_files_total{account=\"\",scope=\"account\","
			  "key=\"1\",result=\"ok\"}") > MORE - KEY_USES_ACCOUNTS);
	key_uses_count(KEY_USE_TEMPURL, S("AUTH_a"), first, 200);
	assert_int_equal(shown(LINK "\"account\",key=\"1\",result=\"ok\"}"), 5);
	key_uses_format(&page);
	for (size_t i = 0; i < page.n; i++)
		lines += page.p[i] == '\n';
	assert_true(lines > KEY_USES_ACCOUNTS / 2 && lines < 2 * KEY_USES_ACCOUNTS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_before_sharing),
		cmocka_unit_test(results_and_names),
		cmocka_unit_test(processes),
		cmocka_unit_test(bounded),
	};

	return cmocka_run_group_tests_name("proxy/key_uses", tests, NULL, NULL);
}
