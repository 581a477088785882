/* ringtool: builds, changes, inspects and simulates rings. */
#include "ringtool/commands/command.h"
#include "lib/base/clock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

enum { LOCK_SECONDS = 15 };

static const struct command *const commands[] = {
	&command_create,
	&command_show,
	&command_add,
	&command_remove,
	&command_search,
	&command_list_parts,
	&command_set_weight,
	&command_set_region,
	&command_set_zone,
	&command_set_info,
	&command_set_replicas,
	&command_set_min_part_hours,
	&command_set_overload,
	&command_rebalance,
	&command_validate,
	&command_dispersion,
	&command_pretend_min_part_hours_passed,
	&command_write_ring,
	&command_write_builder,
	&command_version,
	&command_prepare_increase_partition_power,
	&command_increase_partition_power,
	&command_cancel_increase_partition_power,
	&command_finish_increase_partition_power,
	&command_nodes,
	&command_compose,
	&command_simulate,
	&command_explain,
};

static const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (!strcmp(commands[i]->name, name))
			return commands[i];
	return NULL;
}

static int help(void)
{
	printf("ringtool %s\n\n", NEEDLETAIL_VERSION);
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		printf("%s\n\n", commands[i]->usage);
	printf("The builder file is JSON, for instance object.builder.json; its ring file is "
	       "object.ring.gz beside\n"
	       "it, and either names both.\n"
	       "Exit codes: 0 = operation successful\n"
	       "            1 = operation completed with warnings\n"
	       "            2 = error\n");
	return EXIT_GOOD;
}

/* object.builder.json, object.builder, object.ring.gz or object name the same pair of files. */
static void paths_set(struct session *s, const char *arg)
{
	CLEANUP(buf_done) struct buf builder = BUF(PATH_MAX), ring = BUF(PATH_MAX);
	struct str stem = str_from(arg);

	if (str_ends(stem, S(".ring.gz"))) {
		stem = str_head(stem, stem.n - S(".ring.gz").n);
		buf_addf(&builder, "%.*s.builder.json", STR(stem));
	} else {
		buf_addf(&builder, "%s", arg);
		if (str_ends(stem, S(".json")))
			stem.n -= S(".json").n;
		if (str_ends(stem, S(".builder")))
			stem.n -= S(".builder").n;
	}
	buf_addf(&ring, "%.*s.ring.gz", STR(stem));
	if (strcmp(builder.p, arg))
		printf("Note: using %s instead of %s as builder file\n", builder.p, arg);
	s->builder_path = buf_take(&builder);
	s->ring_path = buf_take(&ring);
}

/* Only one command at a time changes the builders of a folder. The lock goes with the process. */
static int folder_lock(const char *path)
{
	ssize_t slash = str_rchr(str_from(path), '/');
	AUTO(free) dir = slash < 0 ? xstrdup(".") : xmemdupz(path, slash ? (size_t)slash : 1);
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return command_failed("%s: %s", (char *)dir, strerror(errno));
	for (unsigned tenths = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; tenths++) {
		if (errno != EWOULDBLOCK || tenths >= LOCK_SECONDS * 10)
			return command_failed("Ring/builder dir currently locked.");
		usleep(100000);
	}
	return EXIT_GOOD;
}

static int run_on_builder(struct session *s, const struct command *c, const char *path)
{
	struct fault why;

	paths_set(s, path);
	if ((c->flags & COMMAND_CHANGES) && folder_lock(s->builder_path) != EXIT_GOOD)
		return EXIT_ERROR;
	if ((c->flags & COMMAND_BUILDER) && builder_load(s->builder_path, &s->builder, &why) < 0)
		return command_failed("%s", why.text);
	return c->run(s);
}

int main(int argc, char **argv)
{
	struct session s = { .now = clock_wall_s() };
	const struct command *c = argc > 1 ? command_find(argv[1]) : NULL;
	int code;

	if (argc < 2 || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") ||
	    !strcmp(argv[1], "help"))
		return help();
	if (!strcmp(argv[1], "--version"))
		return printf("ringtool %s\n", NEEDLETAIL_VERSION), EXIT_GOOD;
	if (c && (c->flags & COMMAND_ALONE)) {
		s.argc = argc - 1;
		s.argv = argv + 1;
		return c->run(&s);
	}
	static char show[] = "show";
	char *none[] = { show, NULL };
	c = argc > 2 ? command_find(argv[2]) : &command_show;
	if (!c || (c->flags & COMMAND_ALONE))
		return command_failed("Unknown command: %s", argv[2]);
	s.argc = argc > 2 ? argc - 2 : 1;
	s.argv = argc > 2 ? argv + 2 : none;
	code = run_on_builder(&s, c, argv[1]);
	builder_free(s.builder);
	free(s.builder_path);
	free(s.ring_path);
	return fflush(stdout) == 0 ? code : EXIT_ERROR;
}
