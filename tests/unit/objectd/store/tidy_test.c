/* Housekeeping: space comes back, nothing that counts is lost, nothing deleted returns in a
 * rebuild. */
#include "tests/unit/objectd/store/fixture.h"
#include "tests/unit/objectd/store/dump.h"

static const struct store_options small = { .volume_max = MIB, .packed_max = 64 * KIB };

waits static void churn(struct store *s, unsigned from, unsigned until, uint64_t version,
			size_t size)
{
	for (unsigned i = from; i < until; i++)
		assert_int_equal(fixture_put(s, i, version, size), 0);
}

STORE_TEST(overwritten_volumes_go)
{
	struct store *s = fixture_open_with(small);
	struct store_stats st;

	for (uint64_t v = 1; v <= 10; v++)
		churn(s, 0, 100, v, 10000);
	store_stats(s, &st);
	assert_true(st.volumes >= 9);
	assert_true(st.dead_bytes > 8 * 1000 * 1000);
	assert_int_equal(store_tidy(s, 1000000), 0);
	store_stats(s, &st);
	assert_true(st.volumes <= 4);
	for (int again = 0; again < 2; again++) {
		for (unsigned i = 0; i < 100; i++)
			assert_int_equal(fixture_check(s, i, 10, 10000), 0);
		store_close(s);
		s = fixture_open_with(
			(struct store_options){ .volume_max = MIB, .repair_index = again == 0 });
	}
	store_stats(s, &st);
	assert_int_equal(st.objects, 100);
	store_close(s);
}

STORE_TEST(survivors_move)
{
	struct store *s = fixture_open_with(small);
	struct store_stats st;

	churn(s, 0, 300, 1, 8000);
	for (unsigned i = 0; i < 300; i += 10)
		assert_int_equal(fixture_post(s, i, 2), 0);
	/* One in ten survives, with a POST. */
	for (unsigned i = 0; i < 300; i++)
		if (i % 10)
			assert_int_equal(fixture_delete(s, i, 3), 0);
	assert_int_equal(store_tidy(s, -10), 0);
	store_stats(s, &st);
	assert_true(st.volumes <= 2);
	assert_int_equal(st.objects, 30);
	assert_int_equal(st.tombstones, 0);
	for (int again = 0; again < 3; again++) {
		for (unsigned i = 0; i < 300; i++) {
			AUTO(arena) a = arena_new();
			AUTO(store_object) o = NULL;
			struct object_id id = fixture_id(i);

			/* A rebuild may know of tombstones again that have been reclaimed. */
			if (i % 10) {
				int rc = store_object_open(s, &id, a, &o);

				assert_true(rc == -ENOENT ||
					    store_object_entry(o)->state == OBJECT_TOMBSTONE);
				continue;
			}
			assert_int_equal(fixture_check(s, i, 1, 8000), 0);
			assert_int_equal(store_object_open(s, &id, a, &o), 0);
			assert_int_equal(store_object_entry(o)->meta_ts.t, fixture_ts(2).t);
			assert_true(str_eq(
				headers_get_lit(store_object_metadata(o), "X-Object-Meta-Version"),
				S("2")));
		}
		store_close(s);
		s = fixture_open_with(
			(struct store_options){ .volume_max = MIB, .repair_index = again > 0 });
	}
	store_close(s);
}

STORE_TEST(deleted_stay_deleted)
{
	struct store *s = fixture_open_with(small);
	struct object_entry e;
	struct store_stats st;

	/* The first volume stays, because most of it lives; its few dead are guarded by tombstones
	 * in the following ones, which go. */
	churn(s, 0, 120, 1, 8000);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(fixture_delete(s, i, 2), 0);
	for (uint64_t v = 3; v < 8; v++)
		churn(s, 500, 620, v, 8000);
	struct object_id forgotten = fixture_id(50);
	assert_int_equal(store_forget(s, &forgotten, fixture_ts(1), fixture_ts(1)), 0);
	for (int round = 0; round < 3; round++) {
		churn(s, 500, 620, 10 + (uint64_t)round, 8000);
		assert_int_equal(store_tidy(s, -10), 0);
		store_close(s);
		s = fixture_open_with(
			(struct store_options){ .volume_max = MIB, .repair_index = true });
		for (unsigned i = 0; i < 20; i++) {
			struct object_id id = fixture_id(i);
			int rc = store_lookup(s, &id, &e);

			assert_true(rc == -ENOENT || (rc == 0 && e.state == OBJECT_TOMBSTONE));
		}
		assert_int_equal(store_lookup(s, &forgotten, &e), -ENOENT);
		for (unsigned i = 20; i < 120; i++)
			if (i != 50)
				assert_int_equal(fixture_check(s, i, 1, 8000), 0);
	}
	store_stats(s, &st);
	assert_true(st.volumes <= 6);
	store_close(s);
}

STORE_TEST(rows_move)
{
	struct store *s = fixture_open_with(small);
	struct store_stats st;
	char key[32], value[600];

	memset(value, 'x', sizeof value);
	/* Every row is written twenty times, every third deleted in the end. */
	for (unsigned round = 0; round < 20; round++) {
		for (unsigned i = 0; i < 300; i += 10) {
			AUTO(arena) a = arena_new();
			struct store_txn *t = store_txn_new(a);

			for (unsigned k = i; k < i + 10; k++) {
				snprintf(key, sizeof key, "rkey %u", k);
				snprintf(value, 32, "round %u of %u", round, k);
				if (round == 19 && k % 3 == 0)
					store_txn_delete(t, str_from(key));
				else
					store_txn_put(t, str_from(key),
						      str_of(value, sizeof value));
			}
			assert_int_equal(store_commit(s, t), 0);
		}
	}
	store_stats(s, &st);
	assert_true(st.volumes >= 3);
	CLEANUP(buf_done) struct buf before = BUF(16 * MIB), after = BUF(16 * MIB), v = BUF(KIB);
	dump_rows(s, &before);
	assert_int_equal(store_tidy(s, 1000000), 0);
	store_stats(s, &st);
	assert_true(st.volumes <= 2);
	assert_int_equal(store_get(s, S("rkey 0"), &v), -ENOENT);
	assert_int_equal(store_get(s, S("rkey 1"), &v), 0);
	store_close(s);
	s = fixture_open_with((struct store_options){ .volume_max = MIB, .repair_index = true });
	dump_rows(s, &after);
	assert_true(str_eq(buf_str(&before), buf_str(&after)));
	buf_done(&before);
	buf_done(&after);
	store_close(s);
}

static uint64_t disk_used;

static int add_blocks(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)path;
	(void)f;
	if (type == FTW_F)
		disk_used += (uint64_t)st->st_blocks * 512;
	return 0;
}

static uint64_t used(void)
{
	disk_used = 0;
	assert_int_equal(nftw(fixture_dir, add_blocks, 16, FTW_PHYS), 0);
	return disk_used;
}

/* One object stays in the first volume: so the volume does not go, and its tombstones
 * are needed. */
STORE_TEST(filled_and_emptied)
{
	struct store *s = fixture_open_with((struct store_options){ .volume_max = 16 * MIB });
	uint64_t first = 0;

	assert_int_equal(fixture_put(s, 100000, 1, 100), 0);
	for (uint64_t round = 1; round <= 10; round++) {
		for (unsigned i = 0; i < 1000; i++)
			assert_int_equal(fixture_put(s, i, 10 * round, i % 50 ? 4096 : 400000), 0);
		for (unsigned i = 0; i < 1000; i++)
			assert_int_equal(fixture_delete(s, i, 10 * round + 5), 0);
		assert_int_equal(store_tidy(s, -10), 0);
		store_close(s);
		if (round == 1)
			first = used();
		s = fixture_open_with((struct store_options){ .volume_max = 16 * MIB });
		assert_int_equal(fixture_check(s, 100000, 1, 100), 0);
	}
	store_close(s);
	if (used() > first + first / 4 + 512 * KIB)
		fail_msg("%" PRIu64 " bytes after the first round, %" PRIu64 " after the tenth",
			 first, used());
}

STORE_TEST(large_dead_records_are_punched)
{
	struct store *s = fixture_open_with((struct store_options){ .packed_max = MIB });
	struct store_stats st;

	for (uint64_t v = 1; v <= 20; v++)
		assert_int_equal(fixture_put(s, 1, v, 500000), 0);
	assert_int_equal(store_tidy(s, 1000000), 0);
	assert_int_equal(fixture_check(s, 1, 20, 500000), 0);
	store_stats(s, &st);
	store_close(s);
	assert_true(st.volumes <= 2);
	assert_true(used() < 3 * MIB);
}

STORE_TEST(open_objects_outlive_compaction)
{
	AUTO(arena) a = arena_new();
	struct store *s = fixture_open_with(
		(struct store_options){ .volume_max = MIB, .packed_max = 256 * KIB });
	struct store_object *packed, *large;
	struct object_id one = fixture_id(1), two = fixture_id(2);
	struct str chunk;

	assert_int_equal(fixture_put(s, 1, 1, 200000), 0);
	assert_int_equal(fixture_put(s, 2, 1, 600000), 0);
	assert_int_equal(store_object_open(s, &one, a, &packed), 0);
	assert_int_equal(store_object_open(s, &two, a, &large), 0);
	for (uint64_t v = 2; v < 20; v++) {
		assert_int_equal(fixture_put(s, 1, v, 200000), 0);
		assert_int_equal(fixture_put(s, 2, v, 600000), 0);
	}
	assert_int_equal(store_tidy(s, -10), 0);
	for (int i = 0; i < 2; i++) {
		struct store_object *o = i ? large : packed;
		uint64_t size = i ? 600000 : 200000, at = 0;
		struct body *b = store_object_body(o, 0, size - 1);

		while (body_next(b, &chunk) == 1) {
			char want[16];

			fixture_fill(want, 16, at, i ? 2 : 1, 1);
			assert_memory_equal(want, chunk.p, 16);
			at += chunk.n;
		}
		assert_int_equal(at, size);
		body_close(b);
		store_object_close(o);
	}
	store_close(s);
}

#define T(f) cmocka_unit_test_setup_teardown(f, fixture_make, fixture_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(overwritten_volumes_go),
		T(survivors_move),
		T(deleted_stay_deleted),
		T(rows_move),
		T(filled_and_emptied),
		T(large_dead_records_are_punched),
		T(open_objects_outlive_compaction),
	};

	return cmocka_run_group_tests_name("store: housekeeping", tests, NULL, NULL);
}
