/* needletail-compute: images and machines of one host, a client of identity and store. */
#include "compute/api/api.h"
#include "compute/machine/machine.h"
#include "compute/store/store.h"
#include "lib/base/clock.h"
#include "lib/log/log.h"
#include "lib/net/tls.h"

#include <unistd.h>

static const struct service *const services[] = {
	&image_service,
	&machine_service,
	&server_service,
};

enum { SERVICES = ARRAY_LEN(services), HOST_MAX = 255 };

static struct {
	struct compute compute;
	char host[HOST_MAX + 1];
	struct tls_client *tls;
	void *states[SERVICES];
	struct api_server *servers[SERVICES];
	bool started[SERVICES];
} self;

static void add_conf(struct conf_spec *spec)
{
	spec->foreign_any = true;
	conf_add(spec, &compute_section);
	for (unsigned i = 0; i < SERVICES; i++)
		for (unsigned j = 0; services[i]->sections[j]; j++)
			conf_add(spec, services[i]->sections[j]);
}

static int prepare(struct daemon *d, bool reload, unsigned *ret_workers, struct fault *why)
{
	int rc = compute_conf_ready(why);

	(void)d, (void)reload;
	for (unsigned i = 0; i < SERVICES && rc == 0; i++)
		if (services[i]->ready)
			rc = services[i]->ready(why);
	/* One process: what several would have to agree on is in the store, and one of them alone
	 * may have the host's machines. */
	*ret_workers = 1;
	return rc;
}

static bool address(struct daemon *d, unsigned i, struct daemon_address *ret)
{
	(void)d;
	for (unsigned n = 0; n < SERVICES; n++)
		if (services[n]->address && services[n]->address(ret) && i-- == 0)
			return true;
	return false;
}

static void name_host(void)
{
	if (compute_conf.host)
		snprintf(self.host, sizeof self.host, "%s", compute_conf.host);
	else if (gethostname(self.host, HOST_MAX) < 0)
		snprintf(self.host, sizeof self.host, "localhost");
	self.compute.host = self.host;
}

struct loading {
	struct fault *why;
	int rc;
};

static void load_certificates(void *arg)
{
	struct loading *l = arg;
	const struct compute_conf *c = &compute_conf;

	l->rc = tls_client_new(c->ca_file, &self.tls, l->why);
	if (l->rc == 0 && c->cert_file)
		l->rc = tls_server_new(c->cert_file, c->key_file, &self.compute.tls, l->why);
}

static void reload_certificates(void *arg)
{
	struct loading *l = arg;

	l->rc = tls_server_reload(self.compute.tls, l->why);
}

waits static int worker_reload(struct daemon *d, struct fault *why)
{
	struct loading loading = { .why = why };

	(void)d;
	if (self.compute.tls)
		task_run_blocking("certificates", reload_certificates, &loading);
	return loading.rc;
}

/* The system's certificates take a tenth of a second to load. */
waits static int make_client(struct fault *why)
{
	struct http_client_options o = http_client_options_default;
	struct loading loading = { .why = why };

	task_run_blocking("certificates", load_certificates, &loading);
	int rc = loading.rc;

	o.connect_timeout_ms = 5000;
	o.response_timeout_ms = o.write_timeout_ms = compute_conf.store_timeout;
	o.tls = self.tls;
	if (rc == 0)
		self.compute.http = http_client_new(&o);
	return rc;
}

waits static int start_service(unsigned i, struct fault *why)
{
	const struct service *s = services[i];
	struct daemon_address at;
	int rc = s->start ? s->start(&self.compute, &self.states[i], why) : 0;

	if (rc < 0)
		return rc;
	self.started[i] = true;
	if (s->address && s->address(&at))
		rc = api_server_start(s->api, &self.compute, self.states[i], &at, &self.servers[i],
				      why);
	return rc;
}

waits static int worker_start(struct daemon *d, struct fault *why)
{
	struct compute *c = &self.compute;
	bool v1 = compute_conf.store_auth == STORE_AUTH_V1;
	int rc = make_client(why);

	(void)d;
	if (rc < 0)
		return rc;
	name_host();
	c->identity = identity_new(c->http);
	c->store = store_new(c->http, v1 ? NULL : identity_login(c->identity));
	task_group_init(&c->background);
	c->background.owner = NULL;
	for (unsigned i = 0; i < SERVICES && rc == 0; i++)
		rc = start_service(i, why);
	return rc;
}

waits static void worker_stop(struct daemon *d, uint64_t grace_ms)
{
	struct compute *c = &self.compute;
	uint64_t until = clock_mono_ms() + grace_ms;

	(void)d;
	for (unsigned i = 0; i < SERVICES; i++) {
		uint64_t now = clock_mono_ms();

		api_server_stop(self.servers[i], now < until ? until - now : 0);
	}
	c->background.owner = task_self();
	task_group_end(&c->background);
	for (unsigned i = 0; i < SERVICES; i++)
		if (self.started[i] && services[i]->stop)
			services[i]->stop(self.states[i]);
	store_free(c->store);
	identity_free(c->identity);
	http_client_free(c->http);
	tls_client_free(self.tls);
	tls_server_free(c->tls);
}

int main(int argc, char **argv)
{
	static const struct daemon_ops ops = {
		.program = "needletail-compute",
		.help = "Images and machines of one host, kept in the store.",
		.add_conf = add_conf,
		.prepare = prepare,
		.address = address,
		.worker_start = worker_start,
		.worker_stop = worker_stop,
		.worker_reload = worker_reload,
	};

	machine_process_start();
	return daemon_main(argc, argv, &ops);
}
