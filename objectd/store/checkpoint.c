/* Checkpoints, and the keeper: the task that makes them and gives waste back. */
#include "objectd/store/internal.h"

#include <fcntl.h>
#include <unistd.h>

/* The row "vc": volume, offset, batch, next large file, whether the store was closed properly. */
int checkpoint_load(struct store *s)
{
	CLEANUP(buf_done) struct buf value = BUF(KIB);
	uint64_t v[5];
	int rc = kv_get(s->kv, S("vc"), &value);

	if (rc < 0)
		return rc;
	struct str rest = buf_str(&value);
	for (unsigned i = 0; i < ARRAY_LEN(v); i++)
		if (varint_read(&rest, &v[i]) < 0)
			return -EIO;
	s->checkpoint = (struct position){ .volume = (uint32_t)v[0], .at = v[1], .batch = v[2] };
	s->large_next = MAX(v[3], (uint64_t)1);
	return v[4] == 1;
}

int checkpoint_write(struct store *s, bool closed)
{
	char value[5 * VARINT_MAX], *p = value;
	struct position to;

	pthread_mutex_lock(&s->lock);
	to = s->applied;
	s->records_since = s->bytes_since = 0;
	pthread_mutex_unlock(&s->lock);
	/* A synced write would not do: it does not sync the log files that LevelDB has already
	 * left. */
	int rc = kv_flush(s->kv);
	if (rc < 0)
		return rc;
	uint64_t v[] = { to.volume, to.at, to.batch, s->large_next, closed };
	for (unsigned i = 0; i < ARRAY_LEN(v); i++)
		p = varint_write(p, v[i]);
	struct kv_batch *b = kv_batch_new();
	kv_batch_put(b, S("vc"), str_of(value, (size_t)(p - value)));
	rc = kv_write(s->kv, b, true);
	kv_batch_free(b);
	if (rc < 0)
		return rc;
	pthread_mutex_lock(&s->lock);
	s->checkpoint = to;
	pthread_mutex_unlock(&s->lock);
	return 0;
}

struct job {
	struct store *s;
	struct list waste;
	int result;
};

static void checkpoint_job(void *arg)
{
	struct job *j = arg;

	j->result = checkpoint_write(j->s, false);
}

int store_checkpoint(struct store *s)
{
	struct job j = { .s = s };

	assert(s->magic == STORE_MAGIC);
	if (s->broken)
		return -EROFS;
	while (s->checkpointing)
		if (task_sleep(5) < 0)
			return -ECANCELED;
	s->checkpointing = true;
	task_run_blocking("checkpoint", checkpoint_job, &j);
	s->checkpointing = false;
	if (j.result < 0)
		s->broken = 1;
	return j.result;
}

static void punch(struct store *s, const struct waste *w)
{
	char path[PATH_SIZE], fixed[RECORD_FIXED];
	struct record r;

	volume_path(s, w->where.volume, path);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	/* The head stays: it says how far the next record is. */
	if (file_read_at(fd, fixed, sizeof fixed, w->where.at) == 0 &&
	    record_measure_bytes(fixed, sizeof fixed, &r) == 0 && r.len == w->where.len)
		(void)fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				(off_t)(w->where.at + r.head_len), (off_t)(r.len - r.head_len));
	close(fd);
}

static void collect_job(void *arg)
{
	struct job *j = arg;

	for (struct list *n; (n = list_pop(&j->waste));) {
		struct waste *w = list_entry(n, struct waste, node);
		char path[PATH_SIZE];

		large_path(j->s, w->large, path);
		if (w->large)
			(void)unlink(path);
		else
			punch(j->s, w);
		free(w);
	}
}

/* Lock held. The last batch must stay readable: a replay verifies its data. And so must what a
 * reader has open. */
static bool is_collectable(struct store *s, const struct waste *w)
{
	if (w->large)
		return true;
	return s->applied.batch > w->batch && !object_is_open(s, &w->where);
}

void waste_collect(struct store *s)
{
	struct job j = { .s = s };

	list_init(&j.waste);
	pthread_mutex_lock(&s->lock);
	list_for_safe(n, &s->waste) {
		if (is_collectable(s, list_entry(n, struct waste, node))) {
			list_remove(n);
			list_append(&j.waste, n);
		}
	}
	pthread_mutex_unlock(&s->lock);
	if (!list_empty(&j.waste))
		task_run_blocking("give space back", collect_job, &j);
}

static bool is_due(struct store *s, bool idle)
{
	pthread_mutex_lock(&s->lock);
	bool due = s->bytes_since > CHECKPOINT_BYTES || s->records_since > CHECKPOINT_RECORDS ||
		   (idle && s->records_since > 0);
	pthread_mutex_unlock(&s->lock);
	return due;
}

task_asserted static void keep(void *arg)
{
	struct store *s = arg;

	while (!s->closing) {
		int rc = s->keeper_poked
				 ? 0
				 : waitq_wait(&s->keeper_q, "housekeeping", CHECKPOINT_IDLE_MS);

		if (s->closing)
			break;
		s->keeper_poked = false;
		if (!s->broken && is_due(s, rc == -ETIMEDOUT))
			tolerate(store_checkpoint(s)); /* a failure makes the store read-only */
		waste_collect(s);
	}
	s->keeper = NULL;
	if (s->stopper)
		task_wake(s->stopper);
}

void keeper_start(struct store *s)
{
	s->keeper = task_spawn(NULL, "store keeper", keep, s);
}

void keeper_poke(struct store *s)
{
	if (!s->keeper_poked)
		waitq_wake_one(&s->keeper_q);
	s->keeper_poked = true;
}

void keeper_stop(struct store *s)
{
	s->closing = true;
	s->stopper = task_self();
	waitq_wake_all(&s->keeper_q);
	while (s->keeper || s->filling)
		task_wait_masked("housekeeping");
}
