/* lib/base/encode: text forms of bytes. */
#include "lib/base/encode.h"

#include <setjmp.h>
#include <cmocka.h>

static struct buf out;

static const char *done(void)
{
	assert_false(buf_failed(&out));
	return out.p;
}

static void hex(void **state)
{
	unsigned char bytes[4];
	char text[9];

	(void)state;
	hex_encode("\x00\xff\x7f\x80", 4, text);
	assert_string_equal(text, "00ff7f80");
	assert_int_equal(hex_decode(S("00FF7f80"), bytes, 4), 0);
	assert_memory_equal(bytes, "\x00\xff\x7f\x80", 4);
	assert_int_equal(hex_decode(S("00FF7f8"), bytes, 4), -EINVAL);
	assert_int_equal(hex_decode(S("00FF7f8g"), bytes, 4), -EINVAL);
	assert_int_equal(hex_decode(S("`0000000"), bytes, 4), -EINVAL);
}

static void base64(void **state)
{
	static const char *const pairs[][2] = {
		{ "", "" },        { "f", "Zg==" },        { "fo", "Zm8=" },
		{ "foo", "Zm9v" }, { "foob", "Zm9vYg==" }, { "\xff\xfe\xfd", "//79" }
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		buf_clear(&out);
		base64_encode(&out, pairs[i][0], strlen(pairs[i][0]));
		assert_string_equal(done(), pairs[i][1]);
		buf_clear(&out);
		assert_int_equal(base64_decode(&out, str_from(pairs[i][1])), 0);
		assert_string_equal(done(), pairs[i][0]);
	}
	buf_clear(&out);
	assert_int_equal(base64_decode(&out, S("__79Zg")), 0);
	assert_string_equal(done(), "\xff\xfe\xfd" "f");
	assert_int_equal(base64_decode(&out, S("Zg=a")), -EINVAL);
	assert_int_equal(base64_decode(&out, S("Z")), -EINVAL);
	assert_int_equal(base64_decode(&out, S("Z g=")), -EINVAL);
}

static void percent(void **state)
{
	AUTO(arena) a = arena_new();
	struct str plain = S("/a/b");

	(void)state;
	buf_clear(&out);
	percent_encode(&out, S("/a b\xc3\xbc~_.-%+&?\0"), S("/"));
	assert_string_equal(done(), "/a%20b%C3%BC~_.-%25%2B%26%3F%00");
	buf_clear(&out);
	percent_encode(&out, S("a/b"), STR_NONE);
	assert_string_equal(done(), "a%2Fb");
	assert_ptr_equal(percent_decode(a, plain).p, plain.p);
	assert_true(str_eq(percent_decode(a, S("%41%zz%4%")), S("A%zz%4%")));
	assert_true(str_eq(percent_decode(a, S("a+%2b%00")), S("a++\0")));
	assert_true(str_eq(query_decode(a, S("a+%2b")), S("a +")));
}

static void json(void **state)
{
	(void)state;
	buf_clear(&out);
	json_escape(&out, S("a\"\\/\n\r\t\b\f\x01\x7f\xc3\xbc\xe2\x82\xac\xf0\x9f\xa6\xa0\xff"
			    "z"));
	assert_string_equal(done(), "\"a\\\"\\\\/\\n\\r\\t\\b\\f\\u0001\\u007f\\u00fc\\u20ac"
				    "\\ud83e\\udda0\\ufffdz\"");
	buf_clear(&out);
	json_escape(&out, STR_NONE);
	assert_string_equal(done(), "\"\"");
}

static void xml(void **state)
{
	(void)state;
	buf_clear(&out);
	xml_escape(&out, S("<a b='\"&'>\xc3\xbc"));
	assert_string_equal(done(), "&lt;a b=&apos;&quot;&amp;&apos;&gt;\xc3\xbc");
}

static int setup(void **state)
{
	(void)state;
	out = BUF(4 * KIB);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	buf_done(&out);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hex), cmocka_unit_test(base64), cmocka_unit_test(percent),
		cmocka_unit_test(json), cmocka_unit_test(xml),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
