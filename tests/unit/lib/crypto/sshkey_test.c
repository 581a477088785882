/* Tests lib/crypto/sshkey.c: what is made is what is read, and broken keys are refused. That
 * ssh-keygen reads them, too, is in tests/compute/test_server.py. */
#include "lib/crypto/sshkey.h"

#include <setjmp.h>
#include <cmocka.h>

/* By ssh-keygen -l -E md5. */
static const char known[] = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWF"
			    "xgZGhscHR4f";

static void test_made(void **state)
{
	AUTO(arena) a = arena_new();
	struct str private, public, again;
	char fingerprint[SSHKEY_FINGERPRINT_SIZE];

	(void)state;
	sshkey_make(a, S("key of somebody"), &private, &public);
	assert_int_equal(sshkey_check(public, fingerprint), 0);
	assert_int_equal(strlen(fingerprint), 47);
	assert_true(str_starts(public, S("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI")));
	assert_true(str_ends(public, S(" key of somebody")));
	assert_true(str_starts(private, S("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk")));
	assert_true(str_ends(private, S("\n-----END OPENSSH PRIVATE KEY-----\n")));
	sshkey_make(a, S("key of somebody"), &private, &again);
	assert_false(str_eq(public, again));
}

static void test_broken(void **state)
{
	static const char *const broken[] = {
		"", "ssh-ed25519", "ssh-ed25519 ", "ssh-rsa JUNK", "bad",
		/* the type in front is another one than in the blob */
		"ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f",
		/* cut off, and longer */
		"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhsc",
		("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4"
		 "fAA=="),
		"ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAAQE=",
		"ssh-new AAAAB3NzaC1uZXcAAAABAA==",
		"ssh-ed25519 /////w==",
	};
	char fingerprint[SSHKEY_FINGERPRINT_SIZE];

	(void)state;
	assert_int_equal(sshkey_check(str_from(known), fingerprint), 0);
	for (size_t i = 0; i < ARRAY_LEN(broken); i++)
		assert_int_equal(sshkey_check(str_from(broken[i]), fingerprint), -EINVAL);
}

static void test_fingerprint(void **state)
{
	char fingerprint[SSHKEY_FINGERPRINT_SIZE];

	(void)state;
	assert_int_equal(sshkey_check(S("  ssh-ed25519   AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCw"
					"wNDg8QERITFBUWFxgZGhscHR4f  some body \n"), fingerprint),
			 0);
	assert_string_equal(fingerprint, "0f:a2:0a:d7:38:3e:65:45:08:6b:63:84:1c:ff:dc:ba");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_made),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_fingerprint),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
