/* Changing objects: PUT, DELETE, POST and forgetting, each one operation of a batch. */
#include "objectd/store/internal.h"

enum { WRITER_MAGIC = 0x3717e12e };

struct store_writer {
	unsigned magic;
	struct store *s;
	int64_t expected;
	uint64_t size;
	char *p;                        /* all bytes of a small object */
	size_t cap;
	struct large_writer *large;
	bool kept;                      /* committed, or perhaps: the large file stays */
};

int op_record(struct store *s, struct op *op, enum record_kind kind, const struct object_id *id,
	      struct timestamp ts, struct str name, const struct headers *meta,
	      struct store_txn *with)
{
	buf_clear(&s->scratch);
	if (meta)
		meta_encode(meta, &s->scratch);
	op->id = *id;
	op->r.kind = kind;
	op->r.policy = id->policy;
	memcpy(op->r.hash, id->hash, 16);
	op->r.ts = ts;
	op->r.name = name;
	op->r.meta = buf_str(&s->scratch);
	op->r.rows = txn_rows(with);
	if (buf_failed(&s->scratch) || name.n > RECORD_NAME_MAX || op->r.rows.n > RECORD_ROWS_MAX)
		return -E2BIG;
	record_measure(&op->r);
	/* A POST's record is written again, up to two words longer, when its data is known (and
	 * what removes an object when that is): so its metadata must last, while the scratch buffer
	 * is the next caller's. */
	op->head = xmalloc(op->r.head_len + 2 * RECORD_ALIGN);
	record_write(&op->r, op->data.p, op->head);
	op->meta_copy = kind == RECORD_META ? xmemdupz(op->r.meta.p, op->r.meta.n) : NULL;
	op->r.meta.p = op->meta_copy;
	return 0;
}

void op_done(struct op *op)
{
	free(op->head);
	free(op->meta_copy);
	op->head = op->meta_copy = NULL;
}

/* Runs what op_record has prepared, if it has. */
waits static int run_prepared(struct store *s, struct op *op, int prepared,
			      struct object_entry *ret_existing)
{
	int rc = prepared < 0 ? prepared : commit_run(s, op);

	op_done(op);
	if (ret_existing)
		*ret_existing = op->before.e;
	return rc;
}

int store_writer_open(struct store *s, int64_t size, struct store_writer **ret)
{
	assert(s->magic == STORE_MAGIC);
	if (s->broken)
		return -EROFS;
	int rc = space_check(s, size > 0 ? (uint64_t)size : 0, false);
	if (rc < 0)
		return rc;
	struct store_writer *w = xcalloc(1, sizeof *w);
	w->magic = WRITER_MAGIC;
	w->s = s;
	w->expected = size;
	if (size > 0 && (uint64_t)size > s->o.packed_max) {
		rc = large_open(s, size, &w->large);
		if (rc < 0) {
			free(w);
			return rc;
		}
	}
	*ret = w;
	return 0;
}

static void reserve(struct store_writer *w, size_t n)
{
	if (n <= w->cap)
		return;
	size_t cap =
		w->expected > 0 ? (size_t)MIN((uint64_t)w->expected, w->s->o.packed_max) : 4 * KIB;

	while (cap < n)
		cap *= 2;
	w->p = xreallocarray(w->p, cap, 1);
	w->cap = cap;
}

int store_writer_add(struct store_writer *w, struct str bytes)
{
	assert(w->magic == WRITER_MAGIC);
	if (bytes.n == 0)
		return 0;
	if (!w->large && w->size + bytes.n > w->s->o.packed_max) {
		int rc = large_open(w->s, w->expected, &w->large);

		if (rc == 0 && w->size)
			rc = large_add(w->large, str_of(w->p, (size_t)w->size));
		if (rc < 0)
			return rc;
		free(w->p);
		w->p = NULL;
		w->cap = 0;
	}
	if (w->large) {
		int rc = large_add(w->large, bytes);

		if (rc < 0)
			return rc;
	} else {
		reserve(w, (size_t)w->size + bytes.n);
		assert(w->p);
		memcpy(w->p + w->size, bytes.p, bytes.n);
	}
	w->size += bytes.n;
	return 0;
}

uint64_t store_writer_size(const struct store_writer *w)
{
	return w->size;
}

void store_writer_close(struct store_writer *w)
{
	if (!w)
		return;
	assert(w->magic == WRITER_MAGIC);
	if (w->large)
		large_close(w->large, w->kept);
	free(w->p);
	w->magic = 0;
	free(w);
}

int store_writer_commit(struct store_writer *w, const struct store_put *p,
			struct object_entry *ret_existing)
{
	struct store *s = w->s;
	struct op op = { .kind = OP_PUT, .if_absent = p->if_absent };

	assert(w->magic == WRITER_MAGIC && !w->kept);
	op.r.size = w->size;
	op.r.delete_at = p->delete_at;
	if (w->large) {
		int rc = large_finish(w->large);

		if (rc < 0)
			return rc;
		op.r.aux[0] = large_id(w->large);
	} else {
		op.data = str_of(w->p, (size_t)w->size);
		op.r.data_len = (uint32_t)w->size;
	}
	int rc = op_record(s, &op, w->large ? RECORD_LARGE : RECORD_DATA, &p->id, p->ts, p->name,
			   p->metadata, p->with);
	rc = run_prepared(s, &op, rc, ret_existing);
	/* After a failed sync nobody knows whether the record is in the journal: then the file must
	 * stay, and the next opening decides. */
	w->kept = rc == 0 || rc == -EIO;
	return rc;
}

int store_delete(struct store *s, const struct object_id *id, struct str name, struct timestamp ts,
		 struct store_txn *with, struct object_entry *ret_existing)
{
	struct op op = { .kind = OP_DELETE, .urgent = true };
	int rc = op_record(s, &op, RECORD_TOMBSTONE, id, ts, name, NULL, with);

	return run_prepared(s, &op, rc, ret_existing);
}

int store_post(struct store *s, const struct object_id *id, struct timestamp ts,
	       const struct headers *metadata, int64_t delete_at, struct store_txn *with,
	       struct object_entry *ret_existing)
{
	struct op op = { .kind = OP_POST };

	op.r.delete_at = delete_at;
	int rc = op_record(s, &op, RECORD_META, id, ts, STR_NONE, metadata, with);
	return run_prepared(s, &op, rc, ret_existing);
}

int store_forget(struct store *s, const struct object_id *id, struct timestamp data_ts,
		 struct timestamp meta_ts)
{
	struct op op = {
		.kind = OP_FORGET, .data_ts = data_ts, .meta_ts = meta_ts, .urgent = true
	};
	int rc = op_record(s, &op, RECORD_FORGET, id, data_ts, STR_NONE, NULL, NULL);

	return run_prepared(s, &op, rc, NULL);
}

enum { FORGET_STEP = 256 };

waits static int forget_some(struct store *s, struct store_forgotten *list, unsigned n)
{
	struct op *ops = xcalloc(n, sizeof *ops);
	int rc = 0;

	for (unsigned i = 0; i < n && rc == 0; i++) {
		ops[i] = (struct op){ .kind = OP_FORGET, .data_ts = list[i].data_ts,
				      .meta_ts = list[i].meta_ts, .urgent = true };
		rc = op_record(s, &ops[i], RECORD_FORGET, &list[i].id, list[i].data_ts, STR_NONE,
			       NULL, NULL);
	}
	if (rc == 0)
		rc = commit_run_all(s, ops, n);
	for (unsigned i = 0; i < n; i++) {
		list[i].result = rc < 0 ? rc : ops[i].result;
		if (rc == 0 && list[i].result < 0 && list[i].result != -EALREADY &&
		    list[i].result != -ENOENT)
			rc = list[i].result;
		op_done(&ops[i]);
	}
	free(ops);
	return rc;
}

int store_forget_all(struct store *s, struct store_forgotten *list, unsigned n)
{
	int rc = 0;

	assert(s->magic == STORE_MAGIC);
	for (unsigned i = 0; i < n && rc == 0; i += FORGET_STEP)
		rc = forget_some(s, list + i, MIN(n - i, (unsigned)FORGET_STEP));
	return rc;
}
