/* Bodies of several MIME documents, cut at every place. */
#include "objectd/object/footer.h"

#include "lib/crypto/digest.h"

#include <setjmp.h>
#include <cmocka.h>

/* Hands out a text in pieces of a given size. */
struct pieces {
	struct body body;
	struct str rest;
	size_t size;
};

static int pieces_next(struct body *b, struct str *ret_chunk)
{
	struct pieces *p = container_of(b, struct pieces, body);

	if (p->rest.n == 0)
		return 0;
	*ret_chunk = str_head(p->rest, p->size);
	p->rest = str_skip(p->rest, p->size);
	return 1;
}

static struct str message(struct arena *a, const char *data, const char *footer, const char *md5)
{
	return arena_printf(a,
			    "--b\r\nX-Document: object body\r\n\r\n%s\r\n--b\r\n"
			    "X-Document: object metadata\r\nContent-MD5: %s\r\n\r\n%s\r\n--b--\r\n",
			    data, md5, footer);
}

struct parsed {
	int data_rc, footer_rc, end_rc;
	struct buf data;
	struct headers footers;
};

task_asserted static struct parsed parse(struct arena *a, struct str text, size_t piece)
{
	struct pieces p = { .body.next = pieces_next, .rest = text, .size = piece };
	struct parsed r = { .data = BUF(4096), .footer_rc = -1, .end_rc = -1 };
	struct mime *m = mime_open(a, &p.body, S("b"));
	struct headers head;
	struct body *body;

	r.data_rc = mime_next(m, &head, &body);
	if (r.data_rc > 0)
		r.data_rc = body_read_all(body, &r.data);
	if (r.data_rc == 0)
		r.footer_rc = footer_read(m, a, &r.footers);
	if (r.footer_rc == 0)
		r.end_rc = mime_next(m, &head, &body);
	mime_close(m);
	return r;
}

static void good_ones(void **state)
{
	static const char *const data[] = { "", "x", "hello\r\n--", "\r\n--bo\r\n", "\r\n\r\n-" };
	static const char footer[] = "{\"X-Object-Sysmeta-A\": \"1\", \"Etag\": \"e\", \"N\": 5}";
	char md5[MD5_HEX_SIZE];

	(void)state;
	md5_hex(str_from(footer), md5);
	for (size_t i = 0; i < ARRAY_LEN(data); i++) {
		for (size_t piece = 1; piece < 200; piece++) {
			AUTO(arena) a = arena_new();
			struct parsed r = parse(a, message(a, data[i], footer, md5), piece);

			/* "\r\n--bo" begins like the boundary: it is one, and not a good one. */
			if (strstr(data[i], "\r\n--b")) {
				assert_true(r.footer_rc < 0);
				buf_done(&r.data);
				continue;
			}
			assert_int_equal(r.data_rc, 0);
			assert_int_equal(r.footer_rc, 0);
			assert_int_equal(r.end_rc, 0);
			assert_string_equal(r.data.p, data[i]);
			assert_true(str_eq(headers_get(&r.footers, S("etag")), S("e")));
			assert_true(str_eq(headers_get(&r.footers, S("n")), S("5")));
			buf_done(&r.data);
		}
	}
}

static void bad_footers(void **state)
{
	static const char *const footers[] = { "", "[]", "{", "{\"a\": []}", "{\"a b\": \"c\"}",
					       "{\"a\": \"x\\ny\"}", "null" };
	AUTO(arena) a = arena_new();
	struct parsed r;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(footers); i++) {
		char md5[MD5_HEX_SIZE];

		md5_hex(str_from(footers[i]), md5);
		r = parse(a, message(a, "x", footers[i], md5), 7);
		assert_int_equal(r.footer_rc, -EBADMSG);
		buf_done(&r.data);
	}
	r = parse(a, message(a, "x", "{}", "0123"), 7);
	assert_int_equal(r.footer_rc, -EILSEQ);
	buf_done(&r.data);
}

static void cut_short(void **state)
{
	AUTO(arena) a = arena_new();
	struct str whole = message(a, "hello", "{}", "99914b932bd37a50b983c5e7c90ae93b");

	(void)state;
	for (size_t n = 0; n < whole.n - 4; n++) {
		struct parsed r = parse(a, str_head(whole, n), 11);

		assert_true(r.data_rc < 0 || r.footer_rc < 0 || r.data.n == 0);
		buf_done(&r.data);
	}
	struct parsed r = parse(a, whole, 11);

	assert_int_equal(r.footer_rc, 0);
	buf_done(&r.data);
	r = parse(a, S("--c\r\n\r\n"), 3);
	assert_true(r.data_rc < 0);
	buf_done(&r.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_ones),
		cmocka_unit_test(bad_footers),
		cmocka_unit_test(cut_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
