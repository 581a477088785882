/* Signatures of temporary URLs: all forms, and the address ranges. */
#include "tests/unit/cmocka.h"
#include "lib/base/encode.h"
#include "lib/swift/tempurl.h"

/* As the published Python example does it: hmac.new(key, "GET\n<expires>\n<path>", sha1). */
static void published_example(void **state)
{
	AUTO(arena) a = arena_new();
	struct str message = tempurl_message(a, STR_NONE, S("GET"), 1440619048,
					     S("/v1/AUTH_account/container/object"));
	struct tempurl_signature s;

	(void)state;
	assert_str(message, "GET\n1440619048\n/v1/AUTH_account/container/object");
	/* printf 'GET\n1440619048\n/v1/AUTH_account/container/object' | openssl dgst -sha1 -hmac
	 * mykey */
	unsigned char mac[SHA1_SIZE];
	char hex[2 * SHA1_SIZE + 1];

	hmac_of(DIGEST_SHA1, S("mykey"), message, mac);
	hex_encode(mac, sizeof mac, hex);
	assert_string_equal(hex, "da720a7e11f9f2c7b0fe46039811229c1c7a9cb4");
	assert_int_equal(tempurl_signature_parse(str_from(hex), &s), 0);
	assert_int_equal(s.digest, DIGEST_SHA1);
	assert_true(tempurl_signature_matches(&s, S("mykey"), message));
	assert_false(tempurl_signature_matches(&s, S("otherkey"), message));
}

static void forms(void **state)
{
	static const enum digest_kind kinds[] = { DIGEST_SHA1, DIGEST_SHA256, DIGEST_SHA512 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		CLEANUP(buf_done) struct buf b = BUF(KIB);
		unsigned char mac[DIGEST_MAX];
		struct tempurl_signature s;

		hmac_of(kinds[i], S("k"), S("m"), mac);
		buf_addf(&b, "%.*s:", STR(tempurl_digest_name(kinds[i])));
		base64_encode(&b, mac, digest_size(kinds[i]));
		assert_int_equal(tempurl_signature_parse(buf_str(&b), &s), 0);
		assert_true(tempurl_signature_matches(&s, S("k"), S("m")));
		while (b.p[b.n - 1] == '=')     /* padding is optional */
			b.n--;
		assert_int_equal(tempurl_signature_parse(buf_str(&b), &s), 0);
		assert_true(tempurl_signature_matches(&s, S("k"), S("m")));
	}
}

static void bad_forms(void **state)
{
	static const char *const bad[] = {
		"",          "abc",         "md5:AAAA", "sha1:",
		"sha1:!!!!", "sha256:AAAA", ":",        "zz720a7e11f9f2c7b0fe46039811229c1c7a9cb4",
		"DA720A7E11F9F2C7B0FE46039811229C1C7A9CB4",
		"da720a7e11f9f2c7b0fe46039811229c1c7a9cB4",
		"da720a7e11f9f2c7b0fe46039811229c1c7a9cb4 ",
		"da720a7e11f9f2c7b0fe46039811229c1c7a9cb400"
	};
	struct tempurl_signature s;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(tempurl_signature_parse(str_from(bad[i]), &s), -EINVAL);
}

static void expires(void **state)
{
	int64_t t;

	(void)state;
	assert_int_equal(tempurl_expires_parse(S("1440619048"), &t), 0);
	assert_int_equal(t, 1440619048);
	assert_int_equal(tempurl_expires_parse(S("2015-08-26T19:57:28Z"), &t), 0);
	assert_int_equal(t, 1440619048);
	assert_int_equal(tempurl_expires_parse(S("2015-08-26T19:57:28"), &t), -EINVAL);
	assert_int_equal(tempurl_expires_parse(S("soon"), &t), -EINVAL);
}

static void ranges(void **state)
{
	(void)state;
	assert_true(tempurl_ip_in_range(S("127.0.0.1"), S("127.0.0.1")));
	assert_true(tempurl_ip_in_range(S("127.1.2.3"), S("127.0.0.0/8")));
	assert_false(tempurl_ip_in_range(S("128.0.0.1"), S("127.0.0.0/8")));
	assert_false(tempurl_ip_in_range(S("127.0.0.1"), S("127.0.0.1/8")));      /* host bits */
	assert_true(tempurl_ip_in_range(S("10.1.2.3"), S("0.0.0.0/0")));
	assert_false(tempurl_ip_in_range(S("10.1.2.3"), S("10.0.0.0/33")));
	assert_false(tempurl_ip_in_range(S("10.1.2.3"), S("10.0.0.0/")));
	assert_true(tempurl_ip_in_range(S("2001:db8::1"), S("2001:db8::/32")));
	assert_false(tempurl_ip_in_range(S("10.1.2.3"), S("2001:db8::/32")));
	assert_false(tempurl_ip_in_range(S("10.1.2.3"), S("")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_example),
		cmocka_unit_test(forms),
		cmocka_unit_test(bad_forms),
		cmocka_unit_test(expires),
		cmocka_unit_test(ranges),
	};

	return cmocka_run_group_tests_name("lib/swift/tempurl", tests, NULL, NULL);
}
