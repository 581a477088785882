/* lib/ring/ring: hashes, partitions, primaries, handoffs, previous owners. */
#include "lib/base/encode.h"
#include "lib/ring/ring_write.h"

#include <setjmp.h>
#include <cmocka.h>

enum { POWER = 4, PARTS = 1 << POWER };

/* Eight devices: regions 1 and 2, two zones each, two servers in zone 1 of region 1. */
static struct ring_dev devs[9];
static struct ring_dev *dev_list[9];

static void devs_init(void)
{
	static const unsigned region[] = { 1, 1, 1, 1, 2, 2, 2, 2, 2 },
			      zone[] = { 1, 1, 1, 2, 1, 1, 2, 2, 3 };
	static char meta[] = "";

	for (int i = 0; i < 9; i++) {
		devs[i] = (struct ring_dev){ .id = i,
					     .region = region[i],
					     .zone = zone[i],
					     .port = 6200,
					     .replication_port = 6300,
					     .weight = 100,
					     .meta = meta };
		snprintf(devs[i].ip, sizeof devs[i].ip, "10.0.%u.%u", region[i],
			 zone[i] + (i == 2 ? 100U : 0U));
		snprintf(devs[i].replication_ip, sizeof devs[i].replication_ip, "10.1.0.%d", i);
		snprintf(devs[i].device, sizeof devs[i].device, "d%d", i);
		dev_list[i] = &devs[i];
	}
	dev_list[5] = NULL;             /* a hole; device 8 holds nothing */
}

/* Two and a half replicas; row r of partition p is one of the seven devices in use. */
static struct ring *ring_make(const struct ring_moved *moved, size_t moved_n)
{
	static const uint32_t use[] = { 0, 1, 2, 3, 4, 6, 7 };
	CLEANUP(buf_done) struct buf bytes = BUF(MIB);
	uint32_t table[PARTS * 5 / 2];
	struct ring *r = NULL;
	struct fault why = { "" };

	devs_init();
	for (unsigned cell = 0; cell < ARRAY_LEN(table); cell++)
		table[cell] = use[(cell % PARTS + 2 * (cell / PARTS)) % ARRAY_LEN(use)];
	struct ring_image image = { .part_power = POWER,
				    .next_part_power = POWER + 1,
				    .version = 7,
				    .cells = ARRAY_LEN(table),
				    .table = table,
				    .devs_n = 9,
				    .devs = dev_list,
				    .moved = moved,
				    .moved_n = moved_n };
	assert_int_equal(ring_pack(&image, 1, 0, &bytes, &why), 0);
	assert_int_equal(ring_parse(buf_str(&bytes), &r, &why), 0);
	return r;
}

static void test_hash(void **state)
{
	unsigned char md5[16];
	char hex[33];

	(void)state;
	/* swift.common.utils.hash_path with these prefix and suffix */
	ring_hash_path(S("changeme"), S("changeme"), S("AUTH_a"), S("c"), S("o/x"), md5);
	hex_encode(md5, 16, hex);
	assert_string_equal(hex, "d6e6fbcbc645c412177bf040550e0f00");
	ring_hash_path(STR_NONE, STR_NONE, S("AUTH_a"), STR_NONE, STR_NONE, md5);
	hex_encode(md5, 16, hex);
	assert_string_equal(hex, "56c51f3dcc7d0457b152417ed551f118");
}

static void test_hash_of_long_names(void **state)
{
	static char name[5000];
	unsigned char a[16], b[16];

	(void)state;
	memset(name, 'x', sizeof name);
	ring_hash_path(S("p"), S("s"), str_of(name, 5000), S("c"), S("o"), a);
	ring_hash_path(S("p"), S("s"), str_of(name, 4999), S("c"), S("o"), b);
	assert_memory_not_equal(a, b, 16);
}

static void test_part(void **state)
{
	AUTO(ring) r = ring_make(NULL, 0);
	const unsigned char md5[16] = { 0xa5, 0xff };

	(void)state;
	assert_int_equal(ring_part_of_hash(r, md5), 0xa);
	assert_int_equal(ring_partitions(r), PARTS);
	assert_int_equal(ring_part_power(r), POWER);
	assert_int_equal(ring_next_part_power(r), POWER + 1);
	assert_int_equal(ring_version(r), 7);
	assert_int_equal(ring_replica_rows(r), 3);
	assert_true(ring_replicas(r) == 2.5);
	assert_int_equal(ring_dev_count(r), 9);
	assert_null(ring_dev_by_id(r, 5));
	assert_null(ring_dev_by_id(r, -1));
	assert_null(ring_dev_by_id(r, 9));
	assert_string_equal(ring_dev_by_id(r, 3)->device, "d3");
}

static void test_primaries(void **state)
{
	AUTO(ring) r = ring_make(NULL, 0);
	const struct ring_dev *out[8];

	(void)state;
	assert_int_equal(ring_primaries(r, 0, out, 8), 3);
	assert_int_equal(out[0]->id, 0);
	assert_int_equal(ring_primaries(r, PARTS - 1, out, 8), 2);      /* beyond the short row */
	assert_int_equal(ring_cell(r, 2, PARTS - 1), -1);
	assert_int_equal(ring_primaries(r, 0, out, 1), 3); /* tells of more than it wrote */
}

/* Handoffs are all other devices with partitions, each once, unused tiers first. */
static void test_handoffs(void **state)
{
	AUTO(ring) r = ring_make(NULL, 0);

	(void)state;
	for (uint32_t part = 0; part < PARTS; part++) {
		const struct ring_dev *out[8], *dev;
		struct ring_handoffs it;
		unsigned n = ring_primaries(r, part, out, 8), seen = 0, last_phase = 0, count = 0;

		for (unsigned i = 0; i < n; i++)
			seen |= 1U << out[i]->id;
		ring_handoffs_start(r, part, &it);
		while ((dev = ring_handoffs_next(&it))) {
			assert_int_equal(seen >> dev->id & 1, 0);
			seen |= 1U << dev->id;
			assert_true(it.phase >= last_phase);
			last_phase = it.phase;
			count++;
		}
		assert_int_equal(seen, 0xdf); /* not 5, the hole, nor 8, which holds nothing */
		assert_int_equal(count + n, 7);
		assert_null(ring_handoffs_next(&it));
	}
}

static void test_handoffs_all(void **state)
{
	AUTO(ring) r = ring_make(NULL, 0);

	(void)state;
	for (uint32_t part = 0; part < PARTS; part++) {
		struct ring_handoffs a, b;
		const struct ring_dev *dev;
		uint32_t room[9];

		ring_handoffs_start(r, part, &a);
		ring_handoffs_start_all(r, part, &b, room);
		while ((dev = ring_handoffs_next(&a)))
			assert_ptr_equal(dev, ring_handoffs_next(&b));
		assert_null(ring_handoffs_next(&b));
	}
}

static void test_previous(void **state)
{
	static const struct ring_moved moved[] = {
		{ 0, 7 }, { 0, 5 }, { 3, 8 }, { 15, 1 }, { 15, 2 }
	};
	AUTO(ring) r = ring_make(moved, ARRAY_LEN(moved));
	const struct ring_dev *out[4];

	(void)state;
	assert_int_equal(ring_previous(r, 0, out, 4), 1);               /* 5 is gone */
	assert_int_equal(out[0]->id, 7);
	assert_int_equal(ring_previous(r, 1, out, 4), 0);
	assert_int_equal(ring_previous(r, 15, out, 4), 2);
	assert_int_equal(out[0]->id, 1);
	assert_int_equal(out[1]->id, 2);
	assert_int_equal(ring_previous(r, 15, out, 1), 1);
}

static void test_references(void **state)
{
	struct ring *r = ring_make(NULL, 0), *again = ring_ref(r);

	(void)state;
	ring_unref(r);
	assert_int_equal(ring_partitions(again), PARTS);
	ring_unref(again);
	ring_unref(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hash),     cmocka_unit_test(test_hash_of_long_names),
		cmocka_unit_test(test_part),     cmocka_unit_test(test_primaries),
		cmocka_unit_test(test_handoffs), cmocka_unit_test(test_handoffs_all),
		cmocka_unit_test(test_previous), cmocka_unit_test(test_references),
	};

	return cmocka_run_group_tests_name("lib/ring/ring", tests, NULL, NULL);
}
