/* What tokens hold: the first time, and from the cache. */
#include "tests/unit/cmocka.h"
#include "proxy/identity/token_cache.h"

#define KIND S("tempauth")

static struct seal_keys keys_of(const char *secret)
{
	struct seal_keys k = { .n = 0 };

	seal_keys_add(&k, str_from(secret));
	return k;
}

static struct str seal(struct arena *a, const struct seal_keys *k, struct str content)
{
	CLEANUP(buf_done) struct buf b = BUF(TOKEN_MAX);

	seal_make(k, KIND, content, &b);
	assert_false(buf_failed(&b));
	return arena_str(a, buf_str(&b));
}

static void opens(void **state)
{
	AUTO(arena) a = arena_new();
	struct seal_keys k = keys_of("secret");
	char *long_one = arena_cstr(a, arena_printf(a, "%01000d", 7));
	const struct str contents[] = { S("1700000000|test:tester|"), S(""), S("with\0a NUL"),
					str_from(long_one) };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(contents); i++) {
		struct str sealed = seal(a, &k, contents[i]), content;

		for (int j = 0; j < 3; j++) {
			content = STR_NONE;
			assert_int_equal(token_unseal(a, &k, KIND, sealed, &content), 0);
			assert_true(str_eq(content, contents[i]));
		}
	}
}

/* Having been opened helps nobody who must not open it. */
static void refused(void **state)
{
	AUTO(arena) a = arena_new();
	struct seal_keys k = keys_of("secret"), other = keys_of("another");
	struct str sealed = seal(a, &k, S("content")), ret;
	char *cut = arena_cstr(a, sealed);

	(void)state;
	cut[sealed.n / 2] = cut[sealed.n / 2] == 'A' ? 'B' : 'A';
	for (int i = 0; i < 3; i++) {
		assert_int_equal(token_unseal(a, &k, KIND, sealed, &ret), 0);
		assert_int_equal(token_unseal(a, &k, S("keystone"), sealed, &ret), -EBADMSG);
		assert_int_equal(token_unseal(a, &k, KIND, str_head(sealed, sealed.n - 2), &ret),
				 -EBADMSG);
		assert_int_equal(token_unseal(a, &k, KIND, str_from(cut), &ret), -EBADMSG);
		assert_int_equal(token_unseal(a, &k, KIND, STR_NONE, &ret), -EBADMSG);
		assert_int_equal(token_unseal(a, &other, KIND, sealed, &ret), -EBADMSG);
	}
}

static void two_keys(void **state)
{
	AUTO(arena) a = arena_new();
	struct seal_keys old = keys_of("old"), both = keys_of("new");
	struct str sealed = seal(a, &old, S("content")), ret;

	(void)state;
	seal_keys_add(&both, S("old"));
	assert_int_equal(token_unseal(a, &both, KIND, sealed, &ret), 0);
	assert_int_equal(token_unseal(a, &both, KIND, sealed, &ret), 0);
	both.n = 1;                     /* the old one is dropped */
	assert_int_equal(token_unseal(a, &both, KIND, sealed, &ret), -EBADMSG);
}

/* More than are remembered. */
static void many(void **state)
{
	AUTO(arena) a = arena_new();
	struct seal_keys k = keys_of("secret");

	(void)state;
	for (int i = 0; i < 3000; i++) {
		struct str content = arena_printf(a, "%d", i % 1700), ret;

		assert_int_equal(token_unseal(a, &k, KIND, seal(a, &k, content), &ret), 0);
		assert_true(str_eq(content, ret));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens),
		cmocka_unit_test(refused),
		cmocka_unit_test(two_keys),
		cmocka_unit_test(many),
	};

	return cmocka_run_group_tests_name("proxy/identity/token_cache", tests, NULL, NULL);
}
