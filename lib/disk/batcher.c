/* Group commit: one thread, one queue, one wake-up of the loop per batch. */
#include "lib/disk/batcher.h"

#include <pthread.h>

enum { BATCHER_MAGIC = 0xba7c4e12 };

struct blocked {
	struct list node;
	struct task *task;
	bool go;
};

struct batcher {
	unsigned magic;
	struct batcher_options o;
	pthread_t thread;
	pthread_mutex_t lock;           /* guards from here … */
	pthread_cond_t more;
	struct batch_item *first, **last, *finished, **finished_last;
	bool idle, stopping;            /* … to here */
	size_t queued_bytes;            /* of the loop's thread: queued, running or not yet woken */
	struct list blocked;
	uv_async_t async;
	struct task *closing;
	bool closed;
};

/* Takes the next batch off the queue (lock held): its length; *ret_last is its last item. */
static unsigned take(struct batcher *b, struct batch_item **ret_last)
{
	struct batch_item *i = b->first;
	size_t bytes = i->bytes;
	unsigned n = 1;

	while (i->next && n < b->o.items_max && bytes + i->next->bytes <= b->o.bytes_max) {
		i = i->next;
		bytes += i->bytes;
		n++;
	}
	b->first = i->next;
	if (!b->first)
		b->last = &b->first;
	i->next = NULL;
	*ret_last = i;
	return n;
}

static void *work(void *arg)
{
	struct batcher *b = arg;

	pthread_mutex_lock(&b->lock);
	for (;;) {
		struct batch_item *first, *last;

		while (!b->first && !b->stopping) {
			b->idle = true;
			pthread_cond_wait(&b->more, &b->lock);
		}
		if (!b->first)
			break;
		first = b->first;
		unsigned n = take(b, &last);
		pthread_mutex_unlock(&b->lock);
		b->o.run(b->o.arg, first, n);
		pthread_mutex_lock(&b->lock);
		*b->finished_last = first;
		b->finished_last = &last->next;
		uv_async_send(&b->async);
	}
	pthread_mutex_unlock(&b->lock);
	return NULL;
}

static void on_finished(uv_async_t *a)
{
	struct batcher *b = a->data;

	assert(b->magic == BATCHER_MAGIC);
	pthread_mutex_lock(&b->lock);
	struct batch_item *i = b->finished;
	b->finished = NULL;
	b->finished_last = &b->finished;
	pthread_mutex_unlock(&b->lock);
	while (i) {
		struct batch_item *next = i->next;

		b->queued_bytes -= i->bytes;
		i->done = true;
		task_wake(i->task);
		i = next;
	}
	size_t room = b->o.queue_bytes_max - MIN(b->queued_bytes, b->o.queue_bytes_max);
	while (room > 0 && !list_empty(&b->blocked)) {
		struct blocked *w = list_entry(list_pop(&b->blocked), struct blocked, node);

		w->go = true;
		task_wake(w->task);
		room--;
	}
}

struct batcher *batcher_new(const struct batcher_options *o)
{
	struct batcher *b = xcalloc(1, sizeof *b);

	b->magic = BATCHER_MAGIC;
	b->o = *o;
	b->last = &b->first;
	b->finished_last = &b->finished;
	list_init(&b->blocked);
	pthread_mutexattr_t spin_first;
	pthread_mutexattr_init(&spin_first);
	pthread_mutexattr_settype(&spin_first, PTHREAD_MUTEX_ADAPTIVE_NP);
	pthread_mutex_init(&b->lock, &spin_first);
	pthread_mutexattr_destroy(&spin_first);
	pthread_cond_init(&b->more, NULL);
	uv_async_init(tasks_loop(), &b->async, on_finished);
	uv_unref((uv_handle_t *)&b->async);
	b->async.data = b;
	if (pthread_create(&b->thread, NULL, work, b))
		unreachable("no thread for group commit");
	return b;
}

void batcher_run(struct batcher *b, struct batch_item *item)
{
	item->next = NULL;
	batcher_run_all(b, item);
}

void batcher_run_all(struct batcher *b, struct batch_item *first)
{
	assert(b->magic == BATCHER_MAGIC && task_self());
	while (b->queued_bytes > b->o.queue_bytes_max) {
		struct blocked w = { .task = task_self() };

		list_append(&b->blocked, &w.node);
		while (!w.go)
			task_wait_masked(b->o.name);
	}
	struct batch_item *last = first;
	for (struct batch_item *i = first; i; last = i, i = i->next) {
		i->task = task_self();
		i->done = false;
		b->queued_bytes += i->bytes;
	}
	uv_ref((uv_handle_t *)&b->async);
	pthread_mutex_lock(&b->lock);
	*b->last = first;
	b->last = &last->next;
	bool idle = b->idle;
	b->idle = false;
	pthread_mutex_unlock(&b->lock);
	if (idle)
		pthread_cond_signal(&b->more);
	/* Batches are finished in order, so the last one done means all. */
	while (!last->done)
		task_wait_masked(b->o.name);
	if (b->queued_bytes == 0)
		uv_unref((uv_handle_t *)&b->async);
}

static void on_closed(uv_handle_t *h)
{
	struct batcher *b = h->data;

	b->closed = true;
	task_wake(b->closing);
}

static void join(void *arg)
{
	struct batcher *b = arg;

	pthread_join(b->thread, NULL);
}

void batcher_free(struct batcher *b)
{
	if (!b)
		return;
	assert(b->magic == BATCHER_MAGIC && b->queued_bytes == 0);
	pthread_mutex_lock(&b->lock);
	b->stopping = true;
	pthread_mutex_unlock(&b->lock);
	pthread_cond_signal(&b->more);
	task_run_blocking(b->o.name, join, b);
	b->closing = task_self();
	uv_close((uv_handle_t *)&b->async, on_closed);
	while (!b->closed)
		task_wait_masked("close");
	pthread_mutex_destroy(&b->lock);
	pthread_cond_destroy(&b->more);
	b->magic = 0;
	free(b);
}
