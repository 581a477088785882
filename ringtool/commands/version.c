/* version: which of two rings is newer. */
#include "ringtool/commands/command.h"

#include <unistd.h>

static int run(struct session *s)
{
	AUTO(ring) ring = NULL;
	struct fault why;

	if (s->builder)
		printf("%s: build version: %" PRId64 "\n", s->builder_path, s->builder->version);
	if (access(s->ring_path, F_OK) < 0)
		return EXIT_GOOD;
	if (ring_load(s->ring_path, &ring, &why) < 0)
		return command_failed("%s", why.text);
	printf("%s: Serialization version: %u, build version: %" PRId64 "\n", s->ring_path,
	       ring_format(ring), ring_version(ring));
	return EXIT_GOOD;
}

const struct command command_version = {
	"version",
	COMMAND_BUILDER,
	run,
	"ringtool <builder_file> version\n"
	"    Shows the versions of the builder and of its ring file: a ring with a higher one is "
	"newer.",
};
