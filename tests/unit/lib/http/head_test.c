/* Heads of messages without a connection; what is refused, and with what, is in server_test.c. */
#include "lib/http/internal.h"

#include <setjmp.h>
#include <cmocka.h>

#define assert_str(s, literal) assert_true(str_eq(s, S(literal)))

static const struct head_limits limits = { 100, 60, 5 };

/* However the bytes come, the end is found at the same place. */
static void finding_the_end(void **state)
{
	static const char text[] =
		"\r\nPUT /x HTTP/1.1\r\nA: b\r\nLonger-Name: longer value\r\n\r\nbody";
	size_t end = strlen(text) - strlen("body");

	(void)state;
	for (size_t step = 1; step <= strlen(text); step++) {
		struct head_scan s = { 0 };
		struct refusal why;
		ssize_t n = 0;

		for (size_t have = step; n == 0; have += step)
			n = head_scan(&s, str_head(str_from(text), have), &limits, &why);
		assert_int_equal(n, end);
		assert_int_equal(s.lines, 3);
		assert_true(
			str_eq(str_of(text + s.start_line, s.start_line_n), S("PUT /x HTTP/1.1")));
		assert_int_equal(strncmp(text + s.fields, "A: b", 4), 0);
	}
}

static int parse(struct arena *a, const char *text, struct request *req, struct head *h,
		 struct refusal *why)
{
	struct head_scan s = { 0 };
	ssize_t n = head_scan(&s, str_from(text), &limits, why);

	assert_true(n > 0);
	*h = (struct head){ 0 };
	*req = (struct request){ .arena = a };
	headers_init(&req->headers, a);
	return head_parse_request(h, str_head(str_from(text), (size_t)n), &s, req, why);
}

static void requests(void **state)
{
	AUTO(arena) a = arena_new();
	struct request req;
	struct refusal why;
	struct head h;

	(void)state;
	assert_int_equal(parse(a, "PUT /v1/a%20b/c?x=1&y?z HTTP/1.1\r\nHost: h\r\nA:  b \t\r\n"
				  "A: c\r\nContent-Length: 007\r\n\r\n", &req, &h, &why), 0);
	assert_int_equal(req.method, HTTP_PUT);
	assert_str(req.target, "/v1/a%20b/c?x=1&y?z");
	assert_str(req.path, "/v1/a%20b/c");
	assert_str(req.query, "x=1&y?z");
	assert_str(headers_get_lit(&req.headers, "a"), "b");
	assert_int_equal(headers_count(&req.headers, S("A")), 2);
	assert_int_equal(h.framing, BODY_LENGTH);
	assert_int_equal(req.content_length, 7);
	assert_true(h.keep_alive && req.minor == 1 && !req.chunked && !req.expect_continue);

	assert_int_equal(
		parse(a, "FOO / HTTP/1.0\r\nConnection: Keep-Alive\r\nExpect: 100-continue\r\n\r\n",
		      &req, &h, &why),
		0);
	assert_int_equal(req.method, HTTP_OTHER);
	assert_str(req.method_name, "FOO");
	assert_null(req.query.p);
	assert_true(h.keep_alive && req.minor == 0 && !req.expect_continue);
	assert_int_equal(h.framing, BODY_NONE);

	assert_int_equal(parse(a, "GET https://u@h:1/?  HTTP/1.1\r\n\r\n", &req, &h, &why),
			 -EBADMSG);
	assert_int_equal(
		parse(a, "GET https://h:1?q HTTP/1.1\r\nHost: other\r\n\r\n", &req, &h, &why), 0);
	assert_str(req.target, "/?q");
	assert_str(req.query, "q");
	assert_str(headers_get_lit(&req.headers, "Host"), "h:1");

	assert_int_equal(parse(a,
			       "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nExpect: "
			       "100-continue\r\n\r\n",
			       &req, &h, &why),
			 0);
	assert_true(req.chunked && req.content_length == -1 && req.expect_continue);
	assert_int_equal(
		parse(a, "PUT / HTTP/1.1\r\nX-\xc3\xa9: \xe0\xb8\x92\r\n\r\n", &req, &h, &why), 0);
	assert_str(req.headers.v[0].name, "X-\xc3\xa9");
	assert_str(req.headers.v[0].value, "\xe0\xb8\x92");
	/* No letter in disguise makes a framing header. */
	assert_int_equal(parse(a, "PUT / HTTP/1.1\r\nContent-Len\xffth: 5\r\n\r\n", &req, &h, &why),
			 0);
	assert_int_equal(h.framing, BODY_NONE);
	assert_int_equal(parse(a, "PUT / HTTP/1.1\r\nTransfer-Encoding: chun\xffked\r\n\r\n", &req,
			       &h, &why),
			 -EBADMSG);
	assert_int_equal(why.status, 400);
}

static const struct {
	const char *text;
	bool head;
	int rc, status;
	enum framing framing;
	int64_t length;
	bool keep_alive;
} responses[] = {
	{ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", false, 0, 200, BODY_LENGTH, 5, true },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true, 0, 200, BODY_NONE, 5, true },
	{ "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", false, 0, 200,
	  BODY_LENGTH, 0, false },
	{ "HTTP/1.1 200 OK\r\n\r\n", false, 0, 200, BODY_UNTIL_CLOSE, -1, false },
	{ "HTTP/1.1 200 OK\r\n\r\n", true, 0, 200, BODY_NONE, -1, true },
	{ "HTTP/1.1 204 No Content\r\n\r\n", false, 0, 204, BODY_NONE, -1, true },
	{ "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", false, 0, 304, BODY_NONE, 9,
	  true },
	{ "HTTP/1.1 100 Continue\r\n\r\n", false, 0, 100, BODY_NONE, -1, true },
	{ "HTTP/1.1 201\r\nTransfer-Encoding: chunked\r\n\r\n", false, 0, 201, BODY_CHUNKED, -1,
	  true },
	{ "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n", false, 0, 200, BODY_LENGTH, 1, false },
	{ "HTTP/1.1  200 OK\r\n\r\n", false, -EBADMSG, 0, 0, 0, false },
	{ "HTTP/1.1 099 OK\r\n\r\n", false, -EBADMSG, 0, 0, 0, false },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", false, -EBADMSG, 0, 0, 0,
	  false },
};

static void answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(responses); i++) {
		AUTO(arena) a = arena_new();
		struct headers headers;
		struct head h = { .headers = &headers };
		struct head_scan s = { 0 };
		struct refusal why;
		struct str text = str_from(responses[i].text);
		ssize_t n = head_scan(&s, text, &limits, &why);

		headers_init(&headers, a);
		assert_int_equal(n, text.n);
		assert_int_equal(head_parse_response(&h, text, &s, responses[i].head),
				 responses[i].rc);
		if (responses[i].rc < 0)
			continue;
		assert_int_equal(h.status, responses[i].status);
		assert_int_equal(h.framing, responses[i].framing);
		assert_int_equal(h.content_length, responses[i].length);
		assert_int_equal(h.keep_alive, responses[i].keep_alive);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finding_the_end),
		cmocka_unit_test(requests),
		cmocka_unit_test(answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
