/* The auditor's reading: every record of a volume, in order and slowly; what is damaged is
 * quarantined before anybody asks for it. */
#include "objectd/store/internal.h"
#include "lib/base/clock.h"

#include <fcntl.h>

enum { SLICE = MIB, FOUND_MAX = 64 };

struct found {
	struct object_id id;
	struct index_entry e;
	bool damaged;                   /* else: its bytes are in a large file, still to be read */
};

struct audit {
	struct store *s;
	struct scan scan;
	uint64_t end;                   /* of what was written when the audit came here */
	uint64_t batch, records, bytes;
	struct location bad;            /* a region that is no record; volume 0: none */
	struct found found[FOUND_MAX];
	unsigned found_n;
	struct buf scratch;
	int rc;                         /* 1: more, 0: the end */
};

static void note(struct audit *a, const struct object_id *id, const struct index_entry *e,
		 bool damaged)
{
	a->found[a->found_n++] = (struct found){ .id = *id, .e = *e, .damaged = damaged };
}

static int examine(struct audit *a, const struct record *r)
{
	struct location at = { .volume = a->scan.id, .at = r->at, .len = r->len };
	struct object_id id = { .policy = r->policy };
	struct index_entry e;

	memcpy(id.hash, r->hash, 16);
	a->records++;
	a->bytes += r->len;
	if (r->kind != RECORD_DATA && r->kind != RECORD_LARGE)
		return 0;
	/* Looking up costs more than reading, and only what is damaged need be known. */
	if (r->kind == RECORD_DATA && scan_verify(&a->scan, r) == 0)
		return 0;
	int rc = index_get(a->s, &a->scratch, &id, &e);
	if (rc < 0 || location_cmp(&e.data, &at) != 0)
		return rc == -ENOENT ? 0 : rc;  /* dead bytes may be anything */
	note(a, &id, &e, r->kind == RECORD_DATA);
	return 0;
}

/* One slice, in the pool. */
static void slice_job(void *arg)
{
	struct audit *a = arg;
	uint64_t stop = a->bytes + SLICE, next_at;
	struct record r;

	a->rc = 1;
	while (a->rc == 1 && a->bytes < stop && a->found_n < FOUND_MAX) {
		uint64_t at = a->scan.at;
		int rc = at >= a->end ? 0 : scan_next(&a->scan, &r);

		if (rc == 1) {
			a->batch = r.batch;
			rc = examine(a, &r);
			a->rc = rc < 0 ? rc : 1;
			continue;
		}
		a->rc = 0;
		if (rc == 0)
			return;
		a->scan.at = at;
		if (scan_resync(&a->scan, a->batch, 0, &next_at) < 0)
			a->scan.at = a->end;
		a->bad = (struct location){ .volume = a->scan.id,
					    .at = at,
					    .len = (uint32_t)(a->scan.at - at) };
		a->rc = 1;
		return;
	}
}

static bool is_inside(const struct location *l, const struct location *region)
{
	return l->volume == region->volume && l->at >= region->at &&
	       l->at < region->at + region->len;
}

/* Nothing in a region of garbage tells whose it was; the index does. */
static void blame_job(void *arg)
{
	struct audit *a = arg;
	struct kv_iter *it = kv_iter_new(a->s->kv);
	struct object_id id;
	struct index_entry e;

	a->found_n = 0;
	for (kv_iter_seek(it, S("o")); kv_iter_valid(it) && a->found_n < FOUND_MAX;
	     kv_iter_next(it)) {
		if (index_key_parse(kv_iter_key(it), &id) < 0)
			break;
		if (index_value_parse(kv_iter_value(it), &e) == 0 &&
		    (is_inside(&e.data, &a->bad) || is_inside(&e.meta, &a->bad)))
			note(a, &id, &e, true);
	}
	kv_iter_free(it);
}

waits static void take_out(struct audit *a, struct store_audit *ret)
{
	for (unsigned i = 0; i < a->found_n; i++) {
		struct found *f = &a->found[i];

		if (f->damaged &&
		    quarantine(a->s, &f->id, &f->e, "found damaged by the auditor") == 0)
			ret->damaged++;
	}
}

int pace(uint64_t bytes, uint64_t rate, uint64_t began_ms)
{
	uint64_t due = rate ? bytes * 1000 / rate : 0, took = clock_mono_ms() - began_ms;

	if (due > took)
		return task_sleep(due - took);
	task_yield();
	return task_cancelled() ? -ECANCELED : 0;
}

/* Reading the body verifies it, and quarantines what is wrong. */
waits static int read_large(struct store *s, const struct object_id *id, uint64_t rate,
			    struct store_audit *ret)
{
	AUTO(arena) arena = arena_new();
	AUTO(store_object) o = NULL;
	struct str chunk;
	int rc = store_object_open(s, id, arena, &o);

	if (rc == -EIO)
		ret->damaged++;
	if (rc < 0 || o->e.e.state != OBJECT_DATA || !o->e.large || !o->e.e.size)
		return 0;
	struct body *b = store_object_body(o, 0, o->e.e.size - 1);
	uint64_t began = clock_mono_ms();
	while ((rc = body_next(b, &chunk)) > 0) {
		ret->bytes += chunk.n;
		int paced = pace(chunk.n, rate, began);
		began = clock_mono_ms();
		if (paced < 0) {
			rc = paced;
			break;
		}
	}
	body_close(b);
	/* Nobody asked for these bytes: they need not push others out of memory. */
	(void)posix_fadvise(o->fd, 0, 0, POSIX_FADV_DONTNEED);
	if (rc == -EIO)
		ret->damaged++;
	return rc == -ECANCELED ? rc : 0;
}

waits static int audit_volume(struct audit *a, struct store_audit *ret, uint64_t rate)
{
	do {
		uint64_t began = clock_mono_ms(), before = a->bytes;

		a->found_n = 0;
		a->bad.volume = 0;
		task_run_blocking("audit", slice_job, a);
		take_out(a, ret);
		for (unsigned i = 0; i < a->found_n; i++) {
			int rc = a->found[i].damaged ? 0
						     : read_large(a->s, &a->found[i].id, rate, ret);

			if (rc < 0)
				return rc;
		}
		if (a->bad.volume) {
			task_run_blocking("audit", blame_job, a);
			take_out(a, ret);
		}
		int rc = pace(a->bytes - before, rate, began);
		if (rc < 0)
			return rc;
	} while (a->rc == 1);
	return a->rc;
}

/* The first volume behind position, and how much is in it. */
static bool next_volume(struct store *s, uint64_t position, uint32_t *ret_id, uint64_t *ret_end)
{
	bool found = false;

	pthread_mutex_lock(&s->lock);
	for (unsigned i = 0; i < s->volume_n && !found; i++) {
		if (s->volumes[i]->id > position) {
			*ret_id = s->volumes[i]->id;
			*ret_end = s->volumes[i]->end;
			found = true;
		}
	}
	pthread_mutex_unlock(&s->lock);
	return found;
}

struct open_job {
	struct audit *a;
	uint32_t id;
	int result;
};

static void open_job(void *arg)
{
	struct open_job *j = arg;

	j->result = scan_open(&j->a->scan, j->a->s, j->id);
}

int store_audit_step(struct store *s, struct store_audit *ret, uint64_t bytes_per_second)
{
	struct open_job j = { 0 };
	uint64_t end, unused_end;
	uint32_t next;

	assert(s->magic == STORE_MAGIC);
	if (!next_volume(s, ret->position, &j.id, &end))
		return 0;
	struct audit *a = xcalloc(1, sizeof *a);
	a->s = s;
	a->end = end;
	a->scratch = BUF(KIB);
	j.a = a;
	task_run_blocking("audit", open_job, &j);
	int rc = j.result;
	if (rc == 0) {
		rc = audit_volume(a, ret, bytes_per_second);
		scan_close(&a->scan);
	} else if (rc == -EBADMSG) {
		/* Its first bytes are gone: what it holds cannot be told from anything else. */
		a->bad = (struct location){ .volume = j.id, .at = 0, .len = UINT32_MAX };
		task_run_blocking("audit", blame_job, a);
		take_out(a, ret);
		rc = a->found_n == FOUND_MAX;
	}
	if (rc != 1)
		ret->position = j.id;
	ret->records += a->records;
	ret->bytes += a->bytes;
	buf_done(&a->scratch);
	free(a);
	if (rc < 0 && rc != -ENOENT)
		return rc;
	return next_volume(s, ret->position, &next, &unused_end);
}
