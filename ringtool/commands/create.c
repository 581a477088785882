/* create: a new builder. */
#include "ringtool/commands/command.h"

static int run(struct session *s)
{
	unsigned part_power, hours;
	double replicas;

	if (s->argc != 4)
		return command_usage(&command_create);
	if (parse_unsigned(s->argv[1], 0, BUILDER_PART_POWER_MAX, &part_power) < 0)
		return command_failed("part_power must be from 0 to %d (was %s)",
				      BUILDER_PART_POWER_MAX, s->argv[1]);
	if (parse_double(s->argv[2], &replicas) < 0 || replicas < 1 || replicas > RING_REPLICAS_MAX)
		return command_failed("replicas must be from 1 to %d (was %s)", RING_REPLICAS_MAX,
				      s->argv[2]);
	if (parse_unsigned(s->argv[3], 0, INT32_MAX, &hours) < 0)
		return command_failed("min_part_hours must be a number of hours (was %s)",
				      s->argv[3]);
	s->builder = builder_new(part_power, replicas, hours);
	return session_save_backup(s);
}

const struct command command_create = {
	"create",
	COMMAND_CHANGES,
	run,
	"ringtool <builder_file> create <part_power> <replicas> <min_part_hours>\n"
	"    Creates <builder_file> with 2^<part_power> partitions and <replicas>, which may be a\n"
	"    fraction. <min_part_hours> is the number of hours in which a partition moves at most "
	"once.",
};
