/* lib/ring/ring_write: what is written is read back, in both formats and all widths. */
#include "lib/ring/ring_write.h"

#include <setjmp.h>
#include <cmocka.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { POWER = 6, PARTS = 1 << POWER, CELLS = PARTS * 9 / 4 };

static char meta[] = "shelf \"7\", snow\xe2\x98\x83";
static struct ring_dev devs[4];
static struct ring_dev *list[] = { &devs[0], NULL, &devs[2], &devs[3] };
static uint32_t table[CELLS];

static struct ring_image image_make(void)
{
	for (int i = 0; i < 4; i++) {
		devs[i] = (struct ring_dev){ .id = i,
					     .region = 1,
					     .zone = (unsigned)i,
					     .port = 6200,
					     .replication_port = 6201,
					     .weight = 0.1 + i,
					     .meta = meta };
		snprintf(devs[i].ip, sizeof devs[i].ip, "fd00::%d", i);
		snprintf(devs[i].replication_ip, sizeof devs[i].replication_ip,
			 "storage-%d.example.com", i);
		snprintf(devs[i].device, sizeof devs[i].device, "sd%d", i);
	}
	for (unsigned i = 0; i < CELLS; i++)
		table[i] = (uint32_t[]){ 0, 2, 3 }[(i + i / PARTS) % 3];
	return (struct ring_image){ .part_power = POWER,
				    .next_part_power = -1,
				    .version = 12,
				    .cells = CELLS,
				    .table = table,
				    .devs_n = 4,
				    .devs = list };
}

static void check(const struct ring *r, unsigned format)
{
	assert_int_equal(ring_format(r), format);
	assert_int_equal(ring_part_power(r), POWER);
	assert_int_equal(ring_next_part_power(r), -1);
	assert_int_equal(ring_version(r), 12);
	assert_true(ring_replicas(r) == 2.25);
	assert_null(ring_dev_by_id(r, 1));
	for (int i = 0; i < 4; i++) {
		const struct ring_dev *d = ring_dev_by_id(r, i);

		if (!d)
			continue;
		assert_string_equal(d->ip, devs[i].ip);
		assert_string_equal(d->replication_ip, devs[i].replication_ip);
		assert_string_equal(d->device, devs[i].device);
		assert_string_equal(d->meta, meta);
		assert_true(d->weight == devs[i].weight);
		assert_int_equal(d->region, 1);
		assert_int_equal(d->zone, i);
		assert_int_equal(d->port, 6200);
		assert_int_equal(d->replication_port, 6201);
	}
	for (unsigned i = 0; i < CELLS; i++)
		assert_int_equal(ring_cell(r, i / PARTS, i % PARTS), table[i]);
}

static void test_round_trip(void **state)
{
	static const unsigned widths[] = { 0, 2, 4, 8 };
	static const struct ring_moved moved[] = { { 3, 0 }, { 3, 2 }, { 40, 3 } };
	struct ring_image image = image_make();
	const struct ring_dev *out[4];
	struct fault why = { "" };

	(void)state;
	for (unsigned format = 1; format <= 2; format++)
		for (unsigned i = 0; i < ARRAY_LEN(widths); i++) {
			CLEANUP(buf_done) struct buf bytes = BUF(MIB), again = BUF(MIB);
			AUTO(ring) r = NULL;

			image.moved = moved;
			image.moved_n = i % 2 ? ARRAY_LEN(moved) : 0;
			assert_int_equal(ring_pack(&image, format, widths[i], &bytes, &why), 0);
			assert_int_equal(ring_pack(&image, format, widths[i], &again, &why), 0);
			assert_true(str_eq(buf_str(&bytes), buf_str(&again)));
			assert_int_equal(ring_parse(buf_str(&bytes), &r, &why), 0);
			check(r, format);
			assert_int_equal(ring_previous(r, 3, out, 4), i % 2 ? 2 : 0);
			assert_int_equal(ring_previous(r, 40, out, 4), i % 2 ? 1 : 0);
		}
}

/* Swift finds the index through the last 31 bytes, where a block of deflate begins. */
static void test_tail_of_format_2(void **state)
{
	CLEANUP(buf_done) struct buf bytes = BUF(MIB);
	struct ring_image image = image_make();
	unsigned char place[8], text[2048];
	z_stream z = { 0 };
	uint64_t at = 0, n = 0;

	(void)state;
	assert_int_equal(ring_pack(&image, 2, 0, &bytes, NULL), 0);
	assert_int_equal(inflateInit2(&z, -MAX_WBITS), Z_OK);
	z.next_in = (unsigned char *)bytes.p + bytes.n - 31;
	z.avail_in = 31;
	z.next_out = place;
	z.avail_out = sizeof place;
	assert_true(inflate(&z, Z_SYNC_FLUSH) >= 0);
	assert_int_equal(z.avail_out, 0);
	for (int i = 0; i < 8; i++)
		at = at << 8 | place[i];
	assert_true(at < bytes.n);
	assert_int_equal(inflateReset(&z), Z_OK);
	z.next_in = (unsigned char *)bytes.p + at;
	z.avail_in = (unsigned)(bytes.n - at);
	z.next_out = text;
	z.avail_out = sizeof text;
	assert_true(inflate(&z, Z_SYNC_FLUSH) >= 0);
	inflateEnd(&z);
	for (int i = 0; i < 8; i++)
		n = n << 8 | text[i];
	assert_true(n > 0 && n < sizeof text);
	assert_int_equal(text[8], '{');
	assert_int_equal(text[7 + n], '}');
}

static void test_refusals(void **state)
{
	CLEANUP(buf_done) struct buf bytes = BUF(MIB), small = BUF(64);
	struct ring_image image = image_make();
	AUTO(free) many = xcalloc(UINT16_MAX, sizeof(struct ring_dev *));
	struct fault why = { "" };

	(void)state;
	assert_int_equal(ring_pack(&image, 3, 0, &bytes, &why), -EINVAL);
	assert_int_equal(ring_pack(&image, 2, 3, &bytes, &why), -EINVAL);
	assert_int_equal(ring_pack(&image, 1, 0, &small, &why), -EFBIG);
	image.devs = memcpy(many, list, sizeof list);
	image.devs_n = UINT16_MAX;
	assert_int_equal(ring_pack(&image, 1, 0, &bytes, &why), -EINVAL);
	assert_int_equal(ring_pack(&image, 2, 2, &bytes, &why), -EINVAL);
	assert_int_equal(ring_pack(&image, 2, 0, &bytes, &why), 0);
}

static void test_file(void **state)
{
	char dir[] = "/tmp/needletail-ring-XXXXXX", path[64], missing[64];
	struct ring_image image = image_make();
	struct fault why = { "" };
	struct ring *r = NULL;
	struct stat st;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/object.ring.gz", dir);
	snprintf(missing, sizeof missing, "%s/no/object.ring.gz", dir);
	for (unsigned format = 1; format <= 2; format++) {
		assert_int_equal(ring_write(path, &image, format, 0, &why), 0);
		assert_int_equal(ring_load(path, &r, &why), 0);
		check(r, format);
		ring_unref(r);
	}
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	assert_int_equal(ring_write(missing, &image, 1, 0, &why), -ENOENT);
	assert_non_null(strstr(why.text, missing));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(ring_load(path, &r, &why), -ENOENT);
	assert_int_equal(rmdir(dir), 0);        /* and no temporary file was left */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_tail_of_format_2),
		cmocka_unit_test(test_refusals), cmocka_unit_test(test_file),
	};

	return cmocka_run_group_tests_name("lib/ring/ring_write", tests, NULL, NULL);
}
