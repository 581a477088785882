/* Tells accounts how many objects and bytes their containers hold, shortly after that changed.
 * What has been told is remembered durably, so a restart neither forgets nor repeats. Swift:
 * container/updater.py */
#include "lib/base/clock.h"
#include "lib/base/map.h"
#include "lib/log/log.h"
#include "objectd/container/container_server.h"

enum { TICK_MS = 500, SETTLE_MS = 1000, ROUND_MAX = 64, TARGETS_MAX = 32, RETRY_MIN_MS = 2000,
       RETRY_MAX_MS = 60000, ACCOUNTS_MAX = 4096 };

/* An account whose servers failed: its containers wait. */
struct suppressed {
	uint64_t until_ms, delay_ms;
};

struct reporter {
	struct objectd *o;
	struct map *suppressed;         /* by account */
};

struct report_job {
	struct reporter *rep;
	struct db_id id;
};

/* ---- accounts that fail ---- */

static uint64_t suppressed_for(struct reporter *rep, struct str account)
{
	struct suppressed *s = map_get(rep->suppressed, account);
	uint64_t now = clock_mono_ms();

	return s && s->until_ms > now ? s->until_ms - now : 0;
}

static uint64_t suppress(struct reporter *rep, struct str account)
{
	struct suppressed *s = map_get(rep->suppressed, account);

	if (!s) {
		s = xcalloc(1, sizeof *s);
		free(map_put(rep->suppressed, account, s));
		if (map_count(rep->suppressed) > ACCOUNTS_MAX)
			free(map_evict(rep->suppressed));
	}
	s->delay_ms = s->delay_ms ? MIN(2 * s->delay_ms, (uint64_t)RETRY_MAX_MS) : RETRY_MIN_MS;
	s->until_ms = clock_mono_ms() + s->delay_ms;
	return s->delay_ms;
}

/* ---- one container ---- */

struct telling {
	struct objectd *o;
	struct container_report to;
	const struct db_info *info;
	int status;
};

task_asserted static void tell_one(void *arg)
{
	struct telling *t = arg;

	t->status = container_send_report(t->o, &t->to, t->info);
}

static unsigned take_targets(struct objectd *o, struct arena *a, const struct db_info *info,
			     struct telling **ret)
{
	const struct ring_dev *devs[TARGETS_MAX];
	const struct ring *ring = o->cluster->account_ring;

	if (!ring)
		return 0;
	uint32_t part = ring_part_of(ring, o->cluster->hash_prefix, o->cluster->hash_suffix,
				     info->account, STR_NONE, STR_NONE);
	unsigned n = MIN(ring_primaries(ring, part, devs, TARGETS_MAX), (unsigned)TARGETS_MAX);
	struct telling *to = arena_zalloc(a, (n + 1) * sizeof *to);

	for (unsigned i = 0; i < n; i++) {
		to[i] = (struct telling){ .o = o, .info = info };
		to[i].to.device = arena_str(a, str_from(devs[i]->device));
		to[i].to.partition = part;
		to[i].to.override_deleted = true;
		snprintf(to[i].to.to.ip, sizeof to[i].to.to.ip, "%.63s", devs[i]->replication_ip);
		to[i].to.to.port = devs[i]->replication_port;
	}
	*ret = to;
	return n;
}

/* Whether a majority heard it. */
waits static bool tell(struct objectd *o, const struct db_info *info)
{
	AUTO(arena) a = arena_new();
	struct telling *to;
	unsigned n = take_targets(o, a, info, &to), good = 0;

	{
		TASK_GROUP(group);

		for (unsigned i = 0; i < n; i++)
			task_spawn(&group, "report to account", tell_one, &to[i]);
		if (task_group_join(&group) < 0)
			return false;
	}
	for (unsigned i = 0; i < n; i++)
		good += to[i].status >= 200 && to[i].status < 300;
	return good > n / 2;
}

waits static void report(struct reporter *rep, const struct db_id *id)
{
	struct dbs *dbs = rep->o->dbs;
	AUTO(db_info) info = NULL;
	int rc = db_info_get(dbs, id, &info);

	if (rc < 0)
		return db_report_later(dbs, id, RETRY_MAX_MS);
	uint64_t wait_ms = info->exists ? suppressed_for(rep, info->account) : 0;

	if (wait_ms)
		return db_report_later(dbs, id, wait_ms);
	if (db_info_unreported(info) && !db_report_is_known(dbs, id, info) && !tell(rep->o, info)) {
		log_debug("reports for account %.*s fail, ignoring for a while",
			  STR(info->account));
		return db_report_later(dbs, id, suppress(rep, info->account));
	}
	free(map_remove(rep->suppressed, info->account));
	rc = db_report_done(dbs, id, info);
	if (rc < 0)
		log_warn("cannot record what an account was told: %s, ignoring", strerror(-rc));
}

task_asserted static void report_task(void *arg)
{
	struct report_job *j = arg;

	report(j->rep, &j->id);
}

/* ---- the background task ---- */

waits static int run_round(struct reporter *rep)
{
	struct report_job jobs[ROUND_MAX];
	struct db_id ids[ROUND_MAX];
	unsigned n = db_report_take(rep->o->dbs, SETTLE_MS, ids, ROUND_MAX);
	TASK_GROUP(group);

	for (unsigned i = 0; i < n; i++) {
		jobs[i] = (struct report_job){ rep, ids[i] };
		task_spawn(&group, "report a container", report_task, &jobs[i]);
	}
	int rc = task_group_join(&group);

	if (rc == 0 && n == 0 && db_report_all_taken(rep->o->dbs))
		rc = db_report_load(rep->o->dbs);
	return rc < 0 ? rc : (int)n;
}

task_asserted static void reporter_run(void *arg)
{
	struct reporter rep = { .o = arg, .suppressed = map_new() };

	while (!task_cancelled()) {
		int n = run_round(&rep);

		if (n < (int)ROUND_MAX && task_sleep(TICK_MS) < 0)
			break;
	}
	map_free(rep.suppressed, free);
}

void container_reporter_start(struct objectd *o)
{
	task_spawn(o->background, "container reporter", reporter_run, o);
}
