/* Content negotiation: the measured answers, and linear time on hostile headers. */
#include "tests/unit/cmocka.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/swift/accept.h"

static void check(const char *format, const char *accept, int rc, const char *want)
{
	struct str got = STR_NONE;

	assert_int_equal(accept_listing(str_from(format), str_from(accept), &got), rc);
	if (rc == 0 && !str_eq(got, str_from(want)))
		fail_msg("format %s, Accept %s gave %.*s, not %s", format, accept, STR(got), want);
}

static void matching(void **state)
{
	(void)state;
	check(NULL, NULL, 0, "text/plain");
	check(NULL, "*/*", 0, "text/plain");
	check(NULL, "application/json", 0, "application/json");
	check(NULL, "application/*", 0, "application/json");
	check(NULL, "text/xml", 0, "text/xml");
	check(NULL, "application/json;q=0.5, application/xml", 0, "application/xml");
	check(NULL, "text/plain;q=0.5, application/json;q=0.5", 0, "text/plain");
	check(NULL, "*/*;q=0.9, application/xml;q=0.9", 0, "application/xml");
	check(NULL, "application/json; charset=\"utf-8\"", 0, "application/json");
	check(NULL, "image/png", -ENOENT, NULL);
	check("json", "image/png", 0, "application/json");
	check("JSON", NULL, 0, "application/json");
	check("xml", NULL, 0, "application/xml");
	check("nonsense", NULL, 0, "text/plain");
}

static void malformed(void **state)
{
	static const char *const bad[] = { "json",           "text/",
					   "/json",          "text/plain;",
					   "text/plain;q",   "text/plain;q=",
					   "text/plain;q=a", "text/plain;q=1;q=1",
					   "a/b,,",          "text/plain;a=\"x",
					   "a b/c" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		check(NULL, bad[i], -EINVAL, NULL);
}

/* Twice the header must not cost four times: compares two sizes of the header that made Swift's
 * regular expression backtrack. */
static void linear(void **state)
{
	uint64_t took[2];

	(void)state;
	for (int i = 0; i < 2; i++) {
		CLEANUP(buf_done) struct buf b = BUF(64 * MIB);
		struct str got;

		buf_add_lit(&b, "text/plain");
		for (int n = 0; n < 400000 * (i ? 8 : 1); n++)
			buf_add_lit(&b, ";a=\"b\"");
		buf_add_lit(&b, "!");
		uint64_t since = clock_mono_ns();
		assert_int_equal(accept_listing(STR_NONE, buf_str(&b), &got), -EINVAL);
		took[i] = clock_mono_ns() - since;
	}
	assert_true(took[1] < took[0] * 8 * 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(matching), cmocka_unit_test(malformed), cmocka_unit_test(linear),
	};

	return cmocka_run_group_tests_name("lib/swift/accept", tests, NULL, NULL);
}
