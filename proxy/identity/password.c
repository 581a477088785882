/* Passwords: scrypt off the loop for those that are stored, and the configuration's own; compared
 * in constant time. */
#include "lib/base/encode.h"
#include "lib/crypto/digest.h"
#include "proxy/identity/identity.h"

#include <openssl/evp.h>

enum { SALT_SIZE = 16, HASH_SIZE = 32, COST_N = 16384, COST_R = 8, COST_P = 1 };

struct hashing {
	struct str password;
	unsigned char salt[SALT_SIZE], hash[HASH_SIZE];
	uint64_t n, r, p;
	bool good;
};

static void hash(void *arg)
{
	struct hashing *h = arg;

	h->good = EVP_PBE_scrypt(h->password.n ? h->password.p : "", h->password.n, h->salt,
				 sizeof h->salt, h->n, h->r, h->p, 64 * MIB, h->hash,
				 sizeof h->hash) == 1;
}

/* "scrypt$N$r$p$salt$hash", the last two in hex. */
struct str password_hash(struct arena *a, struct str password)
{
	struct hashing h = { .password = password, .n = COST_N, .r = COST_R, .p = COST_P };
	char salt[2 * SALT_SIZE + 1], text[2 * HASH_SIZE + 1];

	random_bytes(h.salt, sizeof h.salt);
	task_run_blocking("scrypt", hash, &h);
	assert(h.good);
	hex_encode(h.salt, sizeof h.salt, salt);
	hex_encode(h.hash, sizeof h.hash, text);
	return arena_printf(a, "scrypt$%d$%d$%d$%s$%s", COST_N, COST_R, COST_P, salt, text);
}

static int parse(struct str text, struct hashing *h, unsigned char want[HASH_SIZE])
{
	struct str rest = text;

	if (!str_eq(str_cut(&rest, '$'), S("scrypt")) ||
	    str_to_u64(str_cut(&rest, '$'), &h->n) < 0 ||
	    str_to_u64(str_cut(&rest, '$'), &h->r) < 0 ||
	    str_to_u64(str_cut(&rest, '$'), &h->p) < 0)
		return -EINVAL;
	struct str salt = str_cut(&rest, '$');

	if (salt.n != 2 * (size_t)SALT_SIZE || rest.n != 2 * (size_t)HASH_SIZE ||
	    hex_decode(salt, h->salt, SALT_SIZE) < 0 || hex_decode(rest, want, HASH_SIZE) < 0)
		return -EINVAL;
	return 0;
}

/* Against a hash; without one the same time is spent in vain. */
waits static bool matches(struct str stored, struct str password)
{
	struct hashing h = { .password = password, .n = COST_N, .r = COST_R, .p = COST_P };
	unsigned char want[HASH_SIZE] = { 0 };
	bool known = parse(stored, &h, want) == 0;

	if (!known)
		h.n = COST_N, h.r = COST_R, h.p = COST_P;
	task_run_blocking("scrypt", hash, &h);
	return known && h.good &&
	       str_eq_secret(str_of((const char *)want, sizeof want),
			     str_of((const char *)h.hash, sizeof h.hash));
}

static bool equal(struct str want, struct str got)
{
	unsigned char a[SHA256_SIZE], b[SHA256_SIZE];

	digest_of(DIGEST_SHA256, want.p ? want.p : "", want.n, a);
	digest_of(DIGEST_SHA256, got.p ? got.p : "", got.n, b);
	return str_eq_secret(str_of((const char *)a, sizeof a), str_of((const char *)b, sizeof b));
}

bool password_check(const struct identity *id, struct str user, struct str password)
{
	const json_t *doc = records_get(id->records, RECORD_USER, user);
	struct str stored = json_str(doc, "_password");
	struct str key = json_str(records_base(id->records, RECORD_USER, user), "_key");

	/* The configuration's password holds until somebody sets another. */
	if (doc && !stored.p && key.n)
		return equal(key, password);
	if (stored.n >= 256)
		return false;
	char copy[256];         /* the record may be replaced while this waits */

	memcpy(copy, stored.p ? stored.p : "", stored.n);
	return matches(str_of(copy, stored.n), password);
}

bool credential_check(const struct identity *id, struct str credential, struct str secret)
{
	const json_t *doc = records_get(id->records, RECORD_CREDENTIAL, credential);
	struct str stored = json_str(doc, "_secret");
	char copy[256];

	if (stored.n >= sizeof copy)
		return false;
	memcpy(copy, stored.p ? stored.p : "", stored.n);
	return matches(str_of(copy, stored.n), secret);
}
