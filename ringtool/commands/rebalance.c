/* rebalance: computes who holds what anew, and writes builder and ring. */
#include "ringtool/commands/command.h"
#include "lib/crypto/digest.h"

#include <getopt.h>
#include <math.h>

#define RULE "-------------------------------------------------------------------------------"

struct options {
	bool force, dry_run, debug;
	const char *seed;
	unsigned format, id_bytes;
	double used_bytes, part_bytes;  /* below 0: not given */
};

/* "300G": bytes with K, M, G, T, P of 1024. */
static int parse_bytes(const char *text, double *ret)
{
	static const char units[] = "KMGTP";
	struct str s = str_from(text);
	const char *unit = s.n > 0 ? strchr(units, s.p[s.n - 1]) : NULL;

	if (str_to_double(unit && *unit ? str_head(s, s.n - 1) : s, ret) < 0 || !(*ret >= 0) ||
	    isinf(*ret))
		return -EINVAL;
	*ret *= unit && *unit ? pow(1024, (double)(unit - units + 1)) : 1;
	return 0;
}

static int options_parse(struct session *s, struct options *o)
{
	static const struct option options[] = {
		{ "force", no_argument, NULL, 'f' },
		{ "seed", required_argument, NULL, 's' },
		{ "debug", no_argument, NULL, 'd' },
		{ "dry-run", no_argument, NULL, 'n' },
		{ "format-version", required_argument, NULL, 'F' },
		{ "dev-id-bytes", required_argument, NULL, 'b' },
		{ "used", required_argument, NULL, 'u' },
		{ "bytes-per-part", required_argument, NULL, 'p' },
		{ NULL, 0, NULL, 0 },
	};
	int letter, err = 0;

	*o = (struct options){ .format = 1, .used_bytes = -1, .part_bytes = -1 };
	optind = 0;
	while (!err && (letter = getopt_long(s->argc, s->argv, "fs:dn", options, NULL)) != -1) {
		switch (letter) {
		case 'f': o->force = true; break;
		case 's': o->seed = optarg; break;
		case 'd': o->debug = true; break;
		case 'n': o->dry_run = true; break;
		case 'F': err = parse_unsigned(optarg, 1, 2, &o->format); break;
		case 'b': err = parse_unsigned(optarg, 2, 8, &o->id_bytes); break;
		case 'u': err = parse_bytes(optarg, &o->used_bytes); break;
		case 'p': err = parse_bytes(optarg, &o->part_bytes); break;
		default: err = -EINVAL;
		}
	}
	if (!err && !o->seed && optind < s->argc)
		o->seed = s->argv[optind++];
	return err || optind < s->argc ? command_usage(&command_rebalance) : EXIT_GOOD;
}

static uint64_t seed_number(const char *text)
{
	unsigned char md5[MD5_SIZE];
	uint64_t seed;

	if (text)
		digest_of(DIGEST_MD5, text, strlen(text), md5);
	else
		random_bytes(md5, sizeof md5);
	memcpy(&seed, md5, sizeof seed);
	return seed;
}

static int invalid(const struct fault *why)
{
	return command_failed(RULE "\nAn error has occurred during ring validation. Common\n"
			      "causes of failure are rings that are empty or do not\n"
			      "have enough devices to accommodate the replica count.\n"
			      "Original exception message:\n %s\n" RULE, why->text);
}

static int nothing_moved(const struct session *s, int64_t seconds_left)
{
	char left[32];

	printf("No partitions could be reassigned.\n");
	format_hours(seconds_left, left);
	if (seconds_left > 0)
		printf("The time between rebalances must be at least min_part_hours: %u hours (%s "
		       "remaining)\n",
		       s->builder->min_part_hours, left);
	else
		printf("There is no need to do so at this time\n");
	return EXIT_WARNING;
}

/* What it came to, and the exit code for it. */
static int report(const struct builder *b, const struct builder_moves *m)
{
	printf("Reassigned %" PRIu64
	       " (%.02f%%) partitions. Balance is now %.02f.  Dispersion is now %.02f\n",
	       m->cells, 100.0 * (double)m->cells / (double)builder_parts(b), m->balance,
	       b->dispersion);
	if (b->dispersion > 0) {
		printf(RULE "\nNOTE: Dispersion of %.06f indicates some parts are not\n"
			    "      optimally dispersed.\n\n"
			    "      You may want to adjust some device weights, increase\n"
			    "      the overload or review the dispersion report.\n" RULE "\n",
		       b->dispersion);
		return EXIT_WARNING;
	}
	if (m->balance > 5 && m->balance / 100.0 > b->overload) {
		printf(RULE "\nNOTE: Balance of %.02f indicates you should push this \n"
			    "      ring, wait at least %u hours, and rebalance/repush.\n" RULE "\n",
		       m->balance, b->min_part_hours);
		return EXIT_WARNING;
	}
	return EXIT_GOOD;
}

static void print_bytes(double bytes)
{
	static const char units[] = " KMGTPE";
	unsigned i = 0;

	for (; bytes >= 1024 && i + 1 < strlen(units); i++)
		bytes /= 1024;
	printf(i ? "%.1f %ciB" : "%.0f%c bytes", bytes, units[i]);
}

/* Partitions of each device before, by id; removed ones are gone from the builder afterwards. */
struct before {
	unsigned n;
	uint64_t cells;
	uint32_t *parts;
};

static void dry_report(const struct builder *b, const struct before *before,
		       const struct builder_moves *m, const struct options *o)
{
	double part_bytes = o->part_bytes >= 0 ? o->part_bytes
					       : o->used_bytes / (double)MAX(before->cells, 1ULL);

	printf("Dry run: %" PRIu64 " replicas of %" PRIu64
	       " partitions would move; nothing was written.\n",
	       m->cells, m->parts);
	if (part_bytes >= 0) {
		printf("That is ");
		print_bytes(before->cells ? part_bytes * (double)m->cells : 0);
		printf(" to copy.\n");
	}
	for (unsigned id = 0; id < MAX(before->n, b->devs_n); id++) {
		const struct builder_dev *d = builder_dev(b, id);
		uint32_t was = id < before->n ? before->parts[id] : 0, is = d ? d->parts : 0;

		if (was == is)
			continue;
		printf("    device %u: %" PRIu32 " -> %" PRIu32 " partitions%s", id, was, is,
		       d ? "" : ", removed");
		if (part_bytes >= 0 && before->cells) {
			printf(", %s ", is > was ? "gains" : "gives");
			print_bytes(part_bytes * fabs((double)is - was));
		}
		printf("\n");
	}
}

static int save(struct session *s, const struct options *o)
{
	int code = session_write_ring(s, o->format, o->id_bytes);

	return code == EXIT_GOOD ? session_save_backup(s) : code;
}

/* Did too little change for a new ring to be worth distributing? */
static bool cowardly(double balance_was, double dispersion_was, const struct builder *b,
		     const struct builder_moves *m)
{
	bool drains = balance_was == BUILDER_BALANCE_MAX && m->balance == BUILDER_BALANCE_MAX;

	return fabs(balance_was - m->balance) < 1 && !drains && dispersion_was >= 0 &&
	       fabs(dispersion_was - b->dispersion) < 1;
}

static int run(struct session *s)
{
	struct builder *b = s->builder;
	struct options o;
	struct builder_moves moves;
	struct fault why;

	if (options_parse(s, &o) != EXIT_GOOD)
		return EXIT_ERROR;
	if (b->next_part_power >= 0)
		return command_failed("Partition power increase in progress.\n"
				      "You need to finish the increase first before rebalancing.");
	bool changed = b->devs_changed;
	int64_t left = builder_hours_seconds_left(b, s->now);
	double balance_was = builder_balance(b), dispersion_was = b->dispersion;
	AUTO(free) parts = xcalloc(b->devs_n + 1, sizeof(uint32_t));
	struct before before = { b->devs_n, b->cells, parts };
	builder_for_dev(d, b)
		before.parts[d_id] = d->parts;
	if (builder_rebalance(b, seed_number(o.seed), s->now, &moves, &why) < 0 ||
	    builder_validate(b, &why) < 0)
		return invalid(&why);
	if (o.debug)
		printf("cells %" PRIu64 ", partitions %" PRIu64 ", devices removed %u\n",
		       moves.cells, moves.parts, moves.removed);
	if (!moves.cells && !moves.removed && !o.force)
		return nothing_moved(s, left);
	if (o.dry_run) {
		int code = report(b, &moves);

		dry_report(b, &before, &moves, &o);
		return code;
	}
	if (!o.force && !changed && cowardly(balance_was, dispersion_was, b, &moves))
		return printf("Cowardly refusing to save rebalance as it did not change at least "
			      "1%%.\n"),
		       EXIT_WARNING;
	int code = report(b, &moves);
	return save(s, &o) == EXIT_GOOD ? code : EXIT_ERROR;
}

const struct command command_rebalance = {
	"rebalance",
	COMMAND_BUILDER | COMMAND_CHANGES,
	run,
	"ringtool <builder_file> rebalance [options]\n"
	"    Assigns partitions to devices by weight, with replicas as far apart as can be, moving "
	"as few as\n"
	"    it must and none that moved within min_part_hours; writes the builder and the ring "
	"file.\n"
	"    -f, --force             save even if less than 1% changed\n"
	"    -s, --seed SEED         the same result again from the same seed\n"
	"    -n, --dry-run           only tell what would move\n"
	"    --used BYTES            what the cluster stores in all, replicas included: tells the "
	"bytes to move\n"
	"    --bytes-per-part BYTES  or what one replica of a partition has; K, M, G, T, P of 1024 "
	"are understood\n"
	"    --format-version 1|2    of the ring file (1)\n"
	"    --dev-id-bytes 2|4|8    of format 2\n"
	"    -d, --debug             tell more",
};
