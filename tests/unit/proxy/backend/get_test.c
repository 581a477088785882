/* Reads from servers that are away, late, out of date or break off. */
#include "tests/unit/proxy/backend/fake.h"

#include <setjmp.h>
#include <cmocka.h>

static const char text[] = "0123456789abcdefghijklmnopqrstuvwxyz";

static void set_object(unsigned i, const char *etag, const char *timestamp)
{
	fakes[i].body = text;
	fakes[i].header[0][0] = "ETag";
	fakes[i].header[0][1] = etag;
	fakes[i].header[1][0] = "X-Backend-Data-Timestamp";
	fakes[i].header[1][1] = timestamp;
}

static void set_missing(unsigned i, const char *tombstone)
{
	fakes[i].body = NULL;
	fakes[i].status = 404;
	fakes[i].header[0][0] = tombstone ? "X-Backend-Timestamp" : NULL;
	fakes[i].header[0][1] = tombstone;
}

waits static void get(bool newest)
{
	/* What a caller has on its stack is gone when the body is read. */
	struct headers headers = F.headers;
	struct target target = F.target;
	struct get g = { .target = &target, .headers = &headers, .newest = newest };

	assert(backend_get(&F.req, &g, &F.res) == 0);
	memset(&headers, 0xee, sizeof headers);
	memset(&target, 0xee, sizeof target);
}

waits static struct str read_all(int *ret_rc)
{
	CLEANUP(buf_done) struct buf b = BUF(64 * KIB);

	*ret_rc = F.res.body ? body_read_all(F.res.body, &b) : 0;
	body_close(F.res.body);
	return arena_str(F.arena, buf_str(&b));
}

waits static void expect_text(void)
{
	int rc;
	struct str s = read_all(&rc);

	assert(rc == 0);
	assert(str_eq(s, str_from(text)));
}

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

IN_TASK(one_request_is_enough, {
	for (unsigned i = 0; i < 3; i++)
		set_object(i, "\"e\"", "0000000001.00000");
	get(false);
	assert(F.res.status == 200);
	assert(str_eq(headers_get_lit(&F.res.headers, "ETag"), S("e")));
	expect_text();
	assert(requests_of_all() == 1);
})

IN_TASK(the_last_primary_has_it, {
	set_missing(0, NULL);
	set_object(1, "e", "0000000001.00000");
	fakes[2].status = 500;
	get(false);
	assert(F.res.status == 200);
	expect_text();
})

IN_TASK(a_handoff_has_it, {
	for (unsigned i = 0; i < 3; i++) {
		fake_stop(&fakes[i]);
		set_missing(i, NULL);
	}
	set_missing(3, NULL);
	set_object(4, "e", "0000000001.00000");
	get(false);
	assert(F.res.status == 200);
	expect_text();
})

IN_TASK(missing_everywhere, {
	for (unsigned i = 0; i < FAKES; i++)
		set_missing(i, NULL);
	get(false);
	assert(F.res.status == 404);
	assert(requests_of_all() == FAKES);
})

/* One primary may be waiting for its data; what it says is no proof. */
IN_TASK(absence_is_not_proven, {
	fake_stop(&fakes[0]);
	fake_stop(&fakes[1]);
	set_missing(2, NULL);
	set_missing(3, NULL);
	set_missing(4, NULL);
	get(false);
	assert(F.res.status == 503);
})

IN_TASK(a_tombstone_is_proof, {
	fake_stop(&fakes[0]);
	fake_stop(&fakes[1]);
	set_missing(2, "0000000005.00000");
	set_missing(3, NULL);
	set_missing(4, NULL);
	get(false);
	assert(F.res.status == 404);
})

IN_TASK(newest_asks_everybody, {
	set_object(0, "old", "0000000001.00000");
	set_object(1, "new", "0000000003.00000");
	set_object(2, "old", "0000000002.00000");
	set_missing(3, NULL);
	set_missing(4, NULL);
	get(true);
	assert(F.res.status == 200);
	assert(str_eq(headers_get_lit(&F.res.headers, "ETag"), S("new")));
	assert(requests_of_all() == FAKES);
	expect_text();
})

IN_TASK(a_newer_tombstone_wins, {
	set_object(0, "old", "0000000001.00000");
	set_missing(1, "0000000003.00000");
	set_object(2, "old", "0000000002.00000");
	set_missing(3, NULL);
	set_missing(4, NULL);
	get(true);
	assert(F.res.status == 404);
})

IN_TASK(goes_on_elsewhere, {
	for (unsigned i = 0; i < 3; i++) {
		set_object(i, "e", "0000000001.00000");
		fakes[i].break_after = 10;
	}
	fakes[1].break_after = 0;
	get(false);
	assert(F.res.status == 200 && F.res.content_length == (int64_t)strlen(text));
	expect_text();
	if (requests_of_all() > 1)
		assert(strcmp(fakes[1].range, "bytes=10-35") == 0 ||
		       strcmp(fakes[1].range, "bytes=20-35") == 0);
})

IN_TASK(a_range_goes_on, {
	headers_add_ref(&F.headers, S("Range"), S("bytes=5-30"));
	for (unsigned i = 0; i < 3; i++) {
		set_object(i, "e", "0000000001.00000");
		fakes[i].break_after = 4;
	}
	set_object(3, "e", "0000000001.00000");
	get(false);
	assert(F.res.status == 206);
	int rc;
	struct str s = read_all(&rc);

	assert(rc == 0);
	assert(str_eq(s, str_of(text + 5, 26)));
	assert(strcmp(fakes[3].range, "bytes=17-30") == 0);
})

/* Several ranges: the rest is put together from requests for single ones, byte for byte. */
static const char multipart[] =
	"--b\r\nContent-Type: t/t\r\nContent-Range: bytes 2-9/36\r\n\r\n23456789\r\n"
	"--b\r\nContent-Type: t/t\r\nContent-Range: bytes 20-25/36\r\n\r\nklmnop\r\n"
	"--b\r\nContent-Type: t/t\r\nContent-Range: bytes 35-35/36\r\n\r\nz\r\n--b--";

waits static void break_multipart(size_t at)
{
	set_up_fakes();
	headers_add_ref(&F.headers, S("Range"), S("bytes=2-9,20-25,-1"));
	for (unsigned i = 1; i < FAKES; i++)
		set_object(i, "e", "0000000001.00000");
	for (unsigned i = 1; i < FAKES; i++) {
		fakes[i].header[2][0] = "Content-Type";
		fakes[i].header[2][1] = "t/t";
	}
	fakes[0].multipart = multipart;
	fakes[0].break_after = at;
	fakes[0].header[0][0] = "ETag";
	fakes[0].header[0][1] = "e";
	fakes[0].header[1][0] = "Content-Type";
	fakes[0].header[1][1] = "multipart/byteranges;boundary=b";
	const struct ring_dev *devs[3];

	assert(target_primaries(&F.target, devs, 3) == 3);
	struct get g = { .target = &F.target, .headers = &F.headers, .prefer = devs[0] };

	assert(backend_get(&F.req, &g, &F.res) == 0);
	assert(F.res.status == 206);
	assert(F.res.content_length == (int64_t)strlen(multipart));
	int rc;
	struct str s;

	fake_stop(&fakes[4]);
	s = read_all(&rc);
	assert(rc == 0);
	assert(str_eq(s, str_from(multipart)));
	tear_down_fakes();
}

waits static void several_ranges_go_on_task(void)
{
	for (size_t at = 1; at < strlen(multipart); at += 7)
		break_multipart(at);
}

static void several_ranges_go_on(void **state)
{
	(void)state;
	run_in_task(several_ranges_go_on_task);
}

/* Half of one version and half of another would be worse than an error. */
IN_TASK(never_with_another_version, {
	for (unsigned i = 0; i < FAKES; i++) {
		set_object(i, i == 0 ? "e" : "other", "0000000001.00000");
		fakes[i].body = i == 0 ? text : "another text that is as long as it is";
		fakes[i].break_after = 10;
	}
	F.headers.n = 1;
	struct get g = { .target = &F.target, .headers = &F.headers };
	const struct ring_dev *devs[3];

	assert(target_primaries(&F.target, devs, 3) == 3);
	g.prefer = devs[0];
	assert(backend_get(&F.req, &g, &F.res) == 0);
	int rc;
	struct str s = read_all(&rc);

	/* Only the first one has it, and goes on ten bytes at a time. */
	assert(rc == 0);
	assert(str_eq(s, str_from(text)));
	assert(fakes[0].requests == 4);
})

IN_TASK(a_server_that_hangs, {
	for (unsigned i = 0; i < 3; i++)
		set_object(i, "e", "0000000001.00000");
	fakes[0].wait_ms = 5000;
	fakes[1].wait_ms = 5000;
	uint64_t began = clock_mono_ms();

	get(false);
	assert(F.res.status == 200);
	assert(clock_mono_ms() - began < 2000);
	expect_text();
})

/* The next one is asked long before the first is given up, and the first may still win. */
IN_TASK(a_late_server_gets_company, {
	for (unsigned i = 0; i < 3; i++)
		set_object(i, "e", "0000000001.00000");
	fakes[0].wait_ms = fakes[1].wait_ms = 380;
	uint64_t began = clock_mono_ms();

	get(false);
	assert(F.res.status == 200);
	assert(clock_mono_ms() - began < 360);
	expect_text();
})

IN_TASK(all_are_late, {
	for (unsigned i = 0; i < 3; i++) {
		set_object(i, "e", "0000000001.00000");
		fakes[i].wait_ms = 320;
	}
	set_missing(3, NULL);
	set_missing(4, NULL);
	get(false);
	assert(F.res.status == 200);
	expect_text();
})

/* A late server may be the only one that has it. */
IN_TASK(waits_for_the_late_one, {
	for (unsigned i = 0; i < FAKES; i++)
		set_missing(i, NULL);
	fakes[1].status = 200;
	set_object(1, "e", "0000000001.00000");
	fakes[1].wait_ms = 300;
	get(false);
	assert(F.res.status == 200);
	expect_text();
})

IN_TASK(refusals_pass_through, {
	for (unsigned i = 0; i < FAKES; i++) {
		fakes[i].status = 412;
		fakes[i].header[0][0] = "ETag";
		fakes[i].header[0][1] = "e";
	}
	get(false);
	assert(F.res.status == 412);
	assert(str_eq(headers_get_lit(&F.res.headers, "ETag"), S("e")));
})

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_request_is_enough),
		cmocka_unit_test(the_last_primary_has_it),
		cmocka_unit_test(a_handoff_has_it),
		cmocka_unit_test(missing_everywhere),
		cmocka_unit_test(absence_is_not_proven),
		cmocka_unit_test(a_tombstone_is_proof),
		cmocka_unit_test(newest_asks_everybody),
		cmocka_unit_test(a_newer_tombstone_wins),
		cmocka_unit_test(goes_on_elsewhere),
		cmocka_unit_test(a_range_goes_on),
		cmocka_unit_test(several_ranges_go_on),
		cmocka_unit_test(never_with_another_version),
		cmocka_unit_test(a_server_that_hangs),
		cmocka_unit_test(a_late_server_gets_company),
		cmocka_unit_test(all_are_late),
		cmocka_unit_test(waits_for_the_late_one),
		cmocka_unit_test(refusals_pass_through),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
