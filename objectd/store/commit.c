/* The committer: decides what of a batch takes effect, writes it to the journal in one piece, syncs
 * once, and then changes the index. */
#include "objectd/store/internal.h"
#include "lib/base/clock.h"

#include <sys/statvfs.h>
#include <unistd.h>

static bool is_newer(struct timestamp a, struct timestamp b)
{
	return timestamp_cmp(a, b) > 0;
}

int record_effect(const struct record *r, const struct location *at,
		  const struct index_entry *before, struct index_entry *ret)
{
	bool exists = before->e.state != 0;
	int order = exists ? timestamp_cmp(r->ts, before->e.data_ts) : 1;

	switch (r->kind) {
	case RECORD_DATA:
	case RECORD_LARGE:
	case RECORD_TOMBSTONE:
		if (order < 0 || (exists && location_cmp(at, &before->data) <= 0))
			return 0;
		if (order == 0) {       /* the same version at a new place: a later POST stays */
			*ret = *before;
			ret->data = *at;
			return 1;
		}
		*ret = (struct index_entry){ .data = *at };
		ret->e.state = r->kind == RECORD_TOMBSTONE ? OBJECT_TOMBSTONE : OBJECT_DATA;
		ret->e.data_ts = ret->e.meta_ts = r->ts;
		ret->e.size = r->kind == RECORD_TOMBSTONE ? 0 : r->size;
		ret->e.delete_at = r->delete_at;
		ret->large = r->kind == RECORD_LARGE ? r->aux[0] : 0;
		ret->oldest = exists ? MIN(before->oldest, at->volume) : at->volume;
		return 1;
	case RECORD_META: {
		struct timestamp base = { .t = r->aux[0], .offset = r->aux[1] };

		if (!exists || before->e.state != OBJECT_DATA ||
		    timestamp_cmp(base, before->e.data_ts) != 0)
			return 0;
		order = timestamp_cmp(r->ts, before->e.meta_ts);
		if (order < 0 || (order == 0 && location_cmp(at, &before->meta) <= 0))
			return 0;
		*ret = *before;
		ret->meta = *at;
		ret->e.meta_ts = r->ts;
		ret->e.delete_at = r->delete_at;
		return 1;
	}
	case RECORD_FORGET:
	case RECORD_DAMAGED:
		return exists && order >= 0 && location_cmp(&before->data, at) < 0 ? 2 : 0;
	default:
		return 0;
	}
}

static bool is_alive(const struct index_entry *e)
{
	int64_t now = (int64_t)time(NULL);

	return e->e.state == OBJECT_DATA && (e->e.delete_at == 0 || e->e.delete_at > now);
}

/* A POST is for the data that is there now, and what removes an object guards against the records
 * of it that are there now; only here is that known. */
static void bind_to_past(struct op *op)
{
	bool post = op->kind == OP_POST;

	op->r.aux[0] = post ? op->before.e.data_ts.t : op->before.oldest;
	op->r.aux[1] = post ? op->before.e.data_ts.offset : 0;
	record_measure(&op->r);
	record_write(&op->r, NULL, op->head);
}

bool is_past(const struct index_entry *e, struct timestamp ts)
{
	return e->e.state == 0 || is_newer(e->e.data_ts, ts);
}

static bool is_at(const struct location *a, const struct location *b)
{
	return location_cmp(a, b) == 0;
}

static int decide_move(const struct op *op)
{
	const struct index_entry *e = &op->before;

	switch (op->r.kind) {
	case RECORD_META:
		return is_at(&e->meta, &op->from) ? 0 : -EALREADY;
	case RECORD_FORGET:
	case RECORD_DAMAGED:
		return is_past(e, op->r.ts) ? 0 : -EALREADY;
	case RECORD_TOMBSTONE:
		return is_past(e, op->r.ts) || is_at(&e->data, &op->from) ? 0 : -EALREADY;
	default:
		if (!is_at(&e->data, &op->from))
			return -EALREADY;
		/* A POST that came meanwhile would stand before the data, where a rebuild does not
		 * see it. */
		return is_at(&e->meta, &op->meta) ? 0 : -EAGAIN;
	}
}

/* Whether the operation takes effect, given what is there: 0 or the reason why not. */
static int decide(const struct op *op)
{
	const struct object_entry *e = &op->before.e;

	switch (op->kind) {
	case OP_PUT:
	case OP_DELETE:
		if ((op->if_absent && is_alive(&op->before)) || (op->if_unknown && e->state != 0))
			return -EEXIST;
		return e->state != 0 && !is_newer(op->r.ts, e->data_ts) ? -EALREADY : 0;
	case OP_POST:
		if (e->state != OBJECT_DATA)
			return -ENOENT;
		if (!is_newer(op->r.ts, e->data_ts) || !is_newer(op->r.ts, e->meta_ts))
			return -EALREADY;
		return 0;
	case OP_FORGET:
		if (e->state == 0)
			return -ENOENT;
		if (timestamp_cmp(op->data_ts, e->data_ts) != 0)
			return -EALREADY;
		return timestamp_cmp(op->meta_ts, e->meta_ts) == 0 ? 0 : -EALREADY;
	case OP_DAMAGED:
		return is_at(&op->before.data, &op->from) ? 0 : -EALREADY;
	case OP_MOVE:
		return decide_move(op);
	case OP_RECLAIM:
		if (e->state != OBJECT_TOMBSTONE)
			return -EALREADY;
		return is_at(&op->before.data, &op->from) ? 0 : -EALREADY;
	case OP_ROWS:
	case OP_SEAL:
		break;
	}
	return 0;
}

/* The entry after the operation, whose record will stand at op->place, is seen by the batch's later
 * operations; nothing is on disk yet. */
static int plan_object(struct store *s, struct op *op)
{
	struct index_entry after;
	int rc = apply_get(s->apply, &op->id, &op->before);

	if (rc == -ENOENT)
		op->before = (struct index_entry){ 0 };
	else if (rc < 0)
		return rc;
	rc = decide(op);
	if (rc < 0)
		return rc;
	if (op->kind != OP_PUT && op->kind != OP_MOVE && op->kind != OP_RECLAIM)
		bind_to_past(op);
	/* Its record stays until compaction, so a replay may bring it back: until the next
	 * reclaiming. */
	if (op->kind == OP_RECLAIM)
		return apply_set(s->apply, &op->id, NULL, true);
	op->place.len = op->r.len;
	op->write = true;
	int effect = record_effect(&op->r, &op->place, &op->before, &after);
	/* A moved tombstone that the index has given up only guards a rebuild. */
	if (effect == 0 || (op->kind == OP_MOVE && op->before.e.state == 0))
		return 0;
	rc = apply_set(s->apply, &op->id, effect == 1 ? &after : NULL, true);
	if (rc < 0)
		op->write = false;
	return rc;
}

/* Rows that compaction moves: only those that are still so. */
static int plan_moved_rows(struct store *s, struct op *op)
{
	struct str rest = op->rows, key, value;
	int rc;

	while ((rc = rows_next(&rest, &key, &value)) > 0) {
		int is = apply_row_is(s->apply, key, value);

		if (is < 0)
			return is;
		char *p = is ? buf_reserve(&s->rows, rows_change_size(key, value)) : NULL;
		if (p)
			s->rows.n += (size_t)(rows_change_write(p, key, value) - p);
	}
	return rc;
}

static void add_iov(struct store *s, const void *p, size_t n)
{
	if (n == 0)
		return;
	if (s->iov_n == s->iov_cap) {
		s->iov_cap = MAX(256U, s->iov_cap * 2);
		s->iov = xreallocarray(s->iov, s->iov_cap, sizeof *s->iov);
	}
	s->iov[s->iov_n++] = (struct iovec){ .iov_base = (void *)(uintptr_t)p, .iov_len = n };
}

static void add_record(struct store *s, struct record *r, char *head, struct str data, uint64_t at)
{
	static const char zeros[RECORD_ALIGN];

	r->at = at;
	r->batch = s->batch;
	r->batch_at = s->active->end;
	record_seal(head, r, s->active->salt);
	add_iov(s, head, r->head_len);
	add_iov(s, data.p, data.n);
	add_iov(s, zeros, r->len - r->head_len - data.n);
}

/* A rare large batch need not hold its memory for ever. */
static void clear(struct buf *b)
{
	size_t max = b->max;

	if (b->cap <= MIB) {
		buf_clear(b);
		return;
	}
	buf_done(b);
	*b = BUF(max);
}

/* All rows of the batch become one record, the first. */
static int plan_rows(struct store *s, struct op **ops, unsigned n, uint64_t *at)
{
	struct record r = { .kind = RECORD_ROWS };

	clear(&s->rows);
	for (unsigned i = 0; i < n; i++) {
		struct op *op = ops[i];

		if (op->kind == OP_MOVE && op->r.kind == RECORD_ROWS) {
			op->result = plan_moved_rows(s, op);
		} else if (op->kind == OP_ROWS) {
			buf_add_str(&s->rows, op->rows);
			op->write = true;
		}
	}
	r.rows = buf_str(&s->rows);
	if (r.rows.n == 0)
		return 0;
	assert(!buf_failed(&s->rows));
	record_measure(&r);
	clear(&s->rows_head);
	char *head = buf_reserve(&s->rows_head, r.head_len);
	record_write(&r, NULL, head);
	add_record(s, &r, head, STR_NONE, *at);
	*at += r.len;
	return apply_rows(s->apply, r.rows, s->active->id, true);
}

static int write_and_sync(struct store *s, uint64_t at)
{
	int rc = file_writev_at(s->fd, s->iov, s->iov_n, at);

	if (rc == -ENOSPC || rc == -EDQUOT || rc == -EFBIG) {
		/* What was written of it has this batch's number, which is never used again, so it
		 * cannot be taken for a part of what will stand here. */
		if (volume_cut(s, at) == 0)
			return -ENOSPC;
	}
	if (rc < 0)
		return -EIO;
	return fdatasync(s->fd) < 0 ? -EIO : 0;
}

/* Nothing of the batch happened: those that would have succeeded hear why not. */
static void settle(struct store *s, struct op **ops, unsigned n, int rc)
{
	for (unsigned i = 0; i < n; i++)
		if (ops[i]->result == 0)
			ops[i]->result = rc;
	if (rc == -EIO)
		s->broken = 1;
}

static void count(struct store *s, unsigned ops, uint64_t from, uint64_t to)
{
	pthread_mutex_lock(&s->lock);
	s->active->end = to;
	s->stats.commits += ops;
	s->stats.syncs++;
	s->stats.committed_bytes += to - from;
	s->records_since += ops;
	s->bytes_since += to - from;
	pthread_mutex_unlock(&s->lock);
}

/* Plans everything of the batch behind at: 0, or why nothing of it can be done. */
static int plan(struct store *s, struct op **ops, unsigned n, uint64_t *at)
{
	int rc = plan_rows(s, ops, n, at);

	for (unsigned i = 0; i < n && rc == 0; i++) {
		struct op *op = ops[i];

		if (op->kind == OP_ROWS || op->kind == OP_SEAL ||
		    (op->kind == OP_MOVE && op->r.kind == RECORD_ROWS))
			continue;
		op->place = (struct location){ .volume = s->active->id, .at = *at };
		op->result = plan_object(s, op);
		if (!op->write)
			continue;
		add_record(s, &op->r, op->head, op->data, *at);
		if (op->kind != OP_MOVE)
			rc = apply_rows(s->apply, op->r.rows, s->active->id, true);
		*at += op->r.len;
	}
	return rc;
}

static void run_ops(struct store *s, struct op **ops, unsigned n)
{
	uint64_t start = s->active->end, at = start;

	s->iov_n = 0;
	s->batch++;
	int rc = plan(s, ops, n, &at);
	if (rc < 0) {
		apply_drop(s->apply);
		return settle(s, ops, n, rc);
	}
	rc = at == start ? 0 : write_and_sync(s, start);
	if (rc < 0) {
		apply_drop(s->apply);
		return settle(s, ops, n, rc);
	}
	if (at > start)
		count(s, n, start, at);
	else if (apply_is_empty(s->apply))
		return apply_drop(s->apply);
	struct position end = { .volume = s->active->id, .at = at, .batch = s->batch };
	if (apply_write(s->apply, &end) < 0)
		settle(s, ops, n, -EIO);
}

static uint64_t op_bytes(const struct op *op)
{
	/* Merged rows need a head of their own; a POST may grow by what it is bound to. */
	return op->r.len + op->rows.n + RECORD_FIXED + 2 * RECORD_ALIGN;
}

void commit_batch(void *arg, struct batch_item *first, unsigned count_)
{
	struct store *s = arg;
	struct op **ops = s->ops;
	unsigned n = 0;
	uint64_t bytes = 0;
	bool seal = false;

	assert(s->magic == STORE_MAGIC && count_ <= BATCH_OPS_MAX);
	/* Moves first: they are decided by what LevelDB has, without the batch's own changes of
	 * rows. */
	for (struct batch_item *i = first; i; i = i->next)
		if (container_of(i, struct op, item)->kind == OP_MOVE)
			ops[n++] = container_of(i, struct op, item);
	for (struct batch_item *i = first; i; i = i->next)
		if (container_of(i, struct op, item)->kind != OP_MOVE)
			ops[n++] = container_of(i, struct op, item);
	for (unsigned i = 0; i < n; i++) {
		bytes += op_bytes(ops[i]);
		seal |= ops[i]->kind == OP_SEAL;
	}
	int rc = s->broken ? -EROFS : volume_prepare(s, bytes, seal);
	if (rc < 0) {
		for (unsigned i = 0; i < n; i++)
			ops[i]->result = rc;
		if (rc != -ENOSPC && rc != -EROFS)
			s->broken = 1;
		return;
	}
	run_ops(s, ops, n);
}

int space_check(struct store *s, uint64_t bytes, bool urgent)
{
	uint64_t now = clock_mono_ms();

	if (now - s->free_checked_ms >= FREE_CHECK_MS) {
		struct statvfs v;

		if (statvfs(s->path, &v) < 0)
			return -errno;
		s->disk_free = (uint64_t)v.f_bavail * v.f_frsize;
		s->disk_size = (uint64_t)v.f_blocks * v.f_frsize;
		s->free_checked_ms = now;
		s->spent = 0;
	}
	/* LevelDB stops for good when it cannot write: some room is always kept for it. */
	uint64_t least = MIN((uint64_t)INDEX_RESERVE, s->disk_size / 8);
	uint64_t reserve = MAX(s->o.reserve, least);
	/* A fast writer fills a small disk between two looks. */
	if (s->disk_free < (urgent ? reserve / 2 : reserve) + s->spent + bytes)
		return -ENOSPC;
	s->spent += bytes;
	return 0;
}

static void poke_if_due(struct store *s)
{
	pthread_mutex_lock(&s->lock);
	bool due = s->bytes_since > CHECKPOINT_BYTES || s->records_since > CHECKPOINT_RECORDS ||
		   !list_empty(&s->waste);
	bool fill = volume_wants_filling(s);
	pthread_mutex_unlock(&s->lock);
	if (due)
		keeper_poke(s);
	if (fill)
		volume_fill(s);
}

int commit_run(struct store *s, struct op *op)
{
	assert(s->magic == STORE_MAGIC);
	if (s->broken)
		return -EROFS;
	int rc = space_check(s, op_bytes(op), op->urgent);
	if (rc < 0)
		return rc;
	op->item.bytes = op_bytes(op);
	op->result = 0;
	op->write = false;
	batcher_run(s->batcher, &op->item);
	if (op->result == 0)
		poke_if_due(s);
	return op->result;
}

int commit_run_all(struct store *s, struct op *ops, unsigned n)
{
	uint64_t bytes = 0;

	if (s->broken)
		return -EROFS;
	for (unsigned i = 0; i < n; i++) {
		ops[i].item.bytes = op_bytes(&ops[i]);
		ops[i].item.next = i + 1 < n ? &ops[i + 1].item : NULL;
		ops[i].result = 0;
		ops[i].write = false;
		bytes += ops[i].item.bytes;
	}
	int rc = n ? space_check(s, bytes, true) : 0;
	if (n && rc == 0) {
		batcher_run_all(s->batcher, &ops[0].item);
		poke_if_due(s);
	}
	return rc;
}
