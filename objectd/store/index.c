/* What LevelDB holds of objects: keys, compact values, and a set-associative cache of them. */
#include "objectd/store/index.h"

enum {
	STATE_MASK = 3,
	HAS_OFFSET = 4,
	HAS_META = 8,
	HAS_DELETE_AT = 16,
	IS_LARGE = 32,
	HAS_META_OFFSET = 64,
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

	value[0] = (char)((unsigned)e->e.state | (e->e.data_ts.offset ? HAS_OFFSET : 0) |
			  (meta ? HAS_META : 0) | (e->e.delete_at ? HAS_DELETE_AT : 0) |
			  (e->large ? IS_LARGE : 0) |
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
	    volume == 0 || volume > UINT32_MAX || at > UINT32_MAX ||
	    len > UINT32_MAX / RECORD_ALIGN)
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
	if (varint_read(&s, &e.e.data_ts.t) < 0 ||
	    get_number(&s, flags & HAS_OFFSET, &e.e.data_ts.offset) < 0 ||
	    varint_read(&s, &e.e.size) < 0 || get_location(&s, &e.data) < 0)
		return -EBADMSG;
	e.e.meta_ts = e.e.data_ts;
	if (flags & HAS_META) {
		if (varint_read(&s, &e.e.meta_ts.t) < 0 ||
		    get_number(&s, flags & HAS_META_OFFSET, &e.e.meta_ts.offset) < 0 ||
		    get_location(&s, &e.meta) < 0)
			return -EBADMSG;
	}
	if (get_number(&s, flags & HAS_DELETE_AT, &delete_at) < 0 ||
	    get_number(&s, flags & IS_LARGE, &e.large) < 0 ||
	    get_number(&s, flags & HAS_OLDEST, &since) < 0 || since > e.data.volume)
		return -EBADMSG;
	e.oldest = e.data.volume - (uint32_t)since;
	e.e.delete_at = (int64_t)delete_at;
	*ret = e;
	return 0;
}

/* ---- the cache: sets of eight; within a set, a clock hand passes over entries used since. A slot
 * is a cache line and holds the value as LevelDB would; the few entries that are longer are not
 * kept. ---- */

enum { SLOT_VALUE = 44 };

struct slot {
	unsigned char hash[16];
	uint16_t policy;
	uint8_t n, used;                /* length of the value; 0: the slot is free */
	char value[SLOT_VALUE];
};
_Static_assert(sizeof(struct slot) == 64, "a slot is a cache line");

struct index_cache {
	unsigned sets;
	struct slot *slots;
	uint8_t *hands;
};

struct index_cache *index_cache_new(unsigned entries)
{
	struct index_cache *c = xmalloc(sizeof *c);

	c->sets = MAX(entries / WAYS, 1U);
	c->slots = xcalloc((size_t)c->sets * WAYS, sizeof *c->slots);
	c->hands = xcalloc(c->sets, 1);
	return c;
}

void index_cache_free(struct index_cache *c)
{
	if (!c)
		return;
	free(c->slots);
	free(c->hands);
	free(c);
}

static unsigned set_of(const struct index_cache *c, const struct object_id *id)
{
	/* The hash is an MD5: any part of it is as good as another, but its first bits are the
	 * partition. */
	return (unsigned)((get_u64(id->hash + 8) ^ id->policy) % c->sets);
}

static struct slot *slot_of(struct index_cache *c, unsigned set, const struct object_id *id)
{
	struct slot *s = &c->slots[(size_t)set * WAYS];

	for (unsigned i = 0; i < WAYS; i++)
		if (s[i].n && memcmp(s[i].hash, id->hash, 16) == 0 && s[i].policy == id->policy)
			return &s[i];
	return NULL;
}

bool index_cache_get(struct index_cache *c, const struct object_id *id, struct index_entry *ret)
{
	struct slot *s = slot_of(c, set_of(c, id), id);

	if (!s)
		return false;
	s->used = 1;
	return index_value_parse(str_of(s->value, s->n), ret) == 0;
}

/* A slot to write into: a free one, or the next that was not used since the hand came by. */
static struct slot *victim(struct index_cache *c, unsigned set)
{
	struct slot *s = &c->slots[(size_t)set * WAYS];

	for (unsigned i = 0; i < WAYS; i++)
		if (!s[i].n)
			return &s[i];
	for (;;) {
		struct slot *candidate = &s[c->hands[set]++ % WAYS];

		if (!candidate->used)
			return candidate;
		candidate->used = 0;
	}
}

void index_cache_put(struct index_cache *c, const struct object_id *id, const struct index_entry *e)
{
	unsigned set = set_of(c, id);
	struct slot *s = slot_of(c, set, id);
	char value[INDEX_VALUE_MAX];
	size_t n = index_value(e, value);

	if (n > SLOT_VALUE) {
		if (s)
			s->n = s->used = 0;
		return;
	}
	if (!s)
		s = victim(c, set);
	memcpy(s->hash, id->hash, 16);
	s->policy = id->policy;
	s->n = (uint8_t)n;
	memcpy(s->value, value, n);
}

void index_cache_remove(struct index_cache *c, const struct object_id *id)
{
	struct slot *s = slot_of(c, set_of(c, id), id);

	if (s)
		s->n = s->used = 0;
}
