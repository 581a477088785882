/* ringtool/commands/devices: the grammar of devices on the command line. */
#include "ringtool/commands/devices.h"

#include <setjmp.h>
#include <cmocka.h>

static void test_search(void **state)
{
	struct dev_fields f;
	struct fault why = { "" };

	(void)state;
	assert_int_equal(
		dev_search_parse("d74r4z1-1.2.3.4:5678R5.6.7.8:99/sdb1_snet: 5.6.7.8", &f, &why),
		0);
	assert_int_equal(f.set, DEV_ID | DEV_REGION | DEV_ZONE | DEV_IP | DEV_PORT |
					DEV_REPLICATION_IP | DEV_REPLICATION_PORT | DEV_DEVICE |
					DEV_META);
	assert_int_equal(f.dev.id, 74);
	assert_int_equal(f.dev.region, 4);
	assert_int_equal(f.dev.zone, 1);
	assert_string_equal(f.dev.ip, "1.2.3.4");
	assert_int_equal(f.dev.port, 5678);
	assert_string_equal(f.dev.replication_ip, "5.6.7.8");
	assert_int_equal(f.dev.replication_port, 99);
	assert_string_equal(f.dev.device, "sdb1");
	assert_string_equal(f.dev.meta, "snet: 5.6.7.8");
}

static void test_search_parts(void **state)
{
	static const struct {
		const char *text;
		unsigned set;
	} good[] = {
		{ "d74", DEV_ID },
		{ "r4", DEV_REGION },
		{ "z1", DEV_ZONE },
		{ "z1-1.2.3.4", DEV_ZONE | DEV_IP },
		{ "1.2.3.4", DEV_IP },
		{ "-1.2.3.4", DEV_IP },
		{ "z1:5678", DEV_ZONE | DEV_PORT },
		{ ":5678", DEV_PORT },
		{ "R5.6.7.8", DEV_REPLICATION_IP },
		{ "R:5678", DEV_REPLICATION_PORT },
		{ "1.2.3.4R5.6.7.8", DEV_IP | DEV_REPLICATION_IP },
		{ "/sdb1", DEV_DEVICE },
		{ "_shiny", DEV_META },
		{ "[::1]", DEV_IP },
		{ "z1-[::1]:5678", DEV_ZONE | DEV_IP | DEV_PORT },
		{ "R[::1]:1", DEV_REPLICATION_IP | DEV_REPLICATION_PORT },
		{ "", 0 },
	};
	static const char *const bad[] = {
		"d",      "r",         "z",    "dx",          "d1x",   ":",       ":x",
		":70000", "1.2.3",     "[::1", "[1.2.3.4.5]", "hello", "z1-host", "r99999999999",
		"Rx",     "d99999999",
	};
	struct dev_fields f;
	struct fault why = { "" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_int_equal(dev_search_parse(good[i].text, &f, &why), 0);
		assert_int_equal(f.set, good[i].set);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(dev_search_parse(bad[i], &f, &why), -EINVAL);
}

static void test_add(void **state)
{
	static const char *const bad[] = {
		"",
		"z1",
		"r1-1.2.3.4:1/a",
		"z1-1.2.3.4/a",
		"z1-1.2.3.4:x/a",
		"z1-1.2.3.4:1",
		"z1-host:1/a",
		"z1-1.2.3.4:1Rx/a",
		"z1-1.2.3.4:65536/a",
		"rz1-1.2.3.4:1/a",
	};
	struct dev_fields f;
	struct fault why = { "" };

	(void)state;
	assert_int_equal(dev_add_parse("r2z1-10.1.2.3:7878/sdf_the rest", &f, &why), 0);
	assert_int_equal(f.dev.region, 2);
	assert_string_equal(f.dev.replication_ip, "10.1.2.3");
	assert_int_equal(f.dev.replication_port, 7878);
	assert_string_equal(f.dev.device, "sdf");
	assert_string_equal(f.dev.meta, "the rest");
	assert_int_equal(dev_add_parse("z1-[FD00:0::1]:6200R[::2]:6300/a", &f, &why), 0);
	assert_false(f.set & DEV_REGION);
	assert_int_equal(f.dev.region, 1);
	assert_string_equal(f.dev.ip, "fd00::1");
	assert_string_equal(f.dev.replication_ip, "::2");
	assert_int_equal(f.dev.replication_port, 6300);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(dev_add_parse(bad[i], &f, &why), -EINVAL);
}

static void test_change(void **state)
{
	struct dev_fields f;
	struct fault why = { "" };

	(void)state;
	assert_int_equal(dev_change_parse("_new", &f, &why), 0);
	assert_int_equal(f.set, DEV_META);
	assert_int_equal(dev_change_parse("4.3.2.1:1R:2/x", &f, &why), 0);
	assert_int_equal(f.set, DEV_IP | DEV_PORT | DEV_REPLICATION_PORT | DEV_DEVICE);
	assert_int_equal(dev_change_parse("", &f, &why), -EINVAL);
	assert_int_equal(dev_change_parse("z1", &f, &why), -EINVAL);
}

static void test_address(void **state)
{
	char ip[RING_HOST_SIZE];
	struct fault why = { "" };

	(void)state;
	assert_int_equal(dev_address_parse(S("Storage-1.Example.COM"), true, ip, &why), 0);
	assert_string_equal(ip, "storage-1.example.com");
	assert_int_equal(dev_address_parse(S("Storage-1.Example.COM"), false, ip, &why), -EINVAL);
	assert_int_equal(dev_address_parse(S("2001:0DB8::0:1"), true, ip, &why), 0);
	assert_string_equal(ip, "2001:db8::1");
	assert_int_equal(dev_address_parse(S("-bad"), true, ip, &why), -EINVAL);
	assert_int_equal(dev_address_parse(S("a..b"), true, ip, &why), -EINVAL);
	assert_int_equal(dev_address_parse(S("a b"), true, ip, &why), -EINVAL);
	assert_int_equal(dev_address_parse(S(""), true, ip, &why), -EINVAL);
	assert_int_equal(dev_address_parse(S("[host]"), true, ip, &why), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_search),  cmocka_unit_test(test_search_parts),
		cmocka_unit_test(test_add),     cmocka_unit_test(test_change),
		cmocka_unit_test(test_address),
	};

	return cmocka_run_group_tests_name("ringtool/commands/devices", tests, NULL, NULL);
}
