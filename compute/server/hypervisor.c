/* Hypervisors: the hosts, as QEMU sees them. Nova: api/openstack/compute/hypervisors.py */
#include "compute/server/server.h"

waits static bool view(struct api_call *c, struct host_view *v)
{
	int rc = hosts_view(server_state(c), c->arena, v);

	if (rc < 0)
		api_fail(c, rc);
	return rc == 0;
}

static json_t *id_of(const struct api_call *c, const json_t *doc)
{
	return json_incref(json_object_get(doc, c->version >= 53 ? "uuid" : "number"));
}

static json_t *brief(const struct api_call *c, const json_t *doc, const struct sched_host *h)
{
	return json_pack("{s:o, s:O, s:s, s:s}", "id", id_of(c, doc), "hypervisor_hostname",
			 json_object_get(doc, "host"), "state", h->up ? "up" : "down", "status",
			 h->disabled ? "disabled" : "enabled");
}

static void add(json_t *to, const char *name, uint64_t v)
{
	json_object_set_new(to, name, json_integer((json_int_t)v));
}

/* Until 2.87, where clients are to ask the placement service instead. */
static void add_resources(json_t *to, const json_t *doc, const struct sched_host *h)
{
	add(to, "vcpus", h->vcpus);
	add(to, "vcpus_used", h->vcpus_used);
	add(to, "memory_mb", h->ram_mib);
	add(to, "memory_mb_used", h->ram_used);
	add(to, "local_gb", h->disk_gib);
	add(to, "local_gb_used", h->disk_used);
	json_object_set_new(to, "free_ram_mb",
			    json_integer((json_int_t)h->ram_mib - (json_int_t)h->ram_used));
	json_object_set_new(to, "free_disk_gb",
			    json_integer((json_int_t)h->disk_gib - (json_int_t)h->disk_used));
	add(to, "running_vms", (uint64_t)number(doc, "machines"));
	add(to, "current_workload", 0);
	add(to, "disk_available_least", (uint64_t)number(doc, "disk_free_gib"));
}

static json_t *servers_of(const struct host_view *v, const struct sched_host *h)
{
	json_t *list = json_array();

	for (size_t i = 0; i < v->servers.n; i++)
		if (str_eq(text(v->servers.v[i].doc, "host"), h->name))
			json_array_append_new(
				list, json_pack("{s:O, s:O}", "uuid",
						json_object_get(v->servers.v[i].doc, "id"), "name",
						json_object_get(v->servers.v[i].doc, "name")));
	return list;
}

static json_t *whole(const struct api_call *c, const struct host_view *v, unsigned i)
{
	const json_t *doc = v->docs.v[i].doc;
	const struct sched_host *h = &v->hosts[i];
	const json_t *reason = json_object_get(doc, "disabled_reason");
	json_t *to = brief(c, doc, h);
	json_t *cpu = json_pack("{s:O, s:O}", "arch", json_object_get(doc, "arch"), "model",
				json_object_get(doc, "cpu_model"));
	AUTO(chars) cpu_text = json_dumps(cpu, 0);

	json_object_set(to, "hypervisor_type", json_object_get(doc, "hypervisor"));
	json_object_set(to, "hypervisor_version", json_object_get(doc, "hypervisor_version"));
	json_object_set(to, "host_ip", json_object_get(doc, "ip"));
	json_object_set_new(to, "service",
			    json_pack("{s:O, s:o, s:o}", "host", json_object_get(doc, "host"), "id",
				      id_of(c, doc), "disabled_reason",
				      reason ? json_incref((json_t *)reason) : json_null()));
	if (c->version < 88)
		add_resources(to, doc, h);
	if (c->version < 28)
		json_object_set_new(to, "cpu_info", json_string(cpu_text));
	else if (c->version < 88)
		json_object_set(to, "cpu_info", cpu);
	if (c->version >= 88)
		json_object_set_new(to, "uptime", json_null());
	if (c->version >= 53 && str_is_true(api_query(c, "with_servers")))
		json_object_set_new(to, "servers", servers_of(v, h));
	json_decref(cpu);
	return to;
}

static bool wanted(const struct api_call *c, const struct sched_host *h)
{
	struct str pattern = c->version >= 53 ? api_query(c, "hypervisor_hostname_pattern") :
						STR_NONE;

	return !pattern.n || str_find(h->name, pattern) >= 0;
}

waits static void list(struct api_call *c, bool detail)
{
	CLEANUP(host_view_done) struct host_view v = { .n = 0 };
	json_t *array;

	if (!view(c, &v))
		return;
	array = json_array();
	for (unsigned i = 0; i < v.n; i++)
		if (wanted(c, &v.hosts[i]))
			json_array_append_new(array, detail ? whole(c, &v, i) :
							      brief(c, v.docs.v[i].doc,
								    &v.hosts[i]));
	api_respond(c, 200, json_pack("{s:o}", "hypervisors", array));
}

void hypervisor_list(struct api_call *c)
{
	list(c, false);
}

void hypervisor_detail(struct api_call *c)
{
	list(c, true);
}

void hypervisor_statistics(struct api_call *c)
{
	CLEANUP(host_view_done) struct host_view v = { .n = 0 };
	static const char *const sums[] = {
		"vcpus", "vcpus_used", "memory_mb", "memory_mb_used", "local_gb", "local_gb_used",
		"free_ram_mb", "free_disk_gb", "running_vms", "current_workload",
		"disk_available_least",
	};
	json_t *total;

	if (!version_until(c, 87) || !view(c, &v))
		return;
	total = json_pack("{s:i}", "count", (int)v.n);
	for (size_t k = 0; k < ARRAY_LEN(sums); k++)
		add(total, sums[k], 0);
	for (unsigned i = 0; i < v.n; i++) {
		AUTO(json_text) one = json_object();

		add_resources(one, v.docs.v[i].doc, &v.hosts[i]);
		for (size_t k = 0; k < ARRAY_LEN(sums); k++)
			json_object_set_new(total, sums[k],
					    json_integer(number(total, sums[k]) +
							 number(one, sums[k])));
	}
	api_respond(c, 200, json_pack("{s:o}", "hypervisor_statistics", total));
}

/* The host of the first argument; -1: 404 was answered. */
static int find(struct api_call *c, const struct host_view *v)
{
	for (unsigned i = 0; i < v->n; i++) {
		const json_t *doc = v->docs.v[i].doc;
		struct str id = c->version >= 53 ?
					text(doc, "uuid") :
					arena_printf(c->arena, "%" PRId64, number(doc, "number"));

		if (str_eq(id, c->arg[0]))
			return (int)i;
	}
	api_error(c, 404, "Hypervisor with ID '%.*s' could not be found.",
		  STR(str_head(c->arg[0], 300)));
	return -1;
}

void hypervisor_show(struct api_call *c)
{
	CLEANUP(host_view_done) struct host_view v = { .n = 0 };
	int i;

	if (view(c, &v) && (i = find(c, &v)) >= 0)
		api_respond(c, 200, json_pack("{s:o}", "hypervisor", whole(c, &v, (unsigned)i)));
}

/* How long a host has been up nobody here knows but itself: what it says of itself stands in its
 * heartbeat. */
void hypervisor_uptime(struct api_call *c)
{
	CLEANUP(host_view_done) struct host_view v = { .n = 0 };
	int i;

	if (!version_until(c, 87) || !view(c, &v) || (i = find(c, &v)) < 0)
		return;
	json_t *doc = brief(c, v.docs.v[i].doc, &v.hosts[i]);

	json_object_set(doc, "uptime", json_object_get(v.docs.v[i].doc, "uptime"));
	api_respond(c, 200, json_pack("{s:o}", "hypervisor", doc));
}

waits static void search(struct api_call *c, bool servers)
{
	CLEANUP(host_view_done) struct host_view v = { .n = 0 };
	json_t *array;

	if (!version_until(c, 52) || !view(c, &v))
		return;
	array = json_array();
	for (unsigned i = 0; i < v.n; i++) {
		if (str_find(v.hosts[i].name, c->arg[0]) < 0)
			continue;
		json_t *one = brief(c, v.docs.v[i].doc, &v.hosts[i]);

		if (servers && v.hosts[i].servers)
			json_object_set_new(one, "servers", servers_of(&v, &v.hosts[i]));
		json_array_append_new(array, one);
	}
	if (json_array_size(array) == 0) {
		json_decref(array);
		api_error(c, 404, "No hypervisor matching '%.*s' could be found.",
			  STR(str_head(c->arg[0], 300)));
		return;
	}
	api_respond(c, 200, json_pack("{s:o}", "hypervisors", array));
}

void hypervisor_search(struct api_call *c)
{
	search(c, false);
}

void hypervisor_servers(struct api_call *c)
{
	search(c, true);
}
