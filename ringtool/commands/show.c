/* show: the builder and its devices. What ringtool does when it is given no command. */
#include "ringtool/commands/command.h"

#include <unistd.h>

static int dev_order(const void *a, const void *b)
{
	const struct ring_dev *x = *(struct ring_dev *const *)a, *y = *(struct ring_dev *const *)b;
	int order;

	if (x->region != y->region)
		return x->region < y->region ? -1 : 1;
	if (x->zone != y->zone)
		return x->zone < y->zone ? -1 : 1;
	if ((order = strcmp(x->ip, y->ip)) != 0)
		return order;
	return strcmp(x->device, y->device);
}

static bool dev_equal(const struct ring_dev *a, const struct ring_dev *b)
{
	return a->id == b->id && a->region == b->region && a->zone == b->zone &&
	       !strcmp(a->ip, b->ip) && a->port == b->port &&
	       !strcmp(a->replication_ip, b->replication_ip) &&
	       a->replication_port == b->replication_port && !strcmp(a->device, b->device) &&
	       a->weight == b->weight && !strcmp(a->meta, b->meta);
}

/* Would writing the ring again change what is in the file? */
static bool ring_current(const struct builder *b, const struct ring *r)
{
	if (ring_part_power(r) != b->part_power || ring_next_part_power(r) != b->next_part_power ||
	    ring_version(r) != b->version || ring_dev_count(r) != b->devs_n ||
	    ring_replica_rows(r) != builder_rows(b))
		return false;
	for (unsigned id = 0; id < b->devs_n; id++) {
		const struct ring_dev *dev = ring_dev_by_id(r, (int)id);

		if (!dev != !b->devs[id] || (dev && !dev_equal(dev, &b->devs[id]->dev)))
			return false;
	}
	for (uint64_t cell = 0; cell < (uint64_t)builder_rows(b) << b->part_power; cell++) {
		int dev = ring_cell(r, (unsigned)(cell >> b->part_power),
				    (uint32_t)(cell % builder_parts(b)));

		if (dev != (cell < b->cells ? (int)b->table[cell] : -1))
			return false;
	}
	return true;
}

static void show_ring(const struct session *s)
{
	AUTO(ring) ring = NULL;
	struct fault why;

	if (access(s->ring_path, F_OK) < 0)
		printf("Ring file %s not found, probably it hasn't been written yet\n",
		       s->ring_path);
	else if (ring_load(s->ring_path, &ring, &why) < 0)
		printf("Ring file %s is invalid: %s\n", s->ring_path, why.text);
	else
		printf("Ring file %s is %s\n", s->ring_path,
		       ring_current(s->builder, ring) ? "up-to-date" : "obsolete");
}

static void show_head(const struct session *s, struct ring_dev **devs, unsigned n)
{
	const struct builder *b = s->builder;
	unsigned regions = 0, zones = 0;
	char left[32];

	for (unsigned i = 0; i < n; i++) {
		bool new_region = i == 0 || devs[i]->region != devs[i - 1]->region;

		regions += new_region;
		zones += new_region || devs[i]->zone != devs[i - 1]->zone;
	}
	printf("%s, build version %" PRId64 ", id %s\n", s->builder_path, b->version, b->id);
	printf("%" PRIu64
	       " partitions, %.6f replicas, %u regions, %u zones, %u devices, %.02f balance",
	       builder_parts(b), b->replicas, regions, zones, n, builder_balance(b));
	if (b->dispersion >= 0)
		printf(", %.02f dispersion", b->dispersion);
	format_hours(builder_hours_seconds_left(b, s->now), left);
	printf("\nThe minimum number of hours before a partition can be reassigned is %u (%s "
	       "remaining)\n",
	       b->min_part_hours, left);
	printf("The overload factor is %0.2f%% (%.6f)\n", b->overload * 100, b->overload);
}

/* An address as the table has it: IPv6 in brackets. */
static void bracket(const char *ip, char to[RING_HOST_SIZE + 2])
{
	snprintf(to, RING_HOST_SIZE + 2, strchr(ip, ':') ? "[%s]" : "%s", ip);
}

static void show_devs(const struct builder *b, struct ring_dev **devs, unsigned n)
{
	int ip_width = 10, replication_width = 14;
	char ip[RING_HOST_SIZE + 2], replication_ip[RING_HOST_SIZE + 2];

	for (unsigned i = 0; i < n; i++) {
		ip_width = MAX(ip_width,
			       (int)strlen(devs[i]->ip) + (strchr(devs[i]->ip, ':') ? 2 : 0));
		replication_width = MAX(replication_width, (int)strlen(devs[i]->replication_ip) +
					(strchr(devs[i]->replication_ip, ':') ? 2 : 0));
	}
	printf("Devices:%5s %6s %4s %*s:%-5s %*s:%-5s %5s %8s %10s %7s %5s %s\n", "id", "region",
	       "zone", ip_width, "ip address", "port", replication_width, "replication ip", "port",
	       "name", "weight", "partitions", "balance", "flags", "meta");
	for (unsigned i = 0; i < n; i++) {
		const struct builder_dev *d = b->devs[devs[i]->id];

		bracket(devs[i]->ip, ip);
		bracket(devs[i]->replication_ip, replication_ip);
		printf("%13d %6u %4u %*s:%-5u %*s:%-5u %5s %8.02f %10" PRIu32 " %7.02f %5s %s\n",
		       d->dev.id, d->dev.region, d->dev.zone, ip_width, ip, d->dev.port,
		       replication_width, replication_ip, d->dev.replication_port, d->dev.device,
		       d->dev.weight, d->parts, builder_dev_balance(b, d), d->removing ? "DEL" : "",
		       d->dev.meta);
	}
}

static int run(struct session *s)
{
	const struct builder *b = s->builder;
	struct ring_dev **devs;
	struct ring_image image = builder_image(b, &devs);
	unsigned n = 0;

	for (unsigned i = 0; i < image.devs_n; i++)
		if (devs[i])
			devs[n++] = devs[i];
	qsort(devs, n, sizeof *devs, dev_order);
	show_head(s, devs, n);
	show_ring(s);
	show_devs(b, devs, n);
	if (b->next_part_power == (int)b->part_power + 1)
		printf("\nPreparing increase of partition power (%u -> %d)\n"
		       "Relink the data of Swift's storage servers on all nodes before moving on "
		       "to "
		       "increase_partition_power.\n",
		       b->part_power, b->next_part_power);
	else if (b->next_part_power == (int)b->part_power)
		printf("\nIncreased partition power (%u -> %d)\n"
		       "Clean up on all nodes, with the newest ring, before moving on to "
		       "finish_increase_partition_power.\n", b->part_power, b->next_part_power);
	free(devs);
	if (builder_weight_sum(b) == 0)
		printf("There are no devices in this ring, or all devices have been deleted\n");
	return EXIT_GOOD;
}

const struct command command_show = {
	"show",
	COMMAND_BUILDER,
	run,
	"ringtool <builder_file> [show]\n"
	"    Shows information about the ring and the devices within. Flag DEL: the device goes "
	"with the\n"
	"    next rebalance.",
};
