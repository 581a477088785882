/* Which headers are stored with objects, by PUT and by POST. */
#include "objectd/object/metadata.h"

#include "objectd/objectd_conf.h"

#include <setjmp.h>
#include <cmocka.h>

static const struct str allowed[] = { STR_INIT("content-encoding"), STR_INIT("x-delete-at"),
				      STR_INIT("x-static-large-object"), STR_INIT("etag") };

static int set_up(void **state)
{
	(void)state;
	objectd_conf.allowed_headers = (struct conf_list){ allowed, ARRAY_LEN(allowed) };
	return 0;
}

static struct headers *make(struct arena *a, const char *const *h)
{
	struct headers *made = arena_alloc(a, sizeof *made);

	headers_init(made, a);
	for (; *h; h += 2)
		headers_add(made, str_from(h[0]), str_from(h[1]));
	return made;
}
#define MAKE(...) make(a, (const char *const[]){ __VA_ARGS__, NULL })

static void is(const struct headers *h, const char *name, const char *value)
{
	struct str found = headers_get(h, str_from(name));

	if (!value) {
		assert_null(found.p);
		return;
	}
	assert_non_null(found.p);
	assert_int_equal(found.n, strlen(value));
	assert_memory_equal(found.p, value, found.n);
}

static void names(void **state)
{
	(void)state;
	assert_true(meta_is_user(S("x-object-meta-a")));
	assert_false(meta_is_user(S("X-Object-Meta-")));
	assert_true(meta_is_sys(S("X-Object-Sysmeta-A")));
	assert_true(meta_is_transient(S("X-Object-Transient-Sysmeta-A")));
	assert_true(meta_is_allowed(S("Content-Encoding")));
	assert_false(meta_is_allowed(S("Content-Length")));
	/* Not even when an operator lists it. */
	assert_false(meta_is_allowed(S("ETag")));
	assert_false(meta_is_shown(S(META_SWIFT_BYTES)));
	assert_false(meta_is_shown(S("X-Container-Host")));
}

static void put(void **state)
{
	AUTO(arena) a = arena_new();
	struct headers *request =
		MAKE("content-type", "text/plain", "x-object-meta-colour", "red",
		     "X-Object-Sysmeta-S", "1", "Content-Encoding", "gzip", "X-Backend-Y", "no",
		     "Expires", "not allowed", "Etag", "\"sent\"");
	struct headers *footers = MAKE("X-Object-Sysmeta-S", "2", "Content-Encoding", "br");
	struct headers h;

	(void)state;
	headers_init(&h, a);
	meta_of_put(request, footers, S("md5"), &h);
	is(&h, "Content-Type", "text/plain");
	is(&h, "ETag", "md5");
	is(&h, "X-Object-Meta-Colour", "red");
	is(&h, "X-Object-Sysmeta-S", "2");
	is(&h, "Content-Encoding", "gzip");
	assert_int_equal(h.n, 5);
}

static void replicated_put(void **state)
{
	AUTO(arena) a = arena_new();
	struct headers *request = MAKE("Content-Type", "a/b", "X-Backend-Replication-Headers",
				       "Expires Content-Length X-Needletail-Swift-Bytes", "Expires",
				       "named", "Content-Length", "5", META_SWIFT_BYTES, "77",
				       META_CONTENT_TYPE_TS, "1400000000.00000");
	struct headers h;

	(void)state;
	headers_init(&h, a);
	meta_of_put(request, NULL, S("md5"), &h);
	is(&h, "Expires", "named");
	is(&h, "Content-Length", NULL);
	is(&h, META_SWIFT_BYTES, "77");
	is(&h, META_CONTENT_TYPE_TS, "1400000000.00000");
}

static void post(void **state)
{
	AUTO(arena) a = arena_new();
	struct headers *existing =
		MAKE("Content-Type", "a/b", "ETag", "md5", "X-Object-Meta-Old", "1",
		     "X-Object-Sysmeta-S", "1", "Content-Encoding", "gzip", "X-Static-Large-Object",
		     "True", "X-Object-Transient-Sysmeta-T", "1");
	struct headers *request = MAKE("X-Object-Meta-New", "2", "X-Object-Sysmeta-S", "2",
				       "X-Static-Large-Object", "False", "X-Delete-At", "99",
				       "Content-Type", "c/d");
	struct headers h;

	(void)state;
	headers_init(&h, a);
	meta_of_post(request, existing, &h);
	is(&h, "Content-Type", "a/b");
	is(&h, "ETag", "md5");
	is(&h, "X-Object-Meta-Old", NULL);
	is(&h, "X-Object-Meta-New", "2");
	is(&h, "X-Object-Sysmeta-S", "1");
	is(&h, "Content-Encoding", NULL);
	is(&h, "X-Static-Large-Object", "True");
	is(&h, "X-Object-Transient-Sysmeta-T", NULL);
	is(&h, "X-Delete-At", "99");
}

static void content_types(void **state)
{
	AUTO(arena) a = arena_new();
	struct timestamp data = timestamp_of_us(1000000), ts;

	(void)state;
	ts = meta_content_type_ts(MAKE("Content-Type", "a/b"), data);
	assert_int_equal(timestamp_cmp(ts, data), 0);
	ts = meta_content_type_ts(MAKE(META_CONTENT_TYPE_TS, "0000000002.00000"), data);
	assert_int_equal(timestamp_us(ts), 2000000);
	assert_null(meta_swift_bytes(S("text/plain")).p);
	assert_null(meta_swift_bytes(S("swift_bytes=1")).p);
	assert_true(str_eq(meta_swift_bytes(S("text/plain;swift_bytes=12")), S("12")));
	assert_true(str_eq(meta_swift_bytes(S("a/b; x=y; swift_bytes=1;swift_bytes=2")), S("2")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names), cmocka_unit_test(put), cmocka_unit_test(replicated_put),
		cmocka_unit_test(post), cmocka_unit_test(content_types),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
