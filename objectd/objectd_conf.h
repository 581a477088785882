/* What the storage server is told: [objectd], a [device:NAME] per disk, and a section for each
 * background job. Names and defaults are Swift's (object-server.conf) where it has the setting. */
#pragma once
#include "lib/conf/conf.h"

struct objectd_conf {
	const char *bind_ip;            /* for devices that name none */
	const char *devices;            /* folder of devices without a path of their own */
	const char *cluster_id;
	uint64_t volume_max, packed_max, reserve;
	uint64_t conn_timeout, node_timeout, container_update_timeout, client_timeout;
	uint64_t keepalive_timeout;
	int64_t max_clients;
	uint64_t ring_check_interval;
	uint64_t max_file_size;
	struct conf_list allowed_headers;
	const char *expiring_objects_account;
	int64_t expiring_objects_container_divisor;
	bool log_requests;
};

/* [device:NAME] */
struct device_conf {
	struct str name;
	const char *path, *ip;
	int64_t port;
};

struct updater_conf {
	uint64_t interval, retry_max;
	int64_t batch_rows;
};

struct replicator_conf {
	uint64_t interval;
	int64_t concurrency;
	uint64_t bytes_per_second;
	uint64_t node_timeout;
	uint64_t reclaim_age;
	bool enabled;
};

struct auditor_conf {
	uint64_t interval, bytes_per_second, tidy_interval, compact_bytes_per_second;
	bool enabled;
};

struct expirer_conf {
	uint64_t interval;
	bool enabled;
};

struct reaper_conf {
	uint64_t interval, delay_reaping, reap_warn_after;
	int64_t concurrency;
	bool enabled;
};

struct reconciler_conf {
	uint64_t interval;
	bool enabled;
};

extern struct objectd_conf objectd_conf;
extern struct conf_items objectd_devices;       /* of struct device_conf */
extern struct updater_conf updater_conf;
extern struct replicator_conf replicator_conf;
extern struct auditor_conf auditor_conf;
extern struct expirer_conf expirer_conf;
extern struct reaper_conf reaper_conf;
extern struct reconciler_conf reconciler_conf;

void objectd_conf_add(struct conf_spec *spec);
/* The i-th device, or NULL. */
const struct device_conf *objectd_device(unsigned i);
/* After reading: that there are devices, each with a port of its own. 0 or -EINVAL with
 * the reason. */
int objectd_conf_ready(struct fault *why) must_check;
