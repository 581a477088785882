/* set_zone: a device is in another zone than was said. */
#include "ringtool/commands/devices.h"

static int apply(struct session *s, struct builder_dev *d, const char *value, struct fault *why)
{
	unsigned zone;

	if (parse_unsigned(value, 0, INT32_MAX, &zone) < 0)
		return fault_set(why, -EINVAL, "Invalid zone value: %s", value);
	if (d->removing)
		return fault_set(why, -EINVAL,
				 "Can not set zone of dev_id %d because it is marked for removal",
				 d->dev.id);
	d->dev.zone = zone;
	s->builder->devs_changed = true;
	s->builder->version++;
	return 0;
}

static int run(struct session *s) { return dev_set_each(s, &command_set_zone, "zone", apply); }

const struct command command_set_zone = {
	"set_zone",
	COMMAND_BUILDER | COMMAND_CHANGES,
	run,
	"ringtool <builder_file> set_zone <search-value> <zone> [<search-value> <zone>] ... "
	"[--yes]\n"
	"or\n"
	"ringtool <builder_file> set_zone --region <region> --zone <zone> ... <new zone> [--yes]\n"
	"    Sets the devices' zone. Partitions move with the next rebalance.",
};
