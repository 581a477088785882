/* What the reaper's files share. */
#pragma once
#include "objectd/db/db.h"
#include "objectd/objectd_conf.h"
#include "objectd/reaper/reaper.h"

struct reaper {
	struct objectd *o;
	struct reaper_stats stats;      /* of the last pass */
	struct reaper_stats now;        /* of the one under way */
	struct task_sem one;            /* one pass at a time */
};

/* Deletes all that the account's database here lists, and counts in r->now: 0, or an error of this
 * device's store. What others refuse stays for the next pass. */
waits must_check int reap_account(struct reaper *r, const struct db_id *id,
				  const struct db_info *info);
