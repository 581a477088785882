/* pretend_min_part_hours_passed: every partition may move again. */
#include "ringtool/commands/command.h"

static int run(struct session *s)
{
	builder_hours_forget(s->builder);
	return session_save(s);
}

const struct command command_pretend_min_part_hours_passed = {
	"pretend_min_part_hours_passed",
	COMMAND_BUILDER | COMMAND_CHANGES,
	run,
	"ringtool <builder_file> pretend_min_part_hours_passed\n"
	"    Lets partitions move again that moved just now.\n"
	"    USE WITH EXTREME CAUTION: when two replicas of a partition move before the first has "
	"been\n"
	"    copied, clients may not find their objects for a while.",
};
