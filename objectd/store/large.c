/* Writing the files of large objects: aligned pieces past the page cache, one of them on its way to
 * the disk while the next fills, and behind the data a CRC for each 64 KiB of it. */
#include "objectd/store/internal.h"
#include "lib/crypto/digest.h"

#include <fcntl.h>
#include <unistd.h>

enum {
	PIECE_BIG = MIB, PIECE_SMALL = 256 * KIB,
	BIG_WRITERS = 8,                /* so many at a time have big pieces; memory is bounded */
	CRCS_MAX = 64 * MIB,            /* a terabyte of data */
};

struct piece {
	struct large_writer *w;
	char *p;
	size_t n;
	uint64_t at;
	int rc;
	bool busy;
};

struct large_writer {
	struct store *s;
	uint64_t id, size;
	int64_t expected;
	int fd;
	size_t piece_size;
	struct piece pieces[2];
	unsigned turn;                  /* the piece that is being filled */
	struct buf crcs;
	struct task *waiter;
	int failed;
	char path[PATH_SIZE];
};

/* Whatever the file system calls it when there is no room. */
static int as_no_space(int rc)
{
	return rc == -EDQUOT || rc == -EFBIG ? -ENOSPC : rc;
}

static int open_new(struct large_writer *w)
{
	int flags = O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC;

	w->fd = open(w->path, flags | O_DIRECT, 0640);
	if (w->fd < 0 && errno == EINVAL) {     /* a file system that cannot */
		(void)unlink(w->path);
		w->fd = open(w->path, flags, 0640);
	}
	return w->fd < 0 ? -errno : 0;
}

static int make_dir(struct large_writer *w)
{
	char dir[PATH_SIZE];

	snprintf(dir, sizeof dir, "%s/large/%02x", w->s->path, (unsigned)(w->id & 0xff));
	int rc = dir_make(dir);
	if (rc < 0)
		return rc;
	*strrchr(dir, '/') = 0;
	return dir_sync(dir);
}

static void open_job(void *arg)
{
	struct large_writer *w = arg;
	int rc = open_new(w);

	if (rc == -ENOENT) {
		rc = make_dir(w);
		if (rc == 0)
			rc = open_new(w);
	}
	if (rc == 0 && w->expected > 0) {
		off_t all = (off_t)(large_crcs_at((uint64_t)w->expected) +
				    4 * record_blocks((uint64_t)w->expected));

		if (fallocate(w->fd, 0, 0, all) < 0 && errno != EOPNOTSUPP && errno != ENOSYS)
			rc = as_no_space(-errno);
	}
	w->failed = rc;
}

int large_open(struct store *s, int64_t size, struct large_writer **ret)
{
	struct large_writer *w = xcalloc(1, sizeof *w);

	w->s = s;
	w->id = s->large_next++;
	w->expected = size;
	w->fd = -1;
	w->crcs = BUF(CRCS_MAX);
	w->piece_size = s->large_writers < BIG_WRITERS ? PIECE_BIG : PIECE_SMALL;
	s->large_writers++;
	large_path(s, w->id, w->path);
	task_run_blocking("open large file", open_job, w);
	if (w->failed < 0) {
		int rc = w->failed;

		large_close(w, false);
		return rc;
	}
	for (unsigned i = 0; i < 2; i++) {
		w->pieces[i].w = w;
		if (posix_memalign((void **)&w->pieces[i].p, LARGE_ALIGN, w->piece_size))
			unreachable("no memory for a piece");
	}
	*ret = w;
	return 0;
}

/* Adds the CRCs of the piece's blocks, and writes it up to a multiple of the alignment. */
static void write_job(void *arg)
{
	struct piece *c = arg;
	struct large_writer *w = c->w;
	size_t padded = (size_t)large_crcs_at(c->n);

	for (size_t at = 0; at < c->n; at += RECORD_BLOCK) {
		uint32_t crc = crc32c(0, c->p + at, MIN(c->n - at, (size_t)RECORD_BLOCK));

		buf_add(&w->crcs, &crc, sizeof crc);
	}
	memset(c->p + c->n, 0, padded - c->n);
	c->rc = buf_failed(&w->crcs) ? -EFBIG : file_write_at(w->fd, c->p, padded, c->at);
}

task_asserted static void write_behind(void *arg)
{
	struct piece *c = arg;

	task_run_blocking("write", write_job, c);
	c->busy = false;
	if (c->rc < 0 && c->w->failed == 0)
		c->w->failed = as_no_space(c->rc);
	if (c->w->waiter)
		task_wake(c->w->waiter);
}

waits static void wait_for(struct large_writer *w, struct piece *c)
{
	w->waiter = task_self();
	while (c->busy)
		task_wait_masked("write behind");
	w->waiter = NULL;
}

/* Sends the full piece off when the one before has arrived (their CRCs are in order, then). */
waits static void turn_over(struct large_writer *w)
{
	struct piece *c = &w->pieces[w->turn];

	wait_for(w, &w->pieces[w->turn ^ 1]);
	c->busy = true;
	task_spawn(NULL, "write behind", write_behind, c);
	w->turn ^= 1;
	w->pieces[w->turn].n = 0;
	w->pieces[w->turn].at = w->size;
}

int large_add(struct large_writer *w, struct str bytes)
{
	while (bytes.n > 0) {
		struct piece *c = &w->pieces[w->turn];
		size_t n = MIN(bytes.n, w->piece_size - c->n);

		assert(!c->busy);
		if (w->failed)
			return w->failed;
		memcpy(c->p + c->n, bytes.p, n);
		c->n += n;
		w->size += n;
		bytes = str_skip(bytes, n);
		if (c->n == w->piece_size)
			turn_over(w);
	}
	return w->failed;
}

static int write_crcs(struct large_writer *w, char *aligned, size_t size)
{
	uint64_t to = large_crcs_at(w->size);

	for (size_t at = 0; at < w->crcs.n; at += size) {
		size_t n = MIN(w->crcs.n - at, size), padded = (size_t)large_crcs_at(n);

		memcpy(aligned, w->crcs.p + at, n);
		memset(aligned + n, 0, padded - n);
		int rc = file_write_at(w->fd, aligned, padded, to + at);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static void finish_job(void *arg)
{
	struct large_writer *w = arg;
	struct piece *c = &w->pieces[w->turn];
	char dir[PATH_SIZE];
	int rc = 0;

	if (c->n > 0) {
		write_job(c);
		rc = c->rc;
	}
	if (rc == 0)
		rc = write_crcs(w, c->p, w->piece_size);
	/* fsync: the size and the blocks of a new file, and then its name. */
	if (rc == 0 && fsync(w->fd) < 0)
		rc = -EIO;
	if (rc == 0) {
		memcpy(dir, w->path, sizeof dir);
		*strrchr(dir, '/') = 0;
		rc = dir_sync(dir);
	}
	w->failed = as_no_space(rc);
}

int large_finish(struct large_writer *w)
{
	wait_for(w, &w->pieces[w->turn ^ 1]);
	if (w->failed == 0)
		task_run_blocking("finish large file", finish_job, w);
	return w->failed;
}

uint64_t large_id(const struct large_writer *w)
{
	return w->id;
}

static void drop_job(void *arg)
{
	struct large_writer *w = arg;

	if (w->fd >= 0) {
		close(w->fd);
		(void)unlink(w->path);
	}
}

void large_close(struct large_writer *w, bool keep)
{
	for (unsigned i = 0; i < 2; i++)
		wait_for(w, &w->pieces[i]);
	if (keep)
		close(w->fd);
	else
		task_run_blocking("remove large file", drop_job, w);
	w->s->large_writers--;
	for (unsigned i = 0; i < 2; i++)
		free(w->pieces[i].p);
	buf_done(&w->crcs);
	free(w);
}
