/* add: devices join; partitions come to them with the next rebalance. */
#include "ringtool/commands/devices.h"

static int add_one(struct session *s, struct ring_dev *dev)
{
	CLEANUP(buf_done) struct buf text = BUF(16 * KIB);
	struct fault why;
	int id = builder_dev_add(s->builder, dev, &why);

	if (id < 0)
		return command_failed("%s\nThe on-disk ring builder is unchanged.\n", why.text);
	dev_format(&s->builder->devs[id]->dev, &text);
	printf("Device %s with %g weight got id %d\n", text.p, dev->weight, id);
	return EXIT_GOOD;
}

static int add_strings(struct session *s, const struct dev_options *o)
{
	for (int i = 0; i < o->argc; i += 2) {
		struct dev_fields f;
		struct fault why;

		if (dev_add_parse(o->argv[i], &f, &why) < 0)
			return command_failed("%s\nThe on-disk ring builder is unchanged.",
					      why.text);
		if (!(f.set & DEV_REGION))
			fprintf(stderr,
				"WARNING: No region specified for %s. Defaulting to region 1.\n",
				o->argv[i]);
		if (parse_double(o->argv[i + 1], &f.dev.weight) < 0 || f.dev.weight < 0)
			return command_failed(
				"Invalid weight value: %s\nThe on-disk ring builder is unchanged.",
				o->argv[i + 1]);
		if (add_one(s, &f.dev) != EXIT_GOOD)
			return EXIT_ERROR;
	}
	return EXIT_GOOD;
}

static int add_options(struct session *s, const struct dev_fields *match)
{
	static const struct { unsigned field; const char *name;
	} required[] = {
		{ DEV_REGION, "-r/--region" }, { DEV_ZONE, "-z/--zone" },
		{ DEV_IP, "-i/--ip" },         { DEV_PORT, "-p/--port" },
		{ DEV_DEVICE, "-d/--device" }, { DEV_WEIGHT, "-w/--weight" },
	};
	struct ring_dev dev = match->dev;

	for (size_t i = 0; i < ARRAY_LEN(required); i++)
		if (!(match->set & required[i].field))
			return command_failed("Required argument %s not specified.\n"
					      "The on-disk ring builder is unchanged.",
					      required[i].name);
	if (!(match->set & DEV_ID))
		dev.id = -1;
	if (!(match->set & DEV_REPLICATION_IP))
		memcpy(dev.replication_ip, dev.ip, sizeof dev.ip);
	if (!(match->set & DEV_REPLICATION_PORT))
		dev.replication_port = dev.port;
	return add_one(s, &dev);
}

static int run(struct session *s)
{
	struct dev_options o;
	int code = dev_options_parse(s, &o);

	if (code != EXIT_GOOD)
		return code;
	if (o.argc > 0 ? o.match.set || o.argc % 2 != 0 : !o.match.set)
		return command_usage(&command_add);
	if (s->builder->next_part_power >= 0)
		return command_failed("Partition power increase in progress. You need \n"
				      "to finish the increase first before adding devices.");
	code = o.argc > 0 ? add_strings(s, &o) : add_options(s, &o.match);
	return code == EXIT_GOOD ? session_save(s) : code;
}

const struct command command_add = {
	"add", COMMAND_BUILDER | COMMAND_CHANGES, run,
	"ringtool <builder_file> add\n"
	"    [r<region>]z<zone>-<ip>:<port>[R<r_ip>:<r_port>]/<device_name>_<meta> <weight> ...\n"
	"or\n"
	"ringtool <builder_file> add\n"
	"    --region <region> --zone <zone> --ip <ip or hostname> --port <port>\n"
	"    [--replication-ip <r_ip or r_hostname>] [--replication-port <r_port>]\n"
	"    --device <device_name> --weight <weight> [--meta <meta>]\n"
	"    Adds devices. No partitions are assigned to them until after running 'rebalance'.",
};
