/* simulate: years of a cluster that grows, fails and is rebalanced, without a cluster. */
#include "lib/base/clock.h"
#include "ringtool/builder/random.h"
#include "ringtool/commands/command.h"

#include <getopt.h>
#include <math.h>

/* Steps of one month: devices fail, old ones are drained and then taken away, new ones come; then
 * one rebalance. Devices bought in a year hold so much more than those of the year before. */
struct world {
	struct builder *b;
	struct random random;
	unsigned devices, start, regions, zones, per_server, years, part_power, hours, life_years;
	double replicas, failures, growth, bytes, fill, overload;
	uint64_t seed;
	unsigned month, born_n;
	unsigned *born;                 /* month by device id */
};

/* What happened in a year. */
struct year {
	unsigned failed, added, retired;
	uint64_t moved, cells;
	unsigned worst_copies;          /* copies of one partition that failed within a month */
	uint64_t worst_parts;           /* partitions that lost as many at least once */
	double balance, dispersion, seconds;
};

static const int64_t month_s = 30 * 86400;

static double capacity(const struct world *w, unsigned month)
{
	unsigned year = month / 12;

	return pow(1 + w->growth, year);
}

/* The server a device slot is in: slots go round regions, zones and servers. */
static void device_add(struct world *w, unsigned slot)
{
	unsigned region = slot % w->regions, zone = slot / w->regions % w->zones;
	unsigned servers = (w->devices / (w->regions * w->zones) + w->per_server) / w->per_server;
	unsigned server = slot / (w->regions * w->zones) % servers;
	struct ring_dev dev = { .id = -1, .region = region + 1, .zone = zone + 1, .port = 6200 };
	struct fault why;

	snprintf(dev.ip, sizeof dev.ip, "10.%u.%u.%u", region + 1, zone + 1, server + 1);
	memcpy(dev.replication_ip, dev.ip, sizeof dev.ip);
	dev.replication_port = dev.port;
	snprintf(dev.device, sizeof dev.device, "d%u-%u", slot, w->month);
	dev.weight = 100 * capacity(w, w->month);
	int id = builder_dev_add(w->b, &dev, &why);
	assert(id >= 0);
	if ((unsigned)id >= w->born_n) {
		w->born = xreallocarray(w->born, (unsigned)id + 1, sizeof *w->born);
		w->born_n = (unsigned)id + 1;
	}
	w->born[id] = w->month;
}

static unsigned device_count(const struct world *w)
{
	unsigned n = 0;

	builder_for_dev(d, w->b)
		n += !d->removing && d->dev.weight > 0;
	return n;
}

/* How many copies of any partition were on the devices that failed. */
static void failures_count(const struct world *w, struct year *y)
{
	uint64_t parts = builder_parts(w->b);

	for (uint64_t part = 0; part < parts && w->b->cells; part++) {
		unsigned n = 0;

		for (uint64_t cell = part; cell < w->b->cells; cell += parts)
			n += w->b->devs[w->b->table[cell]]->removing;
		if (n > y->worst_copies) {
			y->worst_copies = n;
			y->worst_parts = 0;
		}
		y->worst_parts += n > 0 && n == y->worst_copies;
	}
}

/* The number of the slot that a device was put in is in its name. */
static unsigned device_slot(const struct builder_dev *d)
{
	struct str rest = str_from(d->dev.device + 1);
	uint64_t slot = 0;

	if (str_to_u64(str_cut(&rest, '-'), &slot) < 0)
		unreachable("the simulation names its devices");
	return (unsigned)slot;
}

/* Failed devices go at once, old ones when they have been drained; each slot gets a new device. */
static void devices_replace(struct world *w, struct year *y)
{
	AUTO(free) room = xcalloc(w->b->devs_n + 1, sizeof(unsigned));
	unsigned *slots = room, n = 0;

	assert(w->born && w->born_n >= w->b->devs_n);
	builder_for_dev(d, w->b) {
		if (d->dev.weight > 0 && random_share(&w->random) < w->failures / 12) {
			builder_dev_remove(w->b, d);
			y->failed++;
			slots[n++] = device_slot(d);
		} else if (d->dev.weight > 0 && w->month - w->born[d_id] >= w->life_years * 12) {
			d->dev.weight = 0;
			w->b->devs_changed = true;
			y->retired++;
			slots[n++] = device_slot(d);
		} else if (d->dev.weight <= 0 && !d->parts && !d->removing) {
			builder_dev_remove(w->b, d);
		}
	}
	failures_count(w, y);
	for (unsigned i = 0; i < n; i++)
		device_add(w, slots[i]);
}

/* The worst device that is not being drained, in percent. */
static double balance_worst(const struct world *w)
{
	double cell_weight = builder_weight_sum(w->b) / (double)w->b->cells, worst = 0;

	builder_for_dev(d, w->b)
		if (d->dev.weight > 0)
			worst = MAX(worst, fabs(d->parts * cell_weight / d->dev.weight - 1));
	return 100 * worst;
}

static int month_run(struct world *w, struct year *y, struct fault *why)
{
	unsigned months = w->years * 12;
	unsigned goal =
		w->start + (unsigned)((uint64_t)(w->devices - w->start) * (w->month + 1) / months);
	struct builder_moves moves;
	uint64_t begin = clock_mono_ns();

	if (w->month > 0)
		devices_replace(w, y);
	for (unsigned n = device_count(w); n < (w->month ? goal : w->start); n++, y->added++)
		device_add(w, n);
	int err = builder_rebalance(w->b, random_next(&w->random),
				    (int64_t)(w->month + 1) * month_s, &moves, why);
	if (err)
		return err;
	y->moved += w->month ? moves.cells : 0;
	y->cells = w->b->cells;
	y->dispersion = w->b->dispersion;
	y->seconds += (double)(clock_mono_ns() - begin) / 1e9;
	w->month++;
	return 0;
}

static double raw_bytes(const struct world *w)
{
	return builder_weight_sum(w->b) / 100 * w->bytes;
}

static void year_print(const struct world *w, unsigned number, const struct year *y)
{
	double cell_bytes = raw_bytes(w) * w->fill / (double)w->b->cells;

	printf("%4u %8u %9.2f %7u %7u %8u %8.2f %9.2f %9.2f %11.3f %6u %10" PRIu64 " %8.2f\n",
	       number, device_count(w), raw_bytes(w) / 1e15, y->failed, y->added, y->retired,
	       100.0 * (double)y->moved / (double)y->cells, (double)y->moved * cell_bytes / 1e15,
	       y->balance, y->dispersion, y->worst_copies, y->worst_parts, y->seconds);
	fflush(stdout);
}

static int world_run(struct world *w)
{
	struct fault why;
	double seconds = 0;
	uint64_t moved = 0;

	printf("%u devices in %u regions of %u zones, growing to %u in %u years; %g replicas, 2^%u "
	       "partitions\n",
	       w->start, w->regions, w->zones, w->devices, w->years, w->replicas, w->part_power);
	printf("each year %.1f %% of the devices fail; a device serves %u years; new ones are %.0f "
	       "%% larger a year\n\n",
	       w->failures * 100, w->life_years, w->growth * 100);
	printf("year  devices    raw PB  failed   added  retired  moved %%  moved PB  balance %%  "
	       "dispersion %% "
	       "copies partitions  seconds\n");
	for (unsigned year = 0; year < w->years; year++) {
		struct year y = { 0 };

		for (unsigned i = 0; i < 12; i++)
			if (month_run(w, &y, &why) < 0)
				return command_failed("year %u: %s", year + 1, why.text);
		y.balance = balance_worst(w);
		year_print(w, year + 1, &y);
		seconds += y.seconds;
		moved += y.moved;
		if (builder_validate(w->b, &why) < 0)
			return command_failed("year %u: %s", year + 1, why.text);
	}
	printf("\ncopies, partitions: the most copies of one partition that were on devices that "
	       "failed within the same\n"
	       "month, and how many partitions that hit. Rebalances took %.1f s in all, %.2f s "
	       "each; %" PRIu64 " replicas moved.\n",
	       seconds, seconds / (w->years * 12), moved);
	return EXIT_GOOD;
}

static int options_parse(struct session *s, struct world *w)
{
	static const struct option options[] = {
		{ "devices", required_argument, NULL, 'd' },
		{ "start", required_argument, NULL, 'S' },
		{ "regions", required_argument, NULL, 'r' },
		{ "zones", required_argument, NULL, 'z' },
		{ "per-server", required_argument, NULL, 'p' },
		{ "years", required_argument, NULL, 'y' },
		{ "replicas", required_argument, NULL, 'R' },
		{ "part-power", required_argument, NULL, 'P' },
		{ "failures", required_argument, NULL, 'f' },
		{ "growth", required_argument, NULL, 'g' },
		{ "life", required_argument, NULL, 'l' },
		{ "device-bytes", required_argument, NULL, 'b' },
		{ "fill", required_argument, NULL, 'F' },
		{ "overload", required_argument, NULL, 'o' },
		{ "seed", required_argument, NULL, 's' },
		{ NULL, 0, NULL, 0 },
	};
	unsigned seed = 1;
	int letter, err = 0;

	optind = 0;
	while (!err && (letter = getopt_long(s->argc, s->argv, "", options, NULL)) != -1) {
		switch (letter) {
		case 'd': err = parse_unsigned(optarg, 1, 1000000, &w->devices); break;
		case 'S': err = parse_unsigned(optarg, 1, 1000000, &w->start); break;
		case 'r': err = parse_unsigned(optarg, 1, 250, &w->regions); break;
		case 'z': err = parse_unsigned(optarg, 1, 250, &w->zones); break;
		case 'p': err = parse_unsigned(optarg, 1, 1000, &w->per_server); break;
		case 'y': err = parse_unsigned(optarg, 1, 100, &w->years); break;
		case 'R': err = parse_double(optarg, &w->replicas); break;
		case 'P':
			err = parse_unsigned(optarg, 0, BUILDER_PART_POWER_MAX, &w->part_power);
			break;
		case 'f': err = parse_double(optarg, &w->failures); break;
		case 'g': err = parse_double(optarg, &w->growth); break;
		case 'l': err = parse_unsigned(optarg, 1, 100, &w->life_years); break;
		case 'b': err = parse_double(optarg, &w->bytes); break;
		case 'F': err = parse_double(optarg, &w->fill); break;
		case 'o': err = parse_double(optarg, &w->overload); break;
		case 's': err = parse_unsigned(optarg, 0, UINT_MAX, &seed); break;
		default: err = -EINVAL;
		}
	}
	w->random.state = seed;
	w->start = w->start ?: MAX(w->devices / 4, 1u);
	if (err || optind < s->argc || w->replicas < 1 || w->replicas > RING_REPLICAS_MAX ||
	    w->start > w->devices || w->start < w->replicas || w->failures < 0 || w->failures > 1 ||
	    w->growth < 0 || w->overload < 0)
		return command_usage(&command_simulate);
	return EXIT_GOOD;
}

static int run(struct session *s)
{
	struct world w = {
		.devices = 10000,
		.regions = 5,
		.zones = 4,
		.per_server = 24,
		.years = 10,
		.replicas = 3,
		.part_power = 18,
		.hours = 24,
		.life_years = 5,
		.failures = 0.015,
		.growth = 0.15,
		.bytes = 20e12,
		.fill = 0.7,
		.overload = 0.1,
	};
	int code = options_parse(s, &w);

	if (code != EXIT_GOOD)
		return code;
	w.b = builder_new(w.part_power, w.replicas, w.hours);
	w.b->overload = w.overload;
	code = world_run(&w);
	builder_free(w.b);
	free(w.born);
	return code;
}

const struct command command_simulate = {
	"simulate",
	COMMAND_ALONE,
	run,
	"ringtool simulate [options]\n"
	"    Plays years of a cluster month by month: devices fail, age, are replaced and get "
	"more, and the\n"
	"    ring is rebalanced. Prints for each year what moved, and how even and well spread it "
	"stayed.\n"
	"    --devices N (10000)  --start N (a quarter)  --regions N (5)  --zones N a region (4)\n"
	"    --per-server N (24)  --years N (10)  --replicas X (3)  --part-power N (18)\n"
	"    --failures SHARE of the devices a year (0.015)  --life YEARS (5)  --growth SHARE a "
	"year (0.15)\n"
	"    --device-bytes X of a device of the first year (20e12)  --fill SHARE (0.7)  "
	"--overload X (0.1)\n"
	"    --seed N (1)",
};
