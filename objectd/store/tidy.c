/* Housekeeping: reclaims old tombstones, and rewrites what still counts of volumes that are mostly
 * dead, so that the rest can go. */
#include "objectd/store/internal.h"
#include "lib/base/clock.h"

enum {
	RECLAIM_MAX = 1000,
	SLICE_OPS = 256,
	SLICE_BYTES = 4 * MIB,
	SEAL_MIN = 4 * MIB,             /* a smaller active volume is not worth rewriting */
};

/* ---- tombstones ---- */

struct reclaim {
	struct store *s;
	int64_t before;                 /* in a timestamp's units */
	struct op *ops;
	unsigned n;
	struct buf scratch;
	int result;
};

static void find_tombstones(void *arg)
{
	struct reclaim *r = arg;
	struct kv_iter *it = kv_iter_new(r->s->kv);
	int64_t at;

	r->n = 0;
	for (kv_iter_seek(it, S("vt")); r->n < RECLAIM_MAX && kv_iter_valid(it); kv_iter_next(it)) {
		struct op *op = &r->ops[r->n];
		struct index_entry e;

		*op = (struct op){ .kind = OP_RECLAIM };
		if (expiry_key_parse('t', kv_iter_key(it), &at, &op->id) < 0 || at >= r->before)
			break;
		if (index_get(r->s, &r->scratch, &op->id, &e) == 0 &&
		    e.e.state == OBJECT_TOMBSTONE) {
			op->from = e.data;
			r->n++;
		}
	}
	r->result = kv_iter_error(it);
	kv_iter_free(it);
}

waits static int reclaim(struct store *s, int64_t reclaim_s)
{
	struct reclaim r = { .s = s, .scratch = BUF(KIB) };

	r.before = (clock_wall_s() - reclaim_s) * 100000;
	r.ops = xcalloc(RECLAIM_MAX, sizeof *r.ops);
	do {
		task_run_blocking("find tombstones", find_tombstones, &r);
		if (r.result == 0)
			r.result = commit_run_all(s, r.ops, r.n);
		if (r.result == 0 && task_cancelled())
			r.result = -ECANCELED;
	} while (r.result == 0 && r.n == RECLAIM_MAX);
	free(r.ops);
	buf_done(&r.scratch);
	return r.result;
}

/* ---- compaction ---- */

struct compact {
	struct store *s;
	struct scan scan;
	bool oldest;                    /* nothing older could come back in a rebuild */
	bool bad;                       /* something was not readable, or could not be moved now */
	bool count_only;                /* find out what lives, move nothing */
	uint64_t batch, live, bytes;
	struct op *ops;
	unsigned n;
	struct buf scratch, rows;
	struct object_id damaged;
	struct index_entry damaged_e;
	bool has_damaged;
	int rc;                         /* 1: more, 0: the end */
};

/* Of the record's rows, those that still are so. */
static int live_rows(struct compact *c, struct str rows)
{
	struct str rest = rows, key, value;
	int rc;

	buf_clear(&c->rows);
	while ((rc = rows_next(&rest, &key, &value)) > 0) {
		if (!value.p && c->oldest)
			continue;
		int is = row_is(c->s, &c->scratch, key, value);
		if (is < 0)
			return is;
		char *p = is ? buf_reserve(&c->rows, rows_change_size(key, value)) : NULL;
		if (p)
			c->rows.n += (size_t)(rows_change_write(p, key, value) - p);
	}
	return rc;
}

static void move_rows(struct compact *c)
{
	struct op *op = &c->ops[c->n++];

	*op = (struct op){ .kind = OP_MOVE };
	op->r.kind = RECORD_ROWS;
	op->head = xmemdupz(c->rows.p, c->rows.n);
	op->rows = str_of(op->head, c->rows.n);
}

/* Prepares the record to be written again elsewhere: without its rows, which go their own way. */
static void move_record(struct compact *c, const struct record *r, const struct location *from,
			const char *data)
{
	struct op *op = &c->ops[c->n++];

	*op = (struct op){ .kind = OP_MOVE, .from = *from, .r = *r };
	op->id.policy = r->policy;
	memcpy(op->id.hash, r->hash, 16);
	op->r.rows = STR_NONE;
	record_measure(&op->r);
	op->head = xmalloc(op->r.head_len);
	record_write(&op->r, NULL, op->head);
	if (r->data_len) {
		op->meta_copy = xmemdupz(data, r->data_len);
		op->data = str_of(op->meta_copy, r->data_len);
	}
	c->live += op->r.len;
}

/* The POST's metadata must come behind the data also where a rebuild reads them. */
static int move_meta(struct compact *c, const struct object_id *id, const struct location *l)
{
	CLEANUP(auto_chars_end) char *p = xmalloc(l->len);
	struct volume *v;
	struct record r = { .kind = 0 };
	int rc = volume_pin(c->s, l->volume, &v);

	if (rc < 0)
		return rc;
	rc = file_read_at(v->fd, p, l->len, l->at);
	if (rc == 0)
		rc = record_parse(p, l->len, v->salt, l->at, &r);
	volume_unpin(c->s, v);
	if (rc < 0 || r.kind != RECORD_META || memcmp(r.hash, id->hash, 16) != 0)
		return -EBADMSG;
	move_record(c, &r, l, NULL);
	return 0;
}

static int read_data(struct compact *c, const struct record *r, char **ret)
{
	*ret = xmalloc(r->data_len + 1);
	int rc = file_read_at(c->scan.fd, *ret, r->data_len, r->at + r->head_len);

	for (size_t i = 0; rc == 0 && i < record_blocks(r->data_len); i++) {
		size_t at = i * RECORD_BLOCK;

		if (!record_block_ok(r->crcs, i, *ret + at,
				     MIN(r->data_len - at, (size_t)RECORD_BLOCK)))
			rc = -EBADMSG;
	}
	return rc;
}

static int move_object(struct compact *c, const struct record *r, const struct location *at,
		       const struct object_id *id, const struct index_entry *e)
{
	CLEANUP(auto_chars_end) char *data = NULL;
	int rc = r->data_len ? read_data(c, r, &data) : 0;

	if (rc == 0) {
		move_record(c, r, at, data);
		c->ops[c->n - 1].meta = e->meta;
		if (e->meta.volume && e->meta.volume != at->volume)
			rc = move_meta(c, id, &e->meta);
	}
	if (rc < 0) {
		c->damaged = *id;
		c->damaged_e = *e;
		c->has_damaged = true;
	}
	return 0;
}

/* What says that an object is gone must stand behind the object's records as long as these exist,
 * or a rebuild would bring it back. aux has the oldest volume that had one. */
static bool is_guarding(struct compact *c, const struct record *r)
{
	bool found = false;

	pthread_mutex_lock(&c->s->lock);
	for (unsigned i = 0;
	     r->aux[0] && i < c->s->volume_n && c->s->volumes[i]->id < c->scan.id && !found; i++)
		found = c->s->volumes[i]->id >= r->aux[0];
	pthread_mutex_unlock(&c->s->lock);
	return found;
}

/* What of the record must live on. */
static int examine(struct compact *c, const struct record *r)
{
	struct location at = { .volume = c->scan.id, .at = r->at, .len = r->len };
	struct object_id id = { .policy = r->policy };
	struct index_entry e = { 0 };

	c->bytes += r->len;
	if (r->rows.n) {
		int rc = live_rows(c, r->rows);
		if (rc < 0)
			return rc;
		c->live += c->rows.n;
		if (c->rows.n && !c->count_only)
			move_rows(c);
	}
	if (r->kind == RECORD_ROWS)
		return 0;
	memcpy(id.hash, r->hash, 16);
	int rc = index_get(c->s, &c->scratch, &id, &e);
	if (rc < 0 && rc != -ENOENT)
		return rc;
	bool current = location_cmp(&e.data, &at) == 0 || location_cmp(&e.meta, &at) == 0;
	bool removes = r->kind == RECORD_TOMBSTONE || r->kind == RECORD_FORGET ||
		       r->kind == RECORD_DAMAGED;
	if (!current && !(removes && is_past(&e, r->ts) && is_guarding(c, r)))
		return 0;
	if (c->count_only)
		c->live += r->len - r->rows.n;
	else if (r->kind == RECORD_DATA || r->kind == RECORD_LARGE)
		return move_object(c, r, &at, &id, &e);
	else
		move_record(c, r, &at, NULL);
	return 0;
}

static void slice_job(void *arg)
{
	struct compact *c = arg;
	uint64_t stop = c->bytes + SLICE_BYTES, next_at;
	struct record r;

	c->rc = 1;
	c->n = 0;
	/* An object's record may become three operations. */
	while (c->rc == 1 && c->bytes < stop && c->n + 3 <= SLICE_OPS && !c->has_damaged) {
		uint64_t at = c->scan.at;
		int rc = scan_next(&c->scan, &r);

		if (rc == 1) {
			c->batch = r.batch;
			rc = examine(c, &r);
			c->rc = rc < 0 ? rc : 1;
		} else if (rc == 0) {
			c->rc = 0;
		} else {
			/* The auditor deals with who lives there; until then the volume stays. */
			c->bad = true;
			c->scan.at = at;
			if (scan_resync(&c->scan, c->batch, 0, &next_at) < 0)
				c->rc = 0;
		}
	}
}

waits static int compact_slices(struct compact *c)
{
	do {
		uint64_t began = clock_mono_ms(), before = c->bytes;

		task_run_blocking("compact", slice_job, c);
		int rc = c->rc < 0 ? c->rc : commit_run_all(c->s, c->ops, c->n);
		for (unsigned i = 0; i < c->n; i++) {
			if (c->ops[i].result == -EAGAIN)
				c->bad = true;          /* the volume stays until the next round */
			else if (rc == 0 && c->ops[i].result < 0 && c->ops[i].result != -EALREADY)
				rc = c->ops[i].result;
			op_done(&c->ops[i]);
		}
		c->n = 0;
		if (rc == 0 && c->has_damaged && !c->count_only) {
			rc = quarantine(c->s, &c->damaged, &c->damaged_e,
					"found damaged by compaction");
			rc = rc == -EALREADY ? 0 : rc;
		}
		c->has_damaged = false;
		if (rc == 0)
			rc = pace(c->bytes - before, c->s->compact_rate, began);
		if (rc < 0)
			return rc;
	} while (c->rc == 1);
	return 0;
}

struct volume_job {
	struct compact *c;
	struct store *s;
	uint32_t id;
	int result;
};

static void open_job(void *arg)
{
	struct volume_job *j = arg;

	j->result = scan_open(&j->c->scan, j->s, j->id);
}

static void remove_job(void *arg)
{
	struct volume_job *j = arg;
	struct store *s = j->s;
	char key[6] = {
		'v', 'V', (char)(j->id >> 24), (char)(j->id >> 16), (char)(j->id >> 8), (char)j->id
	};

	j->result = volume_remove(s, j->id);
	if (j->result < 0)
		return;
	struct kv_batch *b = kv_batch_new();
	kv_batch_delete(b, str_of(key, sizeof key));
	j->result = kv_write(s->kv, b, false);
	kv_batch_free(b);
}

struct finder {
	struct store *s;
	uint32_t volume;
	bool found;
};

/* Whether any entry still points into a volume that was not readable everywhere. */
static void still_used_job(void *arg)
{
	struct finder *f = arg;
	struct kv_iter *it = kv_iter_new(f->s->kv);
	struct index_entry e;

	for (kv_iter_seek(it, S("o"));
	     !f->found && kv_iter_valid(it) && kv_iter_key(it).p[0] == 'o'; kv_iter_next(it))
		f->found = index_value_parse(kv_iter_value(it), &e) == 0 &&
			   (e.data.volume == f->volume || e.meta.volume == f->volume);
	kv_iter_free(it);
}

/* Goes through one volume; moves what lives unless count_only. 0, or 1 when not all of it was
 * readable. */
waits static int go_through(struct store *s, uint32_t id, bool oldest, bool count_only,
			    uint64_t *ret_live)
{
	struct compact *c = xcalloc(1, sizeof *c);
	struct volume_job j = { .c = c, .s = s, .id = id };

	c->s = s;
	c->oldest = oldest;
	c->count_only = count_only;
	c->ops = xcalloc(SLICE_OPS, sizeof *c->ops);
	c->scratch = BUF(ROW_VALUE_MAX);
	c->rows = BUF(RECORD_ROWS_MAX);
	task_run_blocking("compact", open_job, &j);
	int rc = j.result;
	if (rc == 0) {
		rc = compact_slices(c);
		if (rc == 0)
			rc = c->bad;
		scan_close(&c->scan);
	}
	*ret_live = c->live;
	buf_done(&c->scratch);
	buf_done(&c->rows);
	free(c->ops);
	free(c);
	return rc;
}

waits static int compact_volume(struct store *s, uint32_t id, bool oldest)
{
	struct finder f = { .s = s, .volume = id };
	struct volume_job j = { .s = s, .id = id };
	uint64_t live;
	int rc = go_through(s, id, oldest, false, &live);

	if (rc == 1)
		task_run_blocking("compact", still_used_job, &f);
	if (rc >= 0)
		rc = store_checkpoint(s);
	if (rc < 0)
		return rc;
	if (f.found)
		return 0;       /* damage: the auditor's business */
	task_run_blocking("remove volume", remove_job, &j);
	return j.result;
}

/* ---- which volumes ---- */

struct candidate {
	uint32_t id;
	bool oldest, examine;
	uint64_t end, dead;
};

/* The next sealed volume behind after that is, or may be, mostly dead. */
static bool next_candidate(struct store *s, uint32_t after, struct candidate *ret)
{
	bool found = false;

	pthread_mutex_lock(&s->lock);
	for (unsigned i = 0; i < s->volume_n && !found; i++) {
		struct volume *v = s->volumes[i];
		bool dead = v->dead > v->end / 2 || v->end <= VOLUME_HEADER;
		/* Rows die unseen: look again when about as much has been written since. */
		bool maybe = v->dead + v->rows > v->end / 2 &&
			     s->stats.committed_bytes - v->examined >= v->end / 2;

		if (v->id <= after || !v->sealed || (!dead && !maybe))
			continue;
		*ret = (struct candidate){ .id = v->id,
					   .oldest = i == 0,
					   .examine = !dead,
					   .end = v->end,
					   .dead = v->dead };
		if (!dead)
			v->examined = MAX(s->stats.committed_bytes, (uint64_t)1);
		found = true;
	}
	pthread_mutex_unlock(&s->lock);
	return found;
}

waits static int compact(struct store *s)
{
	struct candidate c;
	uint32_t after = 0;
	int rc = 0;

	while (rc == 0 && next_candidate(s, after, &c)) {
		uint64_t live = 0;

		after = c.id;
		if (c.examine)
			rc = go_through(s, c.id, c.oldest, true, &live);
		if (rc >= 0 && live <= c.end / 2)
			rc = compact_volume(s, c.id, c.oldest);
	}
	return rc;
}

/* A mostly dead active volume is ended, so that it can be compacted too. */
waits static int seal(struct store *s)
{
	struct op op = { .kind = OP_SEAL, .urgent = true };

	pthread_mutex_lock(&s->lock);
	struct volume *v = s->volumes[s->volume_n - 1];
	bool worth = v->end > SEAL_MIN && v->dead > v->end / 2;
	pthread_mutex_unlock(&s->lock);
	return worth ? commit_run(s, &op) : 0;
}

void store_set_pace(struct store *s, uint64_t bytes_per_second)
{
	s->compact_rate = bytes_per_second;
}

int store_tidy(struct store *s, int64_t reclaim_s)
{
	assert(s->magic == STORE_MAGIC);
	if (s->broken)
		return -EROFS;
	waste_collect(s);
	int rc = reclaim(s, reclaim_s);
	if (rc == 0)
		rc = seal(s);
	if (rc == 0)
		rc = compact(s);
	waste_collect(s);
	return rc;
}
