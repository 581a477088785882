/* Tests lib/net/resolve.c: numbers at once, names by the system. */
#include "lib/net/resolve.h"
#include "tests/unit/lib/http/wire.h"

#include <setjmp.h>
#include <cmocka.h>

waits static void numbers(void)
{
	char ip[NET_IP_SIZE];
	int rc = net_resolve(S("127.0.0.9"), ip);

	assert(rc == 0 && strcmp(ip, "127.0.0.9") == 0);
	rc = net_resolve(S("[::1]"), ip);
	assert(rc == 0 && strcmp(ip, "::1") == 0);
	rc = net_resolve(S("::1"), ip);
	assert(rc == 0 && strcmp(ip, "::1") == 0);
}

waits static void names(void)
{
	char ip[NET_IP_SIZE] = "unchanged", longest[300];
	int rc = net_resolve(S("localhost"), ip);

	assert(rc == 0 && (strcmp(ip, "127.0.0.1") == 0 || strcmp(ip, "::1") == 0));
	memset(longest, 'a', sizeof longest);
	rc = net_resolve(str_of(longest, sizeof longest), ip);
	assert(rc == -EINVAL);
	rc = net_resolve(S(""), ip);
	assert(rc == -EINVAL);
	rc = net_resolve(S("no such host.invalid"), ip);
	assert(rc == -ENOENT || rc == -EAGAIN);
}

#define IN_TASK(name) static void test_##name(void **state) { (void)state; run_in_task(name); }
IN_TASK(numbers)
IN_TASK(names)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
