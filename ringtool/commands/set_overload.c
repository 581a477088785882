/* set_overload: how much more than its share a device may take to keep replicas apart. */
#include "ringtool/commands/command.h"

static int run(struct session *s)
{
	CLEANUP(buf_done) struct buf text = BUF(64);
	double overload;

	if (s->argc != 2)
		return command_usage(&command_set_overload);
	struct str value = str_from(s->argv[1]);
	bool percent = str_ends(value, S("%"));
	buf_add(&text, value.p, MIN(value.n - percent, (size_t)63));
	if (parse_double(text.p, &overload) < 0)
		return command_failed("%s\n'%s' is not a valid number.", command_set_overload.usage,
				      s->argv[1]);
	overload *= percent ? 0.01 : 1;
	if (overload < 0)
		return command_failed("Overload must be non-negative.");
	bool odd = overload > 1 && !percent;
	if (odd)
		printf("!?! Warning overload is greater than 100%% !?!\n");
	s->builder->overload = overload;
	printf("The overload factor is now %0.2f%% (%.6f)\n"
	       "The change will take effect after the next rebalance.\n", overload * 100, overload);
	int code = session_save(s);
	return code == EXIT_GOOD && odd ? EXIT_WARNING : code;
}

const struct command command_set_overload = {
	"set_overload",
	COMMAND_BUILDER | COMMAND_CHANGES,
	run,
	"ringtool <builder_file> set_overload <overload>[%]\n"
	"    Changes by how much a device may be filled above its weight in order to keep the "
	"replicas of\n"
	"    a partition apart. Takes effect with the next rebalance.",
};
