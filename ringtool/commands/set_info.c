/* set_info: a device has another address, name or remark. */
#include "ringtool/commands/devices.h"

static int apply(struct session *s, struct builder_dev *d, const struct dev_fields *change)
{
	CLEANUP(buf_done) struct buf before = BUF(16 * KIB), after = BUF(16 * KIB);
	struct ring_dev dev = d->dev;
	struct builder_dev *same;
	struct fault why;

	if (change->set & DEV_IP)
		memcpy(dev.ip, change->dev.ip, sizeof dev.ip);
	if (change->set & DEV_PORT)
		dev.port = change->dev.port;
	if (change->set & DEV_REPLICATION_IP)
		memcpy(dev.replication_ip, change->dev.replication_ip, sizeof dev.replication_ip);
	if (change->set & DEV_REPLICATION_PORT)
		dev.replication_port = change->dev.replication_port;
	if (change->set & DEV_DEVICE)
		memcpy(dev.device, change->dev.device, sizeof dev.device);
	if (change->set & DEV_META)
		dev.meta = change->dev.meta;
	if (builder_dev_check(&dev, &why) < 0)
		return command_failed("%s", why.text);
	if ((same = builder_dev_same(s->builder, &dev)))
		return command_failed("Device %d already uses %s:%u/%s.", same->dev.id, dev.ip,
				      dev.port, dev.device);
	dev_format(&d->dev, &before);
	dev_format(&dev, &after);
	dev.meta = xstrdup(dev.meta);
	free(d->dev.meta);
	d->dev = dev;
	s->builder->version++;
	printf("Device %s is now %s\n", before.p, after.p);
	return EXIT_GOOD;
}

static int change_found(struct session *s, const struct dev_options *o,
			const struct dev_fields *match, const struct dev_fields *change)
{
	unsigned n;
	AUTO(free) room = dev_search(s->builder, match, &n);
	struct builder_dev **devs = room;

	if (dev_confirm(devs, n, o, "update the info for", "Aborting device modifications") !=
	    EXIT_GOOD)
		return EXIT_ERROR;
	for (unsigned i = 0; i < n; i++)
		if (apply(s, devs[i], change) != EXIT_GOOD)
			return EXIT_ERROR;
	return EXIT_GOOD;
}

static int run(struct session *s)
{
	struct dev_options o;
	struct dev_fields match, change;
	struct fault why;

	if (dev_options_parse(s, &o) != EXIT_GOOD)
		return EXIT_ERROR;
	if (o.match.set || o.change.set ? o.argc != 0 || !o.change.set
					: o.argc == 0 || o.argc % 2 != 0)
		return command_usage(&command_set_info);
	if (o.argc == 0 && change_found(s, &o, &o.match, &o.change) != EXIT_GOOD)
		return EXIT_ERROR;
	for (int i = 0; i < o.argc; i += 2) {
		if (dev_search_parse(o.argv[i], &match, &why) < 0 ||
		    dev_change_parse(o.argv[i + 1], &change, &why) < 0)
			return command_failed("%s", why.text);
		if (change_found(s, &o, &match, &change) != EXIT_GOOD)
			return EXIT_ERROR;
	}
	return session_save(s);
}

const struct command command_set_info = {
	"set_info",
	COMMAND_BUILDER | COMMAND_CHANGES,
	run,
	"ringtool <builder_file> set_info\n"
	"    <search-value> <ip>:<port>[R<r_ip>:<r_port>]/<device_name>_<meta> ... [--yes]\n"
	"or\n"
	"ringtool <builder_file> set_info --ip <ip or hostname> ...\n"
	"    [--change-ip <ip or hostname>] [--change-port <port>]\n"
	"    [--change-replication-ip <r_ip or r_hostname>] [--change-replication-port <r_port>]\n"
	"    [--change-device <device_name>] [--change-meta <meta>] [--yes]\n"
	"    Changes what the rest of the cluster knows of the devices; nothing moves. Run "
	"'write_ring'\n"
	"    afterwards. Give only what changes.",
};
