/* cancel_increase_partition_power: the partitions stay as many as they are. */
#include "ringtool/commands/command.h"

static int run(struct session *s)
{
	if (builder_power_cancel(s->builder) < 0)
		return command_failed("Ring partition power increase cannot be canceled.");
	int code = session_save(s);
	if (code == EXIT_GOOD)
		printf("The next partition power is now %d.\n"
		       "The change will take effect after the next write_ring.\n"
		       "Ensure that all servers use the changed ring and clean up the links of the "
		       "relinking.\n",
		       s->builder->next_part_power);
	return code;
}

const struct command command_cancel_increase_partition_power = {
	"cancel_increase_partition_power", COMMAND_BUILDER | COMMAND_CHANGES, run,
	"ringtool <builder_file> cancel_increase_partition_power\n"
	"    Cancels a prepared increase. Then: write_ring, distribute the ring, clean up,\n"
	"    finish_increase_partition_power.",
};
