/* set_weight: how much a device should hold, compared with the others. */
#include "ringtool/commands/devices.h"

static int apply(struct session *s, struct builder_dev *d, const char *value, struct fault *why)
{
	double weight;

	if (parse_double(value, &weight) < 0 || weight < 0)
		return fault_set(why, -EINVAL, "Invalid weight value: %s", value);
	if (d->removing)
		return fault_set(why, -EINVAL,
				 "Can not set weight of dev_id %d because it is marked for removal",
				 d->dev.id);
	d->dev.weight = weight;
	s->builder->devs_changed = true;
	s->builder->version++;
	return 0;
}

static int run(struct session *s) { return dev_set_each(s, &command_set_weight, "weight", apply); }

const struct command command_set_weight = {
	"set_weight",
	COMMAND_BUILDER | COMMAND_CHANGES,
	run,
	"ringtool <builder_file> set_weight <search-value> <new_weight> [<search-value> "
	"<new_weight>] ... [--yes]\n"
	"or\n"
	"ringtool <builder_file> set_weight --region <region> --zone <zone> ... <new_weight> "
	"[--yes]\n"
	"    Sets the devices' weights; 0 drains a device. Takes effect with the next rebalance.",
};
