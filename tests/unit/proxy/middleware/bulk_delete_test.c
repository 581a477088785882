/* Lists of names: lines, escapes, limits; and what a name stands for. */
#include "proxy/middleware/bulk_delete.h"
#include "tests/unit/cmocka.h"

static void expect(const char *list, const char *names)
{
	CLEANUP(buf_done) struct buf b = BUF(64 * KIB);

	for (size_t piece = 1; piece < 50; piece++) {
		struct str rest = str_from(list), name;
		struct bulk_list l;
		size_t at = 0;

		bulk_list_init(&l, 10, 20);
		for (; rest.n; rest = str_skip(rest, piece))
			assert_int_equal(bulk_list_feed(&l, str_head(rest, piece)), 0);
		assert_int_equal(bulk_list_end(&l), 0);
		buf_clear(&b);
		while (bulk_list_next(&l, &at, &name))
			buf_addf(&b, "<%.*s>", STR(name));
		assert_string_equal(b.p, names);
		bulk_list_done(&l);
	}
}

static void lines_test(void **state)
{
	(void)state;
	expect("", "");
	expect("/c/o", "</c/o>");
	expect("/c/o\n", "</c/o>");
	expect("/c/o\r\n  c2 \t\n\n /c/p \n", "</c/o><c2><></c/p>");
	expect("a%20b%2Fc%25\n%zz%4\n+", "<a b/c%><%zz%4><+>");
	expect(" \t ", "");
}

static int feed(unsigned max, const char *list)
{
	struct bulk_list l;

	bulk_list_init(&l, max, 4);
	int rc = bulk_list_feed(&l, str_from(list));
	if (rc == 0)
		rc = bulk_list_end(&l);
	bulk_list_done(&l);
	return rc;
}

static void limits_test(void **state)
{
	(void)state;
	assert_int_equal(feed(2, "a\nb\n"), 0);
	assert_int_equal(feed(2, "a\nb\nc"), -E2BIG);
	assert_int_equal(feed(2, "\n\n\n"), -E2BIG);
	assert_int_equal(feed(2, "12345678"), 0);
	assert_int_equal(feed(2, "123456789"), -ENAMETOOLONG);
	assert_int_equal(feed(2, "%41%41%41%41"), 0);
	assert_int_equal(feed(2, "%41%41%41%41."), -ENAMETOOLONG);
	assert_int_equal(feed(2, "%41%41%41%41.\n"), -ENAMETOOLONG);
}

static void split(const char *name, const char *container, const char *object)
{
	struct str c, o;

	assert_int_equal(bulk_name_split(str_from(name), &c, &o), object != NULL);
	assert_true(str_eq(c, str_from(container)));
	assert_true(object ? str_eq(o, str_from(object)) : !o.p);
}

static void split_test(void **state)
{
	(void)state;
	split("/c/o", "c", "o");
	split("c/o/p/", "c", "o/p/");
	split("//c//o", "c", "/o");
	split("/c", "c", NULL);
	split("/c/", "c", NULL);
	split("c//", "c", NULL);
	split("/", "", NULL);
	split("", "", NULL);
}

static void status_test(void **state)
{
	struct bulk_delete d = { .deleted = 1 };

	(void)state;
	assert_int_equal(bulk_delete_status(&d), 200);
	d.failures = 1;
	assert_int_equal(bulk_delete_status(&d), 400);
	d.server_failed = true;
	assert_int_equal(bulk_delete_status(&d), 502);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_test),
		cmocka_unit_test(limits_test),
		cmocka_unit_test(split_test),
		cmocka_unit_test(status_test),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
