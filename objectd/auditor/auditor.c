/* The auditor's two tasks: checking what is stored, and tidying up behind deletions. Swift:
 * obj/auditor.py */
#include "objectd/auditor/auditor.h"

#include "lib/base/clock.h"
#include "lib/log/log.h"
#include "objectd/db/db.h"
#include "objectd/objectd_conf.h"

enum { ERROR_PAUSE_MS = 10000 };

struct auditor {
	struct objectd *o;
	struct auditor_stats stats;
	struct task_sem one, one_tidy;  /* a pass, a round of tidying at a time */
};

struct auditor *auditor_new(struct objectd *o)
{
	struct auditor *a = xcalloc(1, sizeof *a);

	a->o = o;
	task_sem_init(&a->one, 1);
	task_sem_init(&a->one_tidy, 1);
	return a;
}

void auditor_free(struct auditor *a)
{
	free(a);
}

void auditor_stats(const struct auditor *a, struct auditor_stats *ret)
{
	*ret = a->stats;
}

/* One pass over all volumes. 0 or a store error. */
waits static int run_pass(struct auditor *a)
{
	struct store_audit audit = { 0 }, before;
	int rc = 1;

	a->stats.pass_start_us = clock_wall_us();
	while (rc > 0 && !task_cancelled()) {
		before = audit;
		rc = store_audit_step(a->o->store, &audit, auditor_conf.bytes_per_second);
		a->stats.records += audit.records - before.records;
		a->stats.bytes += audit.bytes - before.bytes;
		a->stats.damaged += audit.damaged - before.damaged;
	}
	if (rc == 0)
		a->stats.passes++;
	if (audit.damaged)
		log_error("audit: %" PRIu64 " of %" PRIu64 " records are damaged and in quarantine",
			  audit.damaged, audit.records);
	return rc;
}

int auditor_pass(struct auditor *a)
{
	int rc = task_sem_take(&a->one, 0);

	if (rc < 0)
		return rc;
	rc = run_pass(a);
	task_sem_give(&a->one);
	return rc;
}

int auditor_tidy(struct auditor *a)
{
	int64_t reclaim_s = (int64_t)(replicator_conf.reclaim_age / 1000);
	struct timestamp before = timestamp_of_us((clock_wall_s() - reclaim_s) * 1000000);
	struct db_reclaimed reclaimed;
	int rc = task_sem_take(&a->one_tidy, 0);

	if (rc < 0)
		return rc;
	store_set_pace(a->o->store, auditor_conf.compact_bytes_per_second);
	rc = store_tidy(a->o->store, reclaim_s);
	if (rc == 0)
		rc = dbs_reclaim(a->o->dbs, before, &reclaimed);
	task_sem_give(&a->one_tidy);
	return rc;
}

task_asserted static void audit_run(void *arg)
{
	struct auditor *a = arg;

	while (task_sleep(auditor_conf.interval) != -ECANCELED) {
		int rc = auditor_pass(a);

		if (rc < 0 && rc != -ECANCELED)
			log_error("audit: %s, trying again later", strerror(-rc));
	}
}

task_asserted static void tidy_run(void *arg)
{
	struct auditor *a = arg;

	while (task_sleep(auditor_conf.tidy_interval) != -ECANCELED) {
		int rc = auditor_tidy(a);

		if (rc < 0 && rc != -ECANCELED) {
			log_error("tidying: %s, trying again later", strerror(-rc));
			if (task_sleep(ERROR_PAUSE_MS) == -ECANCELED)
				break;
		}
	}
}

void auditor_start(struct auditor *a)
{
	task_spawn(a->o->background, "tidy", tidy_run, a);
	if (auditor_conf.enabled)
		task_spawn(a->o->background, "auditor", audit_run, a);
}
