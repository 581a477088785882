/* Works in a task while the body sends blanks. */
#include "lib/base/clock.h"
#include "proxy/middleware/heartbeat.h"

enum { BEAT_MAX = 4 * KIB };

struct beating {
	struct body body;
	struct heartbeat h;
	struct buf result, said;
	struct task *worker, *waiter;
	bool started, running, ended;
	unsigned beats;
	uint64_t next_ms;
};

waits static void work_run(void *arg)
{
	struct beating *b = arg;

	b->h.work(b->h.arg, &b->result);
	b->running = false;
	if (b->waiter)
		task_wake(b->waiter);
}

static int beat(struct beating *b, struct str *ret_chunk)
{
	*ret_chunk = b->beats++ ? b->h.beat : b->h.first;
	if (b->h.say) {
		buf_clear(&b->said);
		b->h.say(b->h.arg, &b->said);
		*ret_chunk = buf_str(&b->said);
	}
	b->next_ms = clock_mono_ms() + b->h.every_ms;
	return 1;
}

static void begin(struct beating *b)
{
	b->started = b->running = true;
	b->worker = task_spawn(NULL, "long work", work_run, b);
	b->next_ms = clock_mono_ms() + b->h.every_ms;
}

/* Waits for the work's end or the next beat: 0 when there is something to say, or negative. */
waits static int await(struct beating *b)
{
	while (b->running && clock_mono_ms() < b->next_ms) {
		b->waiter = task_self();
		int rc = task_wait("long work", b->next_ms - clock_mono_ms() + 1);

		b->waiter = NULL;
		if (rc == -ECANCELED)
			return rc;
	}
	return 0;
}

waits static int beating_next(struct body *body, struct str *ret_chunk)
{
	struct beating *b = container_of(body, struct beating, body);

	if (b->ended)
		return 0;
	if (!b->started) {
		begin(b);
		if (b->h.at_once)
			return beat(b, ret_chunk);
	}
	int rc = await(b);

	if (rc < 0)
		return rc;
	if (b->running)
		return beat(b, ret_chunk);
	if (buf_failed(&b->result))
		return -EFBIG;
	if (b->beats && b->h.separator.n) {
		*ret_chunk = b->h.separator;
		b->h.separator = STR_NONE;
		return 1;
	}
	b->ended = true;
	*ret_chunk = buf_str(&b->result);
	return ret_chunk->n ? 1 : 0;
}

waits static void beating_close(struct body *body)
{
	struct beating *b = container_of(body, struct beating, body);

	if (b->running)
		task_cancel(b->worker);
	while (b->running) {
		b->waiter = task_self();
		task_wait_masked("end of long work");
	}
	buf_done(&b->result);
	buf_done(&b->said);
	if (b->h.done)
		b->h.done(b->h.arg);
}

struct body *heartbeat_body(struct arena *a, const struct heartbeat *h)
{
	struct beating *b = arena_zalloc(a, sizeof *b);

	b->h = *h;
	b->result = BUF(h->result_max);
	b->said = BUF(BEAT_MAX);
	b->body = (struct body){ .next = beating_next, .close = beating_close, .left = -1 };
	return &b->body;
}
