/* Forms: parts and their heads, delimiters cut anywhere, limits. */
#include "lib/http/multipart_form.h"
#include "tests/unit/cmocka.h"

struct pieces {
	struct body body;
	struct str rest;
	size_t piece;
	int error;                      /* at the end */
};

static int pieces_next(struct body *b, struct str *ret_chunk)
{
	struct pieces *p = container_of(b, struct pieces, body);

	if (p->rest.n == 0)
		return p->error;
	*ret_chunk = str_head(p->rest, p->piece);
	p->rest = str_skip(p->rest, ret_chunk->n);
	return 1;
}

/* "[name|filename|type]data" of each part, and how it ended. */
task_asserted static int read_form(struct str bytes, size_t piece, int error, struct buf *to)
{
	struct pieces p = { { .next = pieces_next, .left = -1 }, bytes, piece, error };
	struct form_part part;
	struct form f;
	struct str chunk;
	int rc = form_init(&f, &p.body, S("bnd"), 3);

	buf_clear(to);
	while (rc >= 0 && (rc = form_next(&f, &part)) > 0) {
		buf_addf(to, "[%.*s|%.*s|%.*s]", STR(part.name), STR(part.filename),
			 STR(part.content_type));
		while ((rc = form_read(&f, &chunk)) > 0)
			buf_add_str(to, chunk);
	}
	form_done(&f);
	return rc;
}

#define HEAD(name) "Content-Disposition: form-data; name=\"" name "\"\r\n"

static void expect(const char *form, int rc, const char *parts)
{
	CLEANUP(buf_done) struct buf b = BUF(1 * MIB);

	for (size_t piece = 1; piece < 70; piece++) {
		assert_int_equal(read_form(str_from(form), piece, 0, &b), rc);
		if (parts)
			assert_string_equal(b.p, parts);
	}
}

static void parts_test(void **state)
{
	(void)state;
	expect("--bnd\r\n" HEAD("a") "\r\nvalue\r\n--bnd\r\n"
				     "content-TYPE: text/x\r\nContent-Disposition: form-data; "
				     "name=f; filename=\"x y\"\r\n"
				     "\r\n\r\n--bndX\r\n--bn\r\n\r\n--bnd--\r\nepilogue",
	       0, "[a||]value[f|x y|text/x]\r\n--bndX\r\n--bn\r\n");
	expect("\r\n--bnd\r\n\r\nno head\r\n--bnd--", 0, "[||]no head");
	expect("--bnd\r\n" HEAD("empty") "\r\n\r\n--bnd\r\n" HEAD("short") "\r\n--bnd--", 0,
	       "[empty||][short||]");
	expect("--bnd\r\nContent-Disposition: attachment; name=\"a\"\r\n\r\nx\r\n--bnd--", 0,
	       "[||]x");
}

static void broken_test(void **state)
{
	CLEANUP(buf_done) struct buf b = BUF(1 * MIB);

	(void)state;
	expect("", -EINVAL, "");
	expect("--bnd", -EINVAL, "");
	expect("--bnd--\r\n", -EINVAL, "");
	expect("--bndx\r\n\r\n\r\n--bnd--", -EINVAL, "");
	expect("--bnd\r\n", -EPIPE, "");
	expect("--bnd\r\nA: b", -EPIPE, "");
	expect("--bnd\r\n" HEAD("a") "\r\nvalue\r\n--bnd", -EPIPE, NULL);
	expect("--bnd\r\n" HEAD("a") "\r\nvalue\r\n", -EPIPE, NULL);
	assert_int_equal(read_form(S("--bnd\r\n\r\nx"), 100, -ETIMEDOUT, &b), -ETIMEDOUT);
	assert_int_equal(read_form(S("--bn"), 100, -EPIPE, &b), -EPIPE);
}

static void limits_test(void **state)
{
	CLEANUP(buf_done) struct buf b = BUF(1 * MIB), form = BUF(1 * MIB);
	struct form f;

	(void)state;
	expect("--bnd\r\n\r\n1\r\n--bnd\r\n\r\n2\r\n--bnd\r\n\r\n3\r\n--bnd--", 0,
	       "[||]1[||]2[||]3");
	expect("--bnd\r\n\r\n1\r\n--bnd\r\n\r\n2\r\n--bnd\r\n\r\n3\r\n--bnd\r\n\r\n4\r\n--bnd--",
	       -E2BIG, "[||]1[||]2[||]3");
	for (int more = 0; more < 2; more++) {
		buf_clear(&form);
		buf_add_lit(&form, "--bnd\r\nA: ");
		for (int i = 0; i < FORM_HEAD_MAX - 3 + more; i++)
			buf_add_char(&form, 'x');
		buf_add_lit(&form, "\r\n\r\ndata\r\n--bnd--");
		for (size_t piece = 1; piece < 100000; piece = 10 * piece + 1)
			assert_int_equal(read_form(buf_str(&form), piece, 0, &b),
					 more ? -E2BIG : 0);
	}
	buf_clear(&form);
	for (int i = 0; i < FORM_BOUNDARY_MAX + 1; i++)
		buf_add_char(&form, 'b');
	assert_int_equal(form_init(&f, NULL, buf_str(&form), 1), -EINVAL);
	form_done(&f);
	assert_int_equal(form_init(&f, NULL, S(""), 1), -EINVAL);
	form_done(&f);
}

static void type_test(void **state)
{
	struct str b;

	(void)state;
	assert_true(form_type_parse(S("multipart/form-data; boundary=x"), &b));
	assert_str(b, "x");
	assert_true(
		form_type_parse(S("Multipart/Form-Data;charset=u; Boundary=\"a; b\" ;q=1"), &b));
	assert_str(b, "a; b\" ;q=1");   /* only a quote that ends the parameter ends it */
	assert_true(form_type_parse(S("multipart/form-data; boundary=\"a; b\"; q=1"), &b));
	assert_str(b, "a; b");
	assert_true(form_type_parse(S("multipart/form-data; boundary"), &b));
	assert_null(b.p);
	assert_true(form_type_parse(S("multipart/form-data"), &b));
	assert_null(b.p);
	assert_false(form_type_parse(S("multipart/mixed; boundary=x"), &b));
	assert_false(form_type_parse(S(""), &b));
	assert_false(form_type_parse(STR_NONE, &b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_test),
		cmocka_unit_test(broken_test),
		cmocka_unit_test(limits_test),
		cmocka_unit_test(type_test),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
