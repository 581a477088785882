/* Tests of lib/crypto/scrypt.c. */
#include "lib/base/base.h"
#include "lib/crypto/scrypt.h"
#include "tests/unit/cmocka.h"

static void test_check(void **state)
{
	char text[SCRYPT_TEXT_SIZE], other[SCRYPT_TEXT_SIZE];

	(void)state;
	scrypt_make(S("secret"), text);
	scrypt_make(S("secret"), other);
	assert_true(strcmp(text, other) != 0);  /* each with a salt of its own */
	assert_true(scrypt_check(S("secret"), str_from(text)));
	assert_true(scrypt_check(S("secret"), str_from(other)));
	assert_false(scrypt_check(S("Secret"), str_from(text)));
	assert_false(scrypt_check(S(""), str_from(text)));
	scrypt_make(S(""), text);
	assert_true(scrypt_check(S(""), str_from(text)));
}

static void test_known(void **state)
{
	/* Python: hashlib.scrypt(b"secret", salt=bytes(16), n=16, r=8, p=1, dklen=32).hex() */
	(void)state;
	assert_true(scrypt_check(
		S("secret"),
		S("scrypt$16$8$1$00000000000000000000000000000000$"
		  "6aeae1d74ccc77fe6c40b783fc59dcfc3018031ec3412348b45e7ce5117c21e1")));
}

static void test_nonsense(void **state)
{
	static const char *const texts[] = {
		"", "scrypt", "scrypt$16$8$1$00$00", "scrypt$x$8$1$00$00", "bcrypt$16$8$1$$",
		"scrypt$3$8$1$00000000000000000000000000000000$"
		"0000000000000000000000000000000000000000000000000000000000000000",
		"scrypt$99999999999$8$1$00000000000000000000000000000000$"
		"0000000000000000000000000000000000000000000000000000000000000000",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		assert_false(scrypt_check(S("secret"), str_from(texts[i])));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
