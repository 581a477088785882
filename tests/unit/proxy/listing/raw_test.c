/* Raw rows: reading lines and joining what replicas know. */
#include "proxy/listing/raw.h"

#include <setjmp.h>
#include <cmocka.h>

static char line[4096];

static int parse(const char *text, struct raw_row *ret)
{
	size_t n = strlen(text);

	assert_true(n < sizeof line);
	memcpy(line, text, n + 1);
	return raw_row_parse(line, n, ret);
}

#define assert_str(s, literal) assert_true(str_eq(s, S(literal)))

static void an_object(void **state)
{
	struct raw_row r;

	(void)state;
	assert_int_equal(parse("{\"name\": \"a/b\", \"data_ts\": \"1402464677.04188\", "
			       "\"ctype_ts\": \"1402464678.00000\", \"meta_ts\": "
			       "\"1402464679.00000_0000000000000001\", "
			       "\"deleted\": 0, \"policy\": 3, \"bytes\": 12, \"hash\": \"abc\", "
			       "\"content_type\": \"text/plain\", \"swift_bytes\": \"77\"}",
			       &r),
			 0);
	assert_str(r.name, "a/b");
	assert_int_equal(r.data_ts.t, 140246467704188);
	assert_int_equal(r.ctype_ts.t, 140246467800000);
	assert_int_equal(r.meta_ts.offset, 1);
	assert_false(r.deleted);
	assert_int_equal(r.policy, 3);
	assert_int_equal(r.bytes, 12);
	assert_int_equal(raw_row_bytes(&r), 77);
	assert_str(r.hash, "abc");
	assert_str(r.content_type, "text/plain");
}

static void a_container(void **state)
{
	struct raw_row r;

	(void)state;
	assert_int_equal(parse("{\"name\":\"c\",\"put_ts\":\"0000000005.00000\",\"delete_ts\":"
			       "\"0000000006.00000\","
			       "\"stats_ts\":\"0000000007.00000\",\"deleted\":1,\"policy\":0,"
			       "\"count\":2,\"bytes\":9}",
			       &r),
			 0);
	assert_int_equal(r.put_ts.t, 500000);
	assert_int_equal(r.count, 2);
	assert_true(r.deleted);
	assert_null(r.swift_bytes.p);
	assert_int_equal(raw_row_bytes(&r), 9);
}

static void escapes(void **state)
{
	struct raw_row r;

	(void)state;
	assert_int_equal(
		parse("{\"name\": \"\\u00e4\\\"\\\\\\/\\n\\t\\u20ac\\ud83d\\ude00\\u0001\", "
		      "\"later\": \"x\", \"n\": 5}",
		      &r),
		0);
	assert_str(r.name, "\xc3\xa4\"\\/\n\t\xe2\x82\xac\xf0\x9f\x98\x80\x01");
}

static void broken(void **state)
{
	static const char *const bad[] = {
		"",
		"{",
		"{}",
		"[]",
		"{\"name\"}",
		"{\"name\": }",
		"{\"name\": \"x\"",
		"{\"name\": \"x}",
		"{\"name\": \"\\u12\"}",
		"{\"name\": \"\\ud800\"}",
		"{\"name\": \"\\ud800\\u0041\"}",
		"{\"name\": \"\\udc00\"}",
		"{\"name\": \"\\x\"}",
		"{\"name\": \"x\", \"bytes\": \"1\"}",
		"{\"name\": \"x\", \"bytes\": -1}",
		"{\"name\": \"x\", \"data_ts\": \"soon\"}",
		"{\"bytes\": 1}",
		"{\"name\": \"x\" \"bytes\": 1}",
		"{\"name\": \"\n\"}",
	};
	struct raw_row r;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(parse(bad[i], &r), -EBADMSG);
}

static struct raw_row object(uint64_t data, uint64_t ctype, uint64_t meta, bool deleted,
			     const char *type)
{
	return (struct raw_row){
		.name = S("o"),
		.data_ts = { .t = data },
		.ctype_ts = { .t = ctype },
		.meta_ts = { .t = meta },
		.deleted = deleted,
		.bytes = data,
		.content_type = str_from(type),
	};
}

/* Each timestamp decides over its own part, in whichever order rows meet. */
static void join_objects(void **state)
{
	struct raw_row old = object(1, 1, 1, false, "a"), posted = object(1, 5, 6, false, "b"),
		       overwritten = object(3, 3, 3, false, "c"), gone = object(9, 9, 9, true, "");
	struct raw_row x = old, y = overwritten;

	(void)state;
	raw_row_join(SWIFT_CONTAINER, &x, &posted);
	raw_row_join(SWIFT_CONTAINER, &x, &overwritten);
	raw_row_join(SWIFT_CONTAINER, &y, &posted);
	raw_row_join(SWIFT_CONTAINER, &y, &old);
	assert_int_equal(x.bytes, 3);
	assert_str(x.content_type, "b");
	assert_int_equal(x.meta_ts.t, 6);
	assert_int_equal(y.bytes, 3);
	assert_str(y.content_type, "b");
	assert_int_equal(y.meta_ts.t, 6);
	raw_row_join(SWIFT_CONTAINER, &x, &gone);
	assert_true(x.deleted);
	raw_row_join(SWIFT_CONTAINER, &x, &old);
	assert_true(x.deleted);
}

static void equal_timestamps_end_equal(void **state)
{
	struct raw_row a = object(5, 5, 5, false, "a"), b = object(5, 5, 5, true, ""), x = a, y = b;

	(void)state;
	raw_row_join(SWIFT_CONTAINER, &x, &b);
	raw_row_join(SWIFT_CONTAINER, &y, &a);
	assert_true(x.deleted);
	assert_true(y.deleted);
	assert_true(str_eq(x.content_type, y.content_type));
}

static void join_containers(void **state)
{
	struct raw_row a = { .put_ts = { .t = 5 }, .stats_ts = { .t = 9 }, .count = 4 },
		       b = { .put_ts = { .t = 2 },
			     .delete_ts = { .t = 7 },
			     .stats_ts = { .t = 8 },
			     .deleted = true };

	(void)state;
	raw_row_join(SWIFT_ACCOUNT, &b, &a);
	assert_false(b.deleted);                /* it has objects again */
	assert_int_equal(b.count, 4);
	assert_int_equal(b.put_ts.t, 5);
	assert_int_equal(b.delete_ts.t, 7);
	a.count = 0;
	b = (struct raw_row){ .delete_ts = { .t = 7 } };
	raw_row_join(SWIFT_ACCOUNT, &a, &b);
	assert_true(a.deleted);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_object),
		cmocka_unit_test(a_container),
		cmocka_unit_test(escapes),
		cmocka_unit_test(broken),
		cmocka_unit_test(join_objects),
		cmocka_unit_test(equal_timestamps_end_equal),
		cmocka_unit_test(join_containers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
