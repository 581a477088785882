/* Conditional GET and HEAD, with the answers measured of Swift as the expectation. */
#include "lib/swift/conditional.h"

#include <setjmp.h>
#include <cmocka.h>

#define OLD "Sun, 06 Nov 1994 08:49:36 GMT"
#define SAME "Sun, 06 Nov 1994 08:49:37 GMT"
#define NEWER "Sun, 06 Nov 1994 08:49:38 GMT"
enum { MODIFIED = 784111777 };

struct got {
	int status;
	int64_t length;
	char range[64], text[512];
};

static struct body *open_bytes(void *arg, uint64_t first, uint64_t last)
{
	static const char text[] = "0123456789";

	return body_bytes(arg, str_of(text + first, (size_t)(last - first + 1)));
}

/* h: name and value alternating, ended by NULL. The result is there until the next call. */
task_asserted static const struct got *ask(enum http_method m, uint64_t size, const char *const *h)
{
	AUTO(arena) a = arena_new();
	struct request req = { .magic = REQUEST_MAGIC, .method = m, .arena = a };
	struct response res;
	struct entity e = { .size = size, .etag = S("abc"), .last_modified = MODIFIED,
			    .open = open_bytes, .arg = a };
	CLEANUP(buf_done) struct buf all = BUF(511);
	static struct got got;

	headers_init(&req.headers, a);
	response_init(&res, a);
	headers_set(&res.headers, S("Content-Type"), S("text/plain"));
	for (; *h; h += 2)
		headers_add(&req.headers, str_from(h[0]), str_from(h[1]));
	conditional_respond(&req, &res, &e);
	got = (struct got){ 0 };
	got.status = res.status;
	got.length = res.content_length;
	if (res.body) {
		assert_int_equal(body_read_all(res.body, &all), 0);
		body_close(res.body);
		assert_int_equal(all.n, res.content_length);
	}
	snprintf(got.range, sizeof got.range, "%.*s",
		 STR(headers_get(&res.headers, S("Content-Range"))));
	snprintf(got.text, sizeof got.text, "%s", all.p);
	return &got;
}
#define ASK(...) ask(HTTP_GET, 10, (const char *const[]){ __VA_ARGS__, NULL })

static void matching(void **state)
{
	(void)state;
	assert_int_equal(ASK("If-Match", "abc")->status, 200);
	assert_int_equal(ASK("If-Match", "\"abc\"")->status, 200);
	assert_int_equal(ASK("If-Match", "x, \"abc\"")->status, 200);
	assert_int_equal(ASK("If-Match", "*")->status, 200);
	assert_int_equal(ASK("If-Match", "abd")->status, 412);
	assert_int_equal(ASK("If-Match", "abd")->length, 0);
	assert_int_equal(ASK("If-Match", "abd", "Range", "bytes=0-1")->status, 412);
	assert_int_equal(ASK("If-None-Match", "abc")->status, 304);
	assert_int_equal(ASK("If-None-Match", "*")->status, 304);
	assert_int_equal(ASK("If-None-Match", "abd")->status, 200);
	assert_int_equal(ASK("If-None-Match", "abd", "If-None-Match", "abc")->status, 304);
}

static void dates(void **state)
{
	(void)state;
	assert_int_equal(ASK("If-Modified-Since", OLD)->status, 200);
	assert_int_equal(ASK("If-Modified-Since", SAME)->status, 304);
	assert_int_equal(ASK("If-Modified-Since", NEWER)->status, 304);
	assert_int_equal(ASK("If-Modified-Since", "yesterday")->status, 200);
	assert_int_equal(ASK("If-Unmodified-Since", OLD)->status, 412);
	assert_int_equal(ASK("If-Unmodified-Since", SAME)->status, 200);
	/* Unlike RFC 9110, Swift also looks at dates when a tag was given. */
	assert_int_equal(ASK("If-None-Match", "abd", "If-Modified-Since", NEWER)->status, 304);
}

static void missing(void **state)
{
	AUTO(arena) a = arena_new();
	struct headers h;

	(void)state;
	headers_init(&h, a);
	assert_int_equal(conditional_status(&h, 404, STR_NONE, 0), 0);
	headers_set(&h, S("If-Match"), S("abc"));
	assert_int_equal(conditional_status(&h, 404, STR_NONE, 0), 0);
	headers_set(&h, S("If-Match"), S("*"));
	assert_int_equal(conditional_status(&h, 404, STR_NONE, 0), 412);
}

static void ranges(void **state)
{
	const struct got *g = ASK("Range", "bytes=2-4");

	(void)state;
	assert_int_equal(g->status, 206);
	assert_string_equal(g->text, "234");
	assert_string_equal(g->range, "bytes 2-4/10");
	g = ASK("Range", "bytes=10-");
	assert_int_equal(g->status, 416);
	assert_string_equal(g->range, "bytes */10");
	g = ASK("Range", "bytes=5-3");
	assert_int_equal(g->status, 200);
	assert_string_equal(g->text, "0123456789");
	g = ASK("Range", "bytes=0-0,9-9");
	assert_int_equal(g->status, 206);
	assert_non_null(strstr(g->text, "Content-Range: bytes 9-9/10\r\n\r\n9\r\n--"));
	g = ask(HTTP_HEAD, 10, (const char *const[]){ "Range", "bytes=2-4", NULL });
	assert_int_equal(g->status, 200);
	assert_int_equal(g->length, 10);
	g = ask(HTTP_GET, 0, (const char *const[]){ "Range", "bytes=-5", NULL });
	assert_int_equal(g->status, 200);
}

static void if_range(void **state)
{
	(void)state;
	assert_int_equal(ASK("Range", "bytes=2-4", "If-Range", "\"abc\"")->status, 206);
	assert_int_equal(ASK("Range", "bytes=2-4", "If-Range", "\"old\"")->status, 200);
	assert_int_equal(ASK("Range", "bytes=2-4", "If-Range", SAME)->status, 206);
	assert_int_equal(ASK("Range", "bytes=2-4", "If-Range", OLD)->status, 200);
	assert_int_equal(ASK("Range", "bytes=2-4", "If-Range", "W/\"abc\"")->status, 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(matching), cmocka_unit_test(dates), cmocka_unit_test(missing),
		cmocka_unit_test(ranges), cmocka_unit_test(if_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
