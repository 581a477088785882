/* Locks by key, kept in a small hash table of those that are held or waited for. */
#include "objectd/locks.h"

enum { BUCKETS = 256 };

struct locks {
	struct list entries[BUCKETS];
};

/* The holder and all waiters share it; who is last frees it. */
struct lock {
	struct list node;
	struct waitq waiters;
	unsigned refs, key_n;
	bool held;
	unsigned char key[LOCK_KEY_MAX];
};

struct locks *locks_new(void)
{
	struct locks *l = xcalloc(1, sizeof *l);

	for (unsigned i = 0; i < BUCKETS; i++)
		list_init(&l->entries[i]);
	return l;
}

void locks_free(struct locks *l)
{
	if (!l)
		return;
	for (unsigned i = 0; i < BUCKETS; i++)
		assert(list_empty(&l->entries[i]));
	free(l);
}

static struct lock *entry(struct locks *l, struct str key)
{
	struct list *bucket;
	struct lock *k;
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < key.n; i++)
		h = (h ^ (unsigned char)key.p[i]) * 16777619u;
	bucket = &l->entries[h % BUCKETS];
	list_for(n, bucket) {
		k = list_entry(n, struct lock, node);
		if (k->key_n == key.n && memcmp(k->key, key.p, key.n) == 0)
			return k;
	}
	k = xcalloc(1, sizeof *k);
	waitq_init(&k->waiters);
	memcpy(k->key, key.p, key.n);
	k->key_n = (unsigned)key.n;
	list_push(bucket, &k->node);
	return k;
}

static void unref(struct lock *k)
{
	assert(k->refs > 0);
	if (--k->refs)
		return;
	assert(!k->held);
	list_remove(&k->node);
	free(k);
}

int lock_take(struct locks *l, struct str key, struct lock **ret)
{
	struct lock *k;

	assert(key.n > 0 && key.n <= LOCK_KEY_MAX);
	k = entry(l, key);
	k->refs++;
	while (k->held) {
		int rc = waitq_wait(&k->waiters, "object lock", 0);

		if (rc < 0) {
			unref(k);
			return rc;
		}
	}
	k->held = true;
	*ret = k;
	return 0;
}

void lock_give(struct lock *k)
{
	if (!k)
		return;
	assert(k->held);
	k->held = false;
	waitq_wake_one(&k->waiters);
	unref(k);
}
