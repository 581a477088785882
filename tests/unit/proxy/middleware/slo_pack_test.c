/* Packed entries: what goes in comes out, is found again, and is small. */
#include "tests/unit/cmocka.h"
#include "proxy/middleware/slo_pack.h"

#include <malloc.h>

enum { MANY = 3000 };

/* The i-th of many different entries; data now and then, odd ETags, ranges, long names. */
static struct slo_entry entry(struct arena *a, unsigned i, bool seen)
{
	struct slo_entry e = { .size = (uint64_t)i * i * i, .sized = i % 3 > 0 };

	if (i % 17 == 0) {
		char *p = arena_zalloc(a, i * 5 + 1);

		return (struct slo_entry){ .data = str_of(p, i * 5 + 1) };
	}
	e.path = arena_printf(a, "/container/%0*u/segment", i % 7 == 0 ? 2000 : 1, i);
	if (i % 5)
		e.etag = i % 4 ? arena_printf(a, "%032x", i) : arena_printf(a, "%031X-%u", i, i);
	if (i % 5 == 2)
		e.range = arena_printf(a, "bytes=%u-", i);
	if (!seen)
		return e;
	e.etag = arena_str(a, e.etag);
	e.range = STR_NONE;
	e.sized = true;
	e.status = i % 11 ? 200 : 404;
	e.type = arena_printf(a, "text/x-%u", i / 10);
	e.modified = (int64_t)i * (i % 2 ? -1000000 : 1);
	e.slo = i % 2;
	return e;
}

static void assert_same(const struct slo_entry *e, const struct slo_entry *want)
{
	assert_true(str_eq(e->path, want->path) && !e->path.p == !want->path.p);
	assert_true(str_eq(e->data, want->data) && !e->data.p == !want->data.p);
	assert_true(str_eq(e->etag, want->etag) && !e->etag.p == !want->etag.p);
	assert_true(str_eq(e->range, want->range) && !e->range.p == !want->range.p);
	assert_true(str_eq(e->type, want->type));
	assert_int_equal(e->sized, want->sized);
	if (e->sized)
		assert_int_equal(e->size, want->size);
	assert_int_equal(e->status, want->status);
	assert_int_equal(e->modified, want->modified);
	assert_int_equal(e->slo, want->slo);
}

static void comes_out(bool seen)
{
	AUTO(arena) a = arena_new();
	CLEANUP(slo_pack_done) struct slo_pack p;
	CLEANUP(slo_unpack_done) struct slo_unpack u;
	struct slo_entry e, want;

	slo_pack_init(&p);
	for (unsigned i = 0; i < MANY; i++) {
		e = entry(a, i, seen);
		slo_pack_add(&p, &e);
	}
	assert_int_equal(p.n, MANY);
	slo_unpack_init(&u, &p);
	for (unsigned i = 0; i < MANY; i++) {
		want = entry(a, i, seen);
		assert_true(slo_unpack_next(&u, &e));
		assert_same(&e, &want);
		slo_pack_drop(&p, &u);
	}
	assert_false(slo_unpack_next(&u, &e));
}

static void what_goes_in_comes_out(void **state)
{
	(void)state;
	comes_out(false);
	comes_out(true);
}

static void is_found(void **state)
{
	AUTO(arena) a = arena_new();
	CLEANUP(slo_pack_done) struct slo_pack p;
	struct slo_entry e, want;

	(void)state;
	slo_pack_init(&p);
	assert_false(slo_pack_find(&p, S("/c/o"), a, &e));
	for (unsigned i = 0; i < MANY; i++) {
		e = entry(a, i, i % 2);
		slo_pack_add(&p, &e);
		e.size++;       /* the first one counts */
		slo_pack_add(&p, &e);
	}
	for (unsigned i = 0; i < MANY; i++) {
		want = entry(a, i, true);
		if (want.data.p)
			continue;
		assert_int_equal(slo_pack_find(&p, want.path, a, &e), i % 2);
		if (i % 2)
			assert_same(&e, &want);
	}
	assert_false(slo_pack_find(&p, S("/container"), a, &e));
}

/* A thousand segments as clients name them, with ETag and size: 30 KiB. */
static void is_small(void **state)
{
	AUTO(arena) a = arena_new();
	CLEANUP(slo_pack_done) struct slo_pack p;
	size_t bytes = 0;

	(void)state;
	slo_pack_init(&p);
	for (unsigned i = 0; i < 1000; i++) {
		struct slo_entry e = {
			.path = arena_printf(a, "/backup_segments/disk.img/slo/1700000000.000000/"
						"107374182400/104857600/%08u", i),
			.etag = arena_printf(a, "%08x%08x%08x%08x", i * 77, i, ~i, i * i),
			.size = 104857600,
			.sized = true,
		};

		slo_pack_add(&p, &e);
	}
	for (unsigned i = 0; i < p.blocks_n; i++)
		bytes += malloc_usable_size(p.blocks[i]);
	assert_true(bytes < 30 * KIB);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(what_goes_in_comes_out),
					    cmocka_unit_test(is_found),
					    cmocka_unit_test(is_small) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
