/* ringtool/builder/builder_file and conversions: nothing is lost on the way to a file and back. */
#include "ringtool/builder/builder.h"

#include <setjmp.h>
#include <cmocka.h>
#include <unistd.h>

static void add(struct builder *b, unsigned i)
{
	struct ring_dev dev = { .id = -1,
				.region = 1,
				.zone = i,
				.ip = "::1",
				.port = 6200 + i,
				.replication_ip = "example.com",
				.replication_port = 1,
				.device = "sd a",
				.weight = 1.5 + i };
	struct fault why = { "" };

	assert_true(builder_dev_add(b, &dev, &why) >= 0);
}

/* Devices come, go and are about to go; partitions moved. */
static struct builder *make(void)
{
	struct builder *b = builder_new(5, 2.5, 12);
	struct fault why = { "" };
	struct builder_moves moves;

	for (unsigned i = 0; i < 5; i++)
		add(b, i);
	free(b->devs[4]->dev.meta);
	b->devs[4]->dev.meta = xstrdup("\"\xc3\xa4\\");
	assert_int_equal(builder_rebalance(b, 1, 1000000, &moves, &why), 0);
	builder_dev_remove(b, b->devs[1]);
	add(b, 5);
	add(b, 6);
	assert_int_equal(builder_rebalance(b, 2, 1000000 + 13 * 3600, &moves, &why), 0);
	builder_dev_remove(b, b->devs[2]);
	b->overload = 0.1;
	return b;
}

static void check_same(const struct builder *a, const struct builder *b)
{
	assert_string_equal(a->id, b->id);
	assert_int_equal(a->part_power, b->part_power);
	assert_int_equal(a->next_part_power, b->next_part_power);
	assert_true(a->replicas == b->replicas && a->overload == b->overload &&
		    a->dispersion == b->dispersion);
	assert_int_equal(a->min_part_hours, b->min_part_hours);
	assert_int_equal(a->version, b->version);
	assert_int_equal(a->devs_changed, b->devs_changed);
	assert_int_equal(a->hours_epoch, b->hours_epoch);
	assert_int_equal(a->devs_n, b->devs_n);
	assert_int_equal(a->cells, b->cells);
	assert_memory_equal(a->table, b->table, a->cells * sizeof *a->table);
	assert_memory_equal(a->hours_since, b->hours_since, builder_parts(a));
	assert_int_equal(a->moved_n, b->moved_n);
	if (a->moved_n)
		assert_memory_equal(a->moved, b->moved, a->moved_n * sizeof *a->moved);
	for (unsigned i = 0; i < a->devs_n; i++) {
		assert_int_equal(!a->devs[i], !b->devs[i]);
		if (!a->devs[i])
			continue;
		assert_int_equal(a->devs[i]->parts, b->devs[i]->parts);
		assert_int_equal(a->devs[i]->removing, b->devs[i]->removing);
		assert_string_equal(a->devs[i]->dev.meta, b->devs[i]->dev.meta);
		assert_string_equal(a->devs[i]->dev.ip, b->devs[i]->dev.ip);
		assert_true(a->devs[i]->dev.weight == b->devs[i]->dev.weight);
	}
}

static void test_round_trip(void **state)
{
	AUTO(builder) b = make();
	AUTO(builder) again = NULL;
	CLEANUP(buf_done) struct buf text = BUF(MIB), text_again = BUF(MIB);
	struct fault why = { "" };

	(void)state;
	assert_true(b->moved_n > 0);
	b->next_part_power = 6;
	builder_format(b, &text);
	assert_int_equal(builder_parse(buf_str(&text), &again, &why), 0);
	check_same(b, again);
	builder_format(again, &text_again);
	assert_true(str_eq(buf_str(&text), buf_str(&text_again)));
}

static void test_empty(void **state)
{
	AUTO(builder) b = builder_new(3, 1, 0);
	AUTO(builder) again = NULL;
	CLEANUP(buf_done) struct buf text = BUF(MIB);
	struct fault why = { "" };

	(void)state;
	builder_format(b, &text);
	assert_int_equal(builder_parse(buf_str(&text), &again, &why), 0);
	assert_int_equal(again->cells, 0);
	assert_int_equal(again->devs_n, 0);
	assert_true(again->dispersion < 0);
}

/* A builder cut at any place, or with any byte changed, is refused or sound; never a crash. */
static void test_damage(void **state)
{
	AUTO(builder) b = make();
	CLEANUP(buf_done) struct buf text = BUF(MIB);
	struct fault why = { "" };

	(void)state;
	builder_format(b, &text);
	for (size_t n = 0; n + 1 < text.n; n++) {
		struct builder *broken = NULL;

		if (builder_parse(str_of(text.p, n), &broken, &why) == 0)
			assert_string_equal(text.p + n, "\n");
		builder_free(broken);
	}
	for (size_t n = 0; n < text.n; n++) {
		struct builder *broken = NULL;
		char was = text.p[n];

		text.p[n] = was == '1' ? '9' : '1';
		if (builder_parse(buf_str(&text), &broken, &why) == 0)
			assert_int_equal(broken->cells, b->cells);
		builder_free(broken);
		text.p[n] = was;
	}
}

static void test_foreign_files(void **state)
{
	AUTO(builder) b = NULL;
	struct fault why = { "" };

	(void)state;
	assert_int_equal(builder_parse(S("\x80\x02}q\x00("), &b, &why), -EINVAL);
	assert_non_null(strstr(why.text, "write_builder"));
	assert_int_equal(builder_parse(S("{}"), &b, &why), -EINVAL);
	assert_int_equal(builder_parse(S("[]"), &b, &why), -EINVAL);
	assert_int_equal(builder_parse(S("{\"needletail_builder\": 2}"), &b, &why), -EINVAL);
	assert_non_null(strstr(why.text, "format 2"));
}

static void test_file(void **state)
{
	char dir[] = "/tmp/needletail-builder-XXXXXX", path[64];
	AUTO(builder) b = make();
	AUTO(builder) again = NULL;
	struct fault why = { "" };

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/object.builder.json", dir);
	assert_int_equal(builder_load(path, &again, &why), -ENOENT);
	assert_int_equal(builder_save(b, path, &why), 0);
	assert_int_equal(builder_load(path, &again, &why), 0);
	check_same(b, again);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
}

static void test_ring_and_back(void **state)
{
	AUTO(builder) b = make();
	CLEANUP(buf_done) struct buf bytes = BUF(MIB);
	AUTO(ring) ring = NULL;
	struct fault why = { "" };
	struct ring_dev **devs;
	struct ring_image image = builder_image(b, &devs);

	(void)state;
	assert_int_equal(ring_pack(&image, 2, 0, &bytes, &why), 0);
	free(devs);
	assert_int_equal(ring_parse(buf_str(&bytes), &ring, &why), 0);
	AUTO(builder) again = builder_of_ring(ring, 7);
	assert_int_equal(again->min_part_hours, 7);
	assert_int_equal(again->version, b->version);
	assert_true(again->replicas == b->replicas);
	assert_int_equal(again->cells, b->cells);
	assert_memory_equal(again->table, b->table, b->cells * sizeof *b->table);
	assert_int_equal(again->moved_n, b->moved_n);
	for (unsigned i = 0; i < b->devs_n; i++)
		if (b->devs[i])
			assert_int_equal(again->devs[i]->parts, b->devs[i]->parts);
}

static void test_devices(void **state)
{
	AUTO(builder) b = builder_new(3, 1, 0);
	struct ring_dev dev = {
		.id = 3, .ip = "10.0.0.1", .replication_ip = "10.0.0.1", .port = 1, .device = "a"
	};
	struct fault why = { "" };

	(void)state;
	assert_int_equal(builder_dev_add(b, &dev, &why), 3);
	assert_int_equal(b->devs_n, 4);
	assert_int_equal(builder_dev_add(b, &dev, &why), -EEXIST);
	dev.id = -1;
	assert_int_equal(builder_dev_add(b, &dev, &why), -EEXIST);
	assert_string_equal(why.text, "Device 3 already uses 10.0.0.1:1/a.");
	dev.port = 2;
	assert_int_equal(builder_dev_add(b, &dev, &why), 0);
	dev.port = 3;
	snprintf(dev.device, sizeof dev.device, "a/b");
	assert_int_equal(builder_dev_add(b, &dev, &why), -EINVAL);
	snprintf(dev.device, sizeof dev.device, "ok");
	dev.weight = -1;
	assert_int_equal(builder_dev_add(b, &dev, &why), -EINVAL);
	dev.weight = 1;
	dev.port = 65536;
	assert_int_equal(builder_dev_add(b, &dev, &why), -EINVAL);
	assert_int_equal(b->version, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_empty),
		cmocka_unit_test(test_damage),     cmocka_unit_test(test_foreign_files),
		cmocka_unit_test(test_file),       cmocka_unit_test(test_ring_and_back),
		cmocka_unit_test(test_devices),
	};

	return cmocka_run_group_tests_name("ringtool/builder/builder_file", tests, NULL, NULL);
}
