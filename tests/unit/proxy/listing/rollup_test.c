/* From rows to the items of a listing. */
#include "proxy/listing/rollup.h"

#include <setjmp.h>
#include <cmocka.h>

static struct arena *A;

static int set_up(void **state)
{
	(void)state;
	A = arena_new();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_free(A);
	return 0;
}

/* Names in order; "-name" is deleted, "2name" of another policy. */
static const char *const names[] = {
	"a", "a/", "a/1", "a/2", "a/b/", "a/b/3", "-a/c/gone", "b", "2c", "-d", "e--f", "e--g", "h",
};

static struct str list(enum swift_kind kind, const struct listing_query *q)
{
	CLEANUP(buf_done) struct buf b = BUF(64 * KIB);
	struct rollup u;

	rollup_init(&u, A, kind, q);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *name = names[i];
		bool other = name[0] == '2', deleted = name[0] == '-';
		struct raw_row r = {
			.name = str_from(name + (other || deleted)),
			.deleted = deleted,
			.policy = other ? 2 : 0,
			.meta_ts = { .t = 140246467704188 },
			.put_ts = { .t = 140246467704188 },
			.hash = S("abc"),
			.content_type = S("t&t"),
			.bytes = i,
			.count = 7,
		};

		if (!rollup_add(&u, &r))
			break;
	}
	rollup_print(&u, S("con<\""), &b);
	rollup_done(&u);
	return arena_str(A, buf_str(&b));
}

#define LIST(...) list(SWIFT_CONTAINER, &(struct listing_query){ .limit = 100, __VA_ARGS__ })
#define expect(query, text) assert_string_equal((query).p, text)

static void all(void **state)
{
	(void)state;
	expect(LIST(), "a\na/\na/1\na/2\na/b/\na/b/3\nb\ne--f\ne--g\nh\n");
	expect(LIST(.policy = 2), "c\n");
}

static void ends(void **state)
{
	(void)state;
	expect(LIST(.marker = S("a/2")), "a/b/\na/b/3\nb\ne--f\ne--g\nh\n");
	expect(LIST(.end_marker = S("a/2")), "a\na/\na/1\n");
	expect(LIST(.prefix = S("a/b")), "a/b/\na/b/3\n");
	expect(list(SWIFT_CONTAINER, &(struct listing_query){ .limit = 2 }), "a\na/\n");
	expect(list(SWIFT_CONTAINER, &(struct listing_query){ .limit = 0 }), "");
}

static void delimiters(void **state)
{
	(void)state;
	expect(LIST(.delimiter = S("/")), "a\na/\nb\ne--f\ne--g\nh\n");
	expect(LIST(.delimiter = S("--")), "a\na/\na/1\na/2\na/b/\na/b/3\nb\ne--\nh\n");
	expect(LIST(.delimiter = S("/"), .prefix = S("a/")), "a/\na/1\na/2\na/b/\n");
	expect(LIST(.delimiter = S("/"), .marker = S("a/")), "b\ne--f\ne--g\nh\n");
	expect(LIST(.delimiter = S("/"), .marker = S("a/1")), "a/\nb\ne--f\ne--g\nh\n");
}

static void paths(void **state)
{
	(void)state;
	expect(LIST(.path = S("a")), "a/1\na/2\na/b/\n");
	expect(LIST(.path = S("a/")), "a/1\na/2\na/b/\n");
	expect(LIST(.path = S("")), "a\na/\nb\ne--f\ne--g\nh\n");
}

static void backwards(void **state)
{
	(void)state;
	expect(LIST(.reverse = true), "h\ne--g\ne--f\nb\na/b/3\na/b/\na/2\na/1\na/\na\n");
	expect(list(SWIFT_CONTAINER, &(struct listing_query){ .limit = 3, .reverse = true }),
	       "h\ne--g\ne--f\n");
	expect(LIST(.reverse = true, .delimiter = S("/")), "h\ne--g\ne--f\nb\na/\na\n");
	expect(list(SWIFT_CONTAINER, &(struct listing_query){ .limit = 4, .reverse = true,
							       .end_marker = S("b") }),
	       "a/b/3\na/b/\na/2\na/1\n");
}

static void forms(void **state)
{
	struct listing_query q = { .limit = 1, .format = LISTING_JSON };

	(void)state;
	expect(list(SWIFT_CONTAINER, &q),
	       "[{\"bytes\": 0, \"hash\": \"abc\", \"name\": \"a\", \"content_type\": "
	       "\"t&t\", \"last_modified\": \"2014-06-11T05:31:17.041880\"}]");
	expect(list(SWIFT_ACCOUNT, &q),
	       "[{\"name\": \"a\", \"count\": 7, \"bytes\": 0, \"last_modified\": "
	       "\"2014-06-11T05:31:17.041880\"}]");
	q.format = LISTING_XML;
	expect(list(SWIFT_CONTAINER, &q),
	       "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<container "
	       "name=\"con&lt;&quot;\"><object><name>a</name>"
	       "<hash>abc</hash><bytes>0</bytes><content_type>t&amp;t</content_type>"
	       "<last_modified>2014-06-11T05:31:17.041880</last_modified></object></container>");
	expect(list(SWIFT_ACCOUNT, &q),
	       "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<account "
	       "name=\"con&lt;&quot;\">\n<container><name>a</name>"
	       "<count>7</count><bytes>0</bytes><last_modified>2014-06-11T05:31:17.041880</"
	       "last_modified>"
	       "</container>\n</account>");
	q.limit = 0;
	expect(list(SWIFT_CONTAINER, &q),
	       "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<container name=\"con&lt;&quot;\" />");
	q.format = LISTING_JSON;
	expect(list(SWIFT_CONTAINER, &q), "[]");
	expect(LIST(.format = LISTING_JSON, .delimiter = S("/"), .prefix = S("a/b")),
	       "[{\"subdir\": \"a/b/\"}]");
	expect(LIST(.format = LISTING_XML, .delimiter = S("/"), .prefix = S("a/b")),
	       "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<container "
	       "name=\"con&lt;&quot;\"><subdir name=\"a/b/\">"
	       "<name>a/b/</name></subdir></container>");
}

/* Rows of a directory are counted, so that a long one can be jumped over. */
static void passing_over(void **state)
{
	struct listing_query q = { .limit = 10, .delimiter = S("/") };
	struct rollup u;
	char name[32];

	(void)state;
	rollup_init(&u, A, SWIFT_CONTAINER, &q);
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(name, sizeof name, "dir/%04u", i);
		assert_true(rollup_add(&u, &(struct raw_row){ .name = str_from(name) }));
		assert_int_equal(u.passed, i);
	}
	assert_int_equal(u.count, 1);
	assert_true(str_eq(str_of(u.directory, u.directory_n), S("dir/")));
	rollup_done(&u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all),
		cmocka_unit_test(ends),
		cmocka_unit_test(delimiters),
		cmocka_unit_test(paths),
		cmocka_unit_test(backwards),
		cmocka_unit_test(forms),
		cmocka_unit_test(passing_over),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
