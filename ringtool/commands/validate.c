/* validate: is the table what it should be? */
#include "ringtool/commands/command.h"

static int run(struct session *s)
{
	struct fault why;

	if (builder_validate(s->builder, &why) < 0)
		return command_failed("%s", why.text);
	return EXIT_GOOD;
}

const struct command command_validate = {
	"validate", COMMAND_BUILDER, run,
	"ringtool <builder_file> validate\n"
	"    Checks that every replica of every partition has a device, and no two the same.",
};
