/* Which partitions the device holds something of, and digests to compare them by. */
#include "objectd/replicator/internal.h"

#include "lib/base/clock.h"

enum { WALK_STEP = 4096 };

/* A digest that is known. Keyed by policy and partition. */
struct cached {
	uint64_t digest;
	bool valid;
	uint64_t touched;               /* the walk's step during which it changed last */
};

struct part_cache {
	struct map *map;
	unsigned part_powers[POLICIES_MAX]; /* of the policies' rings when last seen; 0: unknown */
	unsigned walking;               /* walks under way: then all changes are remembered */
	uint64_t step;                  /* counts what walks have read from the index */
	uint64_t cleared;               /* the step during which all was forgotten last */
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
	c->cleared = c->step;
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
	v = cached(c, id->policy, part_of_hash(c->part_powers[id->policy], id->hash),
		   c->walking > 0);
	if (!v)
		return;
	v->valid = false;
	v->touched = c->step;
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

/* ---- walking along the index ---- */

/* A walk through the partitions of a policy. Objects come in the order of their hashes, so those
 * of a partition are together; partitions whose digest is known are passed over. */
struct walk {
	struct part_cache *cache;
	uint16_t policy;
	unsigned part_power;
	struct buf *list;               /* of struct part_held */
	bool open, known;               /* in a partition; its digest was cached */
	struct part_held at;
	uint64_t step;                  /* the last one of this walk */
	uint64_t began;                 /* the step that read the partition's first object */
};

/* Whether what the cache has is of this walk's partitions. */
static bool cache_fits(const struct walk *w)
{
	return w->policy < POLICIES_MAX && w->cache->part_powers[w->policy] == w->part_power;
}

/* All of the partition has been seen. */
static void walk_leave(struct walk *w)
{
	if (!w->open)
		return;
	w->open = false;
	buf_add(w->list, &w->at, sizeof w->at);
	if (w->known || !cache_fits(w) || w->cache->cleared >= w->began)
		return;
	struct cached *v = cached(w->cache, w->policy, w->at.part, true);

	if (v->touched >= w->began)     /* changed while it was read: read again next time */
		return;
	v->digest = w->at.digest;
	v->valid = true;
}

static void walk_object(struct walk *w, const struct object_listed *l)
{
	uint32_t part = part_of_hash(w->part_power, l->hash);

	if (!w->open || part != w->at.part) {
		walk_leave(w);
		const struct cached *v =
			cache_fits(w) ? cached(w->cache, w->policy, part, false) : NULL;

		w->open = true;
		w->known = v && v->valid;
		w->at = (struct part_held){ .policy = w->policy,
					    .part = part,
					    .digest = w->known ? v->digest : 0 };
		w->began = w->step;
	}
	if (!w->known && !entry_is_reclaimable(&l->entry))
		w->at.digest ^= entry_digest(l);
}

/* A part power that is new makes everything known worthless. */
static void use_part_power(struct part_cache *c, uint16_t policy, unsigned part_power)
{
	if (policy >= POLICIES_MAX || c->part_powers[policy] == part_power)
		return;
	part_cache_clear(c);
	c->part_powers[policy] = part_power;
}

int parts_walk(struct replicator *r, uint16_t policy, unsigned part_power, uint32_t from_part,
	       uint32_t until_part, struct buf *list)
{
	AUTO(free) room = xmalloc(WALK_STEP * sizeof(struct object_listed));
	struct object_listed *step = room;
	struct walk w = {
		.cache = r->cache, .policy = policy, .part_power = part_power, .list = list
	};
	unsigned char from[16], last[16], unused[16];
	int n;

	use_part_power(r->cache, policy, part_power);
	part_range(part_power, from_part, from, unused);
	part_range(part_power, until_part, unused, last);
	r->cache->walking++;
	do {
		w.step = ++r->cache->step;
		n = store_list(r->o->store, policy, from, last, step, WALK_STEP);
		for (int i = 0; i < n; i++)
			walk_object(&w, &step[i]);
		if (n < WALK_STEP)
			break;
		memcpy(from, step[n - 1].hash, sizeof from);
		if (w.known)
			part_range(part_power, w.at.part, unused, from);
	} while (next_hash(from) && memcmp(from, last, sizeof last) <= 0);
	walk_leave(&w);
	r->cache->walking--;
	if (n >= 0 && buf_failed(list))
		n = -ENOMEM;
	return n < 0 ? n : 0;
}
