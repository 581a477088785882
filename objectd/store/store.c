/* Opening and closing a store: whose directory it is, the lock, the index, the replay. */
#include "objectd/store/internal.h"
#include "lib/base/encode.h"
#include "lib/crypto/digest.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
	STORE_FORMAT = 1,
	VOLUME_MAX = 256 * MIB,
	PACKED_MAX = 256 * KIB,
	OPEN_FREE_MIN = MIB,            /* LevelDB needs a little to open */
	ID_TEXT_MAX = 1024,
};

static const char id_file[] = "needletail-store.json";

static int make_dirs(struct store *s, struct fault *why)
{
	static const char *const dirs[] = { "volumes", "large", "quarantine" };
	char path[PATH_SIZE];

	for (unsigned i = 0; i < ARRAY_LEN(dirs); i++) {
		snprintf(path, sizeof path, "%s/%s", s->path, dirs[i]);
		int rc = dir_make(path);
		if (rc < 0)
			return fault_set(why, rc, "cannot create %s: %s", path, strerror(-rc));
	}
	return 0;
}

static int write_id(struct store *s, const char *path, struct fault *why)
{
	CLEANUP(buf_done) struct buf text = BUF(ID_TEXT_MAX);
	char uuid[33];

	random_bytes(s->uuid, sizeof s->uuid);
	hex_encode(s->uuid, sizeof s->uuid, uuid);
	buf_addf(&text, "{\"format\": %d, \"uuid\": \"%s\"", STORE_FORMAT, uuid);
	if (s->cluster_id) {
		buf_add_lit(&text, ", \"cluster\": ");
		json_escape(&text, str_from(s->cluster_id));
	}
	buf_add_lit(&text, "}\n");
	int rc = buf_failed(&text) ? -EINVAL : file_replace(path, buf_str(&text));
	return rc < 0 ? fault_set(why, rc, "cannot write %s: %s", path, strerror(-rc)) : 0;
}

/* The file is ours and short: looking for what we wrote is enough. */
static int check_id(struct store *s, struct str text, const char *path, struct fault *why)
{
	CLEANUP(buf_done) struct buf cluster = BUF(ID_TEXT_MAX);
	char format[32];
	ssize_t at = str_find(text, S("\"uuid\": \""));

	snprintf(format, sizeof format, "\"format\": %d,", STORE_FORMAT);
	if (str_find(text, S("\"format\": ")) < 0 || at < 0 ||
	    hex_decode(str_head(str_skip(text, (size_t)at + 9), 32), s->uuid, 16) < 0)
		return fault_set(why, -EINVAL, "%s is damaged", path);
	if (str_find(text, str_from(format)) < 0)
		return fault_set(why, -EPROTONOSUPPORT,
				 "%s: the store has a format that this version does not know",
				 s->path);
	if (!s->cluster_id || str_find(text, S("\"cluster\": ")) < 0)
		return 0;
	buf_add_lit(&cluster, "\"cluster\": ");
	json_escape(&cluster, str_from(s->cluster_id));
	buf_add_char(&cluster, '}');
	if (str_find(text, buf_str(&cluster)) < 0)
		return fault_set(why, -EEXIST, "%s belongs to another cluster", s->path);
	return 0;
}

/* Creates the directory's identity, or checks it. */
static int identify(struct store *s, struct fault *why)
{
	CLEANUP(buf_done) struct buf text = BUF(ID_TEXT_MAX);
	char path[PATH_SIZE];

	snprintf(path, sizeof path, "%s/%s", s->path, id_file);
	int rc = file_read_all(path, &text);
	if (rc == 0)
		return check_id(s, buf_str(&text), path, why);
	if (rc != -ENOENT)
		return fault_set(why, rc, "cannot read %s: %s", path, strerror(-rc));
	rc = dir_empty(s->path);
	if (rc < 0)
		return fault_set(why, rc, "cannot read %s: %s", s->path, strerror(-rc));
	if (rc == 0)
		return fault_set(why, -EEXIST,
				 "%s is neither empty nor a needletail store; refusing to use it",
				 s->path);
	return write_id(s, path, why);
}

static int lock_dir(struct store *s, struct fault *why)
{
	int rc = dir_make(s->path);

	if (rc < 0)
		return fault_set(why, rc, "cannot create %s: %s", s->path, strerror(-rc));
	s->lock_fd = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->lock_fd < 0 || access(s->path, R_OK | W_OK | X_OK) < 0)
		return fault_set(why, -errno, "cannot open %s: %s", s->path, strerror(errno));
	if (flock(s->lock_fd, LOCK_EX | LOCK_NB) < 0)
		return fault_set(why, -EBUSY, "%s is in use by another process", s->path);
	return 0;
}

static int open_kv(struct store *s, bool fresh, struct fault *why)
{
	static const struct kv_options o = { .write_buffer = 4 * MIB,
					     .block_cache = 8 * MIB,
					     .open_files = 256 };
	char path[PATH_SIZE];
	struct fault first = { "" };

	snprintf(path, sizeof path, "%s/index", s->path);
	kv_close(s->kv);
	s->kv = NULL;
	if (fresh) {
		int rc = kv_destroy(path, why);
		if (rc < 0)
			return rc;
	}
	return kv_open(path, &o, &s->kv, fresh ? why : &first);
}

/* Forgets what a replay that failed has found. */
static void start_over(struct store *s)
{
	volumes_free(s);
	apply_drop(s->apply);
	index_cache_free(s->cache);
	s->cache = index_cache_new(CACHE_ENTRIES);
	s->live = (struct counters){ 0 };
	s->checkpoint = s->applied = (struct position){ 0 };
}

/* Whatever is wrong with the index is mended by building it anew from the volumes. */
static int open_index(struct store *s, struct fault *why)
{
	bool rebuild = s->o.repair_index || open_kv(s, false, why) < 0;
	int clean = rebuild ? 0 : checkpoint_load(s), rc;

	if (!rebuild && clean >= 0) {
		struct fault first = { "" };

		rc = replay(s, false, &first);
		if (rc < 0 && rc != -EIO) {
			*why = first;
			return rc;
		}
		rebuild = rc < 0;
	} else {
		rebuild = true;
	}
	if (rebuild) {
		start_over(s);
		rc = open_kv(s, true, why);
		if (rc == 0)
			rc = replay(s, true, why);
		if (rc < 0)
			return rc;
	}
	s->stats.opened_clean = clean == 1 && !rebuild;
	s->stats.opened_rebuilt = rebuild;
	if (clean != 1 || rebuild)
		rc = large_sweep(s);
	else
		rc = 0;
	if (rc == 0)
		rc = checkpoint_write(s, false);
	return rc < 0 ? fault_set(why, rc, "%s: cannot bring the index up to date: %s", s->path,
				  strerror(-rc))
		      : 0;
}

static int open_all(struct store *s, struct fault *why)
{
	struct statvfs v;

	if (strlen(s->path) > STORE_PATH_MAX)
		return fault_set(why, -ENAMETOOLONG, "the path %.60s... is too long", s->path);
	int rc = lock_dir(s, why);
	if (rc < 0)
		return rc;
	if (statvfs(s->path, &v) == 0 && (uint64_t)v.f_bavail * v.f_frsize < OPEN_FREE_MIN)
		return fault_set(why, -ENOSPC, "the disk of %s is full", s->path);
	rc = identify(s, why);
	if (rc == 0)
		rc = make_dirs(s, why);
	return rc < 0 ? rc : open_index(s, why);
}

struct job {
	struct store *s;
	struct fault *why;
	int result;
};

static void open_job(void *arg)
{
	struct job *j = arg;

	j->result = open_all(j->s, j->why);
}

static void store_free(struct store *s)
{
	for (struct list *n; (n = list_pop(&s->waste));)
		free(list_entry(n, struct waste, node));
	apply_free(s->apply);
	kv_close(s->kv);
	volumes_free(s);
	index_cache_free(s->cache);
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->chunk_done);
	buf_done(&s->rows);
	buf_done(&s->rows_head);
	buf_done(&s->scratch);
	free(s->iov);
	free(s->ops);
	free(s->path);
	free(s->cluster_id);
	s->magic = 0;
	free(s);
}

static struct store *store_new(const struct store_options *o)
{
	struct store *s = xcalloc(1, sizeof *s);

	s->magic = STORE_MAGIC;
	s->o = *o;
	s->path = xstrdup(o->path);
	s->cluster_id = o->cluster_id ? xstrdup(o->cluster_id) : NULL;
	if (!s->o.volume_max)
		s->o.volume_max = VOLUME_MAX;
	if (!s->o.packed_max)
		s->o.packed_max = PACKED_MAX;
	s->o.packed_max = MIN(s->o.packed_max, (uint64_t)RECORD_DATA_MAX);
	s->lock_fd = s->fd = -1;
	s->large_next = 1;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->chunk_done, NULL);
	list_init(&s->waste);
	list_init(&s->open_objects);
	waitq_init(&s->keeper_q);
	s->rows = BUF(RECORD_ROWS_MAX);
	s->rows_head = BUF(RECORD_HEAD_MAX);
	s->scratch = BUF(RECORD_META_MAX);
	s->ops = xcalloc(BATCH_OPS_MAX, sizeof(struct op *));
	s->cache = index_cache_new(CACHE_ENTRIES);
	s->apply = apply_new(s);
	return s;
}

int store_open(const struct store_options *o, struct store **ret, struct fault *why)
{
	struct fault unread = { "" };
	struct store *s = store_new(o);
	struct job j = { .s = s, .why = why ? why : &unread };

	j.why->text[0] = 0;
	task_run_blocking("open the store", open_job, &j);
	if (j.result < 0) {
		store_free(s);
		return j.result;
	}
	s->batcher = batcher_new(&(struct batcher_options){
		.name = "commit", .run = commit_batch, .arg = s, .items_max = BATCH_OPS_MAX,
		.bytes_max = BATCH_BYTES_MAX, .queue_bytes_max = QUEUE_BYTES_MAX });
	keeper_start(s);
	*ret = s;
	return 0;
}

static void close_job(void *arg)
{
	struct job *j = arg;

	if (j->s->broken)
		return;
	volume_trim(j->s);
	j->result = checkpoint_write(j->s, true);
}

void store_close(struct store *s)
{
	struct job j = { .s = s };

	if (!s)
		return;
	assert(s->magic == STORE_MAGIC && list_empty(&s->open_objects));
	keeper_stop(s);
	batcher_free(s->batcher);
	waste_collect(s);
	task_run_blocking("close the store", close_job, &j);
	store_free(s);
}

void store_stats(const struct store *cs, struct store_stats *ret)
{
	struct store *s = (struct store *)(uintptr_t)cs;

	assert(s->magic == STORE_MAGIC);
	tolerate(space_check(s, 0, true));
	pthread_mutex_lock(&s->lock);
	*ret = s->stats;
	ret->objects = s->live.objects;
	ret->tombstones = s->live.tombstones;
	ret->bytes = s->live.bytes;
	ret->volumes = s->volume_n;
	for (unsigned i = 0; i < s->volume_n; i++) {
		ret->volume_bytes += s->volumes[i]->end;
		ret->dead_bytes += s->volumes[i]->dead;
	}
	pthread_mutex_unlock(&s->lock);
	ret->disk_free = s->disk_free;
	ret->disk_size = s->disk_size;
}
