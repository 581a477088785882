/* Hash table with LRU order: open chaining on an array that doubles; XXH3 with a
 * per-process seed. */
#include "lib/base/map.h"
#include "lib/base/list.h"

#define XXH_INLINE_ALL
#include <sys/random.h>
#include <xxhash.h>

struct entry {
	struct list lru;
	struct entry *next;
	uint64_t hash;
	void *value;
	size_t key_n;
	char key[];
};

struct map {
	struct list lru;                /* most recently used first */
	struct entry **buckets;
	size_t mask, count;
	uint64_t seed;
};

struct map *map_new(void)
{
	struct map *m = xcalloc(1, sizeof *m);

	list_init(&m->lru);
	m->mask = 15;
	m->buckets = xcalloc(m->mask + 1, sizeof *m->buckets);
	if (getrandom(&m->seed, sizeof m->seed, GRND_NONBLOCK) < 0)
		m->seed = (uint64_t)(uintptr_t)m;
	return m;
}

void map_free(struct map *m, void (*value_free)(void *))
{
	if (!m)
		return;
	list_for_safe(n, &m->lru) {
		struct entry *e = list_entry(n, struct entry, lru);

		if (value_free)
			value_free(e->value);
		free(e);
	}
	free(m->buckets);
	free(m);
}

size_t map_count(const struct map *m)
{
	return m->count;
}

static struct entry **find(const struct map *m, struct str key, uint64_t hash)
{
	struct entry **at = &m->buckets[hash & m->mask];

	while (*at && ((*at)->hash != hash || !str_eq(str_of((*at)->key, (*at)->key_n), key)))
		at = &(*at)->next;
	return at;
}

static uint64_t hash_of(const struct map *m, struct str key)
{
	return XXH3_64bits_withSeed(key.n ? key.p : "", key.n, m->seed);
}

void *map_peek(const struct map *m, struct str key)
{
	struct entry *e = *find(m, key, hash_of(m, key));

	return e ? e->value : NULL;
}

void *map_get(struct map *m, struct str key)
{
	struct entry *e = *find(m, key, hash_of(m, key));

	if (!e)
		return NULL;
	list_remove(&e->lru);
	list_push(&m->lru, &e->lru);
	return e->value;
}

static void grow(struct map *m)
{
	size_t mask = m->mask * 2 + 1;
	struct entry **buckets = xcalloc(mask + 1, sizeof *buckets);

	list_for(n, &m->lru) {
		struct entry *e = list_entry(n, struct entry, lru);

		e->next = buckets[e->hash & mask];
		buckets[e->hash & mask] = e;
	}
	free(m->buckets);
	m->buckets = buckets;
	m->mask = mask;
}

void *map_put(struct map *m, struct str key, void *value)
{
	uint64_t hash = hash_of(m, key);
	struct entry **at = find(m, key, hash);

	assert(value);
	if (*at) {
		void *old = (*at)->value;

		(*at)->value = value;
		list_remove(&(*at)->lru);
		list_push(&m->lru, &(*at)->lru);
		return old;
	}
	struct entry *e = xmalloc(sizeof *e + key.n);
	e->next = NULL;
	e->hash = hash;
	e->value = value;
	e->key_n = key.n;
	if (key.n)
		memcpy(e->key, key.p, key.n);
	*at = e;
	list_push(&m->lru, &e->lru);
	if (++m->count > m->mask)
		grow(m);
	return NULL;
}

static void *unlink_entry(struct map *m, struct entry **at)
{
	struct entry *e = *at;

	assert(e);
	void *value = e->value;

	*at = e->next;
	list_remove(&e->lru);
	free(e);
	m->count--;
	return value;
}

void *map_remove(struct map *m, struct str key)
{
	struct entry **at = find(m, key, hash_of(m, key));

	return *at ? unlink_entry(m, at) : NULL;
}

void *map_evict(struct map *m)
{
	if (list_empty(&m->lru))
		return NULL;
	struct entry *e = list_entry(m->lru.prev, struct entry, lru);

	return unlink_entry(m, find(m, str_of(e->key, e->key_n), e->hash));
}

void map_each(const struct map *m, void (*fn)(void *arg, struct str key, void *value), void *arg)
{
	list_for(n, &m->lru) {
		struct entry *e = list_entry(n, struct entry, lru);

		fn(arg, str_of(e->key, e->key_n), e->value);
	}
}
