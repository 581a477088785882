/* write_builder: a builder out of a ring, when the builder is lost or was Swift's. */
#include "ringtool/commands/command.h"

#include <unistd.h>

static int run(struct session *s)
{
	AUTO(ring) ring = NULL;
	struct fault why;
	unsigned hours = 24;

	if (s->argc > 2 || (s->argc == 2 && parse_unsigned(s->argv[1], 0, INT32_MAX, &hours) < 0))
		return command_usage(&command_write_builder);
	if (access(s->builder_path, F_OK) == 0)
		return command_failed(
			"Cowardly refusing to overwrite existing Ring Builder file: %s",
			s->builder_path);
	if (s->argc < 2)
		fprintf(stderr, "WARNING: default min_part_hours may not match the value in the "
				"lost builder.\n");
	if (ring_load(s->ring_path, &ring, &why) < 0)
		return command_failed("%s", why.text);
	if (ring_part_power(ring) > BUILDER_PART_POWER_MAX)
		return command_failed("%s: a builder has at most 2^%d partitions", s->ring_path,
				      BUILDER_PART_POWER_MAX);
	s->builder = builder_of_ring(ring, hours);
	return session_save(s);
}

const struct command command_write_builder = {
	"write_builder",
	COMMAND_CHANGES,
	run,
	"ringtool <ring_file> write_builder [min_part_hours]\n"
	"    Makes a builder from a ring file, also one of Swift's. Not in a ring, and so lost, "
	"are\n"
	"    min_part_hours, the overload and when partitions last moved.",
};
