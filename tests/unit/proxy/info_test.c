/* What is remembered of accounts and containers, and when it is asked again. */
#include "tests/unit/proxy/backend/fake.h"

#include <setjmp.h>
#include <cmocka.h>

#define IN_TASK(name, ...)                     \
	waits static void name##_task(void)    \
	{                                      \
		set_up_fakes();                \
		answer_head();                 \
		__VA_ARGS__                    \
		tear_down_fakes();             \
	}                                      \
	static void name(void **state)         \
	{                                      \
		(void)state;                   \
		run_in_task(name##_task);      \
	}

/* Servers that know account and container alike. */
static void answer_head(void)
{
	static const char *const headers[][2] = {
		{ "X-Container-Read", ".r:*" },
		{ "X-Backend-Storage-Policy-Index", "3" },
		{ "X-Container-Meta-Quota-Bytes", "77" },
		{ "X-Account-Meta-Temp-Url-Key", "secret" },
	};

	for (unsigned i = 0; i < FAKES; i++) {
		fakes[i].status = 204;
		for (size_t j = 0; j < ARRAY_LEN(headers); j++) {
			fakes[i].header[j][0] = headers[j][0];
			fakes[i].header[j][1] = headers[j][1];
		}
	}
}

static void all_answer(int status)
{
	for (unsigned i = 0; i < FAKES; i++)
		fakes[i].status = status;
}

/* Ends the request and begins another. */
static void next_request(void)
{
	proxy_request_done(&F.req);
	arena_free(F.arena);
	make_request();
}

waits static const struct container_info *container(void)
{
	return proxy_container_info(&F.req, S("a"), S("c"));
}

IN_TASK(what_headers_say, {
	const struct container_info *c = container();

	assert(c->status == 200);
	assert(c->policy_index == 3);
	assert(str_eq(c->read_acl, S(".r:*")));
	assert(!c->write_acl.p);
	assert(str_eq(headers_get_lit(&c->meta, "quota-bytes"), S("77")));
	const struct account_info *a = proxy_account_info(&F.req, S("a"));

	assert(a->status == 200 && !a->fake);
	assert(str_eq(headers_get_lit(&a->meta, "temp-url-key"), S("secret")));
})

IN_TASK(asked_once, {
	container();
	unsigned asked = requests_of_all();

	assert(asked == 2);             /* the account, then the container */
	container();
	next_request();
	container();
	proxy_account_info(&F.req, S("a"));
	assert(requests_of_all() == asked);
})

IN_TASK(again_after_a_change, {
	container();
	next_request();
	for (unsigned i = 0; i < FAKES; i++)
		fakes[i].header[0][1] = "other";
	proxy_forget_container(&F.proxy, S("a"), S("c"));
	assert(str_eq(container()->read_acl, S("other")));
})

/* Another worker has its own cache and the same counters. */
IN_TASK(a_sibling_hears_of_it, {
	struct proxy sibling = F.proxy;

	infos_start(&sibling);
	container();
	next_request();
	unsigned asked = requests_of_all();

	proxy_forget_container(&sibling, S("a"), S("other"));
	container();
	assert(requests_of_all() == asked);
	next_request();
	proxy_forget_container(&sibling, S("a"), S("c"));
	container();
	assert(requests_of_all() == asked + 1);
	infos_stop(&sibling);
})

/* In the middle of a request too, while what was found before stays valid. */
IN_TASK(a_change_in_the_same_request, {
	const struct container_info *before = container();

	for (unsigned i = 0; i < FAKES; i++)
		fakes[i].header[0][1] = "other";
	proxy_forget_container(&F.proxy, S("a"), S("c"));
	assert(str_eq(container()->read_acl, S("other")));
	assert(str_eq(before->read_acl, S(".r:*")));
})

IN_TASK(absence_is_not_remembered, {
	all_answer(404);
	assert(container()->status == 404);
	next_request();
	all_answer(204);
	assert(container()->status == 200);
})

IN_TASK(trouble_is_not_absence, {
	all_answer(500);
	assert(container()->status == 503);
	next_request();
	F.conf.account_autocreate = true;
	all_answer(404);
	const struct account_info *a = proxy_account_info(&F.req, S("a"));

	assert(a->status == 200 && a->fake);
	assert(container()->status == 404);
})

IN_TASK(hidden_accounts_need_no_asking, {
	assert(proxy_container_info(&F.req, S(".expiring_objects"), S("1"))->status == 200);
	assert(requests_of_all() == 1);
})

IN_TASK(a_bounded_cache, {
	F.conf.info_cache_entries = 16;
	for (unsigned i = 0; i < 100; i++) {
		char name[16];

		snprintf(name, sizeof name, "c%u", i);
		assert(proxy_container_info(&F.req, S("a"), str_from(name))->status == 200);
		next_request();
	}
	assert(map_count(F.proxy.container_infos) == 16);
})

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_headers_say),
		cmocka_unit_test(asked_once),
		cmocka_unit_test(again_after_a_change),
		cmocka_unit_test(a_sibling_hears_of_it),
		cmocka_unit_test(a_change_in_the_same_request),
		cmocka_unit_test(absence_is_not_remembered),
		cmocka_unit_test(trouble_is_not_absence),
		cmocka_unit_test(hidden_accounts_need_no_asking),
		cmocka_unit_test(a_bounded_cache),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
