/* Limits of metadata, headers of an object PUT, guessing of content types. */
#include "tests/unit/cmocka.h"
#include "lib/swift/metadata.h"

struct fixture {
	struct arena *arena;
	struct request req;
	struct response res;
};

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof *f);

	f->arena = arena_new();
	f->req.magic = REQUEST_MAGIC;
	f->req.arena = f->arena;
	headers_init(&f->req.headers, f->arena);
	response_init(&f->res, f->arena);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	arena_free(f->arena);
	free(f);
	return 0;
}

static void meta_limits(void **state)
{
	struct fixture *f = *state;
	char name[300], value[300];

	memset(name, 'n', sizeof name);
	memset(value, 'v', sizeof value);
	struct str prefix = S("X-Object-Meta-");

	memcpy(name, prefix.p, prefix.n);
	headers_add(&f->req.headers, str_of(name, prefix.n + 128), str_of(value, 256));
	assert_int_equal(metadata_check(&swift_limits_default, SWIFT_OBJECT, &f->req, &f->res), 0);
	headers_add(&f->req.headers, str_of(name, prefix.n + 129), S("x"));
	assert_int_equal(metadata_check(&swift_limits_default, SWIFT_OBJECT, &f->req, &f->res),
			 -EINVAL);
	assert_int_equal(f->res.status, 400);
	f->req.headers.n = 0;
	headers_add(&f->req.headers, S("x-object-meta-a"), str_of(value, 257));
	assert_int_equal(metadata_check(&swift_limits_default, SWIFT_OBJECT, &f->req, &f->res),
			 -EINVAL);
	f->req.headers.n = 0;
	headers_add(&f->req.headers, S("X-Object-Meta-"), S("x"));
	assert_int_equal(metadata_check(&swift_limits_default, SWIFT_OBJECT, &f->req, &f->res),
			 -EINVAL);
}

static void meta_count_and_size(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 90; i++)
		headers_addf(&f->req.headers, arena_printf(f->arena, "X-Container-Meta-%d", i),
			     "%d", i);
	assert_int_equal(metadata_check(&swift_limits_default, SWIFT_CONTAINER, &f->req, &f->res),
			 0);
	headers_add(&f->req.headers, S("X-Container-Meta-One-More"), S("1"));
	assert_int_equal(metadata_check(&swift_limits_default, SWIFT_CONTAINER, &f->req, &f->res),
			 -EINVAL);
	f->req.headers.n = 0;
	for (int i = 0; i < 17; i++)
		headers_addf(&f->req.headers, arena_printf(f->arena, "X-Container-Meta-%02d", i),
			     "%0250d", i);
	assert_int_equal(metadata_check(&swift_limits_default, SWIFT_CONTAINER, &f->req, &f->res),
			 -EINVAL);
	/* Another kind's metadata does not count. */
	assert_int_equal(metadata_check(&swift_limits_default, SWIFT_OBJECT, &f->req, &f->res), 0);
}

static void utf8_rules(void **state)
{
	struct fixture *f = *state;

	headers_add(&f->req.headers, S("X-Account-Meta-A"), S("\xff"));
	headers_add(&f->req.headers, S("X-Object-Meta-A"), S("\xff"));
	assert_int_equal(metadata_check(&swift_limits_default, SWIFT_ACCOUNT, &f->req, &f->res),
			 -EINVAL);
	assert_int_equal(metadata_check(&swift_limits_default, SWIFT_OBJECT, &f->req, &f->res), 0);
}

static int created(struct fixture *f, struct str object)
{
	return object_creation_check(&swift_limits_default, &f->req, object,
				     timestamp_of_us(1000000000000000), &f->res);
}

static void creation(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(created(f, S("o")), -EINVAL);
	assert_int_equal(f->res.status, 411);
	headers_add(&f->req.headers, S("Content-Length"), S("0"));
	assert_int_equal(created(f, S("o")), -EINVAL);
	assert_int_equal(f->res.status, 400);   /* no Content-Type */
	headers_add(&f->req.headers, S("Content-Type"), S("text/plain"));
	assert_int_equal(created(f, S("o")), 0);
	f->req.content_length = 5368709123;
	assert_int_equal(created(f, S("o")), -EINVAL);
	assert_int_equal(f->res.status, 413);
	f->req.content_length = 0;
	struct str long_name = str_of(memset(arena_alloc(f->arena, 1025), 'o', 1025), 1025);

	assert_int_equal(created(f, long_name), -EINVAL);
	assert_int_equal(f->res.status, 400);
	assert_int_equal(created(f, str_head(long_name, 1024)), 0);
}

static void deletion_times(void **state)
{
	static const struct { const char *name, *value; int rc; const char *at;
	} cases[] = {
		{ "X-Delete-At", "1000000001", 0, "1000000001" },
		{ "X-Delete-At", "1000000000", -EINVAL, NULL },
		{ "X-Delete-At", "soon", -EINVAL, NULL },
		{ "X-Delete-After", "60", 0, "1000000060" },
		{ "X-Delete-After", "0", -EINVAL, NULL },
		{ "X-Delete-After", "-1", -EINVAL, NULL },
		{ "X-Delete-After", "1.5", -EINVAL, NULL },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		f->req.headers.n = 0;
		headers_add(&f->req.headers, str_from(cases[i].name), str_from(cases[i].value));
		assert_int_equal(
			delete_headers_check(&f->req, timestamp_of_us(1000000000000000), &f->res),
			cases[i].rc);
		if (cases[i].at)
			assert_true(str_eq(headers_get_lit(&f->req.headers, "X-Delete-At"),
					   str_from(cases[i].at)));
	}
}

static void guessing(void **state)
{
	(void)state;
	assert_str(mime_guess(S("a/b/photo.JPG")), "image/jpeg");
	assert_str(mime_guess(S("x.tar.gz")), "application/x-tar");
	assert_str(mime_guess(S("page.html")), "text/html");
	assert_null(mime_guess(S("README")).p);
	assert_null(mime_guess(S(".html")).p);
	assert_null(mime_guess(S("dir.html/file")).p);
	assert_null(mime_guess(S("trailing.")).p);
}

static void internal_names(void **state)
{
	(void)state;
	assert_true(metadata_is_internal(S("X-Backend-Anything")));
	assert_true(metadata_is_internal(S("x-container-host")));
	assert_true(metadata_is_internal(S("X-Object-Sysmeta-Slo-Etag")));
	assert_false(metadata_is_internal(S("X-Object-Meta-Color")));
	assert_false(metadata_is_internal(S("X-Container-Hostname")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(meta_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(meta_count_and_size, setup, teardown),
		cmocka_unit_test_setup_teardown(utf8_rules, setup, teardown),
		cmocka_unit_test_setup_teardown(creation, setup, teardown),
		cmocka_unit_test_setup_teardown(deletion_times, setup, teardown),
		cmocka_unit_test(guessing),
		cmocka_unit_test(internal_names),
	};

	return cmocka_run_group_tests_name("lib/swift/metadata", tests, NULL, NULL);
}
