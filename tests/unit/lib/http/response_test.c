/* Standard answers. */
#include "lib/http/request.h"
#include "tests/unit/lib/http/wire.h"

#include <setjmp.h>
#include <cmocka.h>

#define assert_str(s, literal) assert_true(str_eq(s, S(literal)))

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
		{ 404, "Not Found",
		  "<html><h1>Not Found</h1><p>The resource could not be found.</p></html>" },
		{ 401, "Unauthorized",
		  "<html><h1>Unauthorized</h1><p>This server could not verify that you are "
		  "authorized to access the document you requested.</p></html>" },
		{ 507, "Insufficient Storage",
		  "<html><h1>Insufficient Storage</h1><p>There was not enough space "
		  "to save the resource. Drive: unknown</p></html>" },
		{ 202, "Accepted",
		  "<html><h1>Accepted</h1><p>The request is accepted for processing.</p></html>" },
		{ 201, "Created", "" },
		{ 204, "No Content", "" },
		{ 999, "", "" },
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
		assert_str(headers_get_lit(&res.headers, "Content-Type"),
			   "text/html; charset=UTF-8");
	}
	respond_text(&res, 400, "%s %d", "bad", 7);
	assert_str(headers_get_lit(&res.headers, "Content-Type"), "text/plain");
	assert_int_equal(headers_count(&res.headers, S("Content-Type")), 1);
	assert_str(body_text(&res), "bad 7");
}

/* A body that says whether it was closed. */
struct noted {
	struct body body;
	int closes;
};

static int noted_next(struct body *b, struct str *ret_chunk)
{
	(void)b;
	(void)ret_chunk;
	return 0;
}

static void noted_close(struct body *b)
{
	container_of(b, struct noted, body)->closes++;
}

/* An answer in place of another: the first one's body is closed with the second's. */
waits static void answers_replaced(void)
{
	AUTO(arena) a = arena_new();
	struct noted c = { .body = { noted_next, noted_close, -1, NULL } };
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
	c = (struct noted){ .body = { noted_next, noted_close, -1, NULL } };
	respond_status(&res, 204);
	assert(res.content_length == 0);
	body_close(res.body);
	assert(c.closes == 1);
}

static void test_answers_replaced(void **state)
{
	(void)state;
	run_in_task(answers_replaced);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(standard_answers),
		cmocka_unit_test(test_answers_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
