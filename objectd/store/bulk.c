/* Reads many packed objects in one job, and stores many in one batch. */
#include "objectd/store/bulk.h"
#include "objectd/store/internal.h"

struct read_job {
	struct store *s;
	struct store_bulk_read *list;
	unsigned n;
	struct arena *arena;
	struct buf scratch;
};

static bool is_expected(const struct record *r, const struct store_bulk_read *b,
			const struct index_entry *e)
{
	enum record_kind kind = e->e.state == OBJECT_TOMBSTONE ? RECORD_TOMBSTONE : RECORD_DATA;

	return r->kind == kind && r->len == e->data.len && r->policy == b->id.policy &&
	       memcmp(r->hash, b->id.hash, 16) == 0 && timestamp_cmp(r->ts, e->e.data_ts) == 0 &&
	       (kind == RECORD_TOMBSTONE || (r->size == e->e.size && r->data_len == e->e.size));
}

static bool data_is_sound(const struct record *r, const char *data)
{
	for (size_t i = 0; i < record_blocks(r->data_len); i++) {
		size_t at = i * RECORD_BLOCK;

		if (!record_block_ok(r->crcs, i, data + at,
				     MIN(r->data_len - at, (size_t)RECORD_BLOCK)))
			return false;
	}
	return true;
}

static int read_one(struct read_job *j, struct store_bulk_read *b)
{
	struct record r = { .kind = 0 };
	struct index_entry e;
	struct volume *v;
	int rc = index_get(j->s, &j->scratch, &b->id, &e);

	if (rc < 0 || e.large || e.meta.volume || volume_pin(j->s, e.data.volume, &v) < 0)
		return -EAGAIN;
	char *p = arena_alloc(j->arena, e.data.len);

	rc = file_read_at(v->fd, p, e.data.len, e.data.at);
	if (rc == 0)
		rc = record_parse(p, e.data.len, v->salt, e.data.at, &r);
	volume_unpin(j->s, v);
	if (rc < 0 || !is_expected(&r, b, &e) || !data_is_sound(&r, p + r.head_len))
		return -EAGAIN;
	headers_init(&b->metadata, j->arena);
	if (meta_decode(r.meta, &b->metadata) < 0)
		return -EAGAIN;
	b->entry = e.e;
	b->name = r.name;
	b->data = str_of(p + r.head_len, r.data_len);
	return 0;
}

static void read_job(void *arg)
{
	struct read_job *j = arg;

	for (unsigned i = 0; i < j->n; i++)
		j->list[i].result = read_one(j, &j->list[i]);
}

void store_read_all(struct store *s, struct store_bulk_read *list, unsigned n, struct arena *a)
{
	struct read_job j = { .s = s, .list = list, .n = n, .arena = a, .scratch = BUF(KIB) };

	assert(s->magic == STORE_MAGIC);
	task_run_blocking("read many", read_job, &j);
	buf_done(&j.scratch);
}

static int prepare(struct store *s, struct op *op, const struct store_bulk_put *b)
{
	*op = (struct op){ .kind = OP_PUT, .if_unknown = true, .data = b->data };
	op->r.size = b->data.n;
	op->r.data_len = (uint32_t)b->data.n;
	op->r.delete_at = b->put.delete_at;
	return op_record(s, op, RECORD_DATA, &b->put.id, b->put.ts, b->put.name, b->put.metadata,
			 NULL);
}

int store_put_all(struct store *s, struct store_bulk_put *list, unsigned n)
{
	struct op *ops = xcalloc(n + 1, sizeof *ops);
	struct store_bulk_put **of = xcalloc(n + 1, sizeof *of);
	uint64_t bytes = 0;
	unsigned used = 0;

	assert(s->magic == STORE_MAGIC);
	for (unsigned i = 0; i < n; i++) {
		list[i].result = -EEXIST;
		list[i].existing = (struct object_entry){ .state = 0 };
		if (list[i].data.n > s->o.packed_max || prepare(s, &ops[used], &list[i]) < 0) {
			op_done(&ops[used]);
			continue;
		}
		bytes += ops[used].r.len;
		of[used++] = &list[i];
	}
	int rc = s->broken ? -EROFS : space_check(s, bytes, false);

	if (rc == 0 && used)
		rc = commit_run_all(s, ops, used);
	for (unsigned i = 0; i < used; i++) {
		of[i]->result = rc < 0 ? rc : ops[i].result;
		of[i]->existing = ops[i].before.e;
		if (rc == 0 && ops[i].result < 0 && ops[i].result != -EEXIST)
			rc = ops[i].result;
		op_done(&ops[i]);
	}
	free(of);
	free(ops);
	return rc;
}
