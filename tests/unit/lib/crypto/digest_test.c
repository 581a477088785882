/* lib/crypto/digest: known answers. */
#include "lib/crypto/digest.h"
#include "lib/base/encode.h"

#include <setjmp.h>
#include <cmocka.h>

static void is(enum digest_kind kind, const unsigned char *got, const char *hex)
{
	char text[2 * DIGEST_MAX + 1];

	hex_encode(got, digest_size(kind), text);
	assert_string_equal(text, hex);
}

static void known(void **state)
{
	static const char *const abc[] = {
		[DIGEST_MD5] = "900150983cd24fb0d6963f7d28e17f72",
		[DIGEST_SHA1] = "a9993e364706816aba3e25717850c26c9cd0d89d",
		[DIGEST_SHA256] =
			"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
		[DIGEST_SHA512] =
			("ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
			 "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"),
	};
	unsigned char out[DIGEST_MAX];
	char text[MD5_HEX_SIZE];

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(abc); k++) {
		AUTO(digest) d = digest_new((enum digest_kind)k);

		digest_of((enum digest_kind)k, "abc", 3, out);
		is((enum digest_kind)k, out, abc[k]);
		digest_add(d, "zz", 2);
		digest_reset(d);
		digest_add(d, "a", 1);
		digest_add(d, NULL, 0);
		digest_add(d, "bc", 2);
		digest_final(d, out);
		is((enum digest_kind)k, out, abc[k]);
	}
	md5_hex(S(""), text);
	assert_string_equal(text, "d41d8cd98f00b204e9800998ecf8427e");
}

static void hmac(void **state)
{
	unsigned char out[DIGEST_MAX];

	(void)state;
	hmac_of(DIGEST_SHA256, S("Jefe"), S("what do ya want for nothing?"), out);
	is(DIGEST_SHA256, out, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	hmac_of(DIGEST_SHA1, S("Jefe"), S("what do ya want for nothing?"), out);
	is(DIGEST_SHA1, out, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
	hmac_of(DIGEST_SHA1, S(""), S(""), out);
	is(DIGEST_SHA1, out, "fbdb1d1b18aa6c08324b7d64b71fb76370690e1d");
}

static void crc(void **state)
{
	unsigned char zeros[32] = { 0 };

	(void)state;
	assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
	assert_int_equal(crc32c(0, zeros, sizeof zeros), 0x8a9136aa);
	assert_int_equal(crc32c(crc32c(0, "1234", 4), "56789", 5), 0xe3069283);
	assert_int_equal(crc32c(77, "", 0), 77);
}

static void randomness(void **state)
{
	unsigned char a[32], b[32];

	(void)state;
	random_bytes(a, sizeof a);
	random_bytes(b, sizeof b);
	assert_memory_not_equal(a, b, sizeof a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known), cmocka_unit_test(hmac), cmocka_unit_test(crc),
		cmocka_unit_test(randomness),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
