/* Changes of the index, gathered, seen by what follows, and written to LevelDB in one batch. The
 * committer and the replay use the same code, so what a crash leaves out is added the same way. */
#include "objectd/store/internal.h"

enum { APPLY_SLOTS = 4096, APPLY_MAX = APPLY_SLOTS / 2, VOLUMES_MAX = 64, ROW_MAX = 64 };

struct change {
	struct object_id id;
	bool exists;
	struct index_entry e;
};

/* What a batch adds to the counters of one volume. */
struct volume_delta {
	uint32_t id;
	uint64_t dead, rows;
};

struct apply {
	struct store *s;
	struct kv_batch *batch;
	struct change changes[APPLY_MAX];
	uint16_t slots[APPLY_SLOTS];    /* a change's number plus one */
	unsigned n, ops;
	struct volume_delta volumes[VOLUMES_MAX];
	unsigned volume_n;
	uint32_t last_volume;           /* that had its row written because it was new */
	int64_t objects, tombstones, bytes;
	struct list waste;
	struct buf value;
};

struct apply *apply_new(struct store *s)
{
	struct apply *a = xcalloc(1, sizeof *a);

	a->s = s;
	a->batch = kv_batch_new();
	a->value = BUF(ROW_VALUE_MAX);
	list_init(&a->waste);
	return a;
}

void apply_free(struct apply *a)
{
	if (!a)
		return;
	apply_drop(a);
	kv_batch_free(a->batch);
	buf_done(&a->value);
	free(a);
}

/* The slot of id: where it is, or where it would go. */
static uint16_t *slot_of(struct apply *a, const struct object_id *id)
{
	unsigned i = (unsigned)(get_u32(id->hash + 4) ^ id->policy) % APPLY_SLOTS;

	for (;; i = (i + 1) % APPLY_SLOTS) {
		uint16_t n = a->slots[i];

		if (n == 0 || (memcmp(a->changes[n - 1].id.hash, id->hash, 16) == 0 &&
			       a->changes[n - 1].id.policy == id->policy))
			return &a->slots[i];
	}
}

int apply_get(struct apply *a, const struct object_id *id, struct index_entry *ret)
{
	uint16_t slot = *slot_of(a, id);

	if (!slot)
		return index_get(a->s, &a->value, id, ret);
	if (!a->changes[slot - 1].exists)
		return -ENOENT;
	*ret = a->changes[slot - 1].e;
	return 0;
}

static struct volume_delta *delta_of(struct apply *a, uint32_t volume)
{
	for (unsigned i = 0; i < a->volume_n; i++)
		if (a->volumes[i].id == volume)
			return &a->volumes[i];
	if (a->volume_n == VOLUMES_MAX)
		return NULL;
	a->volumes[a->volume_n] = (struct volume_delta){ .id = volume };
	return &a->volumes[a->volume_n++];
}

static void count_dead(struct apply *a, const struct location *l)
{
	struct volume_delta *d = l->volume ? delta_of(a, l->volume) : NULL;

	/* Without a free place the count is lost: compaction then sees this volume's waste a little
	 * late. */
	if (d)
		d->dead += l->len;
}

static void count_entry(struct apply *a, const struct index_entry *e, int sign)
{
	if (e->e.state == OBJECT_DATA) {
		a->objects += sign;
		a->bytes += sign * (int64_t)e->e.size;
	} else {
		a->tombstones += sign;
	}
}

static void add_waste(struct apply *a, uint64_t large, const struct location *where)
{
	struct waste *w = xcalloc(1, sizeof *w);

	w->large = large;
	w->where = *where;
	w->batch = a->s->batch;
	list_append(&a->waste, &w->node);
}

/* What the change from old (may be NULL) to new (may be NULL) leaves behind. */
static void leave_behind(struct apply *a, const struct index_entry *old,
			 const struct index_entry *new, bool counted)
{
	if (!old)
		return;
	bool data_stays = new && location_cmp(&old->data, &new->data) == 0;
	bool meta_stays = new && location_cmp(&old->meta, &new->meta) == 0;

	if (old->large && !(new && new->large == old->large))
		add_waste(a, old->large, &old->data);
	if (!data_stays && !old->large && old->data.len >= PUNCH_MIN)
		add_waste(a, 0, &old->data);
	if (counted && !data_stays)
		count_dead(a, &old->data);
	if (counted && !meta_stays)
		count_dead(a, &old->meta);
}

static int64_t expiry_of(const struct index_entry *e)
{
	return e && e->e.state == OBJECT_DATA ? e->e.delete_at : 0;
}

static int64_t reclaim_of(const struct index_entry *e)
{
	return e && e->e.state == OBJECT_TOMBSTONE ? (int64_t)e->e.data_ts.t : 0;
}

/* Moves the object's row in a queue from one time to another (0: not in it). */
static void put_queue(struct apply *a, char queue, const struct object_id *id, int64_t was,
		      int64_t is)
{
	char key[EXPIRY_KEY_SIZE];

	if (was == is)
		return;
	if (was) {
		expiry_key(queue, was, id, key);
		kv_batch_delete(a->batch, str_of(key, sizeof key));
	}
	if (is) {
		expiry_key(queue, is, id, key);
		kv_batch_put(a->batch, str_of(key, sizeof key), S(""));
	}
}

int apply_set(struct apply *a, const struct object_id *id, const struct index_entry *e,
	      bool counted)
{
	struct index_entry old;
	char key[INDEX_KEY_SIZE], value[INDEX_VALUE_MAX];
	int rc = apply_get(a, id, &old);

	if (rc < 0 && rc != -ENOENT)
		return rc;
	const struct index_entry *before = rc == 0 ? &old : NULL;
	uint16_t *slot = slot_of(a, id);
	if (*slot == 0) {
		assert(a->n < APPLY_MAX);
		a->changes[a->n].id = *id;
		*slot = (uint16_t)++a->n;
	}
	struct change *c = &a->changes[*slot - 1];
	c->exists = e != NULL;
	index_key(id, key);
	if (e) {
		c->e = *e;
		kv_batch_put(a->batch, str_of(key, sizeof key),
			     str_of(value, index_value(e, value)));
	} else {
		kv_batch_delete(a->batch, str_of(key, sizeof key));
	}
	put_queue(a, 'x', id, expiry_of(before), expiry_of(e));
	put_queue(a, 't', id, reclaim_of(before), reclaim_of(e));
	leave_behind(a, before, e, counted);
	if (counted && before)
		count_entry(a, before, -1);
	if (counted && e)
		count_entry(a, e, 1);
	a->ops++;
	return 0;
}

int apply_rows(struct apply *a, struct str rows, uint32_t volume, bool counted)
{
	struct str rest = rows, key, value;
	int rc;

	while ((rc = rows_next(&rest, &key, &value)) > 0) {
		if (value.p)
			kv_batch_put(a->batch, key, value);
		else
			kv_batch_delete(a->batch, key);
		a->ops++;
	}
	struct volume_delta *d = counted && rows.n ? delta_of(a, volume) : NULL;
	if (d)
		d->rows += rows.n;
	return rc;
}

int row_is(struct store *s, struct buf *scratch, struct str key, struct str value)
{
	int rc = kv_get(s->kv, key, scratch);

	if (rc == -ENOENT)
		return !value.p;
	if (rc < 0)
		return rc;
	return value.p && str_eq(value, buf_str(scratch));
}

int apply_row_is(struct apply *a, struct str key, struct str value)
{
	return row_is(a->s, &a->value, key, value);
}

int index_get(struct store *s, struct buf *scratch, const struct object_id *id,
	      struct index_entry *ret)
{
	char key[INDEX_KEY_SIZE];

	pthread_mutex_lock(&s->lock);
	bool cached = index_cache_get(s->cache, id, ret);
	pthread_mutex_unlock(&s->lock);
	if (cached)
		return 0;
	index_key(id, key);
	int rc = kv_get(s->kv, str_of(key, sizeof key), scratch);
	if (rc < 0)
		return rc;
	return index_value_parse(buf_str(scratch), ret) < 0 ? -EIO : 0;
}

bool apply_is_empty(const struct apply *a)
{
	return a->ops == 0;
}

bool apply_is_full(const struct apply *a)
{
	/* The table of changes must not overflow, nor LevelDB's batch become huge. */
	return a->n >= APPLY_MAX / 2 || a->ops >= 8 * APPLY_MAX;
}

static size_t numbers(char *to, const uint64_t *v, unsigned n)
{
	char *p = to;

	for (unsigned i = 0; i < n; i++)
		p = varint_write(p, v[i]);
	return (size_t)(p - to);
}

static int numbers_read(struct str s, uint64_t *v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (varint_read(&s, &v[i]) < 0)
			return -EBADMSG;
	return 0;
}

static void put_volume_row(struct apply *a, const struct volume *v)
{
	char key[6] = {
		'v', 'V', (char)(v->id >> 24), (char)(v->id >> 16), (char)(v->id >> 8), (char)v->id
	};
	char value[ROW_MAX];

	/* The salt is here as well, for the day the volume's first bytes are unreadable. */
	kv_batch_put(a->batch, str_of(key, sizeof key),
		     str_of(value, numbers(value, (uint64_t[]){ v->dead, v->rows, v->salt }, 3)));
}

/* Lock held: adds the batch's differences to the counters, and the counters to the batch. */
static void settle_counters(struct apply *a, const struct position *end)
{
	struct store *s = a->s;
	struct volume *last = volume_find(s, end->volume);
	char value[ROW_MAX + 16];

	if (last && a->last_volume != last->id)
		put_volume_row(a, last);
	a->last_volume = end->volume;
	for (unsigned i = 0; i < a->volume_n; i++) {
		struct volume *v = volume_find(s, a->volumes[i].id);

		if (!v)
			continue;
		v->dead += a->volumes[i].dead;
		v->rows += a->volumes[i].rows;
		put_volume_row(a, v);
	}
	s->live.objects += (uint64_t)a->objects;
	s->live.tombstones += (uint64_t)a->tombstones;
	s->live.bytes += (uint64_t)a->bytes;
	uint64_t v[] = { end->volume,        end->at,      end->batch, s->live.objects,
			 s->live.tombstones, s->live.bytes };
	kv_batch_put(a->batch, S("vs"), str_of(value, numbers(value, v, ARRAY_LEN(v))));
}

int volume_salt(struct store *s, uint32_t id, uint32_t *ret)
{
	CLEANUP(buf_done) struct buf value = BUF(KIB);
	char key[6] = { 'v', 'V', (char)(id >> 24), (char)(id >> 16), (char)(id >> 8), (char)id };
	uint64_t v[3];
	int rc = kv_get(s->kv, str_of(key, sizeof key), &value);

	if (rc == 0)
		rc = numbers_read(buf_str(&value), v, 3);
	if (rc == 0)
		*ret = (uint32_t)v[2];
	return rc;
}

int apply_load_counters(struct store *s)
{
	CLEANUP(buf_done) struct buf value = BUF(KIB);
	uint64_t v[6] = { 0 };
	int rc = kv_get(s->kv, S("vs"), &value);

	if (rc == 0 && numbers_read(buf_str(&value), v, 6) < 0)
		rc = -EIO;
	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	s->applied = (struct position){ .volume = (uint32_t)v[0], .at = v[1], .batch = v[2] };
	s->live = (struct counters){ .objects = v[3], .tombstones = v[4], .bytes = v[5] };
	struct kv_iter *it = kv_iter_new(s->kv);
	for (kv_iter_seek(it, S("vV")); kv_iter_valid(it) && str_starts(kv_iter_key(it), S("vV"));
	     kv_iter_next(it)) {
		struct str key = kv_iter_key(it);
		const unsigned char *k = (const unsigned char *)key.p;
		struct volume *vol =
			key.n == 6 ? volume_find(s, (uint32_t)k[2] << 24 | (uint32_t)k[3] << 16 |
							    (uint32_t)k[4] << 8 | k[5])
				   : NULL;

		if (vol && numbers_read(kv_iter_value(it), v, 2) == 0) {
			vol->dead = v[0];
			vol->rows = v[1];
		}
	}
	rc = kv_iter_error(it);
	kv_iter_free(it);
	return rc;
}

static void reset(struct apply *a)
{
	if (a->n)
		memset(a->slots, 0, sizeof a->slots);
	a->n = a->ops = a->volume_n = 0;
	a->objects = a->tombstones = a->bytes = 0;
	kv_batch_clear(a->batch);
}

int apply_write(struct apply *a, const struct position *end)
{
	struct store *s = a->s;

	pthread_mutex_lock(&s->lock);
	settle_counters(a, end);
	pthread_mutex_unlock(&s->lock);
	int rc = kv_write(s->kv, a->batch, false);
	if (rc < 0) {
		apply_drop(a);
		return rc;
	}
	pthread_mutex_lock(&s->lock);
	s->generation++;
	for (unsigned i = 0; i < a->n; i++) {
		if (a->changes[i].exists)
			index_cache_put(s->cache, &a->changes[i].id, &a->changes[i].e);
		else
			index_cache_remove(s->cache, &a->changes[i].id);
	}
	s->applied = *end;
	while (!list_empty(&a->waste))
		list_append(&s->waste, list_pop(&a->waste));
	pthread_mutex_unlock(&s->lock);
	reset(a);
	return 0;
}

void apply_drop(struct apply *a)
{
	for (struct list *n; (n = list_pop(&a->waste));)
		free(list_entry(n, struct waste, node));
	reset(a);
}
