/* list_parts: the partitions on the devices that fit, those with most of them first. */
#include "ringtool/commands/devices.h"

static int run(struct session *s)
{
	AUTO(free) room = NULL;
	struct builder_dev **devs = NULL;
	const struct builder *b = s->builder;
	struct dev_options o;
	unsigned n, most = 0;

	if (!b->cells)
		return command_failed("Specified builder file \"%s\" is not rebalanced yet. Please "
				      "rebalance first.",
				      s->builder_path);
	if (dev_search_args(s, &command_list_parts, &o, &devs, &n) != EXIT_GOOD)
		return EXIT_ERROR;
	room = devs;
	AUTO(free) wanted_room = xcalloc(b->devs_n + 1, 1);
	AUTO(free) count_room = xcalloc(builder_parts(b), 1);
	uint8_t *wanted = wanted_room, *count = count_room;
	for (unsigned i = 0; i < n; i++)
		wanted[devs[i]->dev.id] = 1;
	for (uint64_t cell = 0; cell < b->cells; cell++) {
		uint8_t *c = &count[cell % builder_parts(b)];

		*c = (uint8_t)(*c + wanted[b->table[cell]]);
		most = MAX(most, (unsigned)*c);
	}
	if (most == 0)
		return command_failed("No matching devices found");
	printf("Partition   Matches\n");
	for (; most > 0; most--)
		for (uint64_t part = 0; part < builder_parts(b); part++)
			if (count[part] == most)
				printf("%9" PRIu64 "   %7u\n", part, most);
	return EXIT_GOOD;
}

const struct command command_list_parts = {
	"list_parts",
	COMMAND_BUILDER,
	run,
	"ringtool <builder_file> list_parts <search-value> [<search-value>] ..\n"
	"or\n"
	"ringtool <builder_file> list_parts --region <region> --zone <zone> --ip <ip or hostname> "
	"...\n"
	"    Lists the partitions that are assigned to any of the matching devices, and to how "
	"many of\n"
	"    them, most matches first.",
};
