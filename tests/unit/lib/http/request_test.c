/* Methods, query parameters, standard answers, bodies without a connection. */
#include "lib/http/request.h"
#include "lib/base/buf.h"
#include "tests/unit/lib/http/wire.h"

#include <setjmp.h>
#include <cmocka.h>

#define assert_str(s, literal) assert_true(str_eq(s, S(literal)))

static void methods(void **state)
{
	(void)state;
	assert_int_equal(http_method_parse(S("GET")), HTTP_GET);
	assert_int_equal(http_method_parse(S("REPLICATE")), HTTP_REPLICATE);
	assert_int_equal(http_method_parse(S("get")), HTTP_OTHER);
	assert_int_equal(http_method_parse(S("")), HTTP_OTHER);
	for (int m = HTTP_GET; m <= HTTP_UPDATE; m++)
		assert_int_equal(http_method_parse(str_from(http_method_name((enum http_method)m))), m);
}

static void query(void **state)
{
	AUTO(arena) a = arena_new();
	struct request req = { .arena = a };

	(void)state;
	assert_null(request_query_lit(&req, "format").p);
	req.query = S("a=1&b=x%20y+z&empty=&flag&a=2&%62b=3&c=d=e&&plus=%2B");
	assert_str(request_query_lit(&req, "a"), "2");
	assert_str(request_query_lit(&req, "b"), "x y z");
	assert_str(request_query_lit(&req, "bb"), "3");
	assert_str(request_query_lit(&req, "c"), "d=e");
	assert_str(request_query_lit(&req, "plus"), "+");
	assert_non_null(request_query_lit(&req, "empty").p);
	assert_str(request_query_lit(&req, "empty"), "");
	assert_true(request_has_query(&req, S("flag")));
	assert_str(request_query_lit(&req, "flag"), "");
	assert_false(request_has_query(&req, S("x")));
	assert_false(request_has_query(&req, S("")));
	req.query = S("");
	assert_false(request_has_query(&req, S("a")));
}

static struct str body_text(struct response *res)
{
	static char text[1000];
	struct str chunk = STR_NONE;
	int rc = res->body ? res->body->next(res->body, &chunk) : 0;

	assert_int_equal(rc, chunk.n > 0);
	if (chunk.n)
		memcpy(text, chunk.p, chunk.n);
	return str_of(text, chunk.n);
}

/* What swob.Response(status=...) says; clients show these texts. */
static void standard_answers(void **state)
{
	static const struct {
		int status;
		const char *reason, *body;
	} table[] = {
		{ 404, "Not Found", "<html><h1>Not Found</h1><p>The resource could not be found.</p></html>" },
		{ 401, "Unauthorized", "<html><h1>Unauthorized</h1><p>This server could not verify that you are "
				       "authorized to access the document you requested.</p></html>" },
		{ 507, "Insufficient Storage", "<html><h1>Insufficient Storage</h1><p>There was not enough space "
					       "to save the resource. Drive: unknown</p></html>" },
		{ 202, "Accepted", "<html><h1>Accepted</h1><p>The request is accepted for processing.</p></html>" },
		{ 201, "Created", "" }, { 204, "No Content", "" }, { 999, "", "" },
	};
	AUTO(arena) a = arena_new();
	struct response res;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		response_init(&res, a);
		respond_status(&res, table[i].status);
		assert_int_equal(res.status, table[i].status);
		assert_true(str_eq(http_reason(table[i].status), str_from(table[i].reason)));
		assert_true(str_eq(body_text(&res), str_from(table[i].body)));
		assert_int_equal(res.content_length, strlen(table[i].body));
		assert_str(headers_get_lit(&res.headers, "Content-Type"), "text/html; charset=UTF-8");
	}
	respond_text(&res, 400, "%s %d", "bad", 7);
	assert_str(headers_get_lit(&res.headers, "Content-Type"), "text/plain");
	assert_int_equal(headers_count(&res.headers, S("Content-Type")), 1);
	assert_str(body_text(&res), "bad 7");
}

/* ---- bodies ---- */

struct counted {
	struct body body;
	int pulls, closes, fail_at;
};

static int counted_next(struct body *b, struct str *ret_chunk)
{
	struct counted *c = container_of(b, struct counted, body);

	if (++c->pulls == c->fail_at)
		return -EIO;
	if (c->pulls > 10)
		return 0;
	*ret_chunk = S("0123456789");
	return 1;
}

static void counted_close(struct body *b)
{
	container_of(b, struct counted, body)->closes++;
}

static struct counted counted(int fail_at)
{
	return (struct counted){ .body = { counted_next, counted_close, -1, NULL }, .fail_at = fail_at };
}

waits static void bodies(void)
{
	AUTO(arena) a = arena_new();
	struct counted c = counted(0), broken = counted(3);
	struct buf b = BUF(100);
	struct body *bytes = body_bytes(a, S("abc"));
	struct str chunk;

	int rc = body_read_all(&c.body, &b);
	assert(rc == 0 && b.n == 100);
	c = counted(0);
	rc = body_read_all(&c.body, &b);
	assert(rc == -EFBIG && c.pulls == 1);
	buf_clear(&b);
	rc = body_read_all(&broken.body, &b);
	assert(rc == -EIO && b.n == 20);
	c = counted(0);
	rc = body_drain(&c.body, 100);
	assert(rc == 0);
	c = counted(0);
	rc = body_drain(&c.body, 99);
	assert(rc == -EFBIG);
	body_close(&c.body);
	body_close(&c.body);
	body_close(NULL);
	assert(c.closes == 1);
	buf_done(&b);

	assert(bytes->left == 3);
	rc = body_drain(bytes, 2);      /* known to be too long: not even begun */
	assert(rc == -EFBIG && bytes->left == 3);
	rc = body_next(bytes, &chunk);
	assert(rc == 1 && str_eq(chunk, S("abc")) && bytes->left == 0);
	rc = body_next(bytes, &chunk);
	assert(rc == 0);
	rc = body_next(body_empty(a), &chunk);
	assert(rc == 0);
}

/* An answer in place of another: the first one's body is closed with the second's. */
waits static void answers_replaced(void)
{
	AUTO(arena) a = arena_new();
	struct counted c = counted(0);
	struct response res;

	response_init(&res, a);
	res.body = &c.body;
	respond_status(&res, 404);
	respond_text(&res, 400, "no");
	assert(str_eq(body_text(&res), S("no")) && c.closes == 0);
	body_close(res.body);
	assert(c.closes == 1);
	response_init(&res, a);
	res.body = &c.body;
	c = counted(0);
	respond_status(&res, 204);
	assert(res.content_length == 0);
	body_close(res.body);
	assert(c.closes == 1);
}

static void test_bodies(void **state)
{
	(void)state;
	run_in_task(bodies);
}

static void test_answers_replaced(void **state)
{
	(void)state;
	run_in_task(answers_replaced);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(methods),          cmocka_unit_test(query),
		cmocka_unit_test(standard_answers), cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_answers_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
