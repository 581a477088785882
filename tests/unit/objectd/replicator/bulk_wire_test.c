/* Objects that travel together: there and back, cut, garbled. */
#include "objectd/replicator/internal.h"

#include <setjmp.h>
#include <cmocka.h>

static void add(struct buf *to, struct arena *a, enum bulk_what what, struct str name,
		struct str data)
{
	struct bulk_item i = { .what = what, .policy = 7, .data_ts = { 5, 1 },
			       .meta_ts = { 9, UINT64_MAX }, .name = name };

	headers_init(&i.metadata, a);
	headers_add(&i.metadata, S("ETag"), S("x"));
	headers_add(&i.metadata, S("X-Object-Meta-A"), S(""));
	size_t at = bulk_begin(to, &i, (uint32_t)data.n);

	buf_add_str(to, data);
	bulk_end(to, at);
}

static void there_and_back(void **state)
{
	CLEANUP(buf_done) struct buf b = BUF(64 * KIB);
	AUTO(arena) a = arena_new();
	struct bulk_item i;

	(void)state;
	add(&b, a, BULK_DATA, S("/a/c/o/with/slashes"), S("hello"));
	add(&b, a, BULK_TOMBSTONE, S("/a/c/o"), S(""));
	struct str rest = buf_str(&b);

	assert_int_equal(bulk_take(&rest, a, &i), 0);
	assert_int_equal(i.what, BULK_DATA);
	assert_int_equal(i.policy, 7);
	assert_int_equal(i.data_ts.t, 5);
	assert_int_equal(i.data_ts.offset, 1);
	assert_int_equal(i.meta_ts.t, 9);
	assert_true(i.meta_ts.offset == UINT64_MAX);
	assert_true(str_eq(i.name, S("/a/c/o/with/slashes")));
	assert_true(str_eq(i.data, S("hello")));
	assert_int_equal(i.metadata.n, 2);
	assert_true(str_eq(headers_get(&i.metadata, S("etag")), S("x")));
	assert_int_equal(bulk_take(&rest, a, &i), 0);
	assert_int_equal(i.what, BULK_TOMBSTONE);
	assert_int_equal(i.data.n, 0);
	assert_int_equal(rest.n, 0);
}

static void every_cut_and_every_flipped_bit(void **state)
{
	CLEANUP(buf_done) struct buf b = BUF(64 * KIB);
	AUTO(arena) a = arena_new();
	struct bulk_item i;
	struct str rest;

	(void)state;
	add(&b, a, BULK_DATA, S("/a/c/o"), S("some bytes"));
	for (size_t n = 0; n < b.n; n++) {
		rest = str_head(buf_str(&b), n);
		assert_int_equal(bulk_take(&rest, a, &i), -EBADMSG);
	}
	for (size_t bit = 0; bit < 8 * b.n; bit++) {
		b.p[bit / 8] ^= (char)(1 << bit % 8);
		rest = buf_str(&b);
		assert_int_equal(bulk_take(&rest, a, &i), -EBADMSG);
		b.p[bit / 8] ^= (char)(1 << bit % 8);
	}
}

static void names_that_are_none(void **state)
{
	static const struct str bad[] = {
		STR_INIT(""), STR_INIT("/a/c"), STR_INIT("/a/c/"), STR_INIT("//c/o"),
		STR_INIT("/a//o"), STR_INIT("a/c/o"), STR_INIT("x/a/c/o"), STR_INIT("/a/c/\xff"),
	};
	AUTO(arena) a = arena_new();
	struct bulk_item i;

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(bad); k++) {
		CLEANUP(buf_done) struct buf b = BUF(64 * KIB);

		add(&b, a, BULK_DATA, bad[k], S(""));
		struct str rest = buf_str(&b);

		assert_int_equal(bulk_take(&rest, a, &i), -EBADMSG);
	}
}

static void small_ones_travel_together(void **state)
{
	struct object_entry e = { .state = OBJECT_DATA, .size = BULK_OBJECT_BYTES };

	(void)state;
	assert_true(bulk_wants(&e));
	e.size++;
	assert_false(bulk_wants(&e));
	e.state = OBJECT_TOMBSTONE;
	assert_true(bulk_wants(&e));
}

static void estimates(void **state)
{
	struct replicator_stats s = { .pass_start_us = 1000000, .done = 1, .total = 4 };

	(void)state;
	assert_int_equal(replicator_estimated_end_us(&s, 3000000), 9000000);
	s.done = 4;
	assert_int_equal(replicator_estimated_end_us(&s, 3000000), 3000000);
	s.done = 0;
	assert_int_equal(replicator_estimated_end_us(&s, 3000000), 0);
	s.done = 5;
	assert_int_equal(replicator_estimated_end_us(&s, 3000000), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(every_cut_and_every_flipped_bit),
		cmocka_unit_test(names_that_are_none),
		cmocka_unit_test(small_ones_travel_together),
		cmocka_unit_test(estimates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
