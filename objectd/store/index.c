/* What LevelDB holds of objects: keys, compact values, and a set-associative cache of them. */
#include "objectd/store/index.h"

enum {
	STATE_MASK = 3, HAS_OFFSET = 4, HAS_META = 8, HAS_DELETE_AT = 16, IS_LARGE = 32, HAS_META_OFFSET = 64,
	HAS_OLDEST = 128,
	WAYS = 8,
};

static void put_be(char *p, uint64_t v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		p[i] = (char)(v >> (8 * (n - 1 - i)));
}

static uint64_t get_be(const char *p, unsigned n)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < n; i++)
		v = v << 8 | (unsigned char)p[i];
	return v;
}

void index_key(const struct object_id *id, char key[INDEX_KEY_SIZE])
{
	key[0] = 'o';
	put_be(key + 1, id->policy, 2);
	memcpy(key + 3, id->hash, 16);
}

int index_key_parse(struct str key, struct object_id *ret)
{
	if (key.n != INDEX_KEY_SIZE || key.p[0] != 'o')
		return -EBADMSG;
	ret->policy = (uint16_t)get_be(key.p + 1, 2);
	memcpy(ret->hash, key.p + 3, 16);
	return 0;
}

void expiry_key(char queue, int64_t at, const struct object_id *id, char key[EXPIRY_KEY_SIZE])
{
	key[0] = 'v';
	key[1] = queue;
	put_be(key + 2, at < 0 ? 0 : (uint64_t)at, 8);
	put_be(key + 10, id->policy, 2);
	memcpy(key + 12, id->hash, 16);
}

int expiry_key_parse(char queue, struct str key, int64_t *ret_at, struct object_id *ret_id)
{
	if (key.n != EXPIRY_KEY_SIZE || key.p[0] != 'v' || key.p[1] != queue)
		return -EBADMSG;
	*ret_at = (int64_t)get_be(key.p + 2, 8);
	ret_id->policy = (uint16_t)get_be(key.p + 10, 2);
	memcpy(ret_id->hash, key.p + 12, 16);
	return 0;
}

static char *put_location(char *p, const struct location *l)
{
	p = varint_write(p, l->volume);
	p = varint_write(p, l->at / RECORD_ALIGN);
	return varint_write(p, l->len / RECORD_ALIGN);
}

size_t index_value(const struct index_entry *e, char value[INDEX_VALUE_MAX])
{
	bool meta = e->meta.volume != 0;
	char *p = value + 1;

	value[0] = (char)((unsigned)e->e.state | (e->e.data_ts.offset ? HAS_OFFSET : 0) | (meta ? HAS_META : 0) |
			  (e->e.delete_at ? HAS_DELETE_AT : 0) | (e->large ? IS_LARGE : 0) |
			  (meta && e->e.meta_ts.offset ? HAS_META_OFFSET : 0) |
			  (e->oldest < e->data.volume ? HAS_OLDEST : 0));
	p = varint_write(p, e->e.data_ts.t);
	if (e->e.data_ts.offset)
		p = varint_write(p, e->e.data_ts.offset);
	p = varint_write(p, e->e.size);
	p = put_location(p, &e->data);
	if (meta) {
		p = varint_write(p, e->e.meta_ts.t);
		if (e->e.meta_ts.offset)
			p = varint_write(p, e->e.meta_ts.offset);
		p = put_location(p, &e->meta);
	}
	if (e->e.delete_at)
		p = varint_write(p, (uint64_t)e->e.delete_at);
	if (e->large)
		p = varint_write(p, e->large);
	if (e->oldest < e->data.volume)
		p = varint_write(p, e->data.volume - e->oldest);
	assert(p <= value + INDEX_VALUE_MAX);
	return (size_t)(p - value);
}

static int get_location(struct str *s, struct location *ret)
{
	uint64_t volume, at, len;

	if (varint_read(s, &volume) < 0 || varint_read(s, &at) < 0 || varint_read(s, &len) < 0 ||
	    volume == 0 || volume > UINT32_MAX || at > UINT32_MAX || len > UINT32_MAX / RECORD_ALIGN)
		return -EBADMSG;
	*ret = (struct location){ .volume = (uint32_t)volume, .at = at * RECORD_ALIGN,
				  .len = (uint32_t)len * RECORD_ALIGN };
	return 0;
}

static int get_number(struct str *s, bool set, uint64_t *ret)
{
	*ret = 0;
	return set ? varint_read(s, ret) : 0;
}

int index_value_parse(struct str s, struct index_entry *ret)
{
	struct index_entry e = { 0 };
	uint64_t delete_at, since;

	if (s.n < 2)
		return -EBADMSG;
	unsigned flags = (unsigned char)s.p[0];
	s = str_skip(s, 1);
	e.e.state = (enum object_state)(flags & STATE_MASK);
	if (e.e.state != OBJECT_DATA && e.e.state != OBJECT_TOMBSTONE)
		return -EBADMSG;
	if (varint_read(&s, &e.e.data_ts.t) < 0 || get_number(&s, flags & HAS_OFFSET, &e.e.data_ts.offset) < 0 ||
	    varint_read(&s, &e.e.size) < 0 || get_location(&s, &e.data) < 0)
		return -EBADMSG;
	e.e.meta_ts = e.e.data_ts;
	if (flags & HAS_META) {
		if (varint_read(&s, &e.e.meta_ts.t) < 0 ||
		    get_number(&s, flags & HAS_META_OFFSET, &e.e.meta_ts.offset) < 0 || get_location(&s, &e.meta) < 0)
			return -EBADMSG;
	}
	if (get_number(&s, flags & HAS_DELETE_AT, &delete_at) < 0 || get_number(&s, flags & IS_LARGE, &e.large) < 0 ||
	    get_number(&s, flags & HAS_OLDEST, &since) < 0 || since > e.data.volume)
		return -EBADMSG;
	e.oldest = e.data.volume - (uint32_t)since;
	e.e.delete_at = (int64_t)delete_at;
	*ret = e;
	return 0;
}

/* ---- the cache: sets of eight; within a set, a clock hand passes over entries used since ---- */

struct slot {
	struct object_id id;
	unsigned char full, used;
	struct index_entry e;
};

struct set {
	struct slot way[WAYS];
	unsigned hand;
};

struct index_cache {
	unsigned sets;
	struct set *v;
};

struct index_cache *index_cache_new(unsigned entries)
{
	struct index_cache *c = xmalloc(sizeof *c);

	c->sets = MAX(entries / WAYS, 1U);
	c->v = xcalloc(c->sets, sizeof *c->v);
	return c;
}

void index_cache_free(struct index_cache *c)
{
	if (!c)
		return;
	free(c->v);
	free(c);
}

static struct set *set_of(struct index_cache *c, const struct object_id *id)
{
	/* The hash is an MD5: any part of it is as good as another, but its first bits are the partition. */
	return &c->v[(get_u64(id->hash + 8) ^ id->policy) % c->sets];
}

static struct slot *slot_of(struct set *s, const struct object_id *id)
{
	for (unsigned i = 0; i < WAYS; i++)
		if (s->way[i].full && memcmp(s->way[i].id.hash, id->hash, 16) == 0 && s->way[i].id.policy == id->policy)
			return &s->way[i];
	return NULL;
}

bool index_cache_get(struct index_cache *c, const struct object_id *id, struct index_entry *ret)
{
	struct slot *slot = slot_of(set_of(c, id), id);

	if (!slot)
		return false;
	slot->used = 1;
	*ret = slot->e;
	return true;
}

void index_cache_put(struct index_cache *c, const struct object_id *id, const struct index_entry *e)
{
	struct set *s = set_of(c, id);
	struct slot *slot = slot_of(s, id);

	for (unsigned i = 0; !slot && i < WAYS; i++)
		if (!s->way[i].full)
			slot = &s->way[i];
	while (!slot) {
		struct slot *candidate = &s->way[s->hand++ % WAYS];

		if (!candidate->used)
			slot = candidate;
		candidate->used = 0;
	}
	slot->id = *id;
	slot->full = 1;
	slot->e = *e;
}

void index_cache_remove(struct index_cache *c, const struct object_id *id)
{
	struct slot *slot = slot_of(set_of(c, id), id);

	if (slot)
		slot->full = slot->used = 0;
}
