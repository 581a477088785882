/* Room behind the active volume's end. A sync after overwriting zeros costs one write and a flush;
 * after writing into fresh blocks, which have to become the file's first, several: so, as long as
 * little is written, zeros are written ahead in the background. What is behind `prepared` belongs
 * to the filler, what is before it to the committer; only under the lock does the border move. */
#include "objectd/store/internal.h"
#include "lib/base/clock.h"

#include <fcntl.h>
#include <unistd.h>

enum {
	STEP = 8 * MIB, /* allocated at once where nothing is filled */
	STEP_FILLING = MIB, /* the same when the filler comes right after */
	CHUNK = MIB, /* of zeros */
	AHEAD = 4 * MIB, /* as far goes the filler */
	AHEAD_MIN = 2 * MIB, /* and begins when less is left */
	PAGE = 4096,
	RATE_MAX = 64 * MIB, /* bytes per second above which zeros are not worth writing */
	RATE_WINDOW_MS = 100,
};

static char zeros[CHUNK] __attribute__((aligned(PAGE)));

/* Only one of the two works on the end of the file. */
static void exclude_filler(struct store *s)
{
	pthread_mutex_lock(&s->lock);
	while (s->filling_chunk)
		pthread_cond_wait(&s->chunk_done, &s->lock);
	s->filler_excluded = true;
	pthread_mutex_unlock(&s->lock);
}

static void admit_filler(struct store *s)
{
	pthread_mutex_lock(&s->lock);
	s->filler_excluded = false;
	pthread_mutex_unlock(&s->lock);
}

static void set_prepared(struct store *s, uint64_t to)
{
	pthread_mutex_lock(&s->lock);
	s->prepared = to;
	pthread_mutex_unlock(&s->lock);
}

static int cut_to(struct store *s, uint64_t end)
{
	if (ftruncate(s->fd, (off_t)end) < 0)
		return -errno;
	set_prepared(s, end);
	return 0;
}

int volume_cut(struct store *s, uint64_t end)
{
	exclude_filler(s);
	int rc = cut_to(s, end);
	admit_filler(s);
	return rc;
}

void volume_trim(struct store *s)
{
	if (s->fd < 0)
		return;
	/* Only housekeeping: a longer file reads as zeros behind the end. */
	if (s->prepared > s->active->end && cut_to(s, s->active->end) == 0)
		tolerate(fdatasync(s->fd));
}

static int allocate_until(struct store *s, uint64_t until)
{
	if (fallocate(s->fd, 0, (off_t)s->prepared, (off_t)(until - s->prepared)) == 0)
		return 0;
	switch (errno) {
	case EOPNOTSUPP:
	case ENOSYS:            /* then the file grows by writing */
		return 0;
	case EDQUOT:
	case EFBIG:
		return -ENOSPC;
	default:
		return -errno;
	}
}

/* Step by step, so that a nearly empty volume costs little; a full disk shows here, before anything
 * is half written. */
static int allocate(struct store *s, uint64_t end)
{
	uint64_t step = MIN((uint64_t)(s->fast ? STEP : STEP_FILLING), s->o.volume_max);
	uint64_t until = MAX(end, MIN(s->prepared + step, MAX(s->o.volume_max, end)));

	if (end <= s->prepared)
		return 0;
	int rc = allocate_until(s, until);
	if (rc == -ENOSPC && until > end) {
		until = end;
		rc = allocate_until(s, until);
	}
	if (rc == 0)
		set_prepared(s, until);
	return rc;
}

static int next_volume(struct store *s)
{
	struct volume *v = s->active;

	volume_trim(s);
	int rc = volume_create(s, v->id + 1);
	if (rc < 0)
		return rc == -EDQUOT ? -ENOSPC : rc;
	pthread_mutex_lock(&s->lock);
	v->sealed = true;
	pthread_mutex_unlock(&s->lock);
	return 0;
}

int volume_prepare(struct store *s, uint64_t bytes, bool seal)
{
	struct volume *v = s->active;
	bool next = (seal || v->end + bytes > s->o.volume_max) && v->end > VOLUME_HEADER;
	int rc = 0;

	pthread_mutex_lock(&s->lock);
	bool ready = !next && v->end + bytes <= s->prepared;
	pthread_mutex_unlock(&s->lock);
	if (ready)
		return 0;
	exclude_filler(s);
	if (next)
		rc = next_volume(s);
	if (rc == 0)
		rc = allocate(s, s->active->end + bytes);
	admit_filler(s);
	return rc;
}

/* ---- the filler ---- */

struct fill {
	struct store *s;
	uint32_t volume;
	int fd;
	bool any, failed;
};

/* Where the next chunk goes: false when enough is ready, or the committer is there. */
static bool begin_chunk(struct fill *f, uint64_t *ret_from, size_t *ret_n)
{
	struct store *s = f->s;

	pthread_mutex_lock(&s->lock);
	uint64_t from = (s->prepared + PAGE - 1) / PAGE * PAGE,
		 most = s->o.volume_max / PAGE * PAGE;
	bool go = !s->filler_excluded && s->active->id == f->volume &&
		  from < s->active->end + AHEAD && from < most;
	s->filling_chunk = go;
	pthread_mutex_unlock(&s->lock);
	*ret_from = from;
	*ret_n = go ? (size_t)MIN(most - from, (uint64_t)CHUNK) : 0;
	return go;
}

static void end_chunk(struct fill *f, uint64_t until)
{
	struct store *s = f->s;

	pthread_mutex_lock(&s->lock);
	if (until)
		s->prepared = until;
	s->filling_chunk = false;
	pthread_cond_broadcast(&s->chunk_done);
	pthread_mutex_unlock(&s->lock);
}

/* Past the page cache, so that the committer's syncs do not have to carry it. */
static void fill_job(void *arg)
{
	struct fill *f = arg;
	char path[PATH_SIZE];
	uint64_t from;
	size_t n;

	volume_path(f->s, f->volume, path);
	f->fd = open(path, O_WRONLY | O_DIRECT | O_CLOEXEC);
	f->failed = f->fd < 0;
	while (f->fd >= 0 && begin_chunk(f, &from, &n)) {
		bool ok = file_write_at(f->fd, zeros, n, from) == 0;

		end_chunk(f, ok ? from + n : 0);
		f->any |= ok;
		f->failed |= !ok;
		if (!ok)
			break;
	}
	/* The committer's next sync need not do it. */
	if (f->any)
		tolerate(fdatasync(f->fd));
	if (f->fd >= 0)
		close(f->fd);
}

task_asserted static void fill(void *arg)
{
	struct store *s = arg;
	struct fill f = { .s = s };

	pthread_mutex_lock(&s->lock);
	f.volume = s->active->id;
	pthread_mutex_unlock(&s->lock);
	task_run_blocking("fill with zeros", fill_job, &f);
	s->filling = false;
	/* A file system that cannot, or a full one: larger steps, then. */
	s->no_filling |= f.failed;
	if (s->stopper)
		task_wake(s->stopper);
}

/* Whether so much is being written that zeros would take their share of the disk for nothing. */
static bool is_fast(struct store *s)
{
	uint64_t now = clock_mono_ms(), took = now - s->rate_at_ms;

	if (took >= RATE_WINDOW_MS) {
		uint64_t bytes = s->stats.committed_bytes - s->rate_bytes;

		s->fast = s->no_filling || bytes * 1000 / took > RATE_MAX;
		s->rate_bytes = s->stats.committed_bytes;
		s->rate_at_ms = now;
	}
	return s->fast;
}

bool volume_wants_filling(struct store *s)
{
	return !s->filling && !s->closing && !is_fast(s) &&
	       s->prepared < s->active->end + AHEAD_MIN && s->prepared < s->o.volume_max;
}

void volume_fill(struct store *s)
{
	s->filling = true;
	task_spawn(NULL, "filler", fill, s);
}
