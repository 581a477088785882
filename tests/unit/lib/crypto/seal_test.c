/* lib/crypto/seal: only who has a key opens, and nothing that was changed. */
#include "lib/crypto/seal.h"

#include <setjmp.h>
#include <cmocka.h>

static struct buf sealed, opened;

static int setup(void **state)
{
	(void)state;
	sealed = BUF(32 * KIB);
	opened = BUF(32 * KIB);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	buf_done(&sealed);
	buf_done(&opened);
	return 0;
}

static void round_trip(void **state)
{
	struct seal_keys k = { .n = 0 };

	(void)state;
	seal_keys_add(&k, S("secret"));
	static const size_t sizes[] = { 0, 1, 15, 16, 17, 3000 };

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		char content[3000];

		memset(content, 'x', sizeof content);
		buf_clear(&sealed);
		seal_make(&k, S("token"), str_of(content, sizes[i]), &sealed);
		for (size_t j = 0; j < sealed.n; j++)
			assert_non_null(
				strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "0123456789-_",
				       sealed.p[j]));
		assert_int_equal(seal_open(&k, S("token"), buf_str(&sealed), &opened), 0);
		assert_true(str_eq(buf_str(&opened), str_of(content, sizes[i])));
		assert_int_equal(seal_open(&k, S("other"), buf_str(&sealed), &opened), -EBADMSG);
		assert_int_equal(opened.n, 0);
	}
}

static void changed(void **state)
{
	struct seal_keys k = { .n = 0 };

	(void)state;
	seal_keys_add(&k, S("secret"));
	buf_clear(&sealed);
	seal_make(&k, S("p"), S("user:group"), &sealed);
	for (size_t i = 0; i + 1 < sealed.n; i++) {     /* the last digit has spare bits */
		char was = sealed.p[i];

		sealed.p[i] = was == 'A' ? 'B' : 'A';
		assert_int_equal(seal_open(&k, S("p"), buf_str(&sealed), &opened), -EBADMSG);
		sealed.p[i] = was;
	}
	for (size_t i = 0; i < sealed.n; i++)
		assert_int_equal(seal_open(&k, S("p"), str_head(buf_str(&sealed), i), &opened),
				 -EBADMSG);
	assert_int_equal(seal_open(&k, S("p"), S("%%%%"), &opened), -EBADMSG);
	assert_int_equal(seal_open(&k, S("p"), buf_str(&sealed), &opened), 0);
}

/* Content of each length, so that the text ends at each place in a group of four. */
static void one_text(void **state)
{
	struct seal_keys k = { 0 };

	(void)state;
	seal_keys_add(&k, S("secret"));
	for (size_t n = 0; n < 6; n++) {
		CLEANUP(buf_done) struct buf other = BUF(KIB);

		buf_clear(&sealed);
		seal_make(&k, S("p"), str_head(S("content"), n), &sealed);
		assert_int_equal(seal_open(&k, S("p"), buf_str(&sealed), &opened), 0);
		for (int c = 1; c < 256; c++) {
			buf_clear(&other);
			buf_add_str(&other, buf_str(&sealed));
			other.p[other.n - 1] = (char)c;
			assert_int_equal(seal_open(&k, S("p"), buf_str(&other), &opened) == 0,
					 str_eq(buf_str(&other), buf_str(&sealed)));
		}
		for (int i = 0; i < 3; i++) {
			buf_add_char(&sealed, '=');
			assert_int_equal(seal_open(&k, S("p"), buf_str(&sealed), &opened),
					 -EBADMSG);
		}
	}
}

static void replaced_key(void **state)
{
	struct seal_keys old = { .n = 0 }, both = { .n = 0 }, new = { .n = 0 };

	(void)state;
	seal_keys_add(&old, S("old"));
	seal_keys_add(&both, S("new"));
	seal_keys_add(&both, S("old"));
	seal_keys_add(&new, S("new"));
	buf_clear(&sealed);
	seal_make(&old, S("p"), S("x"), &sealed);
	assert_int_equal(seal_open(&both, S("p"), buf_str(&sealed), &opened), 0);
	assert_int_equal(seal_open(&new, S("p"), buf_str(&sealed), &opened), -EBADMSG);
	buf_clear(&sealed);
	seal_make(&both, S("p"), S("x"), &sealed);
	assert_int_equal(seal_open(&new, S("p"), buf_str(&sealed), &opened), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip), cmocka_unit_test(changed), cmocka_unit_test(one_text),
		cmocka_unit_test(replaced_key),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
