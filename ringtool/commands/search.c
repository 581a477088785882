/* search: shows the devices that fit. */
#include "ringtool/commands/devices.h"

static int run(struct session *s)
{
	AUTO(free) room = NULL;
	struct builder_dev **devs = NULL;
	struct dev_options o;
	unsigned n;

	if (dev_search_args(s, &command_search, &o, &devs, &n) != EXIT_GOOD)
		return EXIT_ERROR;
	room = devs;
	if (n == 0)
		return command_failed("No matching devices found");
	printf("Devices:    id  region  zone      ip address  port  replication ip  replication "
	       "port"
	       "      name weight partitions balance meta\n");
	for (unsigned i = 0; i < n; i++) {
		const struct ring_dev *d = &devs[i]->dev;

		printf("         %5d %7u %5u %15s %5u %15s %17u %9s %6.02f %10" PRIu32
		       " %7.02f %s\n",
		       d->id, d->region, d->zone, d->ip, d->port, d->replication_ip,
		       d->replication_port, d->device, d->weight, devs[i]->parts,
		       builder_dev_balance(s->builder, devs[i]), d->meta);
	}
	return EXIT_GOOD;
}

const struct command command_search = {
	"search", COMMAND_BUILDER, run,
	"ringtool <builder_file> search <search-value>\n"
	"or\n"
	"ringtool <builder_file> search\n"
	"    --id <id> --region <region> --zone <zone> --ip <ip or hostname> --port <port>\n"
	"    --replication-ip <r_ip or r_hostname> --replication-port <r_port>\n"
	"    --device <device_name> --meta <meta> --weight <weight>\n"
	"    Shows information about matching devices. Any of the options are optional.",
};
