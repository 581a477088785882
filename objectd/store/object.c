/* Opening objects for reading: entry, record, metadata; each verified before it is believed. */
#include "objectd/store/internal.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OPEN_TRIES = 4 };

struct read_job {
	int fd;
	void *p;
	size_t n;
	uint64_t at;
	int result;
};

static void read_job(void *arg)
{
	struct read_job *j = arg;

	j->result = file_read_at(j->fd, j->p, j->n, j->at);
}

/* From the page cache at once, else through the pool. */
waits static int read_at(int fd, void *p, size_t n, uint64_t at)
{
	struct read_job j = { .fd = fd, .p = p, .n = n, .at = at };

	if (file_read_at_nowait(fd, p, n, at) == 0)
		return 0;
	task_run_blocking("read", read_job, &j);
	return j.result;
}

/* Reads a record's head, with as much of its data as the first read brings; *ret_n bytes
 * are there. */
waits static int read_record(struct volume *v, const struct location *l, struct arena *a,
			     struct record *ret, const char **ret_bytes, size_t *ret_n)
{
	size_t n = MIN(l->len, (uint32_t)READ_FIRST);

	for (;;) {
		char *p = arena_alloc(a, n);
		int rc = read_at(v->fd, p, n, l->at);

		if (rc == 0)
			rc = record_parse(p, n, v->salt, l->at, ret);
		if (rc == 0 && ret->len != l->len)
			rc = -EBADMSG;
		if (rc == -ENODATA && ret->head_len > n && ret->head_len <= l->len) {
			n = ret->head_len;
			continue;
		}
		*ret_bytes = p;
		*ret_n = n;
		return rc;
	}
}

static bool is_of(const struct record *r, const struct store_object *o, struct timestamp ts)
{
	return memcmp(r->hash, o->id.hash, 16) == 0 && r->policy == o->id.policy &&
	       timestamp_cmp(r->ts, ts) == 0;
}

/* The metadata of the last POST. */
waits static int load_meta(struct store_object *o)
{
	struct volume *v;
	struct record r = { .kind = 0 };
	const char *p;
	size_t n;
	int rc = volume_pin(o->s, o->e.meta.volume, &v);

	if (rc < 0)
		return rc;
	rc = read_record(v, &o->e.meta, o->a, &r, &p, &n);
	volume_unpin(o->s, v);
	if (rc < 0)
		return rc;
	if (r.kind != RECORD_META || !is_of(&r, o, o->e.e.meta_ts))
		return -EBADMSG;
	return meta_decode(r.meta, &o->metadata);
}

static int load_large(struct store_object *o)
{
	char path[PATH_SIZE];
	struct stat st;

	large_path(o->s, o->e.large, path);
	o->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (o->fd < 0 || fstat(o->fd, &st) < 0)
		return -errno;
	uint64_t end = large_crcs_at(o->e.e.size) + 4 * record_blocks(o->e.e.size);
	return (uint64_t)st.st_size < end ? -ENODATA : 0;
}

/* What the record must be for the entry to be right. */
static bool is_expected(const struct record *r, const struct store_object *o)
{
	enum record_kind kind = o->e.e.state == OBJECT_TOMBSTONE ? RECORD_TOMBSTONE :
				o->e.large ? RECORD_LARGE : RECORD_DATA;

	return is_of(r, o, o->e.e.data_ts) && r->kind == kind &&
	       (kind == RECORD_TOMBSTONE || r->size == o->e.e.size) &&
	       (kind != RECORD_LARGE || r->aux[0] == o->e.large);
}

waits static int load(struct store_object *o)
{
	struct volume *v;
	struct record r = { .kind = 0 };
	const char *p;
	size_t n;
	int rc = volume_pin(o->s, o->e.data.volume, &v);

	if (rc < 0)
		return rc;
	o->pinned = v;
	rc = read_record(v, &o->e.data, o->a, &r, &p, &n);
	if (rc < 0)
		return rc;
	if (!is_expected(&r, o))
		return -EBADMSG;
	o->name = r.name;
	o->crcs = r.crcs;
	o->data = !o->e.large && n >= r.head_len + r.data_len ? p + r.head_len : NULL;
	o->data_at = o->e.data.at + r.head_len;
	if (o->data || o->e.large) {
		volume_unpin(o->s, v);
		o->pinned = NULL;
	}
	headers_init(&o->metadata, o->a);
	rc = o->e.meta.volume ? load_meta(o) : meta_decode(r.meta, &o->metadata);
	return rc == 0 && o->e.large ? load_large(o) : rc;
}

static void unload(struct store_object *o)
{
	if (o->pinned)
		volume_unpin(o->s, o->pinned);
	if (o->fd >= 0)
		close(o->fd);
	o->pinned = NULL;
	o->fd = -1;
}

/* What a damaged or vanished record reads as. */
static bool is_damage(int rc)
{
	return rc == -EBADMSG || rc == -ENODATA || rc == -EIO || rc == -ENOENT;
}

waits static int open_tries(struct store_object *o)
{
	struct store *s = o->s;
	int rc = 0;

	for (int i = 0; i < OPEN_TRIES; i++) {
		struct index_entry again;

		rc = entry_get(s, &o->id, &o->e);
		if (rc < 0)
			return rc;
		rc = load(o);
		if (rc == 0)
			return 0;
		unload(o);
		if (!is_damage(rc))
			return rc;
		/* Perhaps it was only moved or replaced between looking up and reading. */
		int rc2 = entry_get(s, &o->id, &again);
		if (rc2 < 0)
			return rc2;
		if (location_cmp(&again.data, &o->e.data) == 0 &&
		    location_cmp(&again.meta, &o->e.meta) == 0) {
			rc = quarantine(s, &o->id, &again, "its record cannot be read");
			return rc == -EALREADY ? -ENOENT : -EIO;
		}
	}
	return rc;
}

int store_object_open(struct store *s, const struct object_id *id, struct arena *a,
		      struct store_object **ret)
{
	struct store_object *o = arena_zalloc(a, sizeof *o);

	assert(s->magic == STORE_MAGIC);
	o->s = s;
	o->a = a;
	o->id = *id;
	o->fd = -1;
	int rc = open_tries(o);
	if (rc < 0)
		return rc;
	o->magic = OBJECT_MAGIC;
	list_append(&s->open_objects, &o->node);
	*ret = o;
	return 0;
}

void store_object_close(struct store_object *o)
{
	if (!o)
		return;
	assert(o->magic == OBJECT_MAGIC);
	unload(o);
	list_remove(&o->node);
	o->magic = 0;
}

const struct object_entry *store_object_entry(const struct store_object *o)
{
	assert(o->magic == OBJECT_MAGIC);
	return &o->e.e;
}

struct str store_object_name(const struct store_object *o)
{
	return o->name;
}

const struct headers *store_object_metadata(const struct store_object *o)
{
	return &o->metadata;
}

bool object_is_open(const struct store *s, const struct location *where)
{
	list_for(n, &s->open_objects) {
		struct store_object *o = list_entry(n, struct store_object, node);

		if (o->pinned && location_cmp(&o->e.data, where) == 0)
			return true;
	}
	return false;
}
