/* Many objects at once: what is read is what was stored, and only the unknown is stored. */
#include "tests/unit/objectd/store/fixture.h"
#include "objectd/store/bulk.h"

enum { N = 300 };

/* Data bytes as fixture_fill makes them. */
static bool is_filled(struct str data, unsigned object, uint64_t version)
{
	AUTO(free) want = xmalloc(data.n + 1);

	fixture_fill(want, data.n, 0, object, version);
	return memcmp(want, data.p, data.n) == 0;
}

STORE_TEST(reads_what_is_there)
{
	struct store *s = fixture_open();
	AUTO(arena) a = arena_new();
	struct store_bulk_read *list = arena_zalloc(a, N * sizeof *list);

	for (unsigned i = 0; i < N; i++) {
		list[i].id = fixture_id(i);
		if (i == 7)
			continue;
		assert_int_equal(fixture_put(s, i, 5, i == 3 ? 400000 : i * 50), 0);
	}
	assert_int_equal(fixture_delete(s, 1, 9), 0);
	assert_int_equal(fixture_post(s, 2, 9), 0);
	store_read_all(s, list, N, a);
	for (unsigned i = 0; i < N; i++) {
		/* With a POST, large, never heard of: to be opened singly. */
		if (i == 2 || i == 3 || i == 7) {
			assert_int_equal(list[i].result, -EAGAIN);
			continue;
		}
		assert_int_equal(list[i].result, 0);
		if (i == 1) {
			assert_int_equal(list[i].entry.state, OBJECT_TOMBSTONE);
			assert_true(str_eq(list[i].name, S("/a/c/object 1")));
			continue;
		}
		assert_int_equal(list[i].data.n, i * 50);
		assert_true(is_filled(list[i].data, i, 5));
		assert_true(str_eq(headers_get_lit(&list[i].metadata, "X-Object-Meta-Version"),
				   S("5")));
		assert_int_equal(list[i].entry.data_ts.t, fixture_ts(5).t);
	}
	store_close(s);
}

/* Flips a byte of the only volume, in the data of the object of that name. */
static void damage(struct str name)
{
	char path[512];
	CLEANUP(buf_done) struct buf all = BUF(64 * MIB);

	snprintf(path, sizeof path, "%s/volumes/00000001.vol", fixture_dir);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	struct stat st;

	assert_true(fd >= 0 && fstat(fd, &st) == 0);
	char *p = buf_reserve(&all, (size_t)st.st_size);

	assert_int_equal(pread(fd, p, (size_t)st.st_size, 0), st.st_size);
	all.n = (size_t)st.st_size;
	ssize_t at = str_find(buf_str(&all), name);

	assert_true(at > 0);
	at += 2000;
	p[at] ^= 1;
	assert_int_equal(pwrite(fd, p + at, 1, at), 1);
	close(fd);
}

STORE_TEST(damage_is_not_handed_out)
{
	struct store *s = fixture_open();
	AUTO(arena) a = arena_new();
	struct store_bulk_read list[2] = { { .id = fixture_id(1) }, { .id = fixture_id(2) } };

	assert_int_equal(fixture_put(s, 1, 1, 5000), 0);
	assert_int_equal(fixture_put(s, 2, 1, 5000), 0);
	damage(S("/a/c/object 2"));
	store_read_all(s, list, 2, a);
	assert_int_equal(list[0].result, 0);
	assert_int_equal(list[1].result, -EAGAIN);
	store_close(s);
}

static struct store_bulk_put new_put(struct arena *a, unsigned i, uint64_t version, struct str data)
{
	struct headers *h = arena_alloc(a, sizeof *h);

	headers_init(h, a);
	headers_add(h, S("Content-Type"), S("text/plain"));
	headers_addf(h, S("X-Object-Meta-Version"), "%" PRIu64, version);
	return (struct store_bulk_put){
		.put = { .id = fixture_id(i), .ts = fixture_ts(version), .metadata = h,
			 .name = arena_printf(a, "/a/c/object %u", i) },
		.data = data,
	};
}

STORE_TEST(stores_only_the_unknown)
{
	struct store *s = fixture_open();
	AUTO(arena) a = arena_new();
	struct store_bulk_put *list = arena_zalloc(a, (N + 1) * sizeof *list);
	struct store_stats st;
	char bytes[5000];

	assert_int_equal(fixture_put(s, 0, 9, 10), 0);
	assert_int_equal(fixture_put(s, 1, 1, 10), 0);
	assert_int_equal(fixture_delete(s, 2, 9), 0);
	for (unsigned i = 0; i < N; i++) {
		fixture_fill(bytes, sizeof bytes, 0, i, 5);
		list[i] = new_put(a, i, 5, arena_str(a, str_of(bytes, sizeof bytes)));
	}
	/* The same one twice, and one that is not packed. */
	list[N] = list[N - 1];
	char *large = arena_zalloc(a, 300000);

	list[N - 2].data = str_of(large, 300000);
	store_stats(s, &st);
	uint64_t syncs = st.syncs;

	assert_int_equal(store_put_all(s, list, N + 1), 0);
	for (unsigned i = 0; i < N; i++) {
		bool stored = i > 2 && i != N - 2;

		assert_int_equal(list[i].result, stored ? 0 : -EEXIST);
		if (stored)
			assert_int_equal(fixture_check(s, i, 5, sizeof bytes), 0);
	}
	assert_int_equal(list[N].result, -EEXIST);
	assert_int_equal(fixture_check(s, 1, 1, 10), 0);
	store_stats(s, &st);
	assert_true(st.syncs - syncs <= 2);
	store_close(s);
	s = fixture_open_with((struct store_options){ .repair_index = true });
	for (unsigned i = 3; i < N - 2; i++)
		assert_int_equal(fixture_check(s, i, 5, sizeof bytes), 0);
	store_close(s);
}

STORE_TEST(forgets_many)
{
	struct store *s = fixture_open();
	AUTO(arena) a = arena_new();
	struct store_forgotten *list = arena_zalloc(a, N * sizeof *list);
	struct store_stats st;

	for (unsigned i = 0; i < N; i++) {
		assert_int_equal(fixture_put(s, i, 5, 100), 0);
		list[i] = (struct store_forgotten){ .id = fixture_id(i),
						    .data_ts = fixture_ts(5),
						    .meta_ts = fixture_ts(5) };
	}
	assert_int_equal(fixture_put(s, 4, 6, 100), 0);         /* changed meanwhile */
	list[5].id = fixture_id(N + 5);                         /* never heard of */
	store_stats(s, &st);
	uint64_t syncs = st.syncs;

	assert_int_equal(store_forget_all(s, list, N), 0);
	for (unsigned i = 0; i < N; i++)
		assert_int_equal(list[i].result, i == 4 ? -EALREADY : i == 5 ? -ENOENT : 0);
	store_stats(s, &st);
	assert_int_equal(st.objects, 2);
	assert_true(st.syncs - syncs <= 4);
	store_close(s);
}

#define T(f) cmocka_unit_test_setup_teardown(f, fixture_make, fixture_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(reads_what_is_there),
		T(damage_is_not_handed_out),
		T(stores_only_the_unknown),
		T(forgets_many),
	};

	return cmocka_run_group_tests_name("store: many at once", tests, NULL, NULL);
}
