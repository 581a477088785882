/* write_ring: the ring file again, for instance after set_info. */
#include "ringtool/commands/command.h"

#include <getopt.h>

static int run(struct session *s)
{
	static const struct option options[] = {
		{ "format-version", required_argument, NULL, 'f' },
		{ "dev-id-bytes", required_argument, NULL, 'b' },
		{ NULL, 0, NULL, 0 },
	};
	unsigned format = 1, id_bytes = 0;
	int letter;

	optind = 0;
	while ((letter = getopt_long(s->argc, s->argv, "", options, NULL)) != -1) {
		unsigned *value = letter == 'f' ? &format : &id_bytes;

		if (letter == '?' || parse_unsigned(optarg, 1, 8, value) < 0)
			return command_usage(&command_write_ring);
	}
	if (s->builder->devs_n == 0)
		return command_failed("Unable to write empty ring.");
	if (s->builder->cells == 0)
		printf("Warning: Writing a ring with no partition assignments but with devices; "
		       "did you forget to "
		       "run \"rebalance\"?\n");
	return session_write_ring(s, format, id_bytes);
}

const struct command command_write_ring = {
	"write_ring",
	COMMAND_BUILDER | COMMAND_CHANGES,
	run,
	"ringtool <builder_file> write_ring [--format-version 1|2] [--dev-id-bytes 2|4|8]\n"
	"    Writes the ring file. rebalance does it too, so this is for changes that move "
	"nothing.",
};
