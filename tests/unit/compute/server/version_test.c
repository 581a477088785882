/* Tests compute/server/version.c: which microversion the two headers ask for. */
#include "compute/server/server.h"

#include <setjmp.h>
#include <cmocka.h>

static int parse(const char *modern, const char *legacy, unsigned *ret)
{
	struct str wanted;

	return microversion_parse(str_from(modern), str_from(legacy), ret, &wanted);
}

static void test_good(void **state)
{
	static const struct {
		const char *modern, *legacy;
		unsigned minor;
	} good[] = {
		{ NULL, NULL, 1 },
		{ NULL, "2.1", 1 },
		{ NULL, " 2.26 ", 26 },
		{ "compute 2.19", NULL, 19 },
		{ "compute 2.19", "2.3", 19 },
		{ "Compute   2.19", NULL, 19 },
		{ "volume 3.5, compute 2.8", "2.3", 8 },
		{ "volume 3.5", "2.3", 3 },
		{ "volume 3.5", NULL, 1 },
		{ "compute latest", NULL, MICROVERSION_MAX },
		{ NULL, "latest", MICROVERSION_MAX },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		unsigned minor = 0;

		assert_int_equal(parse(good[i].modern, good[i].legacy, &minor), 0);
		assert_int_equal(minor, good[i].minor);
	}
}

static void test_bad(void **state)
{
	static const struct {
		const char *text;
		int rc;
	} bad[] = {
		{ "2.0", -ERANGE },   { "1.1", -ERANGE }, { "3.1", -ERANGE }, { "2.9999", -ERANGE },
		{ "2", -EINVAL },     { "2.", -EINVAL },  { ".1", -EINVAL },  { "2.01", -EINVAL },
		{ "2.x", -EINVAL },   { "new", -EINVAL }, { "2.1.1", -EINVAL },
		{ "2.-1", -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		unsigned minor = 0;

		assert_int_equal(parse(NULL, bad[i].text, &minor), bad[i].rc);
		assert_int_equal(minor, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
