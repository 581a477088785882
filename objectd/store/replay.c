/* Opening: finds the volumes, finds where the journal ends, and brings LevelDB up to date. */
#include "objectd/store/internal.h"
#include "lib/base/clock.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SAVED_MAX = 64 * MIB, WINDOW_BYTES = 64 * KIB };

struct replay {
	struct store *s;
	struct fault *why;
	uint64_t batch;                 /* of the last record seen */
	bool all;
};

static int io_fault(struct replay *p, int rc, const char *what)
{
	return fault_set(p->why, rc, "%s: %s: %s", p->s->path, what, strerror(-rc));
}

/* ---- damage ---- */

/* Copies the bytes of a damaged region aside, for whoever wants to look. */
static void save_region(struct store *s, int fd, uint32_t id, uint64_t from, uint64_t until)
{
	char path[PATH_SIZE];
	CLEANUP(auto_chars_end) char *bytes = xmalloc(WINDOW_BYTES);

	snprintf(path, sizeof path, "%s/quarantine/%08x-%" PRIx64 ".bin", s->path, id, from);
	int to = open(path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0640);
	until = MIN(until, from + SAVED_MAX);
	for (uint64_t at = from; to >= 0 && at < until; at += WINDOW_BYTES) {
		size_t n = (size_t)MIN(until - at, (uint64_t)WINDOW_BYTES);

		/* What cannot be read stays a hole. */
		if (file_read_at(fd, bytes, n, at) == 0 &&
		    file_write_at(to, bytes, n, at - from) < 0)
			break;
	}
	if (to >= 0)
		close(to);
	s->stats.quarantined++;
}

/* ---- the end of the journal ---- */

/* Verifies the data of the last batch: the end, or the first record whose bytes did not
 * all arrive. */
static uint64_t verified_end(struct scan *c, uint64_t from, uint64_t end)
{
	struct record r;

	for (c->at = from; c->at < end;) {
		uint64_t at = c->at;

		if (scan_next(c, &r) != 1 || scan_verify(c, &r) < 0)
			return at;
	}
	return end;
}

/* Where the last volume ends. A batch is synced before the next is begun, so whatever stands before
 * the beginning of a batch was on disk, and is damaged if it cannot be read now; what cannot be
 * read and has no later batch behind it was being written when the power went, and ends the
 * journal. */
static int find_end(struct scan *c, uint64_t from, uint64_t *ret)
{
	uint64_t batch = 0, batch_at = from, next_at;
	struct record r;
	int rc;

	c->at = from;
	for (;;) {
		uint64_t at = c->at;

		rc = scan_next(c, &r);
		if (rc == 1 && r.batch < batch)
			rc = -EBADMSG;
		if (rc == 1) {
			if (r.batch != batch)
				batch_at = at;
			batch = r.batch;
			continue;
		}
		c->at = at;
		if (rc == 0 || scan_resync(c, batch, at + 1, &next_at) < 0) {
			*ret = verified_end(c, batch_at, at);
			return 0;
		}
		c->at = next_at;
	}
}

/* ---- replaying ---- */

static bool is_before(const struct position *p, uint32_t volume, uint64_t at)
{
	return volume != p->volume ? volume < p->volume : at < p->at;
}

static int replay_record(struct replay *p, const struct record *r, uint32_t volume)
{
	struct store *s = p->s;
	struct location place = { .volume = volume, .at = r->at, .len = r->len };
	struct object_id id = { .policy = r->policy };
	struct index_entry before = { 0 }, after;
	bool counted = !is_before(&s->applied, volume, r->at);
	int rc;

	s->batch = r->batch;
	if (r->kind == RECORD_LARGE && r->aux[0] >= s->large_next)
		s->large_next = r->aux[0] + 1;
	rc = apply_rows(s->apply, r->rows, volume, counted);
	if (rc < 0 || r->kind == RECORD_ROWS)
		return rc;
	memcpy(id.hash, r->hash, 16);
	rc = apply_get(s->apply, &id, &before);
	if (rc < 0 && rc != -ENOENT)
		return rc;
	int effect = record_effect(r, &place, &before, &after);
	if (effect == 0)
		return 0;
	return apply_set(s->apply, &id, effect == 1 ? &after : NULL, counted);
}

static int flush(struct replay *p, uint32_t volume, uint64_t at)
{
	struct store *s = p->s;
	struct position end = { .volume = volume, .at = at, .batch = p->batch };

	if (apply_is_empty(s->apply))
		return 0;
	/* What was applied before the crash keeps its place: the counters already have it. */
	if (is_before(&s->applied, volume, at))
		s->applied = end;
	end = s->applied;
	return apply_write(s->apply, &end);
}

static int replay_volume(struct replay *p, struct scan *c)
{
	struct store *s = p->s;
	struct record r;
	uint64_t next_at;
	int rc;

	for (;;) {
		uint64_t at = c->at;

		rc = scan_next(c, &r);
		if (rc == 1 && r.batch < p->batch)
			rc = -EBADMSG;
		if (rc == 1) {
			p->batch = r.batch;
			s->stats.replayed_records++;
			rc = replay_record(p, &r, c->id);
			if (rc == 0 && apply_is_full(s->apply))
				rc = flush(p, c->id, c->at);
			if (rc < 0)
				return rc;
			continue;
		}
		c->at = at;
		if (rc == 0)
			return 0;
		if (scan_resync(c, p->batch, 0, &next_at) < 0)
			c->at = c->size;
		save_region(s, c->fd, c->id, at, c->at);
		if (c->at == c->size)
			return 0;
	}
}

/* ---- the volumes ---- */

static int by_id(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static int list_volumes(struct store *s, uint32_t **ret_ids, unsigned *ret_n)
{
	char path[PATH_SIZE];
	uint32_t *ids = NULL;
	unsigned n = 0, cap = 0;

	snprintf(path, sizeof path, "%s/volumes", s->path);
	DIR *d = opendir(path);
	if (!d)
		return -errno;
	for (struct dirent *e; (e = readdir(d));) {
		unsigned id;
		int used = 0;

		if (sscanf(e->d_name, "%8x.vol%n", &id, &used) != 1 || used != 12 ||
		    e->d_name[12] != 0)
			continue;
		if (n == cap) {
			cap = MAX(64U, 2 * cap);
			ids = xreallocarray(ids, cap, sizeof *ids);
		}
		ids[n++] = id;
	}
	closedir(d);
	if (n)
		qsort(ids, n, sizeof *ids, by_id);
	*ret_ids = ids;
	*ret_n = n;
	return 0;
}

/* Writes a volume's first bytes anew with the salt that LevelDB remembers; whether it is right
 * shows in the records' CRCs. */
static int mend_header(struct replay *p, uint32_t id)
{
	struct volume_header h = { .id = id };
	char path[PATH_SIZE], bytes[VOLUME_HEADER];
	int rc = volume_salt(p->s, id, &h.salt);

	if (rc < 0)
		return rc;
	memcpy(h.store, p->s->uuid, 16);
	volume_header_write(&h, bytes);
	volume_path(p->s, id, path);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	rc = fd < 0 ? -errno : file_write_at(fd, bytes, sizeof bytes, 0);
	if (rc == 0 && fsync(fd) < 0)
		rc = -errno;
	if (fd >= 0)
		close(fd);
	return rc;
}

/* A volume whose first bytes are unreadable: the last one, still empty, was being created when the
 * process died; another one is set aside. */
static int bad_volume(struct replay *p, uint32_t id, bool last)
{
	char path[PATH_SIZE], aside[PATH_SIZE];
	struct stat st;

	volume_path(p->s, id, path);
	if (stat(path, &st) < 0)
		return io_fault(p, -errno, "cannot read a volume");
	if (last && st.st_size <= VOLUME_HEADER)
		return unlink(path) < 0 ? io_fault(p, -errno, "cannot remove an empty volume") : 0;
	snprintf(aside, sizeof aside, "%s/quarantine/%08x.vol", p->s->path, id);
	if (rename(path, aside) < 0)
		return io_fault(p, -errno, "cannot set a damaged volume aside");
	p->s->stats.quarantined++;
	return 0;
}

static int find_volume(struct replay *p, uint32_t id, bool last)
{
	struct store *s = p->s;
	struct scan c;
	int rc = scan_open(&c, s, id);

	if (rc == -EBADMSG && mend_header(p, id) == 0)
		rc = scan_open(&c, s, id);
	if (rc == -EBADMSG)
		return bad_volume(p, id, last);
	if (rc == -EPROTONOSUPPORT)
		return fault_set(p->why, rc, "%s: volume %08x is of a newer version of needletail",
				 s->path, id);
	if (rc < 0)
		return io_fault(p, rc, "cannot read a volume");
	struct volume *v = volume_insert(s, id, c.salt);
	v->end = c.size;
	v->sealed = true;
	scan_close(&c);
	return 0;
}

static int find_volumes(struct replay *p)
{
	uint32_t *ids = NULL;
	unsigned n = 0;
	int rc = list_volumes(p->s, &ids, &n);

	for (unsigned i = 0; i < n && rc == 0; i++)
		rc = find_volume(p, ids[i], i + 1 == n);
	free(ids);
	return rc;
}

/* Cuts what was not written completely off the last volume. */
static int cut(struct replay *p, struct volume *v, uint64_t end, uint64_t size)
{
	char path[PATH_SIZE];

	v->end = end;
	v->sealed = false;
	if (size == end)
		return 0;
	volume_path(p->s, v->id, path);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	int rc = fd < 0 ? -errno : ftruncate(fd, (off_t)end) < 0 || fsync(fd) < 0 ? -errno : 0;
	if (fd >= 0)
		close(fd);
	return rc < 0 ? io_fault(p, rc, "cannot cut the end of the last volume") : 0;
}

static int replay_one(struct replay *p, unsigned i)
{
	struct store *s = p->s;
	struct volume *v = s->volumes[i];
	uint64_t from = v->id == s->checkpoint.volume ? s->checkpoint.at : VOLUME_HEADER;
	bool last = i + 1 == s->volume_n;
	struct scan c;
	int rc;

	if (v->id < s->checkpoint.volume)
		return 0;
	rc = scan_open(&c, s, v->id);
	if (rc < 0)
		return io_fault(p, rc, "cannot read a volume");
	if (last) {
		uint64_t size = c.size, end = size;

		if (from > size)        /* cut off behind our back: what is there now counts */
			from = VOLUME_HEADER;
		rc = find_end(&c, from, &end);
		if (rc == 0)
			rc = cut(p, v, end, size);
		c.size = end;
	}
	c.at = from;
	if (rc == 0)
		rc = replay_volume(p, &c);
	if (rc == 0)
		rc = flush(p, v->id, v->end);
	scan_close(&c);
	return rc;
}

int replay(struct store *s, bool rebuild, struct fault *why)
{
	struct replay p = { .s = s, .why = why, .all = rebuild };
	uint64_t began = clock_mono_ms();
	int rc = find_volumes(&p);

	if (rc == 0 && !rebuild)
		rc = apply_load_counters(s);
	if (rc == 0 && rebuild)
		s->checkpoint = s->applied = (struct position){ 0 };
	p.batch = s->checkpoint.batch;
	for (unsigned i = 0; i < s->volume_n && rc == 0; i++)
		rc = replay_one(&p, i);
	if (rc < 0)
		return fault_set(why->text[0] ? NULL : why, rc, "%s: cannot replay the journal: %s",
				 s->path, strerror(-rc));
	s->batch = p.batch;
	s->stats.replay_ms = clock_mono_ms() - began;
	if (s->volume_n == 0)
		rc = volume_create(s, 1);
	else
		rc = volume_resume(s);
	if (rc < 0)
		return io_fault(&p, rc, "cannot write to the last volume");
	s->applied = (struct position){ .volume = s->active->id,
					.at = s->active->end,
					.batch = s->batch };
	return 0;
}

/* ---- large files ---- */

static int note_large(struct store *s, struct str value, uint64_t **ids, size_t *n, size_t *cap)
{
	struct index_entry e;

	if (index_value_parse(value, &e) < 0)
		return -EIO;
	if (!e.large)
		return 0;
	if (*n == *cap) {
		*cap = MAX((size_t)1024, 2 * *cap);
		*ids = xreallocarray(*ids, *cap, sizeof **ids);
	}
	(*ids)[(*n)++] = e.large;
	s->large_next = MAX((uint64_t)s->large_next, e.large + 1);
	return 0;
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void sweep_dir(struct store *s, unsigned xx, const uint64_t *ids, size_t n)
{
	char path[PATH_SIZE];

	snprintf(path, sizeof path, "%s/large/%02x", s->path, xx);
	DIR *d = opendir(path);
	for (struct dirent *e; d && (e = readdir(d));) {
		uint64_t id;
		int used = 0;

		if (sscanf(e->d_name, "%12" SCNx64 "%n", &id, &used) != 1 || e->d_name[used] != 0 ||
		    (n && bsearch(&id, ids, n, sizeof id, by_number)))
			continue;
		s->large_next = MAX((uint64_t)s->large_next, id + 1);
		(void)unlinkat(dirfd(d), e->d_name, 0);
	}
	if (d)
		closedir(d);
}

int large_sweep(struct store *s)
{
	uint64_t *ids = NULL;
	size_t n = 0, cap = 0;
	int rc = 0;
	struct kv_iter *it = kv_iter_new(s->kv);

	for (kv_iter_seek(it, S("o")); rc == 0 && kv_iter_valid(it); kv_iter_next(it)) {
		if (kv_iter_key(it).p[0] != 'o')
			break;
		rc = note_large(s, kv_iter_value(it), &ids, &n, &cap);
	}
	if (rc == 0)
		rc = kv_iter_error(it);
	kv_iter_free(it);
	if (rc == 0 && n)
		qsort(ids, n, sizeof *ids, by_number);
	for (unsigned xx = 0; xx < 256 && rc == 0; xx++)
		sweep_dir(s, xx, ids, n);
	free(ids);
	return rc;
}
