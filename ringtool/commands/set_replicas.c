/* set_replicas: how many copies of each partition there are. */
#include "ringtool/commands/command.h"

static int run(struct session *s)
{
	double replicas;

	if (s->argc != 2)
		return command_usage(&command_set_replicas);
	if (parse_double(s->argv[1], &replicas) < 0)
		return command_failed("%s\n\"%s\" is not a valid number.",
				      command_set_replicas.usage, s->argv[1]);
	if (replicas < 1 || replicas > RING_REPLICAS_MAX)
		return command_failed("Replica count must be at least 1 and at most %d.",
				      RING_REPLICAS_MAX);
	s->builder->replicas = replicas;
	if (s->builder->cells != builder_cells_wanted(s->builder))
		s->builder->devs_changed = true;
	printf("The replica count is now %.6f.\nThe change will take effect after the next "
	       "rebalance.\n",
	       replicas);
	return session_save(s);
}

const struct command command_set_replicas = {
	"set_replicas",
	COMMAND_BUILDER | COMMAND_CHANGES,
	run,
	"ringtool <builder_file> set_replicas <replicas>\n"
	"    Changes the number of replicas. It may be a fraction: of 2.25, a quarter of the "
	"partitions\n"
	"    have three replicas. Takes effect with the next rebalance.",
};
