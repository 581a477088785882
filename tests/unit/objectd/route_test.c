/* Rows of listings have the same paths as objects and containers: what tells them apart. */
#include "objectd/route.h"

#include <setjmp.h>
#include <cmocka.h>

/* headers: name and value alternating, ended by NULL. */
static bool is_row(const char *method, const char *const *h)
{
	AUTO(arena) a = arena_new();
	static struct cluster cluster = { .policy_count = 1 };
	struct objectd o = { .magic = OBJECTD_MAGIC, .cluster = &cluster };
	struct request req = { .magic = REQUEST_MAGIC, .arena = a,
			       .method = http_method_parse(str_from(method)) };
	struct backend_path p = { .device = S("d"), .account = S("a"), .container = S("c"),
				  .object = S("o") };

	headers_init(&req.headers, a);
	for (; *h; h += 2)
		headers_add(&req.headers, str_from(h[0]), str_from(h[1]));
	return route_is_container_row(&o, &req, &p);
}
#define IS_ROW(m, ...) is_row(m, (const char *const[]){ __VA_ARGS__, NULL })

static void rows_of_containers(void **state)
{
	(void)state;
	assert_true(IS_ROW("PUT", "X-Size", "5", "X-Etag", "e"));
	assert_false(IS_ROW("PUT", "Content-Length", "5", "User-Agent", "object-server 1"));
	assert_true(IS_ROW("DELETE", "User-Agent", "object-server 17"));
	assert_true(IS_ROW("DELETE", "User-Agent", "object-updater 17"));
	assert_false(IS_ROW("DELETE", "User-Agent", "proxy-server 17"));
	assert_false(IS_ROW("DELETE", "User-Agent", "object-server 1", "X-Container-Host", "h:1"));
	assert_false(IS_ROW("DELETE", "X-Timestamp", "1"));
	assert_false(IS_ROW("GET", "User-Agent", "object-server 1"));
	assert_false(IS_ROW("POST", "X-Size", "5"));
}

static bool is_account_row(const char *method, const char *name)
{
	AUTO(arena) a = arena_new();
	struct request req = { .magic = REQUEST_MAGIC, .arena = a,
			       .method = http_method_parse(str_from(method)) };

	headers_init(&req.headers, a);
	headers_add(&req.headers, str_from(name), S("1400000000.00000"));
	return route_is_account_row(&req);
}

static void rows_of_accounts(void **state)
{
	(void)state;
	assert_true(is_account_row("PUT", "X-Put-Timestamp"));
	assert_true(is_account_row("PUT", "X-Delete-Timestamp"));
	assert_false(is_account_row("PUT", "X-Timestamp"));
	assert_false(is_account_row("POST", "X-Put-Timestamp"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_of_containers), cmocka_unit_test(rows_of_accounts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
