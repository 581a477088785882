/* Which answer of several servers the client gets. Swift: have_quorum, best_response and
 * _compute_quorum_response in proxy/controllers/base.py. */
#include "proxy/backend/backend.h"

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
