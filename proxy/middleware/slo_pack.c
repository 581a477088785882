/* Packs entries of manifests: blocks of records, the first of each block complete, later ones as
 * what differs from the one before. */
#include "lib/base/encode.h"
#include "proxy/middleware/slo_pack.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

enum {
	BLOCK_BITS = 12,
	BLOCK_BYTES = (1 << BLOCK_BITS) - 64,
	HASH_HEX = 32,
	SLOTS_MIN = 64,
	RECORD_MAX = 256 * MIB,         /* more than any manifest has */
};

struct slo_block {
	uint32_t n, cap;
	char bytes[];
};

enum flags {
	F_DATA = 1, F_ETAG = 2, F_ETAG_HEX = 4, F_RANGE = 8, F_SIZE = 16,
	F_SEEN = 32, F_SLO = 64, F_TYPE = 128,  /* not that of the entry before */
};

void slo_pack_init(struct slo_pack *p)
{
	*p = (struct slo_pack){ .path = BUF(RECORD_MAX),
				.type = BUF(RECORD_MAX),
				.record = BUF(RECORD_MAX),
				.seed = (uintptr_t)p };
}

void slo_pack_done(struct slo_pack *p)
{
	for (unsigned i = p->taken_n; i < p->blocks_n; i++)
		free(p->blocks[i]);
	free(p->blocks);
	free(p->slots);
	free(p->tags);
	buf_done(&p->path);
	buf_done(&p->type);
	buf_done(&p->record);
	slo_pack_init(p);
}

/* ---- records ---- */

static void put_number(struct buf *to, uint64_t n)
{
	for (; n >= 128; n >>= 7)
		buf_add_char(to, (char)(n | 128));
	buf_add_char(to, (char)n);
}

static uint64_t get_number(const char **at)
{
	uint64_t n = 0;
	unsigned shift = 0;
	unsigned char c;

	do {
		c = (unsigned char)*(*at)++;
		n |= (uint64_t)(c & 127) << shift;
		shift += 7;
	} while (c & 128);
	return n;
}

static void put_text(struct buf *to, struct str s)
{
	put_number(to, s.n);
	buf_add_str(to, s);
}

static struct str get_text(const char **at)
{
	size_t n = get_number(at);
	struct str s = str_of(*at, n);

	*at += n;
	return s;
}

/* Small numbers for times close to one another. */
static uint64_t fold(int64_t n)
{
	return n < 0 ? ~((uint64_t)n << 1) : (uint64_t)n << 1;
}

static int64_t unfold(uint64_t n)
{
	return n & 1 ? (int64_t)~(n >> 1) : (int64_t)(n >> 1);
}

/* Lower case only: it is to come out as it went in. */
static bool is_hash(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!(s.p[i] >= '0' && s.p[i] <= '9') && !(s.p[i] >= 'a' && s.p[i] <= 'f'))
			return false;
	return s.n == HASH_HEX;
}

static void put_etag(struct buf *to, struct str etag, bool hash)
{
	unsigned char raw[HASH_HEX / 2];

	if (hash && hex_decode(etag, raw, sizeof raw) == 0)
		buf_add(to, raw, sizeof raw);
	else
		put_text(to, etag);
}

/* The entry as it stands behind that of the pack's path, type and time. */
static void write_record(struct slo_pack *p, const struct slo_entry *e)
{
	struct buf *to = &p->record;
	bool hash = is_hash(e->etag), type = e->status && !str_eq(e->type, buf_str(&p->type));
	size_t same = 0;

	buf_clear(to);
	buf_add_char(to, (char)((e->data.p ? F_DATA : 0) | (e->etag.p ? F_ETAG : 0) |
				(hash ? F_ETAG_HEX : 0) | (e->range.p ? F_RANGE : 0) |
				(e->sized ? F_SIZE : 0) | (e->status ? F_SEEN : 0) |
				(e->slo ? F_SLO : 0) | (type ? F_TYPE : 0)));
	if (e->data.p) {
		put_text(to, e->data);
		return;
	}
	while (same < e->path.n && same < p->path.n && e->path.p[same] == p->path.p[same])
		same++;
	put_number(to, same);
	put_text(to, str_skip(e->path, same));
	if (e->etag.p)
		put_etag(to, e->etag, hash);
	if (e->range.p)
		put_text(to, e->range);
	if (e->sized)
		put_number(to, e->size);
	if (!e->status)
		return;
	put_number(to, e->status);
	put_number(to, fold(e->modified - p->modified));
	if (type)
		put_text(to, e->type);
}

static void read_seen(struct slo_unpack *u, const char **at, unsigned flags, struct slo_entry *ret)
{
	ret->status = (unsigned)get_number(at);
	u->modified += unfold(get_number(at));
	ret->modified = u->modified;
	if (flags & F_TYPE) {
		buf_clear(&u->type);
		buf_add_str(&u->type, get_text(at));
	}
	ret->type = buf_str(&u->type);
}

static void buf_cut(struct buf *b, size_t n)
{
	assert(n <= b->n);
	b->n = n;
	if (b->cap)
		b->p[n] = 0;
}

static const char *read_record(struct slo_unpack *u, const char *at, struct slo_entry *ret)
{
	unsigned flags = (unsigned char)*at++;

	*ret = (struct slo_entry){ .slo = flags & F_SLO, .sized = flags & F_SIZE };
	if (flags & F_DATA) {
		ret->data = get_text(&at);
		return at;
	}
	buf_cut(&u->path, get_number(&at));
	buf_add_str(&u->path, get_text(&at));
	ret->path = buf_str(&u->path);
	if (flags & F_ETAG_HEX) {
		hex_encode(at, HASH_HEX / 2, u->etag);
		ret->etag = str_of(u->etag, HASH_HEX);
		at += HASH_HEX / 2;
	} else if (flags & F_ETAG) {
		ret->etag = get_text(&at);
	}
	if (flags & F_RANGE)
		ret->range = get_text(&at);
	if (flags & F_SIZE)
		ret->size = get_number(&at);
	if (flags & F_SEEN)
		read_seen(u, &at, flags, ret);
	return at;
}

/* ---- where an object is ---- */

static uint64_t hash_of(const struct slo_pack *p, struct str path)
{
	return XXH3_64bits_withSeed(path.n ? path.p : "", path.n, p->seed);
}

/* Nothing is before a block's first record. */
static void begin_block(struct slo_unpack *u)
{
	buf_clear(&u->path);
	buf_clear(&u->type);
	u->modified = 0;
}

/* The entry in the block that stands there; its texts are valid as long as u. */
static void read_at(const struct slo_pack *p, uint32_t where, struct slo_unpack *u,
		    struct slo_entry *ret)
{
	const struct slo_block *b = p->blocks[where >> BLOCK_BITS];
	const char *at = b->bytes, *wanted = b->bytes + (where & ((1u << BLOCK_BITS) - 1));

	begin_block(u);
	do {
		bool there = at == wanted;

		at = read_record(u, at, ret);
		if (there)
			return;
	} while (at <= wanted);
}

static void insert_at(struct slo_pack *p, uint32_t where, uint64_t hash)
{
	size_t i = hash % p->slots_n;

	while (p->slots[i])
		i = (i + 1) % p->slots_n;
	p->slots[i] = where + 1;
	p->tags[i] = (unsigned char)(hash >> 56);
	p->slots_used++;
}

static void make_slots(struct slo_pack *p)
{
	uint32_t *old = p->slots;
	unsigned n = p->slots_n;

	p->slots_n = n ? n + n / 2 : SLOTS_MIN;
	p->slots = xcalloc(p->slots_n, sizeof *p->slots);
	free(p->tags);
	p->tags = xcalloc(p->slots_n, 1);
	p->slots_used = 0;
	for (unsigned i = 0; i < n; i++) {
		CLEANUP(slo_unpack_done) struct slo_unpack u;
		struct slo_entry e;

		slo_unpack_init(&u, p);
		if (!old[i])
			continue;
		read_at(p, old[i] - 1, &u, &e);
		insert_at(p, old[i] - 1, hash_of(p, e.path));
	}
	free(old);
}

static bool find(const struct slo_pack *p, struct str path, struct slo_unpack *u,
		 struct slo_entry *ret)
{
	uint64_t hash = hash_of(p, path);

	for (size_t i = p->slots_n ? hash % p->slots_n : 0; p->slots_n && p->slots[i];
	     i = (i + 1) % p->slots_n) {
		if (p->tags[i] != (unsigned char)(hash >> 56))
			continue;
		read_at(p, p->slots[i] - 1, u, ret);
		if (str_eq(ret->path, path))
			return true;
	}
	return false;
}

bool slo_pack_find(const struct slo_pack *p, struct str path, struct arena *a,
		   struct slo_entry *ret)
{
	CLEANUP(slo_unpack_done) struct slo_unpack u;
	struct slo_entry e;

	slo_unpack_init(&u, p);
	if (!find(p, path, &u, &e))
		return false;
	*ret = e;
	ret->path = arena_str(a, e.path);
	ret->etag = arena_str(a, e.etag);
	ret->type = arena_str(a, e.type);
	ret->range = STR_NONE;
	return true;
}

static void remember(struct slo_pack *p, struct str path, uint32_t where)
{
	CLEANUP(slo_unpack_done) struct slo_unpack u;
	struct slo_entry known;

	slo_unpack_init(&u, p);
	if (find(p, path, &u, &known))
		return;
	if (p->slots_used + p->slots_used / 4 >= p->slots_n)
		make_slots(p);
	insert_at(p, where, hash_of(p, path));
}

/* ---- adding ---- */

static struct slo_block *new_block(struct slo_pack *p, size_t room)
{
	struct slo_block *b = xmalloc(sizeof *b + room);

	if (p->blocks_n == p->blocks_cap) {
		p->blocks_cap = p->blocks_cap ? 2 * p->blocks_cap : 8;
		p->blocks = xreallocarray(p->blocks, p->blocks_cap, sizeof *p->blocks);
	}
	assert(p->blocks_n < UINT32_MAX >> BLOCK_BITS);
	*b = (struct slo_block){ .cap = (uint32_t)room };
	p->blocks[p->blocks_n++] = b;
	return b;
}

void slo_pack_add(struct slo_pack *p, const struct slo_entry *e)
{
	struct slo_block *b = p->blocks_n ? p->blocks[p->blocks_n - 1] : NULL;

	write_record(p, e);
	if (!b || b->cap - b->n < p->record.n) {
		buf_clear(&p->path);
		buf_clear(&p->type);
		p->modified = 0;
		write_record(p, e);
		b = new_block(p, MAX((size_t)BLOCK_BYTES, p->record.n));
	}
	assert(!buf_failed(&p->record));
	uint32_t where = (p->blocks_n - 1) << BLOCK_BITS | b->n;

	memcpy(b->bytes + b->n, p->record.p, p->record.n);
	b->n += (uint32_t)p->record.n;
	p->n++;
	if (!e->data.p) {
		buf_clear(&p->path);
		buf_add_str(&p->path, e->path);
	}
	if (!e->status)
		return;
	buf_clear(&p->type);
	buf_add_str(&p->type, e->type);
	p->modified = e->modified;
	remember(p, e->path, where);
}

/* ---- reading ---- */

void slo_unpack_init(struct slo_unpack *u, const struct slo_pack *p)
{
	*u = (struct slo_unpack){ .pack = p, .path = BUF(RECORD_MAX), .type = BUF(RECORD_MAX) };
}

void slo_unpack_done(struct slo_unpack *u)
{
	buf_done(&u->path);
	buf_done(&u->type);
}

bool slo_unpack_next(struct slo_unpack *u, struct slo_entry *ret)
{
	const struct slo_pack *p = u->pack;

	while (u->block < p->blocks_n && u->at == p->blocks[u->block]->n) {
		u->block++;
		u->at = 0;
	}
	if (u->block == p->blocks_n)
		return false;
	if (u->at == 0)
		begin_block(u);
	const struct slo_block *b = p->blocks[u->block];

	u->at = (size_t)(read_record(u, b->bytes + u->at, ret) - b->bytes);
	return true;
}

void slo_pack_drop(struct slo_pack *p, const struct slo_unpack *u)
{
	for (; p->taken_n < u->block; p->taken_n++) {
		free(p->blocks[p->taken_n]);
		p->blocks[p->taken_n] = NULL;
	}
}
