/* Collects the rows of writes per container device, and waits with the writes until they are
 * delivered. */
#include "objectd/updater/internal.h"

#include "lib/log/log.h"
#include "objectd/container/container_server.h"

enum { SEND_TARGETS_MAX = 16 };

/* A row in a device's queue, on the stack of the write that waits for it. */
struct item {
	struct list node;               /* in the queue; unlinked while being sent */
	const struct container_row_update *row;
	struct task *owner;
	struct item **slot;             /* where the sender remembers it */
	int status;                     /* 0: not delivered */
	bool done;
};

int row_target_parse(struct str host, struct str device, struct row_target *ret)
{
	ssize_t colon;
	uint64_t port;

	host = str_trim(host);
	device = str_trim(device);
	colon = str_rchr(host, ':');
	if (colon <= 0 || str_to_u64(str_skip(host, (size_t)colon + 1), &port) < 0 || port > 65535)
		return -EINVAL;
	struct str ip = str_head(host, (size_t)colon);

	if (ip.n > 2 && ip.p[0] == '[' && ip.p[ip.n - 1] == ']')
		ip = str_of(ip.p + 1, ip.n - 2);
	if (ip.n >= sizeof ret->address.ip || device.n == 0 || device.n >= sizeof ret->device)
		return -EINVAL;
	*ret = (struct row_target){ .address.port = (unsigned)port };
	memcpy(ret->address.ip, ip.p, ip.n);
	memcpy(ret->device, device.p, device.n);
	return 0;
}

void target_key(const struct row_target *to, char key[TARGET_KEY_MAX])
{
	int n = snprintf(key, TARGET_KEY_MAX, "%s:%u/%s", to->address.ip, to->address.port,
			 to->device);

	assert(n > 0 && n < TARGET_KEY_MAX);
}

struct target *updater_target(struct updater *u, const struct row_target *to)
{
	char key[TARGET_KEY_MAX];
	struct target *t;

	target_key(to, key);
	t = map_get(u->targets, str_from(key));
	if (t)
		return t;
	if (map_count(u->targets) >= TARGETS_MAX)
		return NULL;
	t = xcalloc(1, sizeof *t);
	t->to = *to;
	memcpy(t->key, key, sizeof key);
	t->local = to->address.port == u->o->port && strcmp(to->address.ip, u->o->ip) == 0 &&
		   strcmp(to->device, u->o->device) == 0;
	list_init(&t->queue);
	map_put(u->targets, str_from(key), t);
	return t;
}

bool updater_target_down(struct updater *u, const struct row_target *to)
{
	struct target *t = updater_target(u, to);

	return !t || t->failures > 0;
}

struct updater *updater_new(struct objectd *o)
{
	struct updater *u = xcalloc(1, sizeof *u);

	u->o = o;
	u->targets = map_new();
	return u;
}

void updater_free(struct updater *u)
{
	if (!u)
		return;
	map_free(u->targets, free);
	free(u);
}

void updater_wake(struct updater *u)
{
	u->woken = true;
	if (u->task)
		task_wake(u->task);
}

void updater_start(struct updater *u)
{
	u->woken = true;
	u->task = task_spawn(u->o->background, "pending rows", pending_run, u);
}

uint64_t updater_pending(const struct updater *u)
{
	return u->pending;
}

/* ---- rows collect while a request is under way ---- */

struct sender {
	struct updater *u;
	struct target *t;
};

waits static void send_batch(struct updater *u, struct target *t)
{
	AUTO(arena) a = arena_new();
	unsigned n = 0, max = (unsigned)updater_conf.batch_rows;
	struct item **items = arena_alloc(a, max * sizeof *items);
	struct container_row_update *rows = arena_alloc(a, max * sizeof *rows);
	int *status = arena_zalloc(a, max * sizeof *status);

	while (n < max && !list_empty(&t->queue)) {
		struct item *item = list_entry(list_pop(&t->queue), struct item, node);

		rows[n] = row_copy(a, item->row);
		items[n] = item;
		item->slot = &items[n++];
	}
	int rc = rows_deliver(u, t, a, rows, n, status);

	for (unsigned i = 0; i < n; i++) {
		if (!items[i])          /* its write did not wait any longer */
			continue;
		items[i]->slot = NULL;
		items[i]->status = rc < 0 ? 0 : status[i];
		items[i]->done = true;
		task_wake(items[i]->owner);
	}
}

static void fail_queue(struct target *t)
{
	struct list *n;

	while ((n = list_pop(&t->queue))) {
		struct item *item = list_entry(n, struct item, node);

		item->done = true;
		task_wake(item->owner);
	}
}

task_asserted static void sender_run(void *arg)
{
	struct sender *s = arg;
	struct target *t = s->t;

	while (!list_empty(&t->queue)) {
		if (target_is_down(t) || task_cancelled())
			fail_queue(t);
		else
			send_batch(s->u, t);
	}
	t->sending = false;
	free(s);
}

static void enqueue(struct updater *u, struct target *t, struct item *item)
{
	list_append(&t->queue, &item->node);
	if (t->sending)
		return;
	struct sender *s = xmalloc(sizeof *s);

	*s = (struct sender){ .u = u, .t = t };
	t->sending = true;
	task_spawn(u->o->background, "row sender", sender_run, s);
}

static void detach(struct item *item)
{
	list_remove(&item->node);
	if (item->slot)
		*item->slot = NULL;
}

/* ---- one write's row ---- */

struct delivery {
	struct updater *u;
	struct target *t;               /* NULL: nobody to send to now */
	struct item item;
	bool direct;                    /* in a request of its own */
};

task_asserted static void direct_run(void *arg)
{
	struct delivery *d = arg;
	AUTO(arena) a = arena_new();
	int status = 0;

	if (rows_deliver(d->u, d->t, a, d->item.row, 1, &status) == 0)
		d->item.status = status;
	d->item.done = true;
	task_wake(d->item.owner);
}

static bool all_done(const struct delivery *d, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (!d[i].item.done)
			return false;
	return true;
}

/* Rows for devices that take many at once. Not under the write's deadline: the sender that is
 * spawned here would inherit it. */
static void enqueue_all(struct updater *u, struct delivery *d, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct target *t = d[i].t;

		/* Whether it is back is found out in the background, not at a client's expense. */
		if (!t || t->failures > 0)
			d[i].item.done = true;
		else if (t->local || t->kind == PEER_NEEDLETAIL)
			enqueue(u, t, &d[i].item);
		else
			d[i].direct = true;
	}
}

waits static void deliver_all(struct updater *u, struct delivery *d, unsigned n,
			      uint64_t timeout_ms)
{
	int rc = 0;

	enqueue_all(u, d, n);
	TASK_DEADLINE(timeout_ms);
	TASK_GROUP(direct);
	for (unsigned i = 0; i < n; i++)
		if (d[i].direct)
			task_spawn(&direct, "row update", direct_run, &d[i]);
	while (rc >= 0 && !all_done(d, n))
		rc = task_wait("container update", 0);
	for (unsigned i = 0; i < n; i++)
		detach(&d[i].item);
}

void updater_note_pending(struct updater *u, unsigned rows)
{
	u->pending += rows;
}

int updater_send(struct updater *u, const struct row_target *targets, unsigned n,
		 const struct container_row_update *row, uint64_t timeout_ms)
{
	struct delivery d[SEND_TARGETS_MAX];
	struct store_txn *txn = NULL;

	n = MIN(n, (unsigned)SEND_TARGETS_MAX);
	for (unsigned i = 0; i < n; i++) {
		d[i] = (struct delivery){ .u = u, .t = updater_target(u, &targets[i]),
					  .item = { .row = row, .owner = task_self() } };
		list_init(&d[i].item.node);
	}
	deliver_all(u, d, n, timeout_ms);
	AUTO(arena) a = NULL;

	for (unsigned i = 0; i < n; i++) {
		if (d[i].item.status >= 200 && d[i].item.status < 300)
			continue;
		if (!txn)
			txn = store_txn_new(a = arena_new());
		updater_pend(txn, &targets[i], row);
	}
	if (!txn)
		return 0;
	unsigned rows = store_txn_count(txn);
	int rc = store_commit(u->o->store, txn);

	if (rc == 0)
		updater_note_pending(u, rows);
	else
		log_error("cannot keep a pending row for /%.*s/%.*s/%.*s: %s", STR(row->account),
			  STR(row->container), STR(row->object), strerror(-rc));
	return rc;
}

void updater_handle_rows(struct objectd *o, struct request *req, struct response *res)
{
	CLEANUP(buf_done) struct buf in = BUF(ROWS_BYTES_MAX);
	struct container_row_update *rows;
	int rc = body_read_all(req->body, &in), n;

	if (rc == -EFBIG)
		return respond_status(res, 413);
	if (rc < 0)
		return objectd_respond_error(res, rc);
	n = rows_read(req->arena, buf_str(&in), &rows);
	if (n <= 0)
		return respond_text(res, 400, "not a list of rows");
	int *status = arena_zalloc(req->arena, (size_t)n * sizeof *status);
	char *text = arena_alloc(req->arena, 3 * (size_t)n + 1);

	rc = container_apply_rows(o, rows, (unsigned)n, status);
	if (rc < 0)
		return objectd_respond_error(res, rc);
	for (int i = 0; i < n; i++)
		snprintf(text + 3 * i, 4, "%03d",
			 status[i] >= 100 && status[i] <= 999 ? status[i] : 500);
	respond(res, 200, S("text/plain"), str_of(text, 3 * (size_t)n));
}
