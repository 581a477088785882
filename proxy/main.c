/* needletail-proxy: the public endpoint. Workers share the port and nothing else but a table that
 * says what of their caches is out of date. */
#include "lib/base/clock.h"
#include "lib/daemon/daemon.h"
#include "lib/http/server.h"
#include "lib/log/log.h"
#include "lib/net/tls.h"
#include "proxy/backend/backend.h"
#include "proxy/identity/authtoken.h"
#include "proxy/identity/store.h"
#include "proxy/info.h"
#include "proxy/key_uses.h"
#include "proxy/middleware/kinds.h"
#include "proxy/pipeline.h"
#include "proxy/proxy_conf.h"

#include <jansson.h>
#include <malloc.h>

/* Set up by the master, copied by the fork; the pointers below are a worker's own. */
static struct {
	struct cluster cluster;
	struct proxy proxy;
	struct http_server *server, *identity_server;   /* the latter: a port of its own, or NULL */
	struct tls_server *tls;
	struct task_group background;
	struct fault reload_fault;
} self;

static void add_conf(struct conf_spec *spec)
{
	spec->foreign = conf_storage_sections;
	conf_add(spec, &proxy_conf_section);
	conf_add(spec, &token_section);
	conf_add(spec, &authtoken_section);
	cluster_add_conf(spec);
	pipeline_add_conf(spec);
}

/* The one that the configuration names, or Keystone's if nobody has it. */
static unsigned choose_identity_port(void)
{
	struct daemon_address a = { .ip = proxy_conf.bind_ip,
				    .port = IDENTITY_PORT_DEFAULT,
				    .set_by = "[keystone] bind_port" };
	struct fault why;

	if (identity_conf.bind_port >= 0)
		return (unsigned)identity_conf.bind_port;
	if (authtoken_configured() || proxy_conf.bind_port == IDENTITY_PORT_DEFAULT)
		return 0;
	return daemon_check_address(&a, &why) == 0 ? IDENTITY_PORT_DEFAULT : 0;
}

static int prepare(struct daemon *d, bool reload, unsigned *ret_workers, struct fault *why)
{
	const struct daemon_conf *conf = daemon_conf();
	int rc = proxy_conf_ready(why);

	(void)d;
	if (rc == 0)
		rc = cluster_configure(&self.cluster, conf->ring_dir, conf->swift_conf, why);
	if (rc == 0)
		rc = reload ? cluster_reload_rings(&self.cluster, why) :
			      cluster_load_rings(&self.cluster, why);
	if (rc < 0)
		return rc;
	infos_share();
	servers_share();
	key_uses_share();
	identity_share();
	if (!reload)
		identity_port = choose_identity_port();
	*ret_workers = (unsigned)proxy_conf.workers;
	return 0;
}

static bool address(struct daemon *d, unsigned i, struct daemon_address *ret)
{
	(void)d;
	*ret = (struct daemon_address){
		.ip = proxy_conf.bind_ip,
		.port = (unsigned)proxy_conf.bind_port,
		.set_by = "[proxy] bind_port",
	};
	if (i == 1 && identity_conf.bind_port > 0) {
		ret->port = (unsigned)identity_conf.bind_port;
		ret->set_by = "[keystone] bind_port";
		return true;
	}
	return i == 0;
}

/* ---- /info ---- */

static json_t *policies_info(const struct cluster *c)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < c->policy_count; i++) {
		const struct policy *p = &c->policies[i];

		if (p->deprecated)
			continue;
		json_t *item = json_pack("{s:s%, s:s%}", "name", p->name.p, p->name.n, "aliases",
					 p->aliases.p, p->aliases.n);
		if (p->is_default)
			json_object_set_new(item, "default", json_true());
		json_array_append_new(list, item);
	}
	return list;
}

static void set_int(json_t *to, const char *name, uint64_t v)
{
	json_object_set_new(to, name, json_integer((json_int_t)v));
}

static json_t *make_info(void)
{
	const struct proxy_conf *c = &proxy_conf;
	const struct swift_limits *l = &c->limits;
	json_t *s = json_object();

	json_object_set_new(s, "version", json_string("needletail " NEEDLETAIL_VERSION));
	json_object_set_new(s, "strict_cors_mode", json_boolean(c->strict_cors_mode));
	json_object_set_new(s, "policies", policies_info(&self.cluster));
	json_object_set_new(s, "allow_account_management",
			    json_boolean(c->allow_account_management));
	json_object_set_new(s, "account_autocreate", json_boolean(c->account_autocreate));
	json_object_set_new(s, "allow_open_expired", json_boolean(c->allow_open_expired));
	json_object_set_new(s, "auto_create_account_prefix", json_string("."));
	json_object_set_new(s, "valid_api_versions", json_pack("[s, s]", "v1", "v1.0"));
	set_int(s, "max_file_size", l->max_file_size);
	set_int(s, "max_meta_name_length", l->max_meta_name_length);
	set_int(s, "max_meta_value_length", l->max_meta_value_length);
	set_int(s, "max_meta_count", l->max_meta_count);
	set_int(s, "max_meta_overall_size", l->max_meta_overall_size);
	set_int(s, "max_header_size", l->max_header_size);
	set_int(s, "max_request_line", (uint64_t)c->max_request_line);
	set_int(s, "max_object_name_length", l->max_object_name_length);
	set_int(s, "container_listing_limit", l->container_listing_limit);
	set_int(s, "account_listing_limit", l->account_listing_limit);
	set_int(s, "max_account_name_length", l->max_account_name_length);
	set_int(s, "max_container_name_length", l->max_container_name_length);
	set_int(s, "extra_header_count", (uint64_t)c->extra_header_count);
	return json_pack("{s:o, s:{s:[s, s], s:[s, s]}}", "swift", s, "conditional_writes",
			 "methods", "PUT", "DELETE", "headers", "If-Match", "If-None-Match");
}

/* ---- requests ---- */

waits static void handle(void *arg, struct request *req, struct response *res)
{
	struct proxy *p = arg;

	proxy_request_new(p, req);
	pipeline_handle(p, req, res);
}

static void refused(void *arg, struct request *req, struct response *res)
{
	(void)arg;
	catch_errors_identify(req, res);
}

static void done(void *arg, struct request *req, struct response *res, int error, uint64_t bytes_in)
{
	struct proxy *p = arg;

	if (p->done)
		p->done(p->done_arg, req, res, error, bytes_in);
	if (req->user)
		proxy_request_done(req);
}

static int start_server(struct proxy *p, struct fault *why)
{
	const struct proxy_conf *c = &proxy_conf;
	struct http_server_options o = {
		.ip = c->bind_ip,
		.port = (unsigned)c->bind_port,
		.reuse_port = true,
		.backlog = (int)c->backlog,
		.limits = http_limits_default,
		.handle = handle,
		.refused = refused,
		.done = done,
		.arg = p,
	};

	o.limits.request_line_max = (size_t)c->max_request_line;
	o.limits.header_max = (size_t)c->max_header_size;
	o.limits.headers_max =
		(unsigned)((double)(c->max_meta_count + 36 + c->extra_header_count) * 1.6);
	o.limits.connections_max = (unsigned)c->max_clients;
	o.limits.header_timeout_ms = c->header_timeout;
	o.limits.idle_timeout_ms = c->keepalive_timeout;
	o.limits.body_timeout_ms = c->client_timeout;
	o.limits.write_timeout_ms = c->client_timeout;
	if (c->cert_file) {
		int rc = tls_server_new(c->cert_file, c->key_file, &self.tls, why);

		if (rc < 0)
			return rc;
		o.tls = self.tls;
	}
	int rc = http_server_start(&o, &self.server, why);

	o.port = identity_port;
	if (rc == 0 && o.port)
		rc = http_server_start(&o, &self.identity_server, why);
	if (rc < 0 && self.server && identity_conf.bind_port < 0) {
		log_info("%s, ignoring", why->text);
		identity_port = 0;
		rc = 0;
	}
	return rc;
}

/* ---- the worker ---- */

enum { RING_CHECK_MS = 1000 };

/* Rings may be replaced at any time by copying files (Swift's servers look every 15 s). */
waits static void watch_rings(void *arg)
{
	struct fault why = { 0 }, said = { 0 };

	(void)arg;
	self.proxy.rings_task = task_self();
	while (task_wait("rings", RING_CHECK_MS) != -ECANCELED) {
		int rc = cluster_refresh_rings(&self.cluster, &why);

		/* Every second the same would fill the log. */
		if (rc < 0 && strcmp(why.text, said.text) != 0)
			log_error("rings: %s, keeping the old", why.text);
		else if (rc > 0)
			log_info("%d rings have changed", rc);
		said = rc < 0 ? why : (struct fault){ 0 };
	}
	self.proxy.rings_task = NULL;
}

/* Large allocations go back to the kernel when they are freed. By itself malloc would take them
 * from the heap as soon as it has seen a few, where they leave holes between what requests hold. */
static void tune_malloc(void)
{
	mallopt(M_MMAP_THRESHOLD, 128 * KIB);
	mallopt(M_TRIM_THRESHOLD, MIB);
}

waits static int worker_start(struct daemon *d, struct fault *why)
{
	const struct proxy_conf *c = &proxy_conf;
	struct http_client_options o = http_client_options_default;
	struct proxy *p = &self.proxy;

	tune_malloc();
	o.connect_timeout_ms = c->conn_timeout;
	o.response_timeout_ms = c->node_timeout;
	o.write_timeout_ms = c->node_timeout;
	o.idle_max = (unsigned)c->pool_idle_max;
	*p = (struct proxy){ .conf = c, .cluster = &self.cluster };
	p->client = http_client_new(&o);
	p->backend = backend_new(p);
	p->info = make_info();
	infos_start(p);
	int rc = pipeline_start(p, why);

	if (rc == 0) {
		identity_start(p);
		rc = start_server(p, why);
	}
	if (rc == 0 && d->worker == 0 && identity_port)
		log_info("the identity service also has port %u", identity_port);
	if (rc < 0)
		return rc;
	task_group_init(&self.background);
	self.background.owner = NULL;
	task_spawn(&self.background, "rings", watch_rings, NULL);
	return 0;
}

waits static void worker_stop(struct daemon *d, uint64_t grace_ms)
{
	struct proxy *p = &self.proxy;
	uint64_t began = clock_mono_ms();

	(void)d;
	if (self.identity_server)
		http_server_stop(self.identity_server, grace_ms / 2);
	if (self.server)
		http_server_stop(self.server, grace_ms);
	identity_stop();
	uint64_t spent = clock_mono_ms() - began;

	backend_stop(p->backend, spent < grace_ms ? grace_ms - spent : 0);
	self.background.owner = task_self();
	task_group_end(&self.background);
	if (p->pipeline)
		pipeline_stop(p);
	infos_stop(p);
	http_client_free(p->client);
	json_decref(p->info);
	tls_server_free(self.tls);
}

static void reload_tls(void *arg)
{
	int *rc = arg;

	*rc = tls_server_reload(self.tls, &self.reload_fault);
}

waits static int worker_reload(struct daemon *d, struct fault *why)
{
	const struct daemon_conf *conf = daemon_conf();
	int rc = proxy_conf_ready(why);

	(void)d;
	if (rc == 0)
		rc = cluster_configure(&self.cluster, conf->ring_dir, conf->swift_conf, why);
	if (rc == 0)
		rc = cluster_refresh_rings(&self.cluster, why);
	if (rc >= 0)
		rc = pipeline_reload(&self.proxy, why);
	if (rc >= 0)
		identity_reload();
	if (rc >= 0 && self.tls) {
		task_run_blocking("certificate", reload_tls, &rc);
		if (rc < 0)
			*why = self.reload_fault;
	}
	return rc < 0 ? rc : 0;
}

int main(int argc, char **argv)
{
	static const struct daemon_ops ops = {
		.program = "needletail-proxy",
		.help = "The public endpoint of a Needletail cluster.",
		.add_conf = add_conf,
		.prepare = prepare,
		.address = address,
		.worker_start = worker_start,
		.worker_stop = worker_stop,
		.worker_reload = worker_reload,
	};

	return daemon_main(argc, argv, &ops);
}
