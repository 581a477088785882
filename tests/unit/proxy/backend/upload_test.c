/* Uploads to several servers at once, of which some fail. */
#include "tests/unit/proxy/backend/fake.h"

#include <setjmp.h>
#include <cmocka.h>

enum { CHUNK = 50000, BODY = 3 * MIB + 17 };

#define IN_TASK(name, ...)                     \
	waits static void name##_task(void)    \
	{                                      \
		set_up_fakes();                \
		for (unsigned i = 0; i < FAKES; i++) \
			fakes[i].status = 201; \
		make_upload();                 \
		__VA_ARGS__                    \
		tear_down_fakes();             \
	}                                      \
	static void name(void **state)         \
	{                                      \
		(void)state;                   \
		run_in_task(name##_task);      \
	}

static char content[BODY];
static char content_md5[MD5_HEX_SIZE];
static struct upload U;
static struct client_body {
	struct body body;
	size_t at, stop_at;             /* stop_at: how many bytes it has; then error */
	int error;
} C;

static int client_next(struct body *b, struct str *ret_chunk)
{
	struct client_body *c = container_of(b, struct client_body, body);
	size_t n = MIN(c->stop_at - c->at, (size_t)CHUNK);

	if (n == 0)
		return c->error;
	*ret_chunk = str_of(content + c->at, n);
	c->at += n;
	return 1;
}

static void make_upload(void)
{
	struct headers *sets = arena_zalloc(F.arena, 3 * sizeof *sets);

	for (size_t i = 0; i < BODY; i++)
		content[i] = (char)(i * 2654435761u >> 13);
	md5_hex(str_of(content, BODY), content_md5);
	C = (struct client_body){ .body = { .next = client_next, .left = -1 }, .stop_at = BODY };
	F.req.body = &C.body;
	for (unsigned i = 0; i < 3; i++) {
		headers_init(&sets[i], F.arena);
		headers_addf(&sets[i], S("X-Container-Host"), "host%u", i);
	}
	U = (struct upload){ .target = &F.target, .headers = sets, .n = 3, .length = BODY,
			     .length_max = 100 * MIB };
}

static void expect_stored(unsigned i)
{
	assert(fakes[i].body_error == 0);
	assert(fakes[i].body_bytes == BODY);
	assert(strcmp(fakes[i].body_md5, content_md5) == 0);
}

/* Nothing came to its end on any server. */
waits static void expect_nothing_stored(void)
{
	/* Servers notice a little later. */
	for (unsigned tries = 0; tries < 100; tries++) {
		bool noticed = true;

		assert(task_sleep(20) == 0);
		for (unsigned i = 0; i < FAKES; i++)
			noticed &= fakes[i].requests == 0 || fakes[i].body_error != 0 ||
				   fakes[i].early;
		if (noticed)
			break;
	}
	for (unsigned i = 0; i < FAKES; i++)
		assert(fakes[i].requests == 0 || fakes[i].body_error != 0 || fakes[i].early);
}

IN_TASK(to_all, {
	assert(backend_upload(&F.req, &U, &F.res) == 0);
	assert(F.res.status == 201);
	assert(str_eq(headers_get_lit(&F.res.headers, "ETag"), str_from(content_md5)));
	for (unsigned i = 0; i < 3; i++) {
		expect_stored(i);
		assert(strcmp(fakes[i].trailer, content_md5) == 0);
	}
	assert(requests_of_all() == 3);
})

/* Swift's servers are not sent trailers, which they would take for the next request. */
IN_TASK(to_foreign_servers, {
	fakes[1].is_swift = true;
	assert(backend_upload(&F.req, &U, &F.res) == 0);
	assert(F.res.status == 201);
	expect_stored(1);
	assert(fakes[1].trailer[0] == 0);
})

IN_TASK(bytes_read_before, {
	U.first = str_of(content, 1000);
	C.at = 1000;
	assert(backend_upload(&F.req, &U, &F.res) == 0);
	assert(F.res.status == 201);
	expect_stored(0);
})

IN_TASK(handoffs_for_the_absent, {
	fake_stop(&fakes[0]);
	fakes[1].early = 507;
	assert(backend_upload(&F.req, &U, &F.res) == 0);
	assert(F.res.status == 201);
	expect_stored(2);
	expect_stored(3);
	expect_stored(4);
})

IN_TASK(too_few_servers, {
	for (unsigned i = 0; i < FAKES; i++)
		fakes[i].early = 503;
	fakes[0].early = 0;
	assert(backend_upload(&F.req, &U, &F.res) == 0);
	assert(F.res.status == 503);
	expect_nothing_stored();
})

IN_TASK(it_is_there_already, {
	U.if_absent = true;
	fakes[2].early = 412;
	assert(backend_upload(&F.req, &U, &F.res) == 0);
	assert(F.res.status == 412);
	expect_nothing_stored();
})

IN_TASK(something_newer_is_there, {
	fakes[2].early = 409;
	assert(backend_upload(&F.req, &U, &F.res) == 0);
	assert(F.res.status == 202);
	expect_nothing_stored();
})

IN_TASK(the_client_stops, {
	C.stop_at = 1000000;
	C.error = -EPIPE;
	assert(backend_upload(&F.req, &U, &F.res) == -EPIPE);
	expect_nothing_stored();
})

IN_TASK(the_client_sends_too_little, {
	C.stop_at = 1000000;
	assert(backend_upload(&F.req, &U, &F.res) == -EPIPE);
	expect_nothing_stored();
})

IN_TASK(the_client_sends_too_much, {
	U.length = -1;
	U.length_max = MIB;
	assert(backend_upload(&F.req, &U, &F.res) == -EFBIG);
	expect_nothing_stored();
})

IN_TASK(the_client_promised_other_bytes, {
	U.etag = S("00000000000000000000000000000000");
	assert(backend_upload(&F.req, &U, &F.res) == 0);
	assert(F.res.status == 422);
	expect_nothing_stored();
})

IN_TASK(the_promise_holds, {
	U.etag = str_from(content_md5);
	assert(backend_upload(&F.req, &U, &F.res) == 0);
	assert(F.res.status == 201);
})

/* One server reads no more: it is cut off, and the others have the object. */
IN_TASK(a_server_stalls, {
	fakes[1].stall_after = 100000;
	uint64_t began = clock_mono_ms();

	assert(backend_upload(&F.req, &U, &F.res) == 0);
	assert(F.res.status == 201);
	assert(clock_mono_ms() - began < 3000);
	expect_stored(0);
	expect_stored(2);
	assert(fakes[1].body_error != 0 || fakes[1].body_bytes < BODY);
})

IN_TASK(two_servers_stall, {
	fakes[1].stall_after = fakes[2].stall_after = 100000;
	assert(backend_upload(&F.req, &U, &F.res) == 0);
	assert(F.res.status == 503);
})

IN_TASK(servers_fail_at_the_end, {
	fakes[0].status = fakes[1].status = 500;
	assert(backend_upload(&F.req, &U, &F.res) == 0);
	assert(F.res.status == 503);
})

IN_TASK(a_server_stored_other_bytes, {
	fakes[1].header[0][0] = "ETag";
	fakes[1].header[0][1] = "\"0123\"";
	assert(backend_upload(&F.req, &U, &F.res) == 0);
	assert(F.res.status == 500);
})

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(to_all),
		cmocka_unit_test(to_foreign_servers),
		cmocka_unit_test(bytes_read_before),
		cmocka_unit_test(handoffs_for_the_absent),
		cmocka_unit_test(too_few_servers),
		cmocka_unit_test(it_is_there_already),
		cmocka_unit_test(something_newer_is_there),
		cmocka_unit_test(the_client_stops),
		cmocka_unit_test(the_client_sends_too_little),
		cmocka_unit_test(the_client_sends_too_much),
		cmocka_unit_test(the_client_promised_other_bytes),
		cmocka_unit_test(the_promise_holds),
		cmocka_unit_test(a_server_stalls),
		cmocka_unit_test(two_servers_stall),
		cmocka_unit_test(servers_fail_at_the_end),
		cmocka_unit_test(a_server_stored_other_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
