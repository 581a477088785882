/* The commands of ringtool: one file each, with the words, questions and exit codes of
 * swift-ring-builder. A command gets a session and returns an exit code. */
#pragma once
#include "ringtool/builder/builder.h"

enum { EXIT_GOOD = 0, EXIT_WARNING = 1, EXIT_ERROR = 2 };

struct session {
	int argc;
	char **argv;                    /* the command's name, then its arguments */
	char *builder_path, *ring_path;
	struct builder *builder;        /* NULL for commands that want none */
	int64_t now;
};

enum command_flags {
	COMMAND_BUILDER = 1,            /* works on a builder that exists */
	COMMAND_CHANGES = 2,            /* nobody else may work on that folder meanwhile */
	COMMAND_ALONE = 4,              /* ringtool COMMAND …, without a builder in front */
};

struct command {
	const char *name;
	unsigned flags;
	int (*run)(struct session *s);
	const char *usage;
};

extern const struct command command_show, command_create, command_add, command_remove,
	command_search, command_list_parts, command_set_weight, command_set_region,
	command_set_zone, command_set_info, command_set_replicas, command_set_min_part_hours,
	command_set_overload, command_rebalance, command_validate, command_dispersion,
	command_pretend_min_part_hours_passed, command_write_ring, command_write_builder,
	command_version, command_prepare_increase_partition_power, command_increase_partition_power,
	command_cancel_increase_partition_power, command_finish_increase_partition_power,
	command_nodes, command_simulate, command_compose, command_explain;

/* Prints a command's usage: for wrong arguments. Returns EXIT_ERROR. */
int command_usage(const struct command *c);
/* Prints a line and returns EXIT_ERROR. */
int command_failed(const char *fmt, ...) printf_like(1, 2);

/* Writes the builder file; EXIT_GOOD, or EXIT_ERROR after saying why. */
int session_save(struct session *s);
/* The same, with a copy in the folder backups beside it. */
int session_save_backup(struct session *s);
/* Writes the ring file and its copy in backups. */
int session_write_ring(struct session *s, unsigned format, unsigned id_bytes);

/* A whole number from low to high. 0 or -EINVAL. */
int parse_unsigned(const char *text, unsigned low, unsigned high, unsigned *ret) must_check;
int parse_double(const char *text, double *ret) must_check;
/* "2:30:00", or "1 day, 0:00:00": as Python prints a time span. */
void format_hours(int64_t seconds, char text[32]);
