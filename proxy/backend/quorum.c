/* Which answer of several servers the client gets. Swift: have_quorum, best_response and
 * _compute_quorum_response in proxy/controllers/base.py. */
#include "lib/metrics/metrics.h"
#include "proxy/backend/internal.h"

static const char *const reasons[] = { "too few servers", "servers lost", "no quorum", NULL };
METRIC_COUNTER_BY(failures, "needletail_proxy_write_failures_total",
		  "Writes that were answered 503.", "reason", reasons);

void write_failed(enum write_failure why)
{
	metric_add_at(&failures, why, 1);
}

static unsigned count_class(const int statuses[], unsigned n, int hundred)
{
	unsigned count = 0;

	for (unsigned i = 0; i < n; i++)
		count += statuses[i] / 100 == hundred;
	return count;
}

bool quorum_reached(const int statuses[], unsigned n, unsigned quorum)
{
	for (int hundred = 1; hundred <= 4; hundred++)
		if (count_class(statuses, n, hundred) >= quorum)
			return true;
	return false;
}

int quorum_best(const int statuses[], const bool avoid[], unsigned n, unsigned quorum)
{
	for (int hundred = 2; n > 0 && hundred <= 4; hundred++) {
		int best = -1;

		if (count_class(statuses, n, hundred) < quorum)
			continue;
		for (unsigned i = 0; i < n; i++)
			if (statuses[i] / 100 == hundred && !(avoid && avoid[i]) &&
			    (best < 0 || statuses[i] > statuses[best]))
				best = (int)i;
		if (best >= 0)
			return best;
	}
	return -1;
}
