/* Runs a pass of a background job because somebody asked for it. */
#include "objectd/jobs.h"

#include "objectd/auditor/auditor.h"
#include "objectd/reaper/reaper.h"
#include "objectd/reconciler/reconciler.h"
#include "objectd/replicator/replicator.h"

waits static int reap(struct objectd *o) { return reaper_pass(o->reaper); }
waits static int reconcile(struct objectd *o) { return reconciler_pass(o->reconciler); }
waits static int audit(struct objectd *o) { return auditor_pass(o->auditor); }
waits static int tidy(struct objectd *o) { return auditor_tidy(o->auditor); }

waits static int rings(struct objectd *o)
{
	struct fault why;
	int changed = cluster_refresh_rings(o->cluster, &why);

	if (changed > 0)
		replicator_wake(o->replicator);
	return MIN(changed, 0);
}

bool jobs_handle(struct objectd *o, struct request *req, struct response *res, struct str what)
{
	static const struct {
		struct str name;
		int (*run)(struct objectd *o);
	} jobs[] = {
		{ STR_INIT("reap"), reap }, { STR_INIT("reconcile"), reconcile },
		{ STR_INIT("audit"), audit }, { STR_INIT("tidy"), tidy },
		{ STR_INIT("rings"), rings },
	};

	for (size_t i = 0; i < ARRAY_LEN(jobs); i++) {
		if (!str_eq(what, jobs[i].name))
			continue;
		if (!str_starts(req->peer_ip, S("127.")) && !str_eq(req->peer_ip, S("::1"))) {
			respond_status(res, 403);
			return true;
		}
		int rc = jobs[i].run(o);

		if (rc < 0)
			objectd_respond_error(res, rc);
		else
			respond_text(res, 200, "done\n");
		return true;
	}
	return false;
}
