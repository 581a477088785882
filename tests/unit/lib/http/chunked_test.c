/* The chunked coding without a connection; over sockets it is tested in server_test.c. */
#include "lib/http/internal.h"
#include "lib/base/buf.h"

#include <setjmp.h>
#include <cmocka.h>

/* Decodes text in pieces of step bytes: 1 ended, 0 not, or an error. */
static int decode(const char *text, size_t step, struct arena *a, struct buf *content,
		  struct headers *trailers)
{
	struct str all = str_from(text);
	struct chunked d;

	headers_init(trailers, a);
	chunked_init(&d, trailers, 3);
	buf_clear(content);
	for (size_t at = 0; at < all.n && !d.done;) {
		struct str piece;
		size_t used;
		int rc = chunked_feed(&d, str_head(str_skip(all, at), step), &piece, &used);

		if (rc < 0)
			return rc;
		if (rc > 0)
			buf_add_str(content, piece);
		assert_true(used > 0);
		at += used;
	}
	return d.done;
}

static const struct {
	const char *text;
	int want;
	const char *content;
	unsigned trailers;
} table[] = {
	{ "0\r\n\r\n", 1, "", 0 },
	{ "000\r\n\r\n", 1, "", 0 },
	{ "3\r\nabc\r\n0\r\n\r\nnext", 1, "abc", 0 },
	{ "3\r\nabc\r\n00a\r\n0123456789\r\n0\r\n\r\n", 1, "abc0123456789", 0 },
	{ "3 \t\r\nabc\r\n0;last\r\n\r\n", 1, "abc", 0 },
	{ "3;a=\"\xc3\xa9;\"\r\nabc\r\n0\r\nX: y\r\nZ:\r\n\r\n", 1, "abc", 2 },
	{ "3\r\nabc\r\n", 0, "abc", 0 },
	{ "3\r\nabc\r\n0\r\n", 0, "abc", 0 },
	{ "", 0, "", 0 },
	{ "\r\n", -EBADMSG, "", 0 },
	{ "g\r\n", -EBADMSG, "", 0 },
	{ "0x3\r\nabc\r\n", -EBADMSG, "", 0 },
	{ "+3\r\nabc\r\n", -EBADMSG, "", 0 },
	{ "3\nabc\r\n", -EBADMSG, "", 0 },
	{ "3;a\nabc\r\n", -EBADMSG, "", 0 },
	{ "3\r\nabcd\r\n", -EBADMSG, "abc", 0 },
	{ "3\r\nabc\n", -EBADMSG, "abc", 0 },
	{ "3\r\nabc\r0", -EBADMSG, "abc", 0 },
	{ "1234567890123456\r\n", -EBADMSG, "", 0 },
	{ "0\r\nA: b\r\nC: d\r\nE: f\r\nG: h\r\n\r\n", -EBADMSG, "", 3 },
	{ "0\r\n : b\r\n\r\n", -EBADMSG, "", 0 },
	{ "0\r\nA b: c\r\n\r\n", -EBADMSG, "", 0 },
	{ "0\r\nA: b\n\r\n", -EBADMSG, "", 0 },
};

static void forms(void **state)
{
	AUTO(arena) a = arena_new();
	struct buf content = BUF(1000);
	struct headers trailers;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		for (size_t step = 1; step < 60; step = step < 10 ? step + 1 : step * 2) {
			int rc = decode(table[i].text, step, a, &content, &trailers);

			assert_int_equal(rc, table[i].want);
			assert_string_equal(content.p, table[i].content);
			assert_int_equal(trailers.n, table[i].trailers);
		}
	buf_done(&content);
}

/* Content is not copied, and nothing behind the end is touched. */
static void views(void **state)
{
	static const char text[] = "5\r\nhello\r\n0\r\n\r\nGET / HTTP/1.1\r\n";
	AUTO(arena) a = arena_new();
	struct headers trailers;
	struct chunked d;
	struct str piece;
	size_t used;

	(void)state;
	headers_init(&trailers, a);
	chunked_init(&d, &trailers, 3);
	assert_int_equal(chunked_feed(&d, str_from(text), &piece, &used), 1);
	assert_ptr_equal(piece.p, text + 3);
	assert_int_equal(piece.n, 5);
	assert_int_equal(used, 8);
	assert_int_equal(chunked_feed(&d, str_from(text + 8), &piece, &used), 0);
	assert_true(d.done);
	assert_string_equal(text + 8 + used, "GET / HTTP/1.1\r\n");
	assert_int_equal(chunked_feed(&d, str_from("3\r\nabc"), &piece, &used), 0);
	assert_int_equal(used, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forms),
		cmocka_unit_test(views),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
