/* The storage server's configuration as tables. */
#include "objectd/objectd_conf.h"

struct objectd_conf objectd_conf;
struct conf_items objectd_devices;
struct updater_conf updater_conf;
struct replicator_conf replicator_conf;
struct auditor_conf auditor_conf;
struct expirer_conf expirer_conf;
struct reaper_conf reaper_conf;
struct reconciler_conf reconciler_conf;

static const struct conf_option objectd_options[] = {
	OPT_STR(struct objectd_conf, bind_ip, "127.0.0.1",
		"Address that devices listen on which name none. It is the one in the rings."),
	OPT_STR(struct objectd_conf, devices, "devices",
		"Folder of the devices that have no path of their own; relative to home."),
	OPT_STR(struct objectd_conf, cluster_id, NULL,
		"A name for the cluster. It is written to new devices, and a device of another "
		"cluster is "
		"refused."),
	OPT_SIZE(struct objectd_conf, volume_max, "256MiB", 1 << 20, 1LL << 40,
		 "Size at which a volume is full and the next one begins."),
	OPT_SIZE(struct objectd_conf, packed_max, "256KiB", 0, 1 << 26,
		 "Larger objects get a file of their own instead of a place in a volume."),
	OPT_SIZE(struct objectd_conf, reserve, "64MiB", 0, 1LL << 50,
		 "Free bytes below which the device refuses writes with 507."),
	OPT_DURATION(struct objectd_conf, conn_timeout, "500ms", 1, 60000,
		     "For connecting to another storage server."),
	OPT_DURATION(struct objectd_conf, node_timeout, "3s", 1, 600000,
		     "For an answer of another storage server."),
	OPT_DURATION(struct objectd_conf, container_update_timeout, "3s", 1, 600000,
		     "How long a write waits for its container's listing row. After that the row "
		     "is kept "
		     "as a pending update, and the write succeeds."),
	OPT_DURATION(struct objectd_conf, client_timeout, "60s", 1, 3600000,
		     "Between two pieces of a request body, and for taking a response."),
	OPT_DURATION(struct objectd_conf, keepalive_timeout, "300s", 1, 86400000,
		     "After which an idle connection is closed."),
	OPT_DURATION(struct objectd_conf, ring_check_interval, "1s", 10, 3600000,
		     "How often it is looked whether ring files have changed."),
	OPT_INT(struct objectd_conf, max_clients, "4096", 1, 1000000, "Connections per device."),
	OPT_SIZE(struct objectd_conf, max_file_size, "5368709122B", 0, 1LL << 60,
		 "Largest object; the proxies' limit is the one that users meet."),
	OPT_LIST(struct objectd_conf, allowed_headers,
		 "content-disposition, content-encoding, x-delete-at, x-object-manifest, "
		 "x-static-large-object, cache-control, content-language, expires, x-robots-tag",
		 "Headers stored with an object besides its metadata."),
	OPT_STR(struct objectd_conf, expiring_objects_account, ".expiring_objects",
		"Account in whose containers a Swift expirer finds what to delete."),
	OPT_INT(struct objectd_conf, expiring_objects_container_divisor, "86400", 1, 1 << 30,
		"Seconds of expiry times that share a container there."),
	OPT_BOOL(struct objectd_conf, log_requests, "false",
		 "Write a line per request, as Swift's servers."),
	OPT_END,
};

static const struct conf_option device_options[] = {
	OPT_STR(struct device_conf, path, NULL,
		"Its folder; [objectd] devices and its name unless told."),
	OPT_STR(struct device_conf, ip, NULL,
		"Address to listen on; [objectd] bind_ip unless told."),
	{ .key = "port",
	  .type = CONF_INT,
	  .at = CONF_AT(struct device_conf, port, int64_t),
	  .min = 1,
	  .max = 65535,
	  .required = true,
	  .help = "Port to listen on, as in the rings." },
	OPT_END,
};

static const struct conf_option updater_options[] = {
	OPT_DURATION(
		struct updater_conf, interval, "10s", 10, 3600000,
		"How often pending rows are looked for whose device did not come back by itself."),
	OPT_DURATION(struct updater_conf, retry_max, "5s", 10, 3600000,
		     "Longest pause between two tries to reach a container device."),
	OPT_INT(struct updater_conf, batch_rows, "256", 1, 4096,
		"Rows sent to a device in one request."),
	OPT_END,
};

static const struct conf_option replicator_options[] = {
	OPT_BOOL(struct replicator_conf, enabled, "true", "Whether this device brings data home."),
	OPT_DURATION(struct replicator_conf, interval, "30s", 100, 86400000,
		     "Pause between two passes."),
	OPT_INT(struct replicator_conf, concurrency, "4", 1, 64,
		"Requests with objects, many small ones or one large one, sent at the same time."),
	OPT_SIZE(struct replicator_conf, bytes_per_second, "256MiB", 1024, 1LL << 40,
		 "Limit for sent bytes per device. While its clients wait more than twice as long "
		 "as usual it shrinks, to a thirty-second at the least."),
	OPT_DURATION(struct replicator_conf, node_timeout, "10s", 1, 600000,
		     "For an answer of another storage server."),
	OPT_DURATION(struct replicator_conf, reclaim_age, "7d", 1000, 365LL * 86400000,
		     "Age at which tombstones are forgotten. A device that was away for longer "
		     "must come "
		     "back empty."),
	OPT_END,
};

static const struct conf_option auditor_options[] = {
	OPT_BOOL(struct auditor_conf, enabled, "true",
		 "Whether stored bytes are read and checked."),
	OPT_DURATION(struct auditor_conf, interval, "1h", 100, 365LL * 86400000,
		     "Pause between two passes."),
	OPT_SIZE(struct auditor_conf, bytes_per_second, "10MiB", 1024, 1LL << 40, "Reading speed."),
	OPT_DURATION(struct auditor_conf, tidy_interval, "60s", 100, 86400000,
		     "How often space of deleted objects is given back."),
	OPT_SIZE(struct auditor_conf, compact_bytes_per_second, "64MiB", 1024, 1LL << 40,
		 "How fast volumes that are mostly dead are read for what lives in them."),
	OPT_END,
};

static const struct conf_option expirer_options[] = {
	OPT_BOOL(struct expirer_conf, enabled, "true",
		 "Whether objects past their X-Delete-At are deleted."),
	OPT_DURATION(struct expirer_conf, interval, "30s", 100, 86400000,
		     "Pause between two passes."),
	OPT_END,
};

static const struct conf_option reaper_options[] = {
	OPT_BOOL(struct reaper_conf, enabled, "true", "Whether deleted accounts are emptied."),
	OPT_DURATION(struct reaper_conf, interval, "1h", 100, 86400000,
		     "Pause between two passes."),
	OPT_DURATION(struct reaper_conf, delay_reaping, "0s", 0, 365LL * 86400000,
		     "How long a deleted account keeps what is in it."),
	OPT_DURATION(struct reaper_conf, reap_warn_after, "30d", 0, 3650LL * 86400000,
		     "How long after that the log says that an account is still not empty."),
	OPT_INT(struct reaper_conf, concurrency, "25", 1, 1000,
		"Objects deleted at the same time."),
	OPT_END,
};

static const struct conf_option reconciler_options[] = {
	OPT_BOOL(struct reconciler_conf, enabled, "true",
		 "Whether objects are moved to the policy of their container."),
	OPT_DURATION(struct reconciler_conf, interval, "30s", 100, 86400000,
		     "Pause between two passes."),
	OPT_END,
};

#define SECTION(var, n, opts, target, about) \
	static const struct conf_section var = { .name = n, .help = about, .options = opts, \
						 .into = &target, .size = sizeof target }

SECTION(objectd_section, "objectd", objectd_options, objectd_conf, "The storage server.");
SECTION(updater_section, "updater", updater_options, updater_conf,
	"Listing rows on their way to the container's devices.");
SECTION(replicator_section, "replicator", replicator_options, replicator_conf,
	"Brings objects and databases to the devices that the rings name.");
SECTION(auditor_section, "auditor", auditor_options, auditor_conf,
	"Reads everything now and then, to notice damage before it is needed.");
SECTION(expirer_section, "expirer", expirer_options, expirer_conf, "Deletes what has expired.");
SECTION(reaper_section, "reaper", reaper_options, reaper_conf, "Empties deleted accounts.");
SECTION(reconciler_section, "reconciler", reconciler_options, reconciler_conf,
	"Moves objects that were stored in another policy than their container's.");
static const struct conf_section device_section = {
	.name = "device", .named = true, .options = device_options, .into = &objectd_devices,
	.size = sizeof(struct device_conf),
	.help = "A disk, served by a process of its own. The name is the one in the rings.",
};

void objectd_conf_add(struct conf_spec *spec)
{
	conf_add(spec, &objectd_section);
	conf_add(spec, &device_section);
	conf_add(spec, &updater_section);
	conf_add(spec, &replicator_section);
	conf_add(spec, &auditor_section);
	conf_add(spec, &expirer_section);
	conf_add(spec, &reaper_section);
	conf_add(spec, &reconciler_section);
}

const struct device_conf *objectd_device(unsigned i)
{
	const struct device_conf *devices = objectd_devices.items;

	return i < objectd_devices.count ? &devices[i] : NULL;
}

static const char *device_ip(const struct device_conf *d)
{
	return d->ip ? d->ip : objectd_conf.bind_ip;
}

int objectd_conf_ready(struct fault *why)
{
	if (objectd_devices.count == 0)
		return fault_set(why, -EINVAL,
				 "no device: add a section [device:NAME] with a port");
	for (unsigned i = 0; i < objectd_devices.count; i++) {
		const struct device_conf *a = objectd_device(i);

		for (unsigned j = 0; j < i; j++) {
			const struct device_conf *b = objectd_device(j);

			if (a->port == b->port && strcmp(device_ip(a), device_ip(b)) == 0)
				return fault_set(
					why, -EINVAL,
					"[device:%.*s] and [device:%.*s] have the same port %d",
					STR(b->name), STR(a->name), (int)a->port);
		}
	}
	return 0;
}
