/* Listing rows as bytes: what is written is read, and nothing else is. */
#include "objectd/updater/row_wire.h"

#include <setjmp.h>
#include <cmocka.h>

static const struct container_row_update sample = {
	.account = STR_INIT("AUTH_a"), .container = STR_INIT("c"), .object = STR_INIT("dir/o"),
	.partition = 1234567, .auto_create = true, .policy_index = 3,
	.ts = { 140000000000000, 7 }, .content_type_ts = { 150000000000000, 0 },
	.size = 1ULL << 40, .content_type = STR_INIT("text/plain;swift_bytes=5"),
	.etag = STR_INIT("d41d8cd98f00b204e9800998ecf8427e"),
};

static void same(const struct container_row_update *a, const struct container_row_update *b)
{
	assert_true(str_eq(a->account, b->account) && str_eq(a->container, b->container) &&
		    str_eq(a->object, b->object) && str_eq(a->etag, b->etag) &&
		    str_eq(a->content_type, b->content_type));
	assert_int_equal(a->partition, b->partition);
	assert_int_equal(a->deleted, b->deleted);
	assert_int_equal(a->auto_create, b->auto_create);
	assert_int_equal(a->policy_index, b->policy_index);
	assert_int_equal(a->size, b->size);
	assert_int_equal(timestamp_cmp(a->ts, b->ts), 0);
	assert_int_equal(timestamp_cmp(a->content_type_ts, b->content_type_ts), 0);
	assert_int_equal(timestamp_cmp(a->meta_ts, b->meta_ts), 0);
}

static void there_and_back(void **state)
{
	CLEANUP(buf_done) struct buf b = BUF(MIB);
	AUTO(arena) a = arena_new();
	struct container_row_update *rows;
	struct container_row_update deleted = { .account = S("a"), .container = S("c"),
						.object = S("o"), .deleted = true, .ts = { 5, 0 } };

	(void)state;
	for (unsigned i = 0; i < 200; i++)
		row_write(&b, i % 2 ? &sample : &deleted);
	assert_int_equal(rows_read(a, buf_str(&b), &rows), 200);
	same(&rows[0], &deleted);
	same(&rows[199], &sample);
	struct container_row_update copy = row_copy(a, &sample);

	same(&copy, &sample);
	assert_ptr_not_equal(copy.object.p, sample.object.p);
}

static void broken(void **state)
{
	CLEANUP(buf_done) struct buf b = BUF(MIB);
	AUTO(arena) a = arena_new();
	struct container_row_update *rows, row = sample;

	(void)state;
	row_write(&b, &sample);
	for (size_t n = 1; n < b.n; n++)
		assert_int_equal(rows_read(a, str_head(buf_str(&b), n), &rows), -EBADMSG);
	b.p[0] = 4;                     /* a flag from the future */
	assert_int_equal(rows_read(a, buf_str(&b), &rows), -EBADMSG);
	buf_clear(&b);
	row.object = S("");
	row_write(&b, &row);
	assert_int_equal(rows_read(a, buf_str(&b), &rows), -EBADMSG);
	assert_int_equal(rows_read(a, S(""), &rows), 0);
}

static void too_many(void **state)
{
	CLEANUP(buf_done) struct buf b = BUF(ROWS_BYTES_MAX);
	AUTO(arena) a = arena_new();
	struct container_row_update *rows;

	(void)state;
	for (unsigned i = 0; i < ROWS_MAX; i++)
		row_write(&b, &sample);
	assert_int_equal(rows_read(a, buf_str(&b), &rows), ROWS_MAX);
	row_write(&b, &sample);
	assert_int_equal(rows_read(a, buf_str(&b), &rows), -EFBIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(broken),
		cmocka_unit_test(too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
