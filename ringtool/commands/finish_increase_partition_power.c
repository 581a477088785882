/* finish_increase_partition_power: the ring is an ordinary one again. */
#include "ringtool/commands/command.h"

static int run(struct session *s)
{
	if (builder_power_finish(s->builder) < 0)
		return command_failed("Ring partition power increase cannot be finished.");
	int code = session_save(s);
	if (code == EXIT_GOOD)
		printf("The change will take effect after the next write_ring.\n");
	return code;
}

const struct command command_finish_increase_partition_power = {
	"finish_increase_partition_power",
	COMMAND_BUILDER | COMMAND_CHANGES,
	run,
	"ringtool <builder_file> finish_increase_partition_power\n"
	"    Ends an increase, or a cancelled one, after everything was cleaned up. Then: "
	"write_ring.",
};
