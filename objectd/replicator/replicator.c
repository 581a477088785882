/* When to make a pass, and requests to this replicator. */
#include "objectd/replicator/internal.h"

#include "lib/base/clock.h"
#include "lib/log/log.h"
#include "lib/metrics/metrics.h"

enum {
	PROBE_MS = 1000,                /* how often a device that was away is looked for */
	PROBE_PASS_MIN_MS = 500,        /* between a pass and one because a device is back */
	CACHE_MAX_MS = 3600 * 1000,     /* then digests are computed afresh */
};

METRIC_COUNTER(pushed_total, "needletail_replicator_pushed_total",
	       "Objects sent to other devices.");
METRIC_COUNTER(failed_total, "needletail_replicator_failed_total",
	       "Objects and databases that could not be sent.");
METRIC_COUNTER(forgotten_total, "needletail_replicator_forgotten_total",
	       "Objects and databases given back to the devices they belong to.");
METRIC_COUNTER(sent_bytes, "needletail_replicator_bytes_total", "Bytes sent.");

struct replicator *replicator_new(struct objectd *o)
{
	struct replicator *r = xcalloc(1, sizeof *r);

	r->o = o;
	r->peers = map_new();
	r->cache = part_cache_new();
	waitq_init(&r->pass_ended);
	pressure_init(&r->pressure, clock_mono_ms());
	return r;
}

void replicator_free(struct replicator *r)
{
	if (!r)
		return;
	map_free(r->peers, free);
	part_cache_free(r->cache);
	free(r);
}

void replicator_wake(struct replicator *r)
{
	r->woken = true;
	if (r->task)
		task_wake(r->task);
}

void replicator_touch(struct replicator *r, const struct object_id *id)
{
	part_cache_touch(r->cache, id);
}

void replicator_stats(const struct replicator *r, enum replicate_kind kind,
		      struct replicator_stats *ret)
{
	*ret = r->stats[kind];
}

bool replicator_running(const struct replicator *r, enum replicate_kind kind,
			struct replicator_stats *ret)
{
	*ret = r->running[kind];
	return r->now == &r->running[kind];
}

int64_t replicator_estimated_end_us(const struct replicator_stats *s, int64_t now_us)
{
	double took = (double)(now_us - s->pass_start_us);

	if (s->done == 0 || s->total < s->done || took < 0)
		return 0;
	return now_us + (int64_t)(took / (double)s->done * (double)(s->total - s->done));
}

void replicator_note_client(struct replicator *r, uint64_t us)
{
	pressure_note(&r->pressure, us);
}

uint64_t replicator_rate(struct replicator *r)
{
	uint64_t now = clock_mono_ms();
	bool sending = r->sent_at_ms && now - r->sent_at_ms < PRESSURE_WINDOW_MS;
	unsigned share = pressure_share(&r->pressure, now, sending);

	return MAX(replicator_conf.bytes_per_second / PRESSURE_WHOLE * share, (uint64_t)1024);
}

int replicator_throttle(struct replicator *r, uint64_t n)
{
	uint64_t now = clock_mono_ms(), wait;

	r->budget_ms = MAX(r->budget_ms, now > 1000 ? now - 1000 : 0) +
		       n * 1000 / replicator_rate(r);
	r->sent_at_ms = now;
	if (r->budget_ms <= now)
		return 0;
	wait = r->budget_ms - now;
	return task_sleep(wait);
}

/* Damage is taken out of the index behind our back, so digests are then computed afresh. */
static void refresh_cache(struct replicator *r)
{
	struct store_stats s;

	store_stats(r->o->store, &s);
	if (s.quarantined == r->cache_quarantined &&
	    clock_mono_ms() - r->cache_made_ms < CACHE_MAX_MS)
		return;
	part_cache_clear(r->cache);
	r->cache_quarantined = s.quarantined;
	r->cache_made_ms = clock_mono_ms();
}

static void forget_down(void *arg, struct str key, void *value)
{
	struct peer *p = value;

	(void)arg;
	(void)key;
	p->down = false;
}

/* The sums over all kinds. */
static struct replicator_stats sum_of(const struct replicator_stats s[REPLICATE_KINDS])
{
	struct replicator_stats sum = { 0 };

	for (unsigned k = 0; k < REPLICATE_KINDS; k++) {
		sum.partitions += s[k].partitions;
		sum.databases += s[k].databases;
		sum.pushed += s[k].pushed;
		sum.failed += s[k].failed;
		sum.forgotten += s[k].forgotten;
		sum.bytes += s[k].bytes;
		sum.unreachable = MAX(sum.unreachable, s[k].unreachable);
	}
	return sum;
}

waits static int kind_pass(struct replicator *r, enum replicate_kind kind)
{
	uint64_t start = clock_mono_ms();
	int rc;

	r->now = &r->running[kind];
	*r->now = (struct replicator_stats){ .passes = r->started,
					     .pass_start_us = clock_wall_us() };
	rc = kind == REPLICATE_OBJECTS	  ? objects_pass(r) :
	     kind == REPLICATE_CONTAINERS ? databases_pass(r, DB_CONTAINER) :
					    databases_pass(r, DB_ACCOUNT);
	r->now->pass_ms = clock_mono_ms() - start;
	r->now->pass_end_us = clock_wall_us();
	r->now->unreachable = r->unreachable;
	if (rc == 0)
		r->stats[kind] = *r->now;
	metric_add(&pushed_total, r->now->pushed);
	metric_add(&failed_total, r->now->failed);
	metric_add(&forgotten_total, r->now->forgotten);
	metric_add(&sent_bytes, r->now->bytes);
	return rc;
}

waits static void pass(struct replicator *r)
{
	struct replicator_stats sum;
	int rc = 0;

	r->started++;
	r->unreachable = 0;
	refresh_cache(r);
	map_each(r->peers, forget_down, NULL);
	task_sem_init(&r->pushes, (unsigned)replicator_conf.concurrency);
	task_sem_init(&r->parts, PARTS_AT_ONCE);
	for (unsigned k = 0; k < REPLICATE_KINDS && rc == 0; k++)
		rc = kind_pass(r, (enum replicate_kind)k);
	r->now = NULL;
	if (rc < 0 && rc != -ECANCELED)
		log_error("replicator: %s, trying again later", strerror(-rc));
	sum = sum_of(r->running);
	if (sum.pushed || sum.databases || sum.forgotten || sum.failed)
		log_info("replicator: %" PRIu64 " objects and %" PRIu64 " databases sent, %" PRIu64
			 " given back, %" PRIu64 " failed",
			 sum.pushed, sum.databases, sum.forgotten, sum.failed);
	r->ended = r->started;
	waitq_wake_all(&r->pass_ended);
}

/* ---- devices that were away ---- */

struct probe_list {
	struct peer *down[64];
	unsigned n;
};

static void collect_down(void *arg, struct str key, void *value)
{
	struct probe_list *list = arg;
	struct peer *p = value;

	(void)key;
	if (p->down && list->n < ARRAY_LEN(list->down))
		list->down[list->n++] = p;
}

waits static bool answers(struct replicator *r, struct peer *p)
{
	AUTO(arena) a = arena_new();
	AUTO(exchange) x = NULL;
	struct headers h;
	struct response res = { 0 };
	int rc = exchange_start(r->o->client, &p->address, &x);

	headers_init(&h, a);
	if (rc == 0)
		rc = exchange_send(x, S("GET"), S("/healthcheck"), &h, 0, STR_NONE);
	if (rc == 0)
		rc = exchange_receive(x, a, false, &res);
	if (rc < 0)
		return false;
	(void)!body_drain(res.body, KIB);
	body_close(res.body);
	return res.status == 200;
}

/* Whether a device that was away in the last pass is back. */
waits static bool somebody_is_back(struct replicator *r)
{
	struct probe_list list = { .n = 0 };
	bool back = false;

	map_each(r->peers, collect_down, &list);
	for (unsigned i = 0; i < list.n && !task_cancelled(); i++)
		if (answers(r, list.down[i])) {
			list.down[i]->down = false;
			back = true;
		}
	return back;
}

/* Waits until it is time for a pass. */
waits static void pause_between(struct replicator *r)
{
	uint64_t now = clock_mono_ms(), until = now + replicator_conf.interval;

	while (!r->woken && !task_cancelled() && (now = clock_mono_ms()) < until) {
		uint64_t left = until - now;

		if (task_wait("replicator", r->unreachable ? MIN(left, (uint64_t)PROBE_MS)
							       : left) == -ECANCELED)
			return;
		if (r->unreachable && !r->woken && somebody_is_back(r)) {
			/* It may have only begun to listen. */
			(void)!task_sleep(PROBE_PASS_MIN_MS);
			return;
		}
	}
}

task_asserted static void replicator_run(void *arg)
{
	struct replicator *r = arg;

	while (!task_cancelled()) {
		if (replicator_conf.enabled || r->woken)
			pause_between(r);
		else if (task_wait("replicator", 0) == -ECANCELED)
			break;
		if (task_cancelled() || (!replicator_conf.enabled && !r->woken))
			continue;
		r->woken = false;
		pass(r);
	}
	r->task = NULL;
	waitq_wake_all(&r->pass_ended);
}

void replicator_start(struct replicator *r)
{
	r->task = task_spawn(r->o->background, "replicator", replicator_run, r);
}

/* ---- requests ---- */

/* POST /device/0/.needletail/replicate: a whole pass that begins after the request came in. */
waits static void handle_replicate(struct replicator *r, struct request *req, struct response *res)
{
	uint64_t want = r->started + 1;
	int rc = 0;

	if (!str_starts(req->peer_ip, S("127.")) && !str_eq(req->peer_ip, S("::1")))
		return respond_status(res, 403);
	while (r->ended < want && rc == 0 && r->task) {
		if (r->started < want)
			replicator_wake(r);
		rc = waitq_wait(&r->pass_ended, "replication pass", 0);
	}
	if (r->ended < want)
		return respond_status(res, 503);
	struct replicator_stats s = sum_of(r->running);

	respond(res, 200, S("application/json"),
		arena_printf(req->arena,
			     "{\"pushed\": %" PRIu64 ", \"failed\": %" PRIu64
			     ", \"forgotten\": %" PRIu64 ", \"databases\": %" PRIu64
			     ", \"partitions\": %" PRIu64 ", \"unreachable\": %" PRIu64 "}\n",
			     s.pushed, s.failed, s.forgotten,
			     s.databases, s.partitions, s.unreachable));
}

void replicator_handle(struct objectd *o, struct request *req, struct response *res,
		       const struct backend_path *p)
{
	if (str_eq(p->container, S("replicate")))
		handle_replicate(o->replicator, req, res);
	else if (!receive_handle(o, req, res, p->container))
		respond_status(res, 404);
}
