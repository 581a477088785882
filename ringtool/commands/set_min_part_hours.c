/* set_min_part_hours: how long a partition rests after it moved. */
#include "ringtool/commands/command.h"

static int run(struct session *s)
{
	if (s->argc != 2 ||
	    parse_unsigned(s->argv[1], 0, INT32_MAX, &s->builder->min_part_hours) < 0)
		return command_usage(&command_set_min_part_hours);
	printf("The minimum number of hours before a partition can be reassigned is now set to "
	       "%u\n",
	       s->builder->min_part_hours);
	return session_save(s);
}

const struct command command_set_min_part_hours = {
	"set_min_part_hours",
	COMMAND_BUILDER | COMMAND_CHANGES,
	run,
	"ringtool <builder_file> set_min_part_hours <hours>\n"
	"    Changes the number of hours in which a partition moves at most once. It should be as "
	"long as\n"
	"    the replicators need to bring a moved partition home.",
};
