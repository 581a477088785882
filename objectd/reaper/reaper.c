/* When to look for deleted accounts, and which are this device's to empty. */
#include "objectd/reaper/internal.h"

#include "lib/base/clock.h"
#include "lib/log/log.h"
#include "lib/metrics/metrics.h"

enum { LIST_STEP = 256 };

METRIC_COUNTER(objects_reaped, "needletail_reaper_objects_total",
	       "Objects of deleted accounts that were deleted.");
METRIC_COUNTER(containers_reaped, "needletail_reaper_containers_total",
	       "Containers of deleted accounts that were deleted.");

struct reaper *reaper_new(struct objectd *o)
{
	struct reaper *r = xcalloc(1, sizeof *r);

	r->o = o;
	task_sem_init(&r->one, 1);
	return r;
}

void reaper_free(struct reaper *r)
{
	free(r);
}

void reaper_stats(const struct reaper *r, struct reaper_stats *ret)
{
	*ret = r->stats;
	ret->now_containers = r->now.containers;
	ret->now_objects = r->now.objects;
}

/* Only accounts whose first primary this device is, so that nobody does it twice. */
static bool is_ours(const struct reaper *r, const struct db_id *id)
{
	const struct ring_dev *devs[RING_REPLICAS_MAX];
	const struct ring *ring = r->o->cluster->account_ring;

	if (!ring || ring_primaries(ring, ring_part_of_hash(ring, id->hash), devs,
				    RING_REPLICAS_MAX) == 0)
		return false;
	return devs[0]->port == r->o->port && strcmp(devs[0]->device, r->o->device) == 0 &&
	       strcmp(devs[0]->ip, r->o->ip) == 0;
}

waits static int look_at(struct reaper *r, const struct db_id *id)
{
	AUTO(db_info) info = NULL;
	int rc = db_info_get(r->o->dbs, id, &info);

	if (rc < 0)
		return rc;
	if (!info->exists || !db_info_deleted(info))
		return 0;
	int64_t age_s = clock_wall_s() - timestamp_us(info->delete_ts) / 1000000;

	if (age_s * 1000 < (int64_t)reaper_conf.delay_reaping)
		return 0;
	uint64_t left = r->now.objects_remaining + r->now.containers_remaining;

	rc = reap_account(r, id, info);
	left = r->now.objects_remaining + r->now.containers_remaining - left;
	if (left && age_s * 1000 >= (int64_t)(reaper_conf.delay_reaping +
					      reaper_conf.reap_warn_after))
		log_warn("account %.*s was deleted %" PRId64 " s ago and is still not empty",
			 STR(info->account), age_s);
	return rc;
}

waits static int walk(struct reaper *r)
{
	AUTO(free) room = xcalloc(LIST_STEP, sizeof(struct db_listed));
	struct db_listed *list = room;
	unsigned char from[DB_HASH_SIZE] = { 0 }, last[DB_HASH_SIZE];
	int n = LIST_STEP;

	memset(last, 0xff, sizeof last);
	while (n == LIST_STEP && !task_cancelled()) {
		n = db_list(r->o->dbs, DB_ACCOUNT, from, last, list, LIST_STEP);
		for (int i = 0; i < n && !task_cancelled(); i++) {
			int rc = list[i].deleted && is_ours(r, &list[i].id) ?
					 look_at(r, &list[i].id) :
					 0;

			if (rc < 0)
				return rc;
		}
		if (n < 0)
			return n;
		if (n == 0 || !db_hash_next(list[n - 1].id.hash, from))
			break;
	}
	return task_cancelled() ? -ECANCELED : 0;
}

int reaper_pass(struct reaper *r)
{
	int rc = task_sem_take(&r->one, 0);

	if (rc < 0)
		return rc;
	uint64_t start = clock_mono_ms();

	r->now = (struct reaper_stats){ .passes = r->stats.passes + 1 };
	rc = walk(r);
	r->now.pass_ms = clock_mono_ms() - start;
	r->now.pass_end_us = clock_wall_us();
	r->stats = r->now;
	r->now = (struct reaper_stats){ .passes = 0 };
	metric_add(&objects_reaped, r->stats.objects);
	metric_add(&containers_reaped, r->stats.containers);
	if (r->stats.accounts)
		log_info("reaper: of %" PRIu64 " deleted accounts %" PRIu64 " objects and %" PRIu64
			 " containers are gone, %" PRIu64 " and %" PRIu64 " remain",
			 r->stats.accounts, r->stats.objects, r->stats.containers,
			 r->stats.objects_remaining, r->stats.containers_remaining);
	task_sem_give(&r->one);
	return rc;
}

task_asserted static void reaper_run(void *arg)
{
	struct reaper *r = arg;

	while (task_sleep(reaper_conf.interval) != -ECANCELED) {
		int rc = reaper_pass(r);

		if (rc < 0 && rc != -ECANCELED)
			log_error("reaper: %s, trying again later", strerror(-rc));
	}
}

void reaper_start(struct reaper *r)
{
	if (reaper_conf.enabled)
		task_spawn(r->o->background, "reaper", reaper_run, r);
}
