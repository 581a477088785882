/* Passwords: the stored ones are hashed off the loop, the configuration's own are compared in
 * constant time. */
#include "lib/crypto/digest.h"
#include "lib/crypto/scrypt.h"
#include "proxy/identity/identity.h"

struct hashing {
	struct str password;
	char text[SCRYPT_TEXT_SIZE];
	bool good;
};

static void make(void *arg)
{
	struct hashing *h = arg;

	scrypt_make(h->password, h->text);
}

static void check(void *arg)
{
	struct hashing *h = arg;

	h->good = scrypt_check(h->password, str_from(h->text));
}

struct str password_hash(struct arena *a, struct str password)
{
	struct hashing h = { .password = password };

	task_run_blocking("scrypt", make, &h);
	return arena_str(a, str_from(h.text));
}

/* Without a hash the same time is spent in vain. The record may be replaced while this waits, so
 * the text is copied. */
waits static bool matches(struct str stored, struct str password)
{
	struct hashing h = { .password = password };

	if (stored.p && stored.n < sizeof h.text)
		memcpy(h.text, stored.p, stored.n);
	task_run_blocking("scrypt", check, &h);
	return h.good;
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
	return matches(stored, password);
}

bool credential_check(const struct identity *id, struct str credential, struct str secret)
{
	const json_t *doc = records_get(id->records, RECORD_CREDENTIAL, credential);

	return matches(json_str(doc, "_secret"), secret);
}
