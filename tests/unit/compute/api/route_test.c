/* Tests compute/api/route.c: paths against a table. */
#include "compute/api/route.h"

#include <setjmp.h>
#include <cmocka.h>

static void list(struct api_call *c) { (void)c; }
static void show(struct api_call *c) { (void)c; }
static void tag(struct api_call *c) { (void)c; }
static void root(struct api_call *c) { (void)c; }

static const struct api_route routes[] = {
	{ HTTP_GET, "/", root, 0 },
	{ HTTP_GET, "/v2/images", list, 0 },
	{ HTTP_POST, "/v2/images", list, 0 },
	{ HTTP_GET, "/v2/images/{id}", show, 0 },
	{ HTTP_DELETE, "/v2/images/{id}", show, 0 },
	{ HTTP_PUT, "/v2/images/{id}/tags/{tag}", tag, 0 },
	{ .path = NULL },
};

static struct api_match find(struct arena *a, enum http_method method, const char *path)
{
	struct api_match m;

	route_find(routes, a, method, str_from(path), &m);
	return m;
}

static void test_found(void **state)
{
	AUTO(arena) a = arena_new();

	(void)state;
	assert_ptr_equal(find(a, HTTP_GET, "/").route->handle, root);
	assert_ptr_equal(find(a, HTTP_GET, "/v2/images").route->handle, list);
	assert_ptr_equal(find(a, HTTP_HEAD, "/v2/images").route->handle, list);
	assert_ptr_equal(find(a, HTTP_POST, "/v2/images/").route->handle, list);
	struct api_match m = find(a, HTTP_PUT, "/v2/images/x%20y/tags/a%2Fb");

	assert_ptr_equal(m.route->handle, tag);
	assert_int_equal(m.args, 2);
	assert_true(str_eq(m.arg[0], S("x y")));
	assert_true(str_eq(m.arg[1], S("a/b")));
	m = find(a, HTTP_GET, "/v2/images/1/");
	assert_ptr_equal(m.route->handle, show);
	assert_true(str_eq(m.arg[0], S("1")));
}

static void test_missing(void **state)
{
	static const char *const missing[] = { "",	      "/v2",		"/v2/imagesx",
					       "v2/images",   "/v2/images/",	"/v2/images//",
					       "/v2/images/1/tags", "/v2/images/1/tags/",
					       "/v2/images//tags/x", "/v2//images" };
	AUTO(arena) a = arena_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(missing); i++) {
		struct api_match m = find(a, HTTP_GET, missing[i]);

		assert_null(m.route);
		assert_int_equal(m.allowed.n, 0);
	}
}

static void test_other_methods(void **state)
{
	AUTO(arena) a = arena_new();
	struct api_match m = find(a, HTTP_PUT, "/v2/images/1");

	(void)state;
	assert_null(m.route);
	assert_true(str_eq(m.allowed, S("GET, DELETE")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_found),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_other_methods),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
