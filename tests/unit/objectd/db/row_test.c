/* Rows: content types, encoding, and that merging is a join. */
#include "objectd/db/row.h"
#include "lib/base/encode.h"
#include "tests/unit/cmocka.h"

/* ---- content types, as Swift's extract_swift_bytes splits them ---- */

static void split_is(const char *text, const char *type, const char *swift_bytes)
{
	CLEANUP(buf_done) struct buf b = BUF(64 * KIB);
	struct str bytes;

	row_split_content_type(str_from(text), &b, &bytes);
	assert_string_equal(b.p, type);
	if (!swift_bytes)
		assert_null(bytes.p);
	else
		assert_true(str_eq(bytes, str_from(swift_bytes)));
}

static void splits_content_types(void **state)
{
	(void)state;
	split_is("text/plain", "text/plain", NULL);
	split_is("", "", NULL);
	split_is("text/plain; charset=UTF-8", "text/plain;charset=UTF-8", NULL);
	split_is("text/plain;swift_bytes=10", "text/plain", "10");
	split_is("text/plain ; a=1 ;swift_bytes=10; b=\"x;y\"", "text/plain ;a=1;b=\"x;y\"", "10");
	split_is("a/b;swift_bytes=1;swift_bytes=2", "a/b", "2");
	split_is("a/b; flag", "a/b;flag=", NULL);
	split_is("a/b; flag=", "a/b;flag=", NULL);
	split_is("a/b;;;", "a/b", NULL);
	split_is("a/b; =x; c = d", "a/b;c=d", NULL);
	split_is("a/b; q=\"open", "a/b;q=", NULL);
	split_is("a/b; q=\"es\\\"c\"; z=1", "a/b;q=\"es\\\"c\";z=1", NULL);
}

static void splits_long_types_quickly(void **state)
{
	CLEANUP(buf_done) struct buf text = BUF(4 * MIB), out = BUF(16 * MIB);
	struct str bytes;

	(void)state;
	for (unsigned i = 0; i < 100000; i++)
		buf_add_lit(&text, ";a=\"\\\"");
	row_split_content_type(buf_str(&text), &out, &bytes);
	assert_false(buf_failed(&out));
}

/* ---- ETags ---- */

static void keeps_etags(void **state)
{
	static const char *const texts[] = {
		"d41d8cd98f00b204e9800998ecf8427e",
		"D41D8CD98F00B204E9800998ECF8427E",
		"",
		"noetag",
		"d41d8cd98f00b204e9800998ecf8427e; slo_etag=x",
		"g41d8cd98f00b204e9800998ecf8427e",
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(texts); i++) {
		struct row_etag e;
		char room[33];

		row_etag_set(&e, str_from(texts[i]));
		assert_int_equal(e.is_md5, i == 0);
		assert_true(str_eq(row_etag_text(&e, room), str_from(texts[i])));
	}
}

/* ---- random rows from few values, so that parts are often equal ---- */

static uint64_t seed = 88172645463325252ULL;

static uint64_t dice(uint64_t sides)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % sides;
}

static struct timestamp random_ts(void)
{
	return (struct timestamp){ .t = 170000000000000ULL + dice(4),
				   .offset = dice(5) ? 0 : dice(3) };
}

static void add_random_row(struct buf *to, unsigned policy)
{
	static const char *const etags[] = { "", "d41d8cd98f00b204e9800998ecf8427e",
					     "e41d8cd98f00b204e9800998ecf8427e", "odd" };
	static const char *const types[] = { "", "text/plain", "image/png" };
	struct row r = { .policy = policy, .deleted = dice(3) == 0, .data_ts = random_ts(),
			 .ctype_ts = random_ts(), .meta_ts = random_ts(), .size = dice(3),
			 .content_type = str_from(types[dice(3)]), .swift_bytes = STR_NONE };

	row_etag_set(&r.etag, str_from(etags[dice(4)]));
	if (dice(4) == 0)
		r.swift_bytes = dice(2) ? S("17") : S("18");
	row_normalise(&r);
	row_encode(to, &r);
}

static void random_value(enum db_kind kind, struct buf *to)
{
	buf_clear(to);
	if (kind == DB_ACCOUNT) {
		struct account_row r = { .put_ts = random_ts(), .delete_ts = random_ts(),
					 .stats_ts = random_ts(), .policy = (unsigned)dice(2),
					 .objects = dice(2), .bytes = dice(3) };

		account_row_encode(to, &r);
		return;
	}
	unsigned which = 1 + (unsigned)dice(7);

	for (unsigned policy = 0; policy < 3; policy++)
		if (which & 1u << policy)
			add_random_row(to, policy);
}

static void merging_is_a_join(void **state)
{
	CLEANUP(buf_done)
	struct buf a = BUF(KIB),
		   b = BUF(KIB), c = BUF(KIB), x = BUF(KIB), y = BUF(KIB), z = BUF(KIB);

	(void)state;
	for (unsigned i = 0; i < 40000; i++) {
		enum db_kind kind = i % 2 ? DB_ACCOUNT : DB_CONTAINER;

		random_value(kind, &a);
		random_value(kind, &b);
		random_value(kind, &c);
		assert_int_equal(row_value_check(kind, buf_str(&a)), 0);
		row_value_merge(kind, buf_str(&a), buf_str(&b), &x);
		assert_int_equal(row_value_check(kind, buf_str(&x)), 0);
		row_value_merge(kind, buf_str(&b), buf_str(&a), &y);
		assert_true(str_eq(buf_str(&x), buf_str(&y)));          /* commutative */
		row_value_merge(kind, buf_str(&x), buf_str(&c), &z);
		row_value_merge(kind, buf_str(&b), buf_str(&c), &x);
		row_value_merge(kind, buf_str(&a), buf_str(&x), &y);
		assert_true(str_eq(buf_str(&y), buf_str(&z)));          /* associative */
		row_value_merge(kind, buf_str(&y), buf_str(&b), &z);
		assert_true(str_eq(buf_str(&y), buf_str(&z)));          /* idempotent */
		row_value_merge(kind, STR_NONE, buf_str(&a), &z);
		assert_true(str_eq(buf_str(&a), buf_str(&z)));
	}
}

static void later_parts_win(void **state)
{
	CLEANUP(buf_done) struct buf put = BUF(KIB), post = BUF(KIB), merged = BUF(KIB);
	struct row r = { .data_ts.t = 100, .ctype_ts.t = 100, .meta_ts.t = 100, .size = 5,
			 .content_type = S("a/b"), .swift_bytes = S("77") }, got;

	(void)state;
	row_encode(&put, &r);
	/* A POST that an object server reports: old data, newer content type. */
	r.ctype_ts.t = r.meta_ts.t = 200;
	r.content_type = S("c/d");
	r.swift_bytes = STR_NONE;
	r.data_ts.t = 90;
	r.size = 4;
	row_encode(&post, &r);
	row_value_merge(DB_CONTAINER, buf_str(&put), buf_str(&post), &merged);
	struct str rest = buf_str(&merged);

	assert_int_equal(row_decode(&rest, &got), 0);
	assert_int_equal(got.size, 5);
	assert_true(str_eq(got.swift_bytes, S("77")));
	assert_true(str_eq(got.content_type, S("c/d")));
	assert_int_equal(got.data_ts.t, 100);
	assert_int_equal(got.meta_ts.t, 200);
}

/* Whatever bytes come from another server, they are refused or sound. */
static void survives_garbage(void **state)
{
	CLEANUP(buf_done) struct buf a = BUF(KIB), m = BUF(64 * KIB);

	(void)state;
	for (unsigned i = 0; i < 200000; i++) {
		enum db_kind kind = i % 2 ? DB_ACCOUNT : DB_CONTAINER;

		random_value(kind, &a);
		for (unsigned k = 0; k < 1 + dice(3); k++)
			a.p[dice(a.n)] = (char)dice(256);
		a.n = 1 + dice(a.n);
		if (row_value_check(kind, buf_str(&a)) < 0)
			continue;
		row_value_merge(kind, buf_str(&a), buf_str(&a), &m);
		assert_true(str_eq(buf_str(&a), buf_str(&m)));
	}
}

static void rows_are_small(void **state)
{
	CLEANUP(buf_done) struct buf b = BUF(KIB);
	struct row r = { .data_ts.t = 178000000012345ULL, .ctype_ts.t = 178000000012345ULL,
			 .meta_ts.t = 178000000012345ULL, .size = 4096,
			 .content_type = S("application/octet-stream") };

	(void)state;
	row_etag_set(&r.etag, S("d41d8cd98f00b204e9800998ecf8427e"));
	row_encode(&b, &r);
	assert_true(b.n <= 60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(splits_content_types), cmocka_unit_test(splits_long_types_quickly),
		cmocka_unit_test(keeps_etags), cmocka_unit_test(merging_is_a_join),
		cmocka_unit_test(later_parts_win), cmocka_unit_test(survives_garbage),
		cmocka_unit_test(rows_are_small),
	};

	return cmocka_run_group_tests_name("objectd/db/row", tests, NULL, NULL);
}
