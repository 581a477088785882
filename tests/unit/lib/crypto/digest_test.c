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

/* Keys around the size of a block; of 131 bytes as in RFC 4231 4.7. */
static void hmac_keys(void **state)
{
	static const struct {
		enum digest_kind kind;
		size_t n;
		const char *hex;
	} want[] = {
		{ DIGEST_SHA1, 63,
		  "5051aeaffc4125c3fbb47c870d1815d17248eed5" },
		{ DIGEST_SHA1, 64,
		  "070a98992c4c1a83474cb780fc564608df3cf503" },
		{ DIGEST_SHA1, 65,
		  "b5a88a552cdd7545b07b117d31e4be33c2ddcd57" },
		{ DIGEST_SHA1, 127,
		  "a00054e109bbb64b1a5407b6f66879c91ff45d5c" },
		{ DIGEST_SHA1, 128,
		  "aba6914d8dc44e2689d5bddac0ae076b715e4947" },
		{ DIGEST_SHA1, 129,
		  "1025987f4ae605610eb2ccc5626980098f76a270" },
		{ DIGEST_SHA1, 131,
		  "90d0dace1c1bdc957339307803160335bde6df2b" },
		{ DIGEST_SHA256, 63,
		  "b9f6d3205603dddcfb871b8132f698f2fc3b0cf9765fed0113231d1e6739d728" },
		{ DIGEST_SHA256, 64,
		  "84332a7580ed3cf75de83c644c8d2c1c262ad90e0190e5c5ae4b82b2102e8e75" },
		{ DIGEST_SHA256, 65,
		  "c62955a96944ff68deabbc0eab6192065c1c55bb8ddee16151ed5337f911eab9" },
		{ DIGEST_SHA256, 127,
		  "b6b05d18010cd89c213099f81e99ff47af49b098900acddc2278ef72dea774d4" },
		{ DIGEST_SHA256, 128,
		  "f4c628398866742a99f3e2550d7f6ca135a8995a3940a190d75636a4fe27d788" },
		{ DIGEST_SHA256, 129,
		  "2169ff423721eb68fd6ae2b7d5a06348cb962bdbabeb4ba6c2138dff7777d0a6" },
		{ DIGEST_SHA256, 131,
		  "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54" },
		{ DIGEST_SHA512, 63,
		  "ba59537454426f151ce856966ac6d9dbef8ecfbb559d2beca49866165df22dbc"
		  "2b83c7ad5ce8c6c8fc64c9dd3e9785abe052f9f6e81802ecc442c59e1d35bc7f" },
		{ DIGEST_SHA512, 64,
		  "c875fd3bdaedf841dba929223cfe23efcb3a3cc86c079158902bafe28129075c"
		  "c432651004e4cc5d17542651674dfce0fc29bf0a010628d99a62c31b0c915498" },
		{ DIGEST_SHA512, 65,
		  "b88e906c4fdff73e3c28e8c4515aafa99d4075fc9c8117f555d9f3ba2fce2c07"
		  "7fc1e8d4881f036d632a68f3bbbb886f48d78676b60bdcc290351fc1c00e3812" },
		{ DIGEST_SHA512, 127,
		  "917bba5865e9b72edc29441cb1ebd9d786ba7a14c023f438e6824905ff60d7a7"
		  "8a9cead08240d653bae51d11a033ab0b0bfcbafef7674662fcde8603ec2a0718" },
		{ DIGEST_SHA512, 128,
		  "3509e3c2f595a04cded036836e06094146d866a0834de4839f4c349292e8a03e"
		  "91f29070f7e414b64f286c29aacd4c19baebcda0d529abcbfb6caf189fb3079f" },
		{ DIGEST_SHA512, 129,
		  "43a4b1f8caa79d9bd189d279990481e79a3096d8ec2aec3901f2bf8a894c8946"
		  "2c21a3e902207de792fce9bfb2d52beb04289022ebaacfbadc99bae86d3c7c6d" },
		{ DIGEST_SHA512, 131,
		  "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352"
		  "6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598" },
	};
	unsigned char out[DIGEST_MAX];
	char key[131];

	(void)state;
	memset(key, 0xaa, sizeof key);
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		hmac_of(want[i].kind, str_of(key, want[i].n),
			S("Test Using Larger Than Block-Size Key - Hash Key First"), out);
		is(want[i].kind, out, want[i].hex);
	}
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
		cmocka_unit_test(known), cmocka_unit_test(hmac), cmocka_unit_test(hmac_keys),
		cmocka_unit_test(crc),
		cmocka_unit_test(randomness),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
