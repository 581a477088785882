/* Tests lib/http/url.c. */
#include "lib/http/url.h"

#include <setjmp.h>
#include <cmocka.h>

static void expect(const char *text, bool tls, const char *host, unsigned port, const char *path)
{
	struct url u;

	assert_int_equal(url_parse(str_from(text), &u), 0);
	assert_int_equal(u.tls, tls);
	assert_int_equal(u.port, port);
	assert_true(str_eq(u.host, str_from(host)));
	assert_true(str_eq(u.path, str_from(path)));
}

static void test_good(void **state)
{
	(void)state;
	expect("http://a.b", false, "a.b", 80, "");
	expect("HTTP://a:8080/v1/AUTH_x", false, "a", 8080, "/v1/AUTH_x");
	expect("https://a/", true, "a", 443, "/");
	expect("https://[::1]:1/x?y=z", true, "::1", 1, "/x?y=z");
	expect("http://[::1]", false, "::1", 80, "");
	expect("http://h?q", false, "h", 80, "?q");
}

static void test_bad(void **state)
{
	static const char *const bad[] = {
		"",	       "http://",	"ftp://a",	"//a",		 "http:///x",
		"http://a:",   "http://a:0",	"http://a:65536", "http://u@a", "http://a b/",
		"http://a/ b", "http://a/#x",	"http://[::1",	"http://::1/", "http://[::1]x/",
		"http://a:1:2/",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct url u;

		assert_int_equal(url_parse(str_from(bad[i]), &u), -EINVAL);
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
