/* needletail-objectd: a storage node, one worker process per device. */
#include "lib/daemon/daemon.h"
#include "lib/http/server.h"
#include "lib/log/log.h"
#include "objectd/auditor/auditor.h"
#include "objectd/container/container_server.h"
#include "objectd/db/db.h"
#include "objectd/expirer/expirer.h"
#include "objectd/locks.h"
#include "objectd/objectd_conf.h"
#include "objectd/reaper/reaper.h"
#include "objectd/recon.h"
#include "objectd/reconciler/reconciler.h"
#include "objectd/replicator/replicator.h"
#include "objectd/route.h"
#include "objectd/updater/updater.h"

#include <sys/stat.h>

/* The process: one of everything. */
static struct {
	struct cluster cluster;
	struct objectd o;
	struct task_group background;
	const char *path;               /* of the device; never freed */
} node;

static void add_conf(struct conf_spec *spec)
{
	objectd_conf_add(spec);
	cluster_add_conf(spec);
}

static int prepare(struct daemon *d, bool reload, unsigned *ret_workers, struct fault *why)
{
	const struct daemon_conf *conf = daemon_conf();
	int rc = objectd_conf_ready(why);

	(void)d;
	if (rc == 0)
		rc = cluster_configure(&node.cluster, conf->ring_dir, conf->swift_conf, why);
	if (rc == 0)
		rc = reload ? cluster_reload_rings(&node.cluster, why) :
			      cluster_load_rings(&node.cluster, why);
	if (rc < 0)
		return rc;
	*ret_workers = objectd_devices.count;
	return 0;
}

static const char *device_ip(const struct device_conf *c)
{
	return c->ip ? c->ip : objectd_conf.bind_ip;
}

static bool address(struct daemon *d, unsigned i, struct daemon_address *ret)
{
	const struct device_conf *c = objectd_device(i);

	(void)d;
	if (!c)
		return false;
	*ret = (struct daemon_address){ .ip = device_ip(c), .port = (unsigned)c->port,
					.set_by = "[device] port" };
	return true;
}

static const char *worker_name(struct daemon *d, unsigned worker)
{
	const struct device_conf *c = objectd_device(worker);

	(void)d;
	return c ? c->name.p : NULL;
}

/* The folder of the device. */
static const char *device_path(const struct device_conf *c)
{
	char path[1024];
	struct str parent;

	if (c->path)
		return daemon_path(c->path);
	/* Only the folder of the folders is made here: a path of one's own may be a disk that is
	 * not mounted. */
	snprintf(path, sizeof path, "%s/%.*s", objectd_conf.devices, STR(c->name));
	const char *full = daemon_path(path);

	parent = str_head(str_from(full), strlen(full) - c->name.n - 1);
	snprintf(path, sizeof path, "%.*s", STR(parent));
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		log_debug("cannot make %s: %s", path, strerror(errno));
	return full;
}

/* In what state the device was found, and what was done about it. */
static void log_recovery(const struct objectd *o)
{
	struct store_stats s;

	store_stats(o->store, &s);
	if (s.opened_clean)
		log_info("%s: opened as it was closed, %" PRIu64 " objects", o->path, s.objects);
	else if (s.opened_rebuilt && s.replayed_records == 0)
		log_info("%s: a new device", o->path);
	else if (s.opened_rebuilt)
		log_warn("%s: the index was lost or broken; built anew from the volumes: %" PRIu64
			 " records in %" PRIu64 " ms, %" PRIu64 " objects",
			 o->path, s.replayed_records, s.replay_ms, s.objects);
	else
		log_info("%s: was not closed properly; replayed %" PRIu64
			 " records behind the last checkpoint in %" PRIu64 " ms, %" PRIu64
			 " objects",
			 o->path, s.replayed_records, s.replay_ms, s.objects);
	if (s.quarantined)
		log_warn("%s: %" PRIu64 " damaged places were found and are in quarantine",
			 o->path, s.quarantined);
}

waits static int open_store(struct objectd *o, struct fault *why)
{
	struct store_options options = {
		.path = o->path, .volume_max = objectd_conf.volume_max,
		.packed_max = objectd_conf.packed_max, .reserve = objectd_conf.reserve,
		.cluster_id = objectd_conf.cluster_id,
	};
	int rc = store_open(&options, &o->store, why);

	if (rc < 0)
		return rc;
	log_recovery(o);
	rc = dbs_open(o->store, &o->dbs);
	if (rc < 0)
		return fault_set(why, rc,
				 "%s: the account and container databases cannot be read: %s",
				 o->path, strerror(-rc));
	return 0;
}

waits static void close_all(struct objectd *o)
{
	if (o->client)
		http_client_free(o->client);
	replicator_free(o->replicator);
	auditor_free(o->auditor);
	expirer_free(o->expirer);
	reaper_free(o->reaper);
	reconciler_free(o->reconciler);
	updater_free(o->updater);
	if (o->dbs)
		dbs_close(o->dbs);
	if (o->store)
		store_close(o->store);
	locks_free(o->object_locks);
	memset(o, 0, sizeof *o);
}

static int listen_on(struct objectd *o, struct fault *why)
{
	struct http_server_options options = {
		.ip = o->ip, .port = o->port, .backlog = 1024, .limits = http_limits_default,
		.handle = route_handle, .done = route_done, .arg = o,
	};

	options.limits.connections_max = (unsigned)objectd_conf.max_clients;
	options.limits.idle_timeout_ms = objectd_conf.keepalive_timeout;
	options.limits.body_timeout_ms = objectd_conf.client_timeout;
	options.limits.write_timeout_ms = objectd_conf.client_timeout;
	/* A proxy sends what its client sent, and its own headers besides. */
	options.limits.headers_max = MAX(options.limits.headers_max, 256u);
	options.limits.request_line_max = MAX(options.limits.request_line_max, (size_t)16 * KIB);
	options.limits.header_max = MAX(options.limits.header_max, (size_t)16 * KIB);
	return http_server_start(&options, &o->server, why);
}

/* Rings that were rebalanced and copied here come into use by themselves, as in Swift. */
task_asserted static void rings_run(void *arg)
{
	struct objectd *o = arg;
	struct fault why = { 0 }, said = { 0 };

	o->rings_task = task_self();
	while (task_wait("rings", objectd_conf.ring_check_interval) != -ECANCELED) {
		int changed = cluster_refresh_rings(o->cluster, &why);

		/* Every second the same would fill the log. */
		if (changed < 0 && strcmp(why.text, said.text) != 0)
			log_error("%s; going on with the rings of before", why.text);
		said = changed < 0 ? why : (struct fault){ 0 };
		if (changed > 0) {
			log_info("%d rings were loaded anew", changed);
			replicator_wake(o->replicator);
		}
	}
	o->rings_task = NULL;
}

static void start_background(struct objectd *o)
{
	recon_start(o);
	updater_start(o->updater);
	container_reporter_start(o);
	replicator_start(o->replicator);
	auditor_start(o->auditor);
	expirer_start(o->expirer);
	reaper_start(o->reaper);
	reconciler_start(o->reconciler);
	task_spawn(o->background, "rings", rings_run, o);
}

task_asserted static int worker_start(struct daemon *d, struct fault *why)
{
	const struct device_conf *c = objectd_device(d->worker);
	struct http_client_options client = http_client_options_default;
	struct objectd *o = &node.o;
	int rc;

	node.path = device_path(c);
	client.connect_timeout_ms = objectd_conf.conn_timeout;
	client.response_timeout_ms = objectd_conf.node_timeout;
	*o = (struct objectd){
		.magic = OBJECTD_MAGIC, .conf = &objectd_conf, .cluster = &node.cluster,
		.device = c->name.p, .path = node.path, .ip = device_ip(c),
		.port = (unsigned)c->port, .background = &node.background,
	};
	task_group_init(&node.background);
	o->object_locks = locks_new();
	o->updater = updater_new(o);
	o->replicator = replicator_new(o);
	o->auditor = auditor_new(o);
	o->expirer = expirer_new(o);
	o->reaper = reaper_new(o);
	o->reconciler = reconciler_new(o);
	o->client = http_client_new(&client);
	rc = open_store(o, why);
	if (rc == 0)
		rc = listen_on(o, why);
	if (rc < 0) {
		close_all(o);
		return rc;
	}
	start_background(o);
	log_info("device %s in %s is served on %s:%u", o->device, o->path, o->ip, o->port);
	return 0;
}

task_asserted static void worker_stop(struct daemon *d, uint64_t grace_ms)
{
	struct objectd *o = &node.o;

	(void)d;
	o->stopping = true;
	http_server_stop(o->server, grace_ms);
	o->server = NULL;
	task_group_end(&node.background);
	close_all(o);
}

task_asserted static int worker_reload(struct daemon *d, struct fault *why)
{
	const struct daemon_conf *conf = daemon_conf();
	int rc = cluster_configure(&node.cluster, conf->ring_dir, conf->swift_conf, why);

	(void)d;
	if (rc == 0)
		rc = cluster_reload_rings(&node.cluster, why);
	if (rc < 0)
		return rc;
	replicator_wake(node.o.replicator);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct daemon_ops ops = {
		.program = "needletail-objectd",
		.help = "Stores objects, containers and accounts: a storage node.",
		.add_conf = add_conf,
		.prepare = prepare,
		.address = address,
		.worker_name = worker_name,
		.worker_label = "device",
		.worker_start = worker_start,
		.worker_stop = worker_stop,
		.worker_reload = worker_reload,
		.workers_optional = true,
	};

	return daemon_main(argc, argv, &ops);
}
