/* Shares the tasks that a worker's requests may have besides their first. */
#include "proxy/middleware/width.h"

static unsigned taken;

unsigned width_take(unsigned wanted)
{
	unsigned more = MIN(MAX(wanted, 1u) - 1, WIDTH_BUDGET - taken);

	taken += more;
	return 1 + more;
}

void width_give(unsigned width)
{
	assert(width > 0 && width - 1 <= taken);
	taken -= width - 1;
}

bool width_is_scarce(void)
{
	return taken == WIDTH_BUDGET;
}
