/* Who needs what of whom, and objects on the wire; partitions as ranges of hashes. */
#include "objectd/replicator/internal.h"

#include <setjmp.h>
#include <cmocka.h>

static struct object_entry entry(enum object_state state, uint64_t data, uint64_t meta)
{
	return (struct object_entry){ .state = state,
				      .data_ts = { data, 0 },
				      .meta_ts = { meta, 0 } };
}
#define DATA(d, m) entry(OBJECT_DATA, d, m)
#define GONE(d) entry(OBJECT_TOMBSTONE, d, d)

static char needs(struct object_entry mine, struct object_entry theirs)
{
	return entry_needs(&mine, &theirs);
}

static void needs_of(void **state)
{
	struct object_entry some = DATA(1, 1);

	(void)state;
	assert_int_equal(entry_needs(NULL, &some), PEER_NEEDS_DATA);
	assert_int_equal(needs(DATA(1, 1), DATA(1, 1)), PEER_HAS_IT);
	assert_int_equal(needs(DATA(1, 1), DATA(2, 2)), PEER_NEEDS_DATA);
	assert_int_equal(needs(DATA(2, 2), DATA(1, 1)), PEER_HAS_IT);
	assert_int_equal(needs(DATA(1, 1), DATA(1, 2)), PEER_NEEDS_METADATA);
	assert_int_equal(needs(DATA(1, 3), DATA(1, 2)), PEER_HAS_IT);
	assert_int_equal(needs(DATA(2, 2), DATA(1, 3)), PEER_NEEDS_METADATA);
	assert_int_equal(needs(DATA(1, 3), DATA(2, 2)), PEER_NEEDS_DATA);
	assert_int_equal(needs(DATA(1, 1), GONE(2)), PEER_NEEDS_DATA);
	assert_int_equal(needs(DATA(2, 2), GONE(1)), PEER_HAS_IT);
	assert_int_equal(needs(GONE(1), GONE(1)), PEER_HAS_IT);
	assert_int_equal(needs(GONE(2), DATA(1, 3)), PEER_HAS_IT);
	assert_int_equal(needs(GONE(1), DATA(2, 2)), PEER_NEEDS_DATA);
}

static void there_and_back(void **state)
{
	CLEANUP(buf_done) struct buf b = BUF(KIB);
	struct object_listed l = { .hash = { 1, 2, 0xff }, .entry = DATA(7, 9) }, back;
	struct str rest;

	(void)state;
	l.entry.data_ts.offset = UINT64_MAX;
	wire_listed(&b, &l);
	assert_int_equal(b.n, LISTED_SIZE);
	rest = buf_str(&b);
	assert_int_equal(wire_take_listed(&rest, &back), 0);
	assert_int_equal(rest.n, 0);
	assert_memory_equal(back.hash, l.hash, 16);
	assert_int_equal(timestamp_cmp(back.entry.data_ts, l.entry.data_ts), 0);
	assert_int_equal(timestamp_cmp(back.entry.meta_ts, l.entry.meta_ts), 0);
	for (size_t n = 0; n < LISTED_SIZE; n++) {
		rest = str_head(buf_str(&b), n);
		assert_int_equal(wire_take_listed(&rest, &back), -EBADMSG);
	}
	b.p[LISTED_SIZE - 1] = 3;
	rest = buf_str(&b);
	assert_int_equal(wire_take_listed(&rest, &back), -EBADMSG);
}

static void ranges_of_partitions(void **state)
{
	unsigned char first[16], last[16];

	(void)state;
	for (unsigned power = 0; power <= 20; power += 5) {
		uint32_t parts = 1u << power;
		uint32_t some[] = { 0, parts / 2, parts - 1 };

		for (unsigned i = 0; i < 3; i++) {
			part_range(power, some[i], first, last);
			assert_int_equal(part_of_hash(power, first), some[i]);
			assert_int_equal(part_of_hash(power, last), some[i]);
			assert_int_equal(last[15], 0xff);
			assert_int_equal(first[15], 0);
		}
	}
	part_range(8, 0x12, first, last);
	assert_int_equal(first[0], 0x12);
	assert_int_equal(first[1], 0);
	assert_int_equal(last[0], 0x12);
	assert_int_equal(last[1], 0xff);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(needs_of), cmocka_unit_test(there_and_back),
		cmocka_unit_test(ranges_of_partitions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
