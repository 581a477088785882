/* set_region: a device is in another region than was said. */
#include "ringtool/commands/devices.h"

static int apply(struct session *s, struct builder_dev *d, const char *value, struct fault *why)
{
	unsigned region;

	if (parse_unsigned(value, 0, INT32_MAX, &region) < 0)
		return fault_set(why, -EINVAL, "Invalid region value: %s", value);
	if (d->removing)
		return fault_set(why, -EINVAL,
				 "Can not set region of dev_id %d because it is marked for removal",
				 d->dev.id);
	d->dev.region = region;
	s->builder->devs_changed = true;
	s->builder->version++;
	return 0;
}

static int run(struct session *s) { return dev_set_each(s, &command_set_region, "region", apply); }

const struct command command_set_region = {
	"set_region",
	COMMAND_BUILDER | COMMAND_CHANGES,
	run,
	"ringtool <builder_file> set_region <search-value> <region> [<search-value> <region>] ... "
	"[--yes]\n"
	"or\n"
	"ringtool <builder_file> set_region --region <region> --zone <zone> ... <new region> "
	"[--yes]\n"
	"    Sets the devices' region. Partitions move with the next rebalance.",
};
