/* increase_partition_power: twice as many partitions, each pair where the one was. */
#include "ringtool/commands/command.h"

static int run(struct session *s)
{
	if (builder_power_increase(s->builder) < 0)
		return command_failed("Ring partition power cannot be increased. Either the ring\n"
				      "was not prepared yet, or this operation has already run.");
	builder_hours_update(s->builder, s->now);
	int code = session_save(s);
	if (code == EXIT_GOOD)
		printf("The partition power is now %u.\nThe change will take effect after the next "
		       "write_ring.\n",
		       s->builder->part_power);
	return code;
}

const struct command command_increase_partition_power = {
	"increase_partition_power",
	COMMAND_BUILDER | COMMAND_CHANGES,
	run,
	"ringtool <builder_file> increase_partition_power\n"
	"    Doubles the partitions of a prepared ring: partition p becomes 2p and 2p + 1 on the "
	"same\n"
	"    devices. Then: write_ring, distribute the ring, clean up, "
	"finish_increase_partition_power.",
};
