/* Writes by quorum, with servers that are away, full or late. */
#include "tests/unit/proxy/backend/fake.h"

#include <setjmp.h>
#include <cmocka.h>

#define IN_TASK(name, ...)                     \
	waits static void name##_task(void)    \
	{                                      \
		set_up_fakes();                \
		__VA_ARGS__                    \
		tear_down_fakes();             \
	}                                      \
	static void name(void **state)         \
	{                                      \
		(void)state;                   \
		run_in_task(name##_task);      \
	}

waits static int put(void)
{
	AUTO(write) w = write_new(&F.req, &F.target, HTTP_PUT, 0);

	assert(w->n == 3);
	for (unsigned i = 0; i < w->n; i++)
		headers_addf(&w->headers[i], S("X-Container-Host"), "host%u", i);
	w->body = arena_str(w->arena, S("hello"));
	assert(write_run(w) == 0);
	write_respond(&F.req, w, &F.res);
	return F.res.status;
}

IN_TASK(to_all_primaries, {
	PRIMARIES(status, 201);
	assert(put() == 201);
	for (unsigned i = 0; i < 3; i++) {
		assert(strcmp(fakes[i].seen_body, "hello") == 0);
		assert(strncmp(fakes[i].container, "host", 4) == 0);
		assert(strcmp(fakes[i].method, "PUT") == 0);
	}
	assert(strcmp(fakes[1].target, "/d1/0/a/c/o") == 0);
	assert(requests_of_all() == 3);
})

IN_TASK(a_handoff_stands_in, {
	PRIMARIES(status, 201);
	fakes[3].status = fakes[4].status = 201;
	fake_stop(&fakes[1]);
	assert(put() == 201);
	assert(requests_of_all() == 3);
	assert(fakes[0].requests == 1 && fakes[2].requests == 1);
	assert(fakes[3].requests + fakes[4].requests == 1);
})

/* A full disk passes the body on to the next server. */
IN_TASK(full_disks, {
	PRIMARIES(status, 507);
	fakes[2].status = 201;
	fakes[3].status = fakes[4].status = 201;
	assert(put() == 201);
	assert(strcmp(fakes[3].seen_body, "hello") == 0);
	assert(strcmp(fakes[4].seen_body, "hello") == 0);
	const struct ring_dev *devs[3];

	assert(target_primaries(&F.target, devs, 3) == 3);
	assert(node_limited(F.proxy.backend, devs[0]));
	assert(!node_limited(F.proxy.backend, devs[2]));
})

IN_TASK(without_quorum, {
	for (unsigned i = 0; i < FAKES; i++)
		fakes[i].status = 500;
	fakes[0].status = 201;
	assert(put() == 503);
})

IN_TASK(two_of_three_decide, {
	PRIMARIES(status, 404);
	fakes[1].status = 204;
	assert(put() == 404);
})

IN_TASK(a_404_counts_as_done_where_told, {
	for (unsigned i = 0; i < FAKES; i++)
		fakes[i].status = 500;
	fakes[0].status = 204;
	fakes[1].status = 404;
	AUTO(write) w = write_new(&F.req, &F.target, HTTP_DELETE, 0);

	w->override_from = 404;
	w->override_to = 204;
	assert(write_run(w) == 0);
	write_respond(&F.req, w, &F.res);
	assert(F.res.status == 204);
})

/* The last replica is waited for a little, and goes on alone then. */
IN_TASK(a_late_replica, {
	PRIMARIES(status, 201);
	fakes[1].wait_ms = 300;
	uint64_t began = clock_mono_ms();

	assert(put() == 201);
	uint64_t took = clock_mono_ms() - began;

	assert(took >= 90 && took < 280);
	assert(fakes[1].body_bytes == 0);
	assert(task_sleep(350) == 0);
	assert(fakes[1].body_bytes == 5);
	assert(requests_of_all() == 3);
})

IN_TASK(a_replica_that_hangs, {
	PRIMARIES(status, 201);
	fakes[3].status = fakes[4].status = 201;
	fakes[1].wait_ms = 2000;
	assert(put() == 201);
	/* It is given up after the node timeout, and a handoff gets the bytes. */
	assert(task_sleep(600) == 0);
	assert(fakes[3].requests + fakes[4].requests == 1);
})

IN_TASK(headers_of_the_answer, {
	for (unsigned i = 0; i < 3; i++) {
		fakes[i].status = 201;
		fakes[i].header[0][0] = "ETag";
		fakes[i].header[0][1] = "\"x\"";
		fakes[i].header[1][0] = "X-Thing";
		fakes[i].header[1][1] = "y";
	}
	assert(put() == 201);
	assert(str_eq(headers_get_lit(&F.res.headers, "ETag"), S("x")));
	assert(str_eq(headers_get_lit(&F.res.headers, "X-Thing"), S("y")));
	assert(!headers_has(&F.res.headers, S("Connection")));
})

/* A server that was away is asked again as soon as it answers. */
IN_TASK(servers_come_back, {
	PRIMARIES(status, 201);
	fakes[3].status = fakes[4].status = 201;
	fake_stop(&fakes[0]);
	assert(put() == 201);
	const struct ring_dev *devs[3];

	assert(target_primaries(&F.target, devs, 3) == 3);
	assert(node_limited(F.proxy.backend, devs[0]));
	fake_start(&fakes[0]);
	for (unsigned i = 0; i < 50 && node_limited(F.proxy.backend, devs[0]); i++)
		assert(task_sleep(20) == 0);
	assert(!node_limited(F.proxy.backend, devs[0]));
	unsigned before = fakes[0].requests;

	assert(put() == 201);
	assert(fakes[0].requests == before + 1);
})

/* Everything was restarted: nobody is refused a request because of what was a moment ago. */
IN_TASK(when_all_come_back_at_once, {
	PRIMARIES(status, 201);
	fakes[3].status = fakes[4].status = 201;
	for (unsigned i = 0; i < FAKES; i++)
		fake_stop(&fakes[i]);
	assert(put() == 503);
	for (unsigned i = 0; i < FAKES; i++)
		fake_start(&fakes[i]);
	assert(put() == 201);
	assert(fakes[0].requests == 1 && fakes[1].requests == 1 && fakes[2].requests == 1);
})

IN_TASK(errors_add_up, {
	PRIMARIES(status, 500);
	fakes[3].status = fakes[4].status = 500;
	const struct ring_dev *devs[3];

	assert(target_primaries(&F.target, devs, 3) == 3);
	for (unsigned i = 0; i < 10; i++)
		assert(put() == 503);
	assert(!node_limited(F.proxy.backend, devs[0]));
	assert(put() == 503);
	assert(node_limited(F.proxy.backend, devs[0]));
	unsigned before = requests_of_all();

	assert(put() == 503);
	assert(requests_of_all() == before);
})

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(to_all_primaries),
		cmocka_unit_test(a_handoff_stands_in),
		cmocka_unit_test(full_disks),
		cmocka_unit_test(without_quorum),
		cmocka_unit_test(two_of_three_decide),
		cmocka_unit_test(a_404_counts_as_done_where_told),
		cmocka_unit_test(a_late_replica),
		cmocka_unit_test(a_replica_that_hangs),
		cmocka_unit_test(headers_of_the_answer),
		cmocka_unit_test(servers_come_back),
		cmocka_unit_test(when_all_come_back_at_once),
		cmocka_unit_test(errors_add_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
