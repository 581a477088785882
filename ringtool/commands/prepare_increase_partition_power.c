/* prepare_increase_partition_power: announces twice as many partitions. */
#include "ringtool/commands/command.h"

static int run(struct session *s)
{
	const char *slash = strrchr(s->builder_path, '/'),
		   *name = slash ? slash + 1 : s->builder_path;

	if (!strstr(name, "object"))
		return command_failed(
			"Partition power increase is only supported for object rings.");
	if (builder_power_prepare(s->builder) < 0)
		return command_failed(s->builder->next_part_power >= 0
				      ? "Ring is already prepared for partition power increase."
				      : "The partition power cannot be larger.");
	int code = session_save(s);
	if (code == EXIT_GOOD)
		printf("The next partition power is now %d.\n"
		       "The change will take effect after the next write_ring.\n"
		       "Ensure that all servers use the changed ring, and that the data of Swift's "
		       "storage\n"
		       "servers is relinked, before the partition power is increased.\n",
		       s->builder->next_part_power);
	return code;
}

const struct command command_prepare_increase_partition_power = {
	"prepare_increase_partition_power",
	COMMAND_BUILDER | COMMAND_CHANGES,
	run,
	"ringtool <builder_file> prepare_increase_partition_power\n"
	"    Prepares the ring to double its partitions. Then: write_ring, distribute the ring, "
	"relink\n"
	"    (Swift's storage servers), increase_partition_power. Only object rings.",
};
