/* Answers operators: what the machine and this device are doing. */
#include "objectd/recon.h"

#include "lib/base/clock.h"
#include "lib/crypto/digest.h"
#include "lib/http/server.h"
#include "lib/metrics/metrics.h"
#include "objectd/auditor/auditor.h"
#include "objectd/expirer/expirer.h"
#include "objectd/reaper/reaper.h"
#include "objectd/reconciler/reconciler.h"
#include "objectd/replicator/replicator.h"
#include "objectd/updater/updater.h"

#include <jansson.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

enum { FILE_MAX = 1 * MIB, GAUGES_MS = 5000 };

METRIC_GAUGE(g_objects, "needletail_objects", "Live objects on the device.");
METRIC_GAUGE(g_tombstones, "needletail_tombstones", "Tombstones kept.");
METRIC_GAUGE(g_bytes, "needletail_object_bytes", "Bytes of live objects.");
METRIC_GAUGE(g_volumes, "needletail_volumes", "Volume files.");
METRIC_GAUGE(g_volume_bytes, "needletail_volume_bytes", "Bytes in volume files.");
METRIC_GAUGE(g_dead_bytes, "needletail_dead_bytes", "Bytes in volumes that nothing refers to.");
METRIC_GAUGE(g_commits, "needletail_commits", "Commits since the start.");
METRIC_GAUGE(g_syncs, "needletail_syncs", "Syncs since the start; commits share them.");
METRIC_GAUGE(g_quarantined, "needletail_quarantined", "Damaged records found.");
METRIC_GAUGE(g_disk_free, "needletail_disk_free_bytes", "Free bytes of the file system.");
METRIC_GAUGE(g_disk_size, "needletail_disk_size_bytes", "Bytes of the file system.");
METRIC_GAUGE(g_pending, "needletail_pending_updates", "Listing rows waiting for their device.");
static const char *const kinds[] = { "account", "container", "object", NULL };
METRIC_GAUGE_BY(g_replicated, "needletail_replication_percent",
		"How much of the running replication pass is done; 100 between passes.", "kind",
		kinds);
METRIC_GAUGE_BY(g_pass_end, "needletail_replication_last_seconds",
		"Unix time at which the last replication pass ended.", "kind", kinds);
METRIC_GAUGE_BY(g_pass_ms, "needletail_replication_pass_milliseconds",
		"How long the last replication pass took.", "kind", kinds);
METRIC_GAUGE_BY(g_estimate, "needletail_replication_estimated_end_seconds",
		"Unix time at which the running pass will have ended; 0: cannot be said.", "kind",
		kinds);
METRIC_GAUGE(g_rate, "needletail_replication_bytes_per_second_max",
	     "What replication may send now: less while clients wait longer than usual.");
METRIC_GAUGE(g_connections, "needletail_connections", "Open connections.");
METRIC_GAUGE(g_tasks, "needletail_tasks", "Tasks alive.");

static void replication_gauges(struct objectd *o)
{
	for (unsigned k = 0; k < REPLICATE_KINDS; k++) {
		struct replicator_stats last, now;
		bool running = replicator_running(o->replicator, (enum replicate_kind)k, &now);

		replicator_stats(o->replicator, (enum replicate_kind)k, &last);
		metric_gauge_set_at(&g_replicated, k,
				    running && now.total ? (int64_t)(now.done * 100 / now.total)
							 : 100);
		metric_gauge_set_at(&g_pass_end, k, last.pass_end_us / 1000000);
		metric_gauge_set_at(&g_pass_ms, k, (int64_t)last.pass_ms);
		metric_gauge_set_at(
			&g_estimate, k,
			running ? replicator_estimated_end_us(&now, clock_wall_us()) / 1000000 : 0);
	}
	metric_gauge_set(&g_rate, (int64_t)replicator_rate(o->replicator));
}

static void gauges(void *arg)
{
	struct objectd *o = arg;
	struct http_server_stats http;
	struct store_stats s;

	store_stats(o->store, &s);
	metric_gauge_set(&g_objects, (int64_t)s.objects);
	metric_gauge_set(&g_tombstones, (int64_t)s.tombstones);
	metric_gauge_set(&g_bytes, (int64_t)s.bytes);
	metric_gauge_set(&g_volumes, (int64_t)s.volumes);
	metric_gauge_set(&g_volume_bytes, (int64_t)s.volume_bytes);
	metric_gauge_set(&g_dead_bytes, (int64_t)s.dead_bytes);
	metric_gauge_set(&g_commits, (int64_t)s.commits);
	metric_gauge_set(&g_syncs, (int64_t)s.syncs);
	metric_gauge_set(&g_quarantined, (int64_t)s.quarantined);
	metric_gauge_set(&g_disk_free, (int64_t)s.disk_free);
	metric_gauge_set(&g_disk_size, (int64_t)s.disk_size);
	metric_gauge_set(&g_pending, (int64_t)updater_pending(o->updater));
	metric_gauge_set(&g_tasks, tasks_live());
	replication_gauges(o);
	if (!o->server)
		return;
	http_server_stats(o->server, &http);
	metric_gauge_set(&g_connections, http.open);
}

/* The page may be asked of any worker, so each keeps its own gauges fresh. */
task_asserted static void gauges_run(void *arg)
{
	do
		gauges(arg);
	while (task_sleep(GAUGES_MS) != -ECANCELED);
}

void recon_start(struct objectd *o)
{
	metrics_on_page(gauges, o);
	task_spawn(o->background, "gauges", gauges_run, o);
}

/* A file of /proc, or a ring: small, but a disk may be slow. */
struct read_job {
	const char *path;
	struct buf *to;
	int rc;
};

static void read_run(void *arg)
{
	struct read_job *job = arg;
	FILE *f = fopen(job->path, "re");
	char chunk[2048];
	size_t n;

	job->rc = f ? 0 : -errno;
	while (f && (n = fread(chunk, 1, sizeof chunk, f)) > 0)
		buf_add(job->to, chunk, n);
	if (f)
		fclose(f);
	if (job->rc == 0 && buf_failed(job->to))
		job->rc = -EFBIG;
}

waits static int read_file(const char *path, struct buf *to)
{
	struct read_job job = { .path = path, .to = to };

	task_run_blocking("read file", read_run, &job);
	return job.rc;
}

/* The n-th word of a line. */
static struct str word(struct str line, unsigned n)
{
	struct str w = STR_NONE;

	while (line.p && (w = str_cut(&line, ' ')).p)
		if (w.n && n-- == 0)
			return w;
	return S("");
}

static json_t *text(struct str s)
{
	return json_stringn(s.p ? s.p : "", s.n);
}

waits static json_t *load(void)
{
	CLEANUP(buf_done) struct buf b = BUF(FILE_MAX);
	json_t *j = json_object();
	double v[3] = { 0 };
	uint64_t last = 0;

	if (read_file("/proc/loadavg", &b) < 0)
		return j;
	for (unsigned i = 0; i < 3; i++)
		(void)!str_to_double(word(buf_str(&b), i), &v[i]);
	(void)!str_to_u64(str_trim(word(buf_str(&b), 4)), &last);
	json_object_set_new(j, "1m", json_real(v[0]));
	json_object_set_new(j, "5m", json_real(v[1]));
	json_object_set_new(j, "15m", json_real(v[2]));
	json_object_set_new(j, "tasks", text(word(buf_str(&b), 3)));
	json_object_set_new(j, "processes", json_integer((json_int_t)last));
	return j;
}

waits static json_t *mem(void)
{
	CLEANUP(buf_done) struct buf b = BUF(FILE_MAX);
	json_t *j = json_object();
	struct str rest, line;

	if (read_file("/proc/meminfo", &b) < 0)
		return j;
	rest = buf_str(&b);
	while ((line = str_cut(&rest, '\n')).p) {
		struct str value = line, name = str_cut(&value, ':');

		if (value.p)
			json_object_setn_new(j, name.p, name.n, text(str_trim(value)));
	}
	return j;
}

/* The numbers of the first line of a file that begins so. */
waits static bool socket_line(const char *path, struct str start, struct buf *b, struct str *ret)
{
	struct str rest, line;

	buf_clear(b);
	if (read_file(path, b) < 0)
		return false;
	rest = buf_str(b);
	while ((line = str_cut(&rest, '\n')).p)
		if (str_starts(line, start)) {
			*ret = line;
			return true;
		}
	return false;
}

static void set_number(json_t *j, const char *name, struct str line, unsigned n, uint64_t times)
{
	uint64_t v = 0;

	if (str_to_u64(str_trim(word(line, n)), &v) == 0)
		json_object_set_new(j, name, json_integer((json_int_t)(v * times)));
}

/* Swift's get_socket_info: what the kernel counts in pages is told in bytes. */
waits static json_t *sockstat(void)
{
	CLEANUP(buf_done) struct buf b = BUF(FILE_MAX);
	json_t *j = json_object();
	struct str line;

	if (socket_line("/proc/net/sockstat", S("TCP: inuse"), &b, &line)) {
		set_number(j, "tcp_in_use", line, 2, 1);
		set_number(j, "orphan", line, 4, 1);
		set_number(j, "time_wait", line, 6, 1);
		set_number(j, "tcp_mem_allocated_bytes", line, 10,
			   (uint64_t)sysconf(_SC_PAGESIZE));
	}
	if (socket_line("/proc/net/sockstat6", S("TCP6: inuse"), &b, &line))
		set_number(j, "tcp6_in_use", line, 2, 1);
	return j;
}

/* What belongs to parts of Swift that are not here: its pages before such a job has run. */
static json_t *not_here(struct str check)
{
	if (str_eq(check, S("sharding")))
		return json_pack("{s:n,s:n,s:n}", "sharding_stats", "sharding_time",
				 "sharding_last");
	if (str_eq(check, S("relinker")))
		return json_pack("{s:{},s:{}}", "devices", "workers");
	if (str_eq(check, S("reconstruction")))
		return json_pack("{s:n,s:n}", "object_reconstruction_time",
				 "object_reconstruction_last");
	if (str_eq(check, S("driveaudit")))
		return json_pack("{s:n}", "drive_audit_errors");
	return NULL;
}

waits static json_t *mounted(void)
{
	CLEANUP(buf_done) struct buf b = BUF(FILE_MAX);
	json_t *j = json_array();
	struct str rest, line;

	if (read_file("/proc/mounts", &b) < 0)
		return j;
	rest = buf_str(&b);
	while ((line = str_cut(&rest, '\n')).p) {
		if (line.n == 0)
			continue;
		json_t *m = json_object();

		json_object_set_new(m, "device", text(word(line, 0)));
		json_object_set_new(m, "path", text(word(line, 1)));
		json_array_append_new(j, m);
	}
	return j;
}

waits static json_t *ringmd5(struct objectd *o)
{
	json_t *j = json_object();

	for (unsigned i = 0; i < 2 + o->cluster->policy_count; i++) {
		CLEANUP(buf_done) struct buf b = BUF(256 * MIB);
		char name[16], path[1024], md5[MD5_HEX_SIZE];

		if (i < 2)
			snprintf(name, sizeof name, "%s", i ? "container" : "account");
		else
			policy_ring_name(o->cluster->policies[i - 2].index, name);
		snprintf(path, sizeof path, "%s/%s.ring.gz", o->cluster->ring_dir, name);
		if (read_file(path, &b) < 0)
			continue;
		md5_hex(buf_str(&b), md5);
		json_object_set_new(j, path, json_string(md5));
	}
	return j;
}

static json_t *diskusage(struct objectd *o)
{
	json_t *list = json_array(), *j = json_object();
	struct store_stats s;

	store_stats(o->store, &s);
	json_object_set_new(j, "device", json_string(o->device));
	json_object_set_new(j, "mounted", json_true());
	json_object_set_new(j, "size", json_integer((json_int_t)s.disk_size));
	json_object_set_new(j, "used", json_integer((json_int_t)(s.disk_size - s.disk_free)));
	json_object_set_new(j, "avail", json_integer((json_int_t)s.disk_free));
	json_array_append_new(list, j);
	return list;
}

static json_t *devices(struct objectd *o)
{
	json_t *j = json_object(), *list = json_array();

	json_array_append_new(list, json_string(o->device));
	json_object_set_new(j, o->path, list);
	return j;
}

static json_t *quarantined(struct objectd *o)
{
	struct store_stats s;

	store_stats(o->store, &s);
	return json_pack("{s:I,s:i,s:i,s:{}}", "objects", (json_int_t)s.quarantined, "containers",
			 0, "accounts", 0, "policies");
}

static json_t *seconds(int64_t us)
{
	return us ? json_real((double)us / 1e6) : json_null();
}

/* What Swift's page does not have: how far it is, and when it will be done. */
static json_t *progress(struct objectd *o, enum replicate_kind kind)
{
	struct replicator_stats last, now;
	bool running = replicator_running(o->replicator, kind, &now);
	int64_t end = running ? replicator_estimated_end_us(&now, clock_wall_us()) : 0;
	json_t *j;

	replicator_stats(o->replicator, kind, &last);
	j = json_pack("{s:b,s:f,s:I,s:I,s:I,s:I,s:I,s:I}", "running", (int)running, "progress",
		      now.total ? (double)now.done / (double)now.total : running ? 0.0 : 1.0,
		      "passes", (json_int_t)last.passes, "sent",
		      (json_int_t)(now.pushed + now.databases), "bytes", (json_int_t)now.bytes,
		      "given_back", (json_int_t)now.forgotten, "failed", (json_int_t)now.failed,
		      "bytes_per_second_max", (json_int_t)replicator_rate(o->replicator));
	json_object_set_new(j, "started", seconds(now.pass_start_us));
	json_object_set_new(j, "estimated_end", seconds(end));
	json_object_set_new(j, "unreachable", json_integer((json_int_t)last.unreachable));
	return j;
}

/* /recon/replication/account, …/container, …/object; without a word as for object. */
static json_t *replication(struct objectd *o, struct str what)
{
	bool objects = !what.n || str_eq(what, S("object"));
	enum replicate_kind kind = objects			      ? REPLICATE_OBJECTS :
				   str_eq(what, S("container")) ? REPLICATE_CONTAINERS :
								  REPLICATE_ACCOUNTS;
	struct replicator_stats s;
	json_t *j = json_object(), *stats;

	replicator_stats(o->replicator, kind, &s);
	stats = json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:f}", "attempted",
			  (json_int_t)(objects ? s.partitions : s.databases), "success",
			  (json_int_t)(objects ? s.pushed : s.databases), "failure",
			  (json_int_t)s.failed, "remove", (json_int_t)s.forgotten, "bytes",
			  (json_int_t)s.bytes, "databases", (json_int_t)s.databases, "start",
			  (double)s.pass_start_us / 1e6);
	json_object_set_new(j, "replication_stats", stats);
	json_object_set_new(j, "replication_time",
			    json_real((double)s.pass_ms / (objects ? 60000 : 1000)));
	json_object_set_new(j, "replication_last", json_real((double)s.pass_end_us / 1e6));
	json_object_set_new(j, "needletail", progress(o, kind));
	if (!objects)
		return j;
	json_object_set_new(j, "object_replication_time", json_real((double)s.pass_ms / 60000));
	json_object_set_new(j, "object_replication_last", json_real((double)s.pass_end_us / 1e6));
	return j;
}

static bool is_kind(struct str s)
{
	return !s.n || str_eq(s, S("account")) || str_eq(s, S("container")) ||
	       str_eq(s, S("object"));
}

static json_t *auditor(struct objectd *o)
{
	struct auditor_stats s;

	auditor_stats(o->auditor, &s);
	return json_pack("{s:{s:I,s:I,s:I,s:f}}", "object_auditor_stats_ALL", "passes",
			 (json_int_t)s.records, "bytes_processed", (json_int_t)s.bytes,
			 "quarantined", (json_int_t)s.damaged, "start_time",
			 (double)s.pass_start_us / 1e6);
}

static json_t *expirer(struct objectd *o)
{
	struct expirer_stats s;

	expirer_stats(o->expirer, &s);
	return json_pack("{s:f,s:I}", "object_expiration_pass", (double)s.pass_ms / 1000,
			 "expired_last_pass", (json_int_t)s.expired_last_pass);
}

static json_t *reaper(struct objectd *o)
{
	struct reaper_stats s;
	json_t *j;

	reaper_stats(o->reaper, &s);
	j = json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:f}", "passes", (json_int_t)s.passes, "accounts",
		      (json_int_t)s.accounts, "containers", (json_int_t)s.containers, "objects",
		      (json_int_t)s.objects, "containers_remaining",
		      (json_int_t)s.containers_remaining, "objects_remaining",
		      (json_int_t)s.objects_remaining, "pass_time", (double)s.pass_ms / 1000);
	json_object_set_new(j, "pass_last", seconds(s.pass_end_us));
	json_object_set_new(j, "running",
			    json_pack("{s:I,s:I}", "containers", (json_int_t)s.now_containers,
				      "objects", (json_int_t)s.now_objects));
	return j;
}

static json_t *reconciler(struct objectd *o)
{
	struct reconciler_stats s;
	json_t *j;

	reconciler_stats(o->reconciler, &s);
	j = json_pack("{s:I,s:I,s:I,s:I,s:I,s:f}", "passes", (json_int_t)s.passes, "containers",
		      (json_int_t)s.containers, "moved", (json_int_t)s.moved, "deleted",
		      (json_int_t)s.deleted, "left", (json_int_t)s.left, "pass_time",
		      (double)s.pass_ms / 1000);
	json_object_set_new(j, "pass_last", seconds(s.pass_end_us));
	return j;
}

waits static json_t *answer(struct objectd *o, struct str what)
{
	struct str rest = what, check = str_cut(&rest, '/');

	if (str_eq(check, S("mem")))
		return mem();
	if (str_eq(check, S("load")))
		return load();
	if (str_eq(check, S("mounted")))
		return mounted();
	if (str_eq(check, S("unmounted")))
		return json_array();
	if (str_eq(check, S("diskusage")))
		return diskusage(o);
	if (str_eq(check, S("devices")))
		return devices(o);
	if (str_eq(check, S("version")))
		return json_pack("{s:s}", "version", NEEDLETAIL_VERSION);
	if (str_eq(check, S("ringmd5")))
		return ringmd5(o);
	if (str_eq(check, S("async")))
		return json_pack("{s:I,s:f}", "async_pending",
				 (json_int_t)updater_pending(o->updater), "async_pending_last",
				 (double)clock_wall_us() / 1e6);
	if (str_eq(check, S("quarantined")))
		return quarantined(o);
	if (str_eq(check, S("replication")) && is_kind(rest))
		return replication(o, rest);
	if (str_eq(check, S("auditor")))
		return auditor(o);
	if (str_eq(check, S("expirer")))
		return expirer(o);
	if (str_eq(check, S("reaper")))
		return reaper(o);
	if (str_eq(check, S("reconciler")))
		return reconciler(o);
	if (str_eq(check, S("updater")))
		return json_pack("{s:i}", "object_updater_sweep", 0);
	if (str_eq(check, S("time")))
		return json_real((double)clock_wall_us() / 1e6);
	if (str_eq(check, S("sockstat")))
		return sockstat();
	return not_here(check);
}

waits static void respond_recon(struct objectd *o, struct request *req, struct response *res)
{
	json_t *j = answer(o, str_skip(req->path, strlen("/recon/")));
	char *dump = j ? json_dumps(j, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;

	json_decref(j);
	if (dump)
		respond(res, 200, S("application/json"), arena_str(req->arena, str_from(dump)));
	else
		respond_text(res, 404, "Invalid path: %.*s", STR(req->path));
	free(dump);
}

static void respond_metrics(struct request *req, struct response *res)
{
	CLEANUP(buf_done) struct buf b = BUF(4 * MIB);

	metrics_format(&b);
	respond(res, 200, S("text/plain; version=0.0.4; charset=utf-8"),
		arena_str(req->arena, buf_str(&b)));
}

bool recon_handle(struct objectd *o, struct request *req, struct response *res)
{
	bool health = str_eq(req->path, S("/healthcheck")), page = str_eq(req->path, S("/metrics"));

	if (!health && !page && !str_starts(req->path, S("/recon/")))
		return false;
	if (req->method != HTTP_GET && req->method != HTTP_HEAD)
		respond_status(res, 405);
	else if (health)
		respond_text(res, 200, "OK");
	else if (page)
		respond_metrics(req, res);
	else
		respond_recon(o, req, res);
	return true;
}
