/* lib/swift/timestamp against what Swift's Timestamp does. */
#include "lib/swift/timestamp.h"

#include <setjmp.h>
#include <cmocka.h>

static struct timestamp parsed(const char *text)
{
	struct timestamp ts;

	assert_int_equal(timestamp_parse(str_from(text), &ts), 0);
	return ts;
}

static void same(const char *text, const char *normal, const char *internal)
{
	char out[TIMESTAMP_SIZE];

	timestamp_normal(parsed(text), out);
	assert_string_equal(out, normal);
	timestamp_internal(parsed(text), out);
	assert_string_equal(out, internal);
}

static void forms(void **state)
{
	(void)state;
	same("1402464677.04188", "1402464677.04188", "1402464677.04188");
	same("1402464677", "1402464677.00000", "1402464677.00000");
	same("1.5", "0000000001.50000", "0000000001.50000");
	same(".5", "0000000000.50000", "0000000000.50000");
	same("1402464677.041889", "1402464677.04189", "1402464677.04189");
	same("1402464677.999996", "1402464678.00000", "1402464678.00000");
	same("1402464677.04188_00000000000000ff", "1402464677.04188",
	     "1402464677.04188_00000000000000ff");
	same("1402464677.04188_ABC", "1402464677.04188", "1402464677.04188_0000000000000abc");
	same("1402464677.04188_0000000000000000", "1402464677.04188", "1402464677.04188");
	same("1402464677.04188_", "1402464677.04188", "1402464677.04188");
	same("9999999999.99999_ffffffffffffffff", "9999999999.99999",
	     "9999999999.99999_ffffffffffffffff");
	same("0", "0000000000.00000", "0000000000.00000");
}

static void refused(void **state)
{
	static const char *const bad[] = { "",
					   ".",
					   "_",
					   "-1",
					   "1.x",
					   "x",
					   "1e9",
					   "1 2",
					   "1.2.3",
					   "1_g",
					   "1_2_3",
					   "10000000000",
					   "9999999999.999999",
					   "1_00000000000000000",
					   "nan",
					   "99999999999999999999999",
					   "1402464677.04188_-1",
					   "+1" };
	struct timestamp ts = { 7, 7 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(timestamp_parse(str_from(bad[i]), &ts), -EINVAL);
		assert_int_equal(ts.t, 7);
	}
	assert_int_equal(timestamp_parse(STR_NONE, &ts), -EINVAL);
}

static void order(void **state)
{
	(void)state;
	assert_true(timestamp_cmp(parsed("1"), parsed("2")) < 0);
	assert_true(timestamp_cmp(parsed("2"), parsed("1_5")) > 0);
	assert_true(timestamp_cmp(parsed("1_5"), parsed("1_6")) < 0);
	assert_true(timestamp_cmp(parsed("1_5"), parsed("1")) > 0);
	assert_true(timestamp_cmp(parsed("1.00000"), parsed("1")) == 0);
}

static void never_twice(void **state)
{
	struct timestamp last = timestamp_now();

	(void)state;
	for (int i = 0; i < 100000; i++) {
		struct timestamp now = timestamp_now();

		assert_true(timestamp_cmp(now, last) > 0);
		last = now;
	}
	assert_true(timestamp_is_set(last));
	assert_false(timestamp_is_set((struct timestamp){ 0, 1 }));
}

static void conversions(void **state)
{
	char iso[27];

	(void)state;
	assert_int_equal(timestamp_ceil_s(parsed("1442395207.06203")), 1442395208);
	assert_int_equal(timestamp_ceil_s(parsed("1442395207.00000")), 1442395207);
	assert_int_equal(timestamp_us(parsed("1.00001")), 1000010);
	assert_int_equal(timestamp_of_us(1000019).t, 100001);
	assert_int_equal(timestamp_of_us(-5).t, 0);
	timestamp_iso(parsed("1402464677.04188"), iso);
	assert_string_equal(iso, "2014-06-11T05:31:17.041880");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forms), cmocka_unit_test(refused), cmocka_unit_test(order),
		cmocka_unit_test(never_twice), cmocka_unit_test(conversions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
