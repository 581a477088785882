/* Hashed passwords by OpenSSL's scrypt. */
#include "lib/base/base.h"
#include "lib/base/encode.h"
#include "lib/crypto/digest.h"
#include "lib/crypto/scrypt.h"

#include <openssl/evp.h>

enum { SALT_SIZE = 16, HASH_SIZE = 32, COST_N = 16384, COST_R = 8, COST_P = 1,
       MEMORY_MAX = 64 * MIB };

struct parts {
	uint64_t n, r, p;
	unsigned char salt[SALT_SIZE], hash[HASH_SIZE];
};

static bool derive(struct str password, const struct parts *of, unsigned char hash[HASH_SIZE])
{
	return EVP_PBE_scrypt(password.n ? password.p : "", password.n, of->salt, SALT_SIZE, of->n,
			      of->r, of->p, MEMORY_MAX, hash, HASH_SIZE) == 1;
}

void scrypt_make(struct str password, char text[SCRYPT_TEXT_SIZE])
{
	struct parts made = { .n = COST_N, .r = COST_R, .p = COST_P };
	char salt[2 * SALT_SIZE + 1], hash[2 * HASH_SIZE + 1];

	random_bytes(made.salt, sizeof made.salt);
	if (!derive(password, &made, made.hash))
		unreachable("scrypt refuses its own parameters");
	hex_encode(made.salt, sizeof made.salt, salt);
	hex_encode(made.hash, sizeof made.hash, hash);
	snprintf(text, SCRYPT_TEXT_SIZE, "scrypt$%d$%d$%d$%s$%s", COST_N, COST_R, COST_P, salt,
		 hash);
}

static bool parse(struct str text, struct parts *ret)
{
	struct str rest = text;

	if (!str_eq(str_cut(&rest, '$'), S("scrypt")) ||
	    str_to_u64(str_cut(&rest, '$'), &ret->n) < 0 ||
	    str_to_u64(str_cut(&rest, '$'), &ret->r) < 0 ||
	    str_to_u64(str_cut(&rest, '$'), &ret->p) < 0)
		return false;
	struct str salt = str_cut(&rest, '$');

	return salt.n == 2 * (size_t)SALT_SIZE && rest.n == 2 * (size_t)HASH_SIZE &&
	       hex_decode(salt, ret->salt, SALT_SIZE) == 0 &&
	       hex_decode(rest, ret->hash, HASH_SIZE) == 0;
}

bool scrypt_check(struct str password, struct str text)
{
	struct parts want = { 0 };
	unsigned char got[HASH_SIZE];
	bool known = parse(text, &want);

	if (!known)
		want.n = COST_N, want.r = COST_R, want.p = COST_P;
	bool good = derive(password, &want, got);

	return good && known &&
	       str_eq_secret(str_of((const char *)want.hash, HASH_SIZE),
			     str_of((const char *)got, HASH_SIZE));
}
