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

/* Hashing takes a processor some 50 ms: few at a time, and a limit for those who wait. */
enum { AT_ONCE = 2, WAITING_MAX = 64, WAIT_MS = 10000 };

static struct {
	struct task_sem sem;
	unsigned waiting;
	bool ready;
} hashers;

/* 0, or -EBUSY. */
waits static int hash(struct hashing *h, void (*fn)(void *arg))
{
	if (!hashers.ready) {
		task_sem_init(&hashers.sem, AT_ONCE);
		hashers.ready = true;
	}
	if (hashers.waiting >= WAITING_MAX)
		return -EBUSY;
	hashers.waiting++;
	int rc = task_sem_take(&hashers.sem, WAIT_MS);

	hashers.waiting--;
	if (rc < 0)
		return -EBUSY;
	task_run_blocking("scrypt", fn, h);
	task_sem_give(&hashers.sem);
	return 0;
}

int password_hash(struct arena *a, struct str password, struct str *ret)
{
	struct hashing h = { .password = password };
	int rc = hash(&h, make);

	if (rc == 0)
		*ret = arena_str(a, str_from(h.text));
	return rc;
}

/* Without a hash the same time is spent in vain. The record may be replaced while this waits, so
 * the text is copied. */
waits static int matches(struct str stored, struct str password)
{
	struct hashing h = { .password = password };

	if (stored.p && stored.n < sizeof h.text)
		memcpy(h.text, stored.p, stored.n);
	int rc = hash(&h, check);

	return rc < 0 || h.good ? rc : -EACCES;
}

static bool equal(struct str want, struct str got)
{
	unsigned char a[SHA256_SIZE], b[SHA256_SIZE];

	digest_of(DIGEST_SHA256, want.p ? want.p : "", want.n, a);
	digest_of(DIGEST_SHA256, got.p ? got.p : "", got.n, b);
	return str_eq_secret(str_of((const char *)a, sizeof a), str_of((const char *)b, sizeof b));
}

int password_check(const struct identity *id, struct str user, struct str password)
{
	const json_t *doc = records_get(id->records, RECORD_USER, user);
	struct str stored = json_str(doc, "_password");
	struct str key = json_str(records_base(id->records, RECORD_USER, user), "_key");

	/* The configuration's password holds until somebody sets another. A wrong one takes as long
	 * as for a user who does not exist. */
	if (doc && !stored.p && key.n && equal(key, password))
		return 0;
	return matches(stored, password);
}

int credential_check(const struct identity *id, struct str credential, struct str secret)
{
	const json_t *doc = records_get(id->records, RECORD_CREDENTIAL, credential);

	return matches(json_str(doc, "_secret"), secret);
}
