/* remove: devices that failed; their partitions go elsewhere with the next rebalance. */
#include "ringtool/commands/devices.h"

static int run(struct session *s)
{
	AUTO(free) room = NULL;
	struct builder_dev **devs = NULL;
	struct dev_options o;
	unsigned n;

	if (s->builder->next_part_power >= 0)
		return command_failed("Partition power increase in progress. You need \n"
				      "to finish the increase first before removing devices.");
	if (dev_search_args(s, &command_remove, &o, &devs, &n) != EXIT_GOOD)
		return EXIT_ERROR;
	room = devs;
	if (dev_confirm(devs, n, &o, "remove", "Aborting device removals") != EXIT_GOOD)
		return EXIT_ERROR;
	for (unsigned i = 0; i < n; i++) {
		CLEANUP(buf_done) struct buf text = BUF(16 * KIB);

		builder_dev_remove(s->builder, devs[i]);
		dev_format(&devs[i]->dev, &text);
		printf("%s marked for removal and will be removed next rebalance.\n", text.p);
	}
	return session_save(s);
}

const struct command command_remove = {
	"remove",
	COMMAND_BUILDER | COMMAND_CHANGES,
	run,
	"ringtool <builder_file> remove <search-value> [search-value ...] [--yes]\n"
	"or\n"
	"ringtool <builder_file> remove --region <region> --zone <zone> --ip <ip or hostname> ... "
	"[--yes]\n"
	"    Removes devices that have failed, with the next rebalance. A device that still works "
	"is better\n"
	"    set to weight 0 first and removed when it has given everything away.",
};
