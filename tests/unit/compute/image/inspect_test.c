/* Tests compute/image/inspect.c: recognized whatever the pieces are that the bytes come in. Whole
 * images of each kind, good and hostile, are in tests/compute/test_image_data.py. */
#include "compute/image/inspect.h"

#include <setjmp.h>
#include <cmocka.h>

enum { SIZE = 100000 };

static void put(unsigned char *p, uint64_t v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		p[i] = (unsigned char)(v >> 8 * (n - 1 - i));
}

static void make_qcow2(unsigned char *p)
{
	memcpy(p, "QFI\xfb", 4);
	put(p + 4, 3, 4);
	put(p + 20, 16, 4);
	put(p + 24, 12345678, 8);
	put(p + 100, 104, 4);
}

static int look(const unsigned char *p, size_t n, size_t step, struct inspect_result *ret)
{
	CLEANUP(inspect_done) struct inspect in;
	struct fault why;

	inspect_init(&in);
	for (size_t at = 0; at < n; at += step)
		inspect_add(&in, str_of((const char *)p + at, MIN(step, n - at)));
	return inspect_end(&in, true, ret, &why);
}

static void test_pieces(void **state)
{
	static const size_t steps[] = { 1, 7, 511, 512, 513, 4096, 65536, SIZE };
	AUTO(free) bytes = xcalloc(1, SIZE);
	unsigned char *p = bytes;
	struct inspect_result r;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		memset(p, 0, SIZE);
		assert_int_equal(look(p, SIZE, steps[i], &r), 0);
		assert_string_equal(r.format, "raw");
		assert_int_equal(r.virtual_size, SIZE);
		/* A fixed vhd is known by its end. */
		memcpy(p + SIZE - 512, "conectix", 8);
		put(p + SIZE - 512 + 48, 4242, 8);
		assert_int_equal(look(p, SIZE, steps[i], &r), 0);
		assert_string_equal(r.format, "vhd");
		assert_int_equal(r.virtual_size, 4242);
		make_qcow2(p);
		assert_int_equal(look(p, SIZE, steps[i], &r), 0);
		assert_string_equal(r.format, "qcow2");
		assert_int_equal(r.virtual_size, 12345678);
		put(p + 8, 1, 8);
		assert_int_equal(look(p, SIZE, steps[i], &r), -EPERM);
	}
}

static void test_empty(void **state)
{
	struct inspect_result r;

	(void)state;
	assert_int_equal(look((const unsigned char *)"", 0, 1, &r), 0);
	assert_string_equal(r.format, "raw");
	assert_int_equal(r.virtual_size, 0);
	assert_int_equal(look((const unsigned char *)"QFI\xfb", 4, 1, &r), -EPERM);
}

static int match(const char *disk, const char *container, const char *found, bool strict)
{
	const struct inspect_result r = { found, 0 };
	struct fault why;

	return inspect_match(str_from(disk), str_from(container), &r, strict, &why);
}

static void test_match(void **state)
{
	(void)state;
	assert_int_equal(match("qcow2", "bare", "qcow2", true), 0);
	assert_int_equal(match("qcow2", "bare", "raw", false), 0);
	assert_int_equal(match("qcow2", "bare", "raw", true), -EMEDIUMTYPE);
	assert_int_equal(match("qcow2", "bare", "vmdk", false), -EMEDIUMTYPE);
	assert_int_equal(match("raw", "bare", "qcow2", false), -EMEDIUMTYPE);
	assert_int_equal(match("raw", "bare", "iso", true), 0);
	assert_int_equal(match("raw", "ova", "qcow2", true), 0);
	assert_int_equal(match("ami", "ami", "qcow2", true), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_match),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
