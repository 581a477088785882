/* lib/base/fault: reasons are cut, never overrun. */
#include "lib/base/fault.h"

#include <setjmp.h>
#include <cmocka.h>

static void reasons(void **state)
{
	struct fault why;

	(void)state;
	assert_int_equal(fault_set(&why, -EINVAL, "%s %d", "no", 1), -EINVAL);
	assert_string_equal(why.text, "no 1");
	assert_int_equal(fault_set(NULL, -EIO, "nobody asks"), -EIO);
	fault_set(&why, 0, "%0600d", 1);
	assert_int_equal(strlen(why.text), sizeof why.text - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(reasons) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
