/* Passes of background jobs on request: POST /device/0/.needletail/{reap, reconcile, audit, tidy,
 * rings}, from this machine only. The answer comes when the pass has ended. For operators who do
 * not want to wait for the interval, and for tests. */
#pragma once
#include "objectd/objectd.h"

/* false when there is no such job. */
waits bool jobs_handle(struct objectd *o, struct request *req, struct response *res,
		       struct str what);
