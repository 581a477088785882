/* The compute service as the daemon starts and stops it. */
#include "compute/server/server.h"
#include "lib/base/map.h"

static bool address(struct daemon_address *ret)
{
	*ret = (struct daemon_address){ .ip = server_conf.bind_ip,
					.port = (unsigned)server_conf.bind_port,
					.set_by = "[server] bind_port" };
	return server_conf.enabled;
}

static struct records *records_of(struct compute *c, const char *suffix)
{
	CLEANUP(buf_done) struct buf name = BUF(1 * KIB);

	buf_addf(&name, "%s%s", server_conf.container, suffix);
	return records_new(c->store, name.p);
}

waits static int start(struct compute *c, void **ret_state, struct fault *why)
{
	(void)why;
	if (!server_conf.enabled)
		return 0;
	struct server_state *s = xcalloc(1, sizeof *s);

	s->compute = c;
	s->servers = records_of(c, "");
	s->flavors = records_of(c, "-flavors");
	s->keypairs = records_of(c, "-keypairs");
	s->hosts = records_of(c, "-hosts");
	s->aggregates = records_of(c, "-aggregates");
	s->groups = records_of(c, "-groups");
	s->quotas = records_of(c, "-quotas");
	s->busy = map_new();
	waitq_init(&s->poll);
	uuid_make(s->run);
	*ret_state = s;
	task_spawn(&c->background, "host heartbeat", heartbeat_run, s);
	task_spawn(&c->background, "servers", drive_run, s);
	return 0;
}

waits static void stop(void *state)
{
	struct server_state *s = state;

	if (!s)
		return;
	records_free(s->servers);
	records_free(s->flavors);
	records_free(s->keypairs);
	records_free(s->hosts);
	records_free(s->aggregates);
	records_free(s->groups);
	records_free(s->quotas);
	map_free(s->busy, NULL);
	free(s);
}

static const struct conf_section *const sections[] = { &server_section, &scheduler_section,
						       NULL };

const struct service server_service = {
	.name = "server",
	.sections = sections,
	.ready = server_conf_ready,
	.address = address,
	.api = &server_api,
	.start = start,
	.stop = stop,
};
