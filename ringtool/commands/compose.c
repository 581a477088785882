/* compose: one ring of several builders, each with regions of its own, so that each place's part of
 * the replicas is managed apart. Swift: common/ring/composite_builder.py. */
#include "ringtool/commands/command.h"

#include <math.h>

enum { BUILDERS_MAX = 16 };

static bool has_region(const struct builder *b, unsigned region)
{
	builder_for_dev(d, b)
		if (d->dev.region == region)
			return true;
	return false;
}

/* May the next builder be put behind those before it? */
static int check(struct builder *const *builders, unsigned n, const char *path, bool last)
{
	const struct builder *b = builders[n];
	struct fault why;

	if (builder_validate(b, &why) < 0)
		return command_failed("%s: %s", path, why.text);
	if (b->part_power != builders[0]->part_power)
		return command_failed("%s: part power is %u, that of the first builder %u", path,
				      b->part_power, builders[0]->part_power);
	if (!last && b->cells % builder_parts(b))
		return command_failed("%s: only the last builder can have a fraction of replicas",
				      path);
	if (b->next_part_power != builders[0]->next_part_power)
		return command_failed("%s: its partition power increase is at another step", path);
	for (unsigned i = 0; i < n; i++)
		builder_for_dev(d, b) if (
			has_region(builders[i],
				   d->dev.region)) return command_failed("%s: region %u is in an "
									 "earlier builder too",
									 path, d->dev.region);
	return EXIT_GOOD;
}

/* Ids of later builders are moved behind those of earlier ones. */
static struct builder *join(struct builder *const *builders, unsigned n)
{
	struct builder *sum = builder_new(builders[0]->part_power, 1, 0);

	sum->next_part_power = builders[0]->next_part_power;
	for (unsigned i = 0; i < n; i++) {
		const struct builder *b = builders[i];
		unsigned offset = sum->devs_n;

		sum->version += b->version;
		sum->devs = xreallocarray(sum->devs, offset + b->devs_n + 1, sizeof *sum->devs);
		for (unsigned id = 0; id < b->devs_n; id++) {
			struct builder_dev *d = b->devs[id] ? xcalloc(1, sizeof *d) : NULL;

			if (d) {
				*d = *b->devs[id];
				d->dev.id = (int)(offset + id);
				d->dev.meta = xstrdup(d->dev.meta);
			}
			sum->devs[sum->devs_n++] = d;
		}
		sum->table = xreallocarray(sum->table, sum->cells + b->cells, sizeof *sum->table);
		for (uint64_t cell = 0; cell < b->cells; cell++)
			sum->table[sum->cells + cell] = b->table[cell] + offset;
		sum->cells += b->cells;
	}
	sum->replicas = (double)sum->cells / (double)builder_parts(sum);
	return sum;
}

static int run(struct session *s)
{
	struct builder *builders[BUILDERS_MAX] = { NULL };
	unsigned n = 0;
	struct fault why;
	int code = EXIT_GOOD;

	if (s->argc < 3 || s->argc - 2 > BUILDERS_MAX ||
	    !str_ends(str_from(s->argv[1]), S(".ring.gz")))
		return command_usage(&command_compose);
	for (; code == EXIT_GOOD && n < (unsigned)s->argc - 2; n += code == EXIT_GOOD) {
		const char *path = s->argv[n + 2];

		if (builder_load(path, &builders[n], &why) < 0)
			code = command_failed("%s", why.text);
		else
			code = check(builders, n, path, n + 3 == (unsigned)s->argc);
	}
	if (code == EXIT_GOOD) {
		s->builder = join(builders, n);
		s->ring_path = s->argv[1];
		code = session_write_ring(s, 1, 0);
		builder_free(TAKE(s->builder));
	}
	for (unsigned i = 0; i < BUILDERS_MAX; i++)
		builder_free(builders[i]);
	return code;
}

const struct command command_compose = {
	"compose",
	COMMAND_ALONE,
	run,
	"ringtool compose <ring_file> <builder_file> [<builder_file> ...]\n"
	"    Writes one ring with the replicas of several builders, each of which has whole "
	"regions of its\n"
	"    own. After a rebalance of any of them, compose again, in the same order.",
};
