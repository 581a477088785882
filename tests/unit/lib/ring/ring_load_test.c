/* lib/ring/ring_load: files that are no sound ring are refused, with a reason. */
#include "lib/base/buf.h"
#include "lib/ring/ring.h"

#include <setjmp.h>
#include <cmocka.h>
#include <zlib.h>

#define DEVS "[{\"id\":0,\"zone\":1,\"ip\":\"::1\",\"port\":6200,\"device\":\"a\",\"weight\":1}," \
	"null,{\"id\":2,\"zone\":1,\"ip\":\"::1\",\"port\":6201,\"device\":\"b\",\"weight\":1}]"

static void gzip(struct buf *to, const void *p, size_t n)
{
	z_stream z = { 0 };
	char *room = buf_reserve(to, n + 1024);

	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY),
			 Z_OK);
	z.next_in = (unsigned char *)p;
	z.avail_in = (unsigned)n;
	z.next_out = (unsigned char *)room;
	z.avail_out = (unsigned)n + 1024;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	to->n += n + 1024 - z.avail_out;
	deflateEnd(&z);
}

/* A file of format 1 with this metadata and these cells, in little-endian order. */
static int parse_v1(const char *meta, struct str cells, struct ring **ret, struct fault *why)
{
	CLEANUP(buf_done) struct buf raw = BUF(MIB), file = BUF(MIB);
	size_t n = strlen(meta);

	buf_add(&raw, "R1NG\0\1", 6);
	for (int i = 3; i >= 0; i--)
		buf_add_char(&raw, (char)(n >> 8 * i));
	buf_add(&raw, meta, n);
	buf_add_str(&raw, cells);
	gzip(&file, raw.p, raw.n);
	return ring_parse(buf_str(&file), ret, why);
}

/* Two partitions, so that cells "\0\0\2\0" are one replica. */
#define META(rest) \
	"{\"part_shift\":31,\"replica_count\":1,\"byteorder\":\"little\",\"devs\":" DEVS rest "}"

static void test_good(void **state)
{
	struct fault why = { "" };
	AUTO(ring) r = NULL;

	(void)state;
	assert_int_equal(parse_v1(META(""), S("\0\0\2\0"), &r, &why), 0);
	assert_int_equal(ring_partitions(r), 2);
	assert_int_equal(ring_version(r), -1);
	assert_int_equal(ring_dev_by_id(r, 0)->region, 1);              /* by default */
	assert_string_equal(ring_dev_by_id(r, 0)->replication_ip, "::1");
	assert_int_equal(ring_dev_by_id(r, 2)->replication_port, 6201);
	assert_string_equal(ring_dev_by_id(r, 2)->meta, "");
}

static void test_big_endian(void **state)
{
	struct fault why = { "" };
	AUTO(ring) r = NULL;

	(void)state;
	assert_int_equal(parse_v1("{\"part_shift\":31,\"replica_count\":1,\"byteorder\":\"big\","
				  "\"devs\":" DEVS "}",
				  S("\0\0\0\2"), &r, &why),
			 0);
	assert_int_equal(ring_cell(r, 0, 1), 2);
}

static void test_bad_v1(void **state)
{
	static const struct {
		const char *meta;
		struct str cells;
	} bad[] = {
		{ META(""), STR_INIT("\0\0\1\0") }, /* a hole */
		{ META(""), STR_INIT("\0\0\3\0") }, /* beyond the devices */
		{ META(""), STR_INIT("\0\0\2") }, /* half a cell */
		{ META(""), STR_INIT("\0\0") }, /* less than a row */
		{ META(""), STR_INIT("\0\0\2\0\0\0") }, /* more than replica_count */
		{ META(""), STR_INIT("") },
		{ META(",\"version\":-1"), STR_INIT("\0\0\2\0") },
		{ META(",\"version\":\"1\""), STR_INIT("\0\0\2\0") },
		{ META(",\"next_part_power\":3"), STR_INIT("\0\0\2\0") },
		{ META(",\"needletail_previous\":\"AA\""), STR_INIT("\0\0\2\0") },
		{ META(",\"needletail_previous\":\"BQA=\""), STR_INIT("\0\0\2\0") },
		{ META(",\"needletail_previous\":7"), STR_INIT("\0\0\2\0") },
		{ META(",\"part_shift\":31"), STR_INIT("\0\0\2\0") }, /* twice */
		{ "[]", STR_INIT("\0\0\2\0") },
		{ "{", STR_INIT("\0\0\2\0") },
		{ "{\"part_shift\":31,\"replica_count\":1,\"devs\":[]}", STR_INIT("\0\0\2\0") },
		{ "{\"part_shift\":33,\"replica_count\":1,\"devs\":" DEVS "}",
		  STR_INIT("\0\0\2\0") },
		{ "{\"part_shift\":0,\"replica_count\":1,\"devs\":" DEVS "}",
		  STR_INIT("\0\0\2\0") },
		{ "{\"part_shift\":31,\"devs\":" DEVS "}", STR_INIT("\0\0\2\0") },
		{ "{\"part_shift\":31,\"replica_count\":1,\"byteorder\":\"mixed\",\"devs\":" DEVS
		  "}",
		  STR_INIT("\0\0\2\0") },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct fault why = { "" };
		struct ring *r = NULL;

		assert_true(parse_v1(bad[i].meta, bad[i].cells, &r, &why) < 0);
		assert_null(r);
		assert_true(why.text[0] != 0);
	}
}

static void test_bad_device(void **state)
{
	static const char *const bad[] = {
		"{\"id\":1,\"zone\":1,\"ip\":\"::1\",\"port\":1,\"device\":\"a\",\"weight\":1}",
		"{\"id\":0,\"ip\":\"::1\",\"port\":1,\"device\":\"a\",\"weight\":1}",
		"{\"id\":0,\"zone\":-1,\"ip\":\"::1\",\"port\":1,\"device\":\"a\",\"weight\":1}",
		"{\"id\":0,\"zone\":1,\"ip\":\"\",\"port\":1,\"device\":\"a\",\"weight\":1}",
		"{\"id\":0,\"zone\":1,\"ip\":\"a b\",\"port\":1,\"device\":\"a\",\"weight\":1}",
		"{\"id\":0,\"zone\":1,\"ip\":\"a\\r\\nb\",\"port\":1,\"device\":\"a\",\"weight\":"
		"1}",
		"{\"id\":0,\"zone\":1,\"ip\":\"::1\",\"port\":65536,\"device\":\"a\",\"weight\":1}",
		"{\"id\":0,\"zone\":1,\"ip\":\"::1\",\"port\":\"1\",\"device\":\"a\",\"weight\":1}",
		"{\"id\":0,\"zone\":1,\"ip\":\"::1\",\"port\":1,\"device\":\"..\",\"weight\":1}",
		"{\"id\":0,\"zone\":1,\"ip\":\"::1\",\"port\":1,\"device\":\"a/b\",\"weight\":1}",
		"{\"id\":0,\"zone\":1,\"ip\":\"::1\",\"port\":1,\"device\":\"a\",\"weight\":-1}",
		"{\"id\":0,\"zone\":1,\"ip\":\"::1\",\"port\":1,\"device\":\"a\",\"weight\":1,"
		"\"meta\":1}",
		"7",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		char meta[512];
		struct fault why = { "" };
		struct ring *r = NULL;

		snprintf(meta, sizeof meta, "{\"part_shift\":31,\"replica_count\":1,\"devs\":[%s]}",
			 bad[i]);
		assert_true(parse_v1(meta, S("\0\0\0\0"), &r, &why) < 0);
		assert_non_null(strstr(why.text, "device 0"));
	}
}

static void test_bad_gzip(void **state)
{
	CLEANUP(buf_done) struct buf file = BUF(MIB), old = BUF(MIB);
	struct ring *r = NULL;
	struct fault why = { "" };

	(void)state;
	assert_int_equal(ring_parse(S(""), &r, &why), -EINVAL);
	assert_int_equal(ring_parse(S("R1NG"), &r, &why), -EINVAL);
	gzip(&file, "R1NG\0\1", 6);
	for (size_t n = 0; n <= file.n; n++)
		assert_int_equal(ring_parse(str_of(file.p, n), &r, &why), -EINVAL);
	buf_add_char(&file, 'x');
	assert_int_equal(ring_parse(buf_str(&file), &r, &why), -EINVAL);
	gzip(&old, "\x80\x02}q", 4);
	assert_int_equal(ring_parse(buf_str(&old), &r, &why), -EINVAL);
	assert_non_null(strstr(why.text, "pickle"));
}

static void test_bad_v2(void **state)
{
	static const char index[] = "{\"swift/ring/metadata\":[0,9999,0,0,null,null]}";
	CLEANUP(buf_done) struct buf raw = BUF(MIB), file = BUF(MIB);
	struct ring *r = NULL;
	struct fault why = { "" };

	(void)state;
	buf_add(&raw, "R1NG\0\2\0\0\0\0\0\0\0", 13);
	buf_add_char(&raw, (char)strlen(index));
	buf_add(&raw, index, strlen(index));
	buf_add(&raw, "\0\0\0\0\0\0\0\6\0\0\0\0\0\0\0\0", 16);
	gzip(&file, raw.p, raw.n);
	assert_int_equal(ring_parse(buf_str(&file), &r, &why), -EINVAL);
	assert_non_null(strstr(why.text, "points outside"));
	buf_clear(&file);
	gzip(&file, raw.p, raw.n - 1);
	assert_int_equal(ring_parse(buf_str(&file), &r, &why), -EINVAL);
	assert_non_null(strstr(why.text, "no index"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),     cmocka_unit_test(test_big_endian),
		cmocka_unit_test(test_bad_v1),   cmocka_unit_test(test_bad_device),
		cmocka_unit_test(test_bad_gzip), cmocka_unit_test(test_bad_v2),
	};

	return cmocka_run_group_tests_name("lib/ring/ring_load", tests, NULL, NULL);
}
