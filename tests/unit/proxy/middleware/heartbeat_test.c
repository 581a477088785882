/* Heartbeats: blanks while work is done, the result behind them, and clients that go away. */
#include "tests/unit/cmocka.h"
#include "lib/base/clock.h"
#include "proxy/middleware/heartbeat.h"
#include "tests/unit/lib/http/wire.h"

static struct {
	uint64_t work_ms;
	int rc;
	bool done;
} F;

waits static void work(void *arg, struct buf *result)
{
	(void)arg;
	F.rc = F.work_ms ? task_sleep(F.work_ms) : 0;
	buf_add_lit(result, "result");
	F.done = true;
}

waits static void run(bool at_once, uint64_t work_ms, size_t max, struct buf *to, int *ret)
{
	AUTO(arena) a = arena_new();
	struct heartbeat h = { .work = work,
			       .result_max = max,
			       .every_ms = 10,
			       .first = S("!"),
			       .beat = S("."),
			       .separator = S("|"),
			       .at_once = at_once };
	struct body *b = heartbeat_body(a, &h);
	struct str chunk;

	memset(&F, 0, sizeof F);
	F.work_ms = work_ms;
	while ((*ret = body_next(b, &chunk)) > 0)
		buf_add_str(to, chunk);
	body_close(b);
}

waits static void quick(void)
{
	CLEANUP(buf_done) struct buf b = BUF(1024);
	int rc;

	run(false, 0, 100, &b, &rc);
	assert(rc == 0 && str_eq(buf_str(&b), S("result")));
	buf_clear(&b);
	run(true, 0, 100, &b, &rc);
	assert(rc == 0 && str_eq(buf_str(&b), S("!|result")));
}

waits static void slow(void)
{
	CLEANUP(buf_done) struct buf b = BUF(1024);
	int rc;

	run(false, 55, 100, &b, &rc);
	assert(rc == 0 && str_starts(buf_str(&b), S("!.")) && str_ends(buf_str(&b), S(".|result")));
}

waits static void too_much(void)
{
	CLEANUP(buf_done) struct buf b = BUF(1024);
	int rc;

	run(false, 0, 3, &b, &rc);
	assert(rc == -EFBIG);
}

/* Closing cancels the work and waits for its end; without having been read there is none. */
waits static void closed(void)
{
	AUTO(arena) a = arena_new();
	struct heartbeat h = {
		.work = work, .result_max = 100, .every_ms = 10, .first = S("!"), .at_once = true
	};
	struct body *b = heartbeat_body(a, &h);
	struct str chunk;
	int rc;

	memset(&F, 0, sizeof F);
	body_close(b);
	assert(!F.done);
	b = heartbeat_body(a, &h);
	F.work_ms = 60000;
	rc = body_next(b, &chunk);
	assert(rc > 0);
	rc = body_next(b, &chunk);
	assert(rc < 0 || !F.done);
	body_close(b);
	assert(F.done && F.rc == -ECANCELED);
}

static void count_done(void *arg)
{
	++*(unsigned *)arg;
}

/* What the work would have needed is let go of once, also if it was never begun. */
waits static void let_go(void)
{
	for (unsigned begun = 0; begun < 2; begun++) {
		AUTO(arena) a = arena_new();
		unsigned n = 0;
		struct heartbeat h = {
			.work = work, .arg = &n, .done = count_done, .result_max = 100,
			.every_ms = 1000
		};
		struct body *b = heartbeat_body(a, &h);
		struct str chunk;

		memset(&F, 0, sizeof F);
		if (begun)
			assert(body_next(b, &chunk) > 0);
		assert(n == 0);
		body_close(b);
		assert(n == 1 && F.done == (begun > 0));
	}
}

#define IN_TASK(name)                         \
	static void name##_test(void **state) \
	{                                     \
		(void)state;                  \
		run_in_task(name);            \
	}
IN_TASK(quick)
IN_TASK(slow)
IN_TASK(too_much)
IN_TASK(closed)
IN_TASK(let_go)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quick_test),
		cmocka_unit_test(slow_test),
		cmocka_unit_test(too_much_test),
		cmocka_unit_test(closed_test),
		cmocka_unit_test(let_go_test),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
