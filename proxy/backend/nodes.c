/* Which servers are asked, in which order, and which are left alone for a while.
 * Swift: NodeIter in proxy/controllers/base.py; sort_nodes, error_limited and their kin in
 * proxy/server.py. */
#include "lib/base/clock.h"
#include "lib/crypto/digest.h"
#include "lib/log/log.h"
#include "lib/metrics/metrics.h"
#include "proxy/backend/internal.h"

enum { PROBE_FIRST_MS = 250, PROBE_MAX_MS = 4000, PROBE_ANSWER_MS = 1000, GRACE_STEP_MS = 20,
       SLOW_FOR_MS = 5000, BEHIND_FOR_MS = 60000, LOOK_MS = 1000 };

METRIC_COUNTER(node_errors, "needletail_proxy_node_errors_total",
	       "Failed exchanges with storage servers.");
METRIC_COUNTER(handoffs_used, "needletail_proxy_handoffs_total",
	       "Handoff servers that were asked.");
METRIC_COUNTER(previous_used, "needletail_proxy_previous_owners_total",
	       "Previous owners of a partition that were asked.");
METRIC_COUNTER(slow_answers, "needletail_proxy_late_answers_total",
	       "Requests that a storage server did not answer within concurrency_timeout.");
METRIC_GAUGE(nodes_aside, "needletail_proxy_nodes_aside",
	     "Storage servers that are left alone because of errors, counted by each worker.");

struct backend *backend_new(struct proxy *p)
{
	struct backend *b = xcalloc(1, sizeof *b);
	struct fault why;

	b->proxy = p;
	b->troubles = map_new();
	task_group_init(&b->background);
	task_group_init(&b->probes);
	/* Whoever stops the worker owns them, not the task that starts it. */
	b->background.owner = b->probes.owner = NULL;
	random_bytes(&b->random, sizeof b->random);
	b->random |= 1;
	if (affinity_parse(str_from(p->conf->read_affinity), true, &b->read, &why) < 0 ||
	    affinity_parse(str_from(p->conf->write_affinity), false, &b->write, &why) < 0)
		log_warn("%s, ignoring", why.text);
	return b;
}

void backend_stop(struct backend *b, uint64_t grace_ms)
{
	uint64_t until = clock_mono_ms() + grace_ms;

	b->background.owner = b->probes.owner = task_self();
	task_group_end(&b->probes);
	while (b->background.live > 0 && clock_mono_ms() < until)
		if (task_sleep(GRACE_STEP_MS) < 0)
			break;
	task_group_end(&b->background);
	map_free(b->troubles, free);
	free(b);
}

struct task_group *backend_background(struct backend *b)
{
	return &b->background;
}

/* xorshift64*: the order of replicas needs to be even, not secret. */
unsigned backend_random(struct backend *b, unsigned n)
{
	b->random ^= b->random >> 12;
	b->random ^= b->random << 25;
	b->random ^= b->random >> 27;
	return (unsigned)(((b->random * 0x2545f4914f6cdd1dULL) >> 32) * n >> 32);
}

/* ---- servers in trouble ---- */

struct str trouble_key(const struct ring_dev *dev, char text[TROUBLE_KEY_SIZE])
{
	int n = snprintf(text, TROUBLE_KEY_SIZE, "%s:%u/%s", dev->ip, dev->port, dev->device);

	assert(n > 0 && n < TROUBLE_KEY_SIZE);
	return str_of(text, (size_t)n);
}

static struct trouble *find_trouble(struct backend *b, const struct ring_dev *dev)
{
	char text[TROUBLE_KEY_SIZE];

	if (map_count(b->troubles) == 0)
		return NULL;
	return map_peek(b->troubles, trouble_key(dev, text));
}

static bool is_over(const struct backend *b, const struct trouble *t)
{
	return t->errors > (uint64_t)b->proxy->conf->error_suppression_limit;
}

/* Keeps the gauge right; after every change of t->errors. */
static void count_aside(const struct backend *b, struct trouble *t)
{
	bool aside = is_over(b, t);

	metric_gauge_add(&nodes_aside, (int)aside - (int)t->aside);
	t->aside = aside;
}

static void forget(struct backend *b, struct str key)
{
	struct trouble *t = map_remove(b->troubles, key);

	if (t && t->aside)
		metric_gauge_add(&nodes_aside, -1);
	free(t);
}

bool node_limited(struct backend *b, const struct ring_dev *dev)
{
	char text[TROUBLE_KEY_SIZE];
	struct trouble *t = find_trouble(b, dev);

	if (!t)
		return false;
	if (!t->probing && clock_mono_ms() > t->behind_until_ms &&
	    clock_mono_ms() - t->last_ms > b->proxy->conf->error_suppression_interval) {
		forget(b, trouble_key(dev, text));
		return false;
	}
	return is_over(b, t);
}

bool node_is_slow(struct backend *b, const struct ring_dev *dev)
{
	const struct trouble *t = find_trouble(b, dev);

	return t && clock_mono_ms() < t->slow_until_ms;
}

/* Behind for a while: until the replicators have told it what was deleted and overwritten while it
 * was away, reads ask those first that were there. */
static void welcome(const struct backend *b, struct trouble *t)
{
	t->errors = 0;
	t->refused = false;
	t->behind_until_ms = clock_mono_ms() + BEHIND_FOR_MS;
	count_aside(b, t);
}

static bool node_is_behind(struct backend *b, const struct ring_dev *dev)
{
	const struct trouble *t = find_trouble(b, dev);

	return t && clock_mono_ms() < t->behind_until_ms;
}

struct probe {
	struct backend *backend;
	struct http_address to;
	bool status;                    /* it answered with errors */
	char key[TROUBLE_KEY_SIZE];
};

/* Any answer shows that somebody is there; a process that hangs accepts connections too. */
waits static int probe_once(const struct probe *p)
{
	AUTO(arena) a = arena_new();
	AUTO(exchange) x = NULL;
	struct response res;
	struct headers h;
	int rc = exchange_start(p->backend->proxy->client, &p->to, &x);

	headers_init(&h, a);
	if (rc == 0) {
		exchange_set_timeouts(x, PROBE_ANSWER_MS, PROBE_ANSWER_MS);
		rc = exchange_send(x, S("OPTIONS"), S("/"), &h, 0, STR_NONE);
	}
	response_init(&res, a);
	if (rc == 0)
		rc = exchange_receive(x, a, false, &res);
	if (rc > 0) {
		if (body_drain(res.body, 64 * KIB) < 0)
			log_debug("%s: the answer to a probe broke off, ignoring", p->key);
		body_close(res.body);
	}
	return rc < 0 ? rc : 0;
}

/* A server that is late is asked something easy: when it does not answer that either it is put
 * aside now, not after several clients have run into their timeouts. True when it is aside. */
waits static bool probe_suspect(const struct probe *p)
{
	struct backend *b = p->backend;
	int rc = probe_once(p);
	struct trouble *t = map_peek(b->troubles, str_from(p->key));

	if (rc == -ECANCELED || !t)
		return false;
	if (rc < 0) {
		log_warn("%s does not answer: %s", p->key, strerror(-rc));
		t->errors = MAX(t->errors, (unsigned)b->proxy->conf->error_suppression_limit + 1);
		t->last_ms = clock_mono_ms();
		t->refused = rc == -ECONNREFUSED;
		t->silent = true;
		count_aside(b, t);
	}
	t->probing = is_over(b, t);
	return t->probing;
}

/* A server that answers, but with errors, is left alone for its time. True when it does not answer
 * any more. */
waits static bool wait_for_better(const struct probe *p)
{
	struct backend *b = p->backend;
	struct trouble *t;

	while ((t = map_peek(b->troubles, str_from(p->key)))) {
		uint64_t until = t->last_ms + b->proxy->conf->error_suppression_interval;
		uint64_t now = clock_mono_ms();

		if (t->refused || t->silent)
			return true;
		if (now > until) {
			t->probing = false;
			welcome(b, t);
			break;
		}
		if (task_sleep(MIN(until - now + 1, (uint64_t)LOOK_MS)) < 0)
			break;
	}
	return false;
}

/* Waits until the server answers again, or until nobody cares any more. */
waits static void probe_run(void *arg)
{
	AUTO(free) owned = arg;
	struct probe *p = owned;
	struct backend *b = p->backend;
	struct trouble *t = map_peek(b->troubles, str_from(p->key));
	uint64_t pause = PROBE_FIRST_MS, began = clock_mono_ms();
	bool back = false;

	if (!t || (!is_over(b, t) && !probe_suspect(p)) || (p->status && !wait_for_better(p)))
		return;
	while (!back && clock_mono_ms() - began < b->proxy->conf->error_suppression_interval) {
		if (task_sleep(pause) < 0)
			return;
		int rc = probe_once(p);

		if (rc == -ECANCELED)
			return;
		back = rc == 0;
		pause = MIN(2 * pause, (uint64_t)PROBE_MAX_MS);
	}
	if (!back) {
		forget(b, str_from(p->key));
		return;
	}
	log_info("%s answers again", p->key);
	t = map_peek(b->troubles, str_from(p->key));
	if (t) {
		t->probing = false;
		welcome(b, t);
	}
}

static void probe_start(struct backend *b, struct trouble *t, const struct ring_dev *dev,
			int error)
{
	struct probe *p;

	if (t->probing)
		return;
	p = xcalloc(1, sizeof *p);
	if (node_address(dev, &p->to) < 0) {
		free(p);
		return;
	}
	t->probing = true;
	p->backend = b;
	p->status = error > 0;
	trouble_key(dev, p->key);
	task_spawn(&b->probes, "probe", probe_run, p);
}

void node_connected(struct backend *b, const struct ring_dev *dev)
{
	struct trouble *t = find_trouble(b, dev);

	if (t && t->refused)
		welcome(b, t);
}

static struct trouble *add_errors(struct backend *b, const struct ring_dev *dev, unsigned count,
				  int error)
{
	char text[TROUBLE_KEY_SIZE];
	struct str key = trouble_key(dev, text);
	struct trouble *t = map_peek(b->troubles, key);

	metric_add(&node_errors, count > 0);
	if (count > 0)
		server_note(dev, SERVER_FAILED);
	if (!t) {
		t = xcalloc(1, sizeof *t);
		map_put(b->troubles, key, t);
	}
	t->errors += count;
	t->last_ms = clock_mono_ms();
	t->refused = error == -ECONNREFUSED;
	t->silent = error < 0 && !t->refused;
	count_aside(b, t);
	if (is_over(b, t) || error == -ETIMEDOUT)
		probe_start(b, t, dev, error);
	return t;
}

static void suspect(struct backend *b, const struct ring_dev *dev, unsigned errors)
{
	struct trouble *t;

	log_debug("%s:%u/%s is slow", dev->ip, dev->port, dev->device);
	metric_add(&slow_answers, 1);
	server_note(dev, SERVER_LATE);
	t = add_errors(b, dev, errors, -ETIMEDOUT);
	t->slow_until_ms = clock_mono_ms() + SLOW_FOR_MS;
}

void node_slow(struct backend *b, const struct ring_dev *dev)
{
	suspect(b, dev, 1);
}

void node_suspect(struct backend *b, const struct ring_dev *dev)
{
	suspect(b, dev, 0);
}

void node_failed(struct backend *b, const struct ring_dev *dev, int error, const char *doing)
{
	unsigned limit = (unsigned)b->proxy->conf->error_suppression_limit + 1, count = 1;
	const struct trouble *known = find_trouble(b, dev);

	if (error == -ECANCELED)
		return;
	if (error == RING_STALE_STATUS) {
		/* Nothing is wrong with the server. */
		log_warn("%s:%u/%s has a newer ring than version %" PRId64, dev->ip, dev->port,
			 dev->device, dev->ring_version);
		if (b->proxy->rings_task)
			task_wake(b->proxy->rings_task);
		return;
	}
	if (known && known->refused && error == -ECONNREFUSED) {
		log_debug("%s:%u/%s still refuses connections", dev->ip, dev->port, dev->device);
		add_errors(b, dev, 0, error);
		return;
	}
	if (error == -ECONNREFUSED || error == 507)
		count = limit;
	else if (error == -ETIMEDOUT)   /* costs its client much more than other errors do */
		count = (limit + 2) / 3;
	if (error < 0)
		log_warn("%s:%u/%s: %s: %s", dev->ip, dev->port, dev->device, doing,
			 strerror(-error));
	else
		log_warn("%s:%u/%s: %s: answered %d", dev->ip, dev->port, dev->device, doing,
			 error);
	add_errors(b, dev, count, error);
}

/* ---- order ---- */

static void shuffle(struct backend *b, const struct ring_dev *v[], unsigned n)
{
	for (unsigned i = n; i > 1; i--) {
		unsigned j = backend_random(b, i);
		const struct ring_dev *swap = v[i - 1];

		v[i - 1] = v[j];
		v[j] = swap;
	}
}

/* Stable, so equal ones stay shuffled. */
static void sort_by_affinity(const struct affinity *a, const struct ring_dev *v[], unsigned n)
{
	for (unsigned i = 1; i < n; i++) {
		const struct ring_dev *dev = v[i];
		unsigned key = affinity_of(a, dev), j = i;

		while (j > 0 && affinity_of(a, v[j - 1]) > key) {
			v[j] = v[j - 1];
			j--;
		}
		v[j] = dev;
	}
}

/* Those that were late or away lately come behind the others; their order stays. *ret_behind is
 * set when one was away. */
static void slow_last(struct backend *b, const struct ring_dev *v[], unsigned n, bool *ret_behind)
{
	const struct ring_dev *slow[RING_REPLICAS_MAX];
	unsigned fast = 0, slows = 0;

	if (map_count(b->troubles) == 0)
		return;
	for (unsigned i = 0; i < n; i++) {
		bool behind = node_is_behind(b, v[i]);

		*ret_behind |= behind;
		if (behind || node_is_slow(b, v[i]))
			slow[slows++] = v[i];
		else
			v[fast++] = v[i];
	}
	for (unsigned i = 0; i < slows; i++)
		v[fast + i] = slow[i];
}

/* Writes that stay near: local primaries, then local handoffs, before the primaries that are far
 * (iter_nodes_local_first). Replicators bring them there. */
static void prefer_local(struct nodes *n)
{
	const struct affinity *local = &n->backend->write;
	const struct ring_dev *far[RING_REPLICAS_MAX];
	unsigned near = 0, fars = 0, wanted = n->primaries;
	struct ring_handoffs it;
	const struct ring_dev *dev;

	for (unsigned i = 0; i < wanted; i++) {
		if (affinity_of(local, n->primary[i]) != UINT_MAX)
			n->primary[near++] = n->primary[i];
		else
			far[fars++] = n->primary[i];
	}
	ring_handoffs_start(n->ring, n->part, &it);
	while (near < wanted && (dev = ring_handoffs_next(&it)))
		if (affinity_of(local, dev) != UINT_MAX)
			n->primary[near++] = dev;
	for (unsigned i = 0; i < fars && near < RING_REPLICAS_MAX; i++)
		n->primary[near++] = far[i];
	n->primaries = near;
}

void nodes_start(struct nodes *n, struct backend *b, const struct target *t, enum nodes_for what)
{
	n->backend = b;
	n->ring = ring_ref(t->ring);
	n->part = t->part;
	n->primaries = ring_primaries(t->ring, t->part, n->primary, RING_REPLICAS_MAX);
	n->left = n->primaries * (unsigned)b->proxy->conf->request_node_factor;
	n->next = 0;
	n->last = NULL;
	n->handing_off = n->behind = false;
	n->writing = what == NODES_FOR_WRITE;
	n->refusing_n = n->refusing_at = 0;
	n->previous_n = n->previous_at = 0;
	shuffle(b, n->primary, n->primaries);
	if (what == NODES_FOR_READ) {
		n->previous_n = ring_previous(t->ring, t->part, n->previous, NODES_PREVIOUS_MAX);
		n->left += n->previous_n;
		slow_last(b, n->primary, n->primaries, &n->behind);
	}
	if (what == NODES_FOR_READ && b->proxy->conf->sorting_method == SORT_AFFINITY)
		sort_by_affinity(&b->read, n->primary, n->primaries);
	if (what == NODES_FOR_WRITE && t->kind == SWIFT_OBJECT && b->write.n)
		prefer_local(n);
}

void nodes_prefer(struct nodes *n, const struct ring_dev *dev)
{
	for (unsigned i = 1; i < n->primaries; i++)
		if (n->primary[i] == dev) {
			n->primary[i] = n->primary[0];
			n->primary[0] = dev;
		}
}

static bool is_previous(const struct nodes *n, const struct ring_dev *dev)
{
	for (unsigned i = 0; i < n->previous_n; i++)
		if (n->previous[i] == dev)
			return true;
	return false;
}

/* With write affinity a handoff may have been handed out among the first already. */
static const struct ring_dev *next_handoff(struct nodes *n)
{
	const struct ring_dev *dev;

	if (!n->handing_off) {
		ring_handoffs_start(n->ring, n->part, &n->handoffs);
		n->handing_off = true;
	}
	while ((dev = ring_handoffs_next(&n->handoffs))) {
		bool seen = is_previous(n, dev);

		for (unsigned i = 0; i < n->primaries; i++)
			seen |= n->primary[i] == dev;
		if (!seen)
			return dev;
	}
	return NULL;
}

/* Whether it may be asked. Those that refuse connections are kept in mind, which costs next to
 * nothing to try; for writes also those that do not answer, which costs a moment, but they may be
 * what a quorum needs. */
static bool may_ask(struct nodes *n, const struct ring_dev *dev)
{
	if (!node_limited(n->backend, dev))
		return true;
	const struct trouble *t = find_trouble(n->backend, dev);

	if (t && (t->refused || (n->writing && t->silent)) && n->refusing_n < NODES_REFUSING_MAX)
		n->refusing[n->refusing_n++] = dev;
	return false;
}

bool nodes_next(struct nodes *n, struct node *ret)
{
	const struct ring_dev *dev;

	if (n->last && n->left > 0 && !node_limited(n->backend, n->last))
		n->left--;
	n->last = NULL;
	if (n->left == 0)
		return false;
	while (n->next < n->primaries) {
		dev = n->primary[n->next++];
		if (may_ask(n, dev)) {
			*ret = (struct node){ .dev = n->last = dev };
			return true;
		}
	}
	while (n->previous_at < n->previous_n) {
		dev = n->previous[n->previous_at++];
		if (!may_ask(n, dev))
			continue;
		metric_add(&previous_used, 1);
		*ret = (struct node){ .dev = n->last = dev, .handoff = true, .previous = true };
		return true;
	}
	while ((dev = next_handoff(n))) {
		if (!may_ask(n, dev))
			continue;
		metric_add(&handoffs_used, 1);
		server_note(dev, SERVER_HANDOFF);
		*ret = (struct node){ .dev = n->last = dev, .handoff = true };
		return true;
	}
	if (n->refusing_at < n->refusing_n) {
		dev = n->refusing[n->refusing_at++];
		*ret = (struct node){ .dev = n->last = dev };
		for (unsigned i = 0; i < n->primaries; i++)
			if (n->primary[i] == dev)
				return true;
		ret->handoff = true;
		ret->previous = is_previous(n, dev);
		return true;
	}
	return false;
}

void nodes_done(struct nodes *n)
{
	ring_unref(n->ring);
	n->ring = NULL;
}
