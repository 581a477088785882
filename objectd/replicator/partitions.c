/* Which partitions the device holds something of, and digests to compare them by. */
#include "objectd/replicator/internal.h"

#include "lib/base/clock.h"

enum { LIST_STEP = 512 };

/* A digest that is known. Keyed by policy and partition. */
struct cached {
	uint64_t digest;
	bool valid;
	uint64_t changes; /* how often it was touched: a reader notices changes meanwhile */
};

struct part_cache {
	struct map *map;
	unsigned part_powers[POLICIES_MAX]; /* of the policies' rings when last seen; 0: unknown */
};

struct part_cache *part_cache_new(void)
{
	struct part_cache *c = xcalloc(1, sizeof *c);

	c->map = map_new();
	return c;
}

void part_cache_free(struct part_cache *c)
{
	if (!c)
		return;
	map_free(c->map, free);
	free(c);
}

void part_cache_clear(struct part_cache *c)
{
	map_free(c->map, free);
	c->map = map_new();
}

struct cache_key {
	uint32_t policy, part;
};

static struct cached *cached(struct part_cache *c, uint16_t policy, uint32_t part, bool make)
{
	struct cache_key key = { policy, part };
	struct str k = str_of((const char *)&key, sizeof key);
	struct cached *v = map_peek(c->map, k);

	if (v || !make)
		return v;
	v = xcalloc(1, sizeof *v);
	map_put(c->map, k, v);
	return v;
}

uint32_t part_of_hash(unsigned part_power, const unsigned char hash[16])
{
	uint32_t high = (uint32_t)hash[0] << 24 | (uint32_t)hash[1] << 16 | (uint32_t)hash[2] << 8 |
			hash[3];

	return part_power ? high >> (32 - part_power) : 0;
}

void part_cache_touch(struct part_cache *c, const struct object_id *id)
{
	struct cached *v;

	if (id->policy >= POLICIES_MAX)
		return;
	v = cached(c, id->policy, part_of_hash(c->part_powers[id->policy], id->hash), false);
	if (!v)
		return;
	v->valid = false;
	v->changes++;
}

void part_range(unsigned part_power, uint32_t part, unsigned char first[16], unsigned char last[16])
{
	uint64_t from = part_power ? (uint64_t)part << (32 - part_power) : 0;
	uint64_t until = part_power ? (((uint64_t)part + 1) << (32 - part_power)) - 1 : UINT32_MAX;

	memset(first, 0, 16);
	memset(last, 0xff, 16);
	for (int i = 0; i < 4; i++) {
		first[i] = (unsigned char)(from >> (24 - 8 * i));
		last[i] = (unsigned char)(until >> (24 - 8 * i));
	}
}

bool entry_is_reclaimable(const struct object_entry *e)
{
	/* A margin, so that devices whose clocks and passes differ stop sending before others
	 * forget. */
	int64_t age_s = (int64_t)(replicator_conf.reclaim_age / 1000);

	return e->state == OBJECT_TOMBSTONE &&
	       timestamp_us(e->data_ts) / 1000000 < clock_wall_s() - age_s + age_s / 20;
}

static uint64_t mix(uint64_t x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9u;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

static uint64_t entry_digest(const struct object_listed *l)
{
	uint64_t high, low;

	memcpy(&high, l->hash, 8);
	memcpy(&low, l->hash + 8, 8);
	high = mix(high ^ mix(l->entry.data_ts.t) ^ mix(l->entry.data_ts.offset + 1));
	low = mix(low ^ mix(l->entry.meta_ts.t + (uint64_t)l->entry.state) ^
		  mix(l->entry.meta_ts.offset + 3));
	return mix(high + 2 * low);
}

/* The hash behind this one: false at the very end. */
static bool next_hash(unsigned char hash[16])
{
	for (int i = 15; i >= 0; i--)
		if (++hash[i])
			return true;
	return false;
}

waits static int scan_digest(struct replicator *r, uint16_t policy, unsigned part_power,
			     uint32_t part, uint64_t *ret)
{
	AUTO(free) room = xmalloc(LIST_STEP * sizeof(struct object_listed));
	struct object_listed *list = room;
	unsigned char from[16], last[16];
	uint64_t digest = 0;
	int n;

	part_range(part_power, part, from, last);
	do {
		n = store_list(r->o->store, policy, from, last, list, LIST_STEP);
		if (n < 0)
			return n;
		for (int i = 0; i < n; i++)
			if (!entry_is_reclaimable(&list[i].entry))
				digest ^= entry_digest(&list[i]);
		if (n > 0)
			memcpy(from, list[n - 1].hash, 16);
	} while (n == LIST_STEP && next_hash(from));
	*ret = digest;
	return 0;
}

int part_digest(struct replicator *r, uint16_t policy, unsigned part_power, uint32_t part,
		uint64_t *ret)
{
	struct cached *v = cached(r->cache, policy, part, true);
	uint64_t changes = v->changes, digest;

	if (policy < POLICIES_MAX && r->cache->part_powers[policy] != part_power) {
		part_cache_clear(r->cache);
		r->cache->part_powers[policy] = part_power;
		changes = 0;
	} else if (v->valid) {
		*ret = v->digest;
		return 0;
	}
	int rc = scan_digest(r, policy, part_power, part, &digest);

	if (rc < 0)
		return rc;
	v = cached(r->cache, policy, part, true);
	if (v->changes == changes) {
		v->digest = digest;
		v->valid = true;
	}
	*ret = digest;
	return 0;
}

int parts_held(struct replicator *r, uint16_t policy, unsigned part_power, struct buf *list)
{
	unsigned char from[16] = { 0 }, first[16], last[16], end[16];
	struct object_listed one;

	memset(end, 0xff, sizeof end);
	for (;;) {
		int n = store_list(r->o->store, policy, from, end, &one, 1);

		if (n <= 0)
			return n;
		struct part_held held = { .policy = policy,
					  .part = part_of_hash(part_power, one.hash) };
		int rc = part_digest(r, policy, part_power, held.part, &held.digest);

		if (rc < 0)
			return rc;
		buf_add(list, &held, sizeof held);
		if (buf_failed(list))
			return -ENOMEM;
		part_range(part_power, held.part, first, last);
		memcpy(from, last, sizeof from);
		if (!next_hash(from))
			return 0;
	}
}
