/* Which qcow2 headers are taken, and domains that must not be described. */
#include "compute/machine/internal.h"
#include "tests/unit/cmocka.h"

static void head(unsigned char h[104], unsigned version)
{
	memset(h, 0, 104);
	memcpy(h, "QFI\xfb", 4);
	h[7] = (unsigned char)version;
	h[28] = 0x40;                   /* 1 GiB */
}

static int check(const unsigned char *h, size_t n)
{
	uint64_t size = 0;
	struct fault why;
	int rc = qcow2_check(str_of((const char *)h, n), &size, &why);

	if (rc == 0)
		assert_int_equal(size, GIB);
	return rc;
}

static void test_headers(void **state)
{
	unsigned char h[104];

	(void)state;
	head(h, 3);
	assert_int_equal(check(h, sizeof h), 0);
	assert_int_equal(check(h, 103), -EBADMSG);
	assert_int_equal(check(h, 0), -EBADMSG);
	h[79] = 4;                      /* an external data file */
	assert_int_equal(check(h, sizeof h), -EBADMSG);
	head(h, 2);
	assert_int_equal(check(h, 72), 0);
	h[15] = 1;                      /* a backing file */
	assert_int_equal(check(h, sizeof h), -EBADMSG);
	head(h, 1);
	assert_int_equal(check(h, sizeof h), -EBADMSG);
	head(h, 3);
	h[0] = 'q';
	assert_int_equal(check(h, sizeof h), -EBADMSG);
}

static void test_domains(void **state)
{
	AUTO(arena) a = arena_new();
	struct virt_domain d = { .id = "6ba7b810-9dad-41d1-80b4-00c04fd430c8", .vcpus = 1,
				 .ram_mib = 64, .nic_count = 1,
				 .nics = { { .mac = "fa:16:3e:00:00:01" } },
				 .console_log = "/a\"/><evil/>" };
	struct fault why;
	struct str xml;

	(void)state;
	assert_int_equal(virt_domain_xml(a, &d, false, &xml, &why), 0);
	assert_int_equal(str_find(xml, S("<evil")), -1);
	assert_true(str_find(xml, S("restrict=on")) > 0);
	d.nics[0].mac = "fa:16:3e:00:00:0,";
	assert_int_equal(virt_domain_xml(a, &d, false, &xml, &why), -EINVAL);
	d.nic_count = 0;
	d.id = "../../etc";
	assert_int_equal(virt_domain_xml(a, &d, false, &xml, &why), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_domains),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
