/* The store's promises as its callers see them: what is written is read, who wins, ranges,
 * reopening. */
#include "tests/unit/objectd/store/fixture.h"

STORE_TEST(put_and_read)
{
	struct store *s = fixture_open();

	assert_int_equal(fixture_put(s, 1, 10, 4096), 0);
	assert_int_equal(fixture_check(s, 1, 10, 4096), 0);
	assert_int_equal(fixture_check(s, 2, 10, 4096), -ENOENT);
	store_close(s);
	s = fixture_open();
	assert_int_equal(fixture_check(s, 1, 10, 4096), 0);
	struct store_stats st;
	store_stats(s, &st);
	assert_int_equal(st.objects, 1);
	assert_int_equal(st.bytes, 4096);
	assert_int_equal(st.replayed_records, 0);
	store_close(s);
}

STORE_TEST(sizes)
{
	static const size_t sizes[] = {
		1,      7,      8,      4095,    65535,   65536,   65537,
		100000, 262144, 262145, 1048576, 1048577, 3000000, 9437184
	};
	struct store *s = fixture_open();

	for (int again = 0; again < 2; again++) {
		for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
			if (!again)
				assert_int_equal(fixture_put(s, i, 1, sizes[i]), 0);
			assert_int_equal(fixture_check(s, i, 1, sizes[i]), 0);
			assert_int_equal(fixture_check_range(s, i, 1, sizes[i] / 2, sizes[i] - 1),
					 0);
			assert_int_equal(fixture_check_range(s, i, 1, sizes[i] / 3, sizes[i] / 2),
					 0);
			assert_int_equal(fixture_check_range(s, i, 1, 0, 0), 0);
		}
		store_close(s);
		s = fixture_open();
	}
	store_close(s);
}

STORE_TEST(empty_object)
{
	AUTO(arena) a = arena_new();
	struct object_id id = fixture_id(1);
	struct store_object *o;
	struct str chunk;
	struct store *s = fixture_open();

	assert_int_equal(fixture_put(s, 1, 1, 0), 0);
	assert_int_equal(store_object_open(s, &id, a, &o), 0);
	assert_int_equal(store_object_entry(o)->size, 0);
	assert_int_equal(body_next(store_object_body(o, 0, 0), &chunk), 0);
	store_object_close(o);
	store_close(s);
}

STORE_TEST(later_wins)
{
	struct store *s = fixture_open();
	struct object_entry e, before;
	struct object_id id = fixture_id(1);

	assert_int_equal(fixture_put(s, 1, 20, 100), 0);
	assert_int_equal(fixture_put(s, 1, 10, 200), -EALREADY);
	assert_int_equal(fixture_put(s, 1, 20, 200), -EALREADY);
	assert_int_equal(fixture_check(s, 1, 20, 100), 0);
	assert_int_equal(fixture_delete(s, 1, 15), -EALREADY);
	assert_int_equal(store_delete(s, &id, S("/a/c/o"), fixture_ts(30), NULL, &before), 0);
	assert_int_equal(before.state, OBJECT_DATA);
	assert_int_equal(before.size, 100);
	assert_int_equal(fixture_put(s, 1, 25, 100), -EALREADY);
	assert_int_equal(store_lookup(s, &id, &e), 0);
	assert_int_equal(e.state, OBJECT_TOMBSTONE);
	assert_int_equal(fixture_put(s, 1, 31, 300), 0);
	assert_int_equal(fixture_check(s, 1, 31, 300), 0);
	assert_int_equal(fixture_delete(s, 2, 5), 0);
	id = fixture_id(2);
	AUTO(arena) a = arena_new();
	struct store_object *o;
	assert_int_equal(store_object_open(s, &id, a, &o), 0);
	assert_int_equal(store_object_entry(o)->state, OBJECT_TOMBSTONE);
	assert_true(str_eq(store_object_name(o), S("/a/c/object 2")));
	store_object_close(o);
	store_close(s);
}

STORE_TEST(if_absent)
{
	struct store *s = fixture_open();

	for (int i = 0; i < 2; i++) {
		struct store_writer *w;
		AUTO(arena) a = arena_new();
		struct headers h;

		headers_init(&h, a);
		assert_int_equal(store_writer_open(s, -1, &w), 0);
		assert_int_equal(store_writer_add(w, S("hello")), 0);
		struct store_put p = { .id = fixture_id(1),
				       .ts = fixture_ts(10 + (uint64_t)i),
				       .name = S("/a/c/o"),
				       .metadata = &h,
				       .if_absent = true };
		assert_int_equal(store_writer_commit(w, &p, NULL), i ? -EEXIST : 0);
		store_writer_close(w);
	}
	store_close(s);
}

STORE_TEST(post)
{
	AUTO(arena) a = arena_new();
	struct object_id id = fixture_id(1);
	struct store_object *o;
	struct store *s = fixture_open();

	assert_int_equal(fixture_post(s, 1, 5), -ENOENT);
	assert_int_equal(fixture_put(s, 1, 10, 1000), 0);
	assert_int_equal(fixture_post(s, 1, 9), -EALREADY);
	assert_int_equal(fixture_post(s, 1, 20), 0);
	assert_int_equal(fixture_post(s, 1, 15), -EALREADY);
	for (int again = 0; again < 2; again++) {
		assert_int_equal(fixture_check(s, 1, 10, 1000), 0);
		assert_int_equal(store_object_open(s, &id, a, &o), 0);
		assert_int_equal(store_object_metadata(o)->n, 1);
		assert_true(
			str_eq(headers_get_lit(store_object_metadata(o), "X-Object-Meta-Version"),
			       S("20")));
		assert_int_equal(store_object_entry(o)->meta_ts.t, fixture_ts(20).t);
		store_object_close(o);
		store_close(s);
		s = fixture_open();
	}
	assert_int_equal(fixture_put(s, 1, 30, 500), 0);
	assert_int_equal(store_object_open(s, &id, a, &o), 0);
	assert_int_equal(store_object_metadata(o)->n, 3);
	store_object_close(o);
	store_close(s);
}

STORE_TEST(rows)
{
	AUTO(arena) a = arena_new();
	CLEANUP(buf_done) struct buf v = BUF(KIB);
	struct store *s = fixture_open();
	struct store_txn *t = store_txn_new(a);

	store_txn_put(t, S("rone"), S("1"));
	store_txn_put(t, S("rtwo"), S(""));
	store_txn_put(t, S("rthree"), S("3"));
	assert_int_equal(store_txn_count(t), 3);
	assert_int_equal(store_commit(s, t), 0);
	t = store_txn_new(a);
	assert_int_equal(store_commit(s, t), 0);
	store_txn_delete(t, S("rthree"));
	store_txn_put(t, S("rone"), S("11"));
	assert_int_equal(store_commit(s, t), 0);
	t = store_txn_new(a);
	store_txn_put(t, S("rfour"), S("4"));
	assert_int_equal(fixture_put_rows(s, 1, 10, 100, t), 0);
	t = store_txn_new(a);
	store_txn_put(t, S("rfour"), S("never"));
	assert_int_equal(fixture_put_rows(s, 1, 9, 100, t), -EALREADY);
	for (int again = 0; again < 2; again++) {
		assert_int_equal(store_get(s, S("rone"), &v), 0);
		assert_string_equal(v.p, "11");
		assert_int_equal(store_get(s, S("rtwo"), &v), 0);
		assert_string_equal(v.p, "");
		assert_int_equal(store_get(s, S("rthree"), &v), -ENOENT);
		assert_int_equal(store_get(s, S("rfour"), &v), 0);
		assert_string_equal(v.p, "4");
		store_close(s);
		s = fixture_open();
	}
	store_close(s);
}

STORE_TEST(forget)
{
	struct object_id id = fixture_id(1);
	struct object_entry e;
	struct store *s = fixture_open();

	assert_int_equal(store_forget(s, &id, fixture_ts(1), fixture_ts(1)), -ENOENT);
	assert_int_equal(fixture_put(s, 1, 10, 1000), 0);
	assert_int_equal(store_forget(s, &id, fixture_ts(9), fixture_ts(9)), -EALREADY);
	assert_int_equal(store_forget(s, &id, fixture_ts(10), fixture_ts(10)), 0);
	assert_int_equal(store_lookup(s, &id, &e), -ENOENT);
	assert_int_equal(fixture_put(s, 1, 10, 1000), 0);
	assert_int_equal(fixture_check(s, 1, 10, 1000), 0);
	store_close(s);
}

STORE_TEST(list)
{
	struct object_listed *l = xcalloc(200, sizeof *l);
	unsigned char from[16] = { 0 }, last[16];
	struct store *s = fixture_open();

	memset(last, 0xff, sizeof last);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(fixture_put(s, i, 1, 10 + i), 0);
	assert_int_equal(store_list(s, 0, from, last, l, 200), 100);
	for (unsigned i = 1; i < 100; i++)
		assert_true(memcmp(l[i - 1].hash, l[i].hash, 16) < 0);
	assert_int_equal(store_list(s, 1, from, last, l, 200), 0);
	assert_int_equal(store_list(s, 0, l[10].hash, l[19].hash, l, 200), 10);
	assert_int_equal(store_list(s, 0, from, last, l, 7), 7);
	free(l);
	store_close(s);
}

waits static int put_expiring(struct store *s, unsigned n, uint64_t version, int64_t at,
			      bool if_absent)
{
	AUTO(arena) a = arena_new();
	struct store_writer *w;
	struct headers h;

	headers_init(&h, a);
	assert_int_equal(store_writer_open(s, -1, &w), 0);
	struct store_put p = { .id = fixture_id(n), .ts = fixture_ts(version), .name = S("/a/c/o"),
			       .metadata = &h, .delete_at = at, .if_absent = if_absent };
	int rc = store_writer_commit(w, &p, NULL);
	store_writer_close(w);
	return rc;
}

STORE_TEST(expired)
{
	struct store *s = fixture_open();
	struct object_id ids[10], id = fixture_id(3);
	AUTO(arena) a = arena_new();
	struct headers h;

	headers_init(&h, a);
	assert_int_equal(put_expiring(s, 1, 1, 3000, false), 0);
	assert_int_equal(put_expiring(s, 2, 1, 1000, false), 0);
	assert_int_equal(put_expiring(s, 3, 1, 2000, false), 0);
	assert_int_equal(put_expiring(s, 4, 1, 0, false), 0);
	assert_int_equal(store_list_expired(s, 999, ids, 10), 0);
	assert_int_equal(store_list_expired(s, 2000, ids, 10), 2);
	assert_memory_equal(ids[0].hash, fixture_id(2).hash, 16);
	assert_memory_equal(ids[1].hash, fixture_id(3).hash, 16);
	assert_int_equal(store_list_expired(s, 5000, ids, 2), 2);
	/* A POST changes the time, a DELETE takes it away, a new version has its own. */
	assert_int_equal(store_post(s, &id, fixture_ts(2), &h, 4000, NULL, NULL), 0);
	assert_int_equal(store_list_expired(s, 3999, ids, 10), 2);
	assert_int_equal(fixture_delete(s, 2, 2), 0);
	assert_int_equal(store_list_expired(s, 5000, ids, 10), 2);
	assert_int_equal(put_expiring(s, 1, 2, 0, false), 0);
	assert_int_equal(store_list_expired(s, 5000, ids, 10), 1);
	assert_memory_equal(ids[0].hash, fixture_id(3).hash, 16);
	/* What has expired is not there for If-None-Match. */
	assert_int_equal(put_expiring(s, 4, 5, 0, true), -EEXIST);
	assert_int_equal(put_expiring(s, 3, 5, 0, true), 0);
	store_close(s);
}

STORE_TEST(limits)
{
	struct store *s = fixture_open();
	AUTO(arena) a = arena_new();
	struct store_txn *t = store_txn_new(a);
	CLEANUP(auto_chars_end) char *big = xcalloc(1, 17 * MIB);
	CLEANUP(buf_done) struct buf v = BUF(16 * MIB);
	struct object_id id = fixture_id(1);

	store_txn_put(t, S("rbig"), str_of(big, 17 * MIB));
	assert_int_equal(store_commit(s, t), -E2BIG);
	t = store_txn_new(a);
	store_txn_put(t, S("rbig"), str_of(big, 12 * MIB));
	assert_int_equal(store_commit(s, t), 0);
	assert_int_equal(store_get(s, S("rbig"), &v), 0);
	assert_int_equal(v.n, 12 * MIB);
	assert_int_equal(store_delete(s, &id, str_of(big, 9000), fixture_ts(1), NULL, NULL),
			 -E2BIG);
	assert_int_equal(fixture_put(s, 1, 1, 4096), 0);
	store_close(s);
	s = fixture_open_with((struct store_options){ .repair_index = true });
	assert_int_equal(store_get(s, S("rbig"), &v), 0);
	assert_int_equal(fixture_check(s, 1, 1, 4096), 0);
	store_close(s);
}

STORE_TEST(foreign_directory)
{
	struct store_options o = { .path = fixture_dir };
	struct store *s;
	struct fault why;
	char path[300];

	snprintf(path, sizeof path, "%s/somebody's", fixture_dir);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(store_open(&o, &s, &why), -EEXIST);
	assert_non_null(strstr(why.text, fixture_dir));
	unlink(path);
	o.cluster_id = "one \"cluster\"";
	assert_int_equal(store_open(&o, &s, &why), 0);
	struct store *second;
	assert_int_equal(store_open(&o, &second, &why), -EBUSY);
	store_close(s);
	o.cluster_id = "another";
	assert_int_equal(store_open(&o, &s, &why), -EEXIST);
	o.cluster_id = NULL;
	assert_int_equal(store_open(&o, &s, &why), 0);
	store_close(s);
}

#define T(f) cmocka_unit_test_setup_teardown(f, fixture_make, fixture_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(put_and_read), T(sizes), T(empty_object), T(later_wins), T(if_absent),
		T(post),         T(rows),  T(forget),       T(list),       T(foreign_directory),
		T(expired),      T(limits),
	};

	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
