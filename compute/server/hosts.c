/* What is known of the hosts: their heartbeats, with what servers and aggregates add to them. */
#include "compute/server/server.h"
#include "lib/base/clock.h"

void host_view_done(struct host_view *v)
{
	record_list_done(&v->docs);
	record_list_done(&v->servers);
	record_list_done(&v->aggregates);
	json_decref(v->specs);
}

/* Appends each value of the aggregate's metadata to those of its hosts. */
static void add_aggregate(json_t *specs, const json_t *doc)
{
	const json_t *host;
	json_t *v;
	const char *key;
	size_t i;

	json_array_foreach(json_object_get(doc, "hosts"), i, host) {
		json_t *of = json_object_get(specs, json_string_value(host));

		if (!of)
			json_object_set_new(specs, json_string_value(host), of = json_object());
		json_object_foreach(json_object_get(doc, "metadata"), key, v) {
			json_t *list = json_object_get(of, key);

			if (!list)
				json_object_set_new(of, key, list = json_array());
			json_array_append(list, v);
		}
	}
}

static struct sched_host host_of(const json_t *doc, const json_t *specs)
{
	const json_t *own = json_object_get(specs, text(doc, "host").p);
	const json_t *zone = json_array_get(json_object_get(own, "availability_zone"), 0);
	int64_t age_ms = (clock_wall_us() - number(doc, "beat_us")) / 1000;

	return (struct sched_host){
		.name = text(doc, "host"),
		.arch = text(doc, "arch"),
		.zone = str_from(zone ? json_string_value(zone) : server_conf.default_zone),
		.up = age_ms < (int64_t)scheduler_conf.host_timeout,
		.disabled = json_is_true(json_object_get(doc, "disabled")),
		.vcpus = (uint64_t)number(doc, "vcpus"),
		.ram_mib = (uint64_t)number(doc, "ram_mib"),
		.disk_gib = (uint64_t)number(doc, "disk_gib"),
		.specs = own,
	};
}

static void add_server(struct host_view *v, const json_t *doc)
{
	const json_t *flavor = json_object_get(doc, "flavor");
	const json_t *old = json_object_get(doc, "old_flavor");

	for (unsigned i = 0; i < v->n; i++) {
		struct sched_host *h = &v->hosts[i];

		if (!str_eq(h->name, text(doc, "host")))
			continue;
		/* Until a resize is confirmed both have to fit. */
		h->servers++;
		h->vcpus_used += (uint64_t)MAX(number(flavor, "vcpus"), number(old, "vcpus"));
		h->ram_used += (uint64_t)MAX(number(flavor, "ram"), number(old, "ram"));
		h->disk_used += (uint64_t)MAX(number(flavor, "disk"), number(old, "disk"));
	}
}

int hosts_view(struct server_state *s, struct arena *a, struct host_view *ret)
{
	int rc;

	*ret = (struct host_view){ .specs = json_object() };
	rc = records_list(s->hosts, a, &ret->docs);
	if (rc == 0)
		rc = records_list(s->servers, a, &ret->servers);
	if (rc == 0)
		rc = records_list(s->aggregates, a, &ret->aggregates);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < ret->aggregates.n; i++)
		add_aggregate(ret->specs, ret->aggregates.v[i].doc);
	ret->hosts = arena_alloc(a, (ret->docs.n + 1) * sizeof *ret->hosts);
	for (size_t i = 0; i < ret->docs.n; i++)
		ret->hosts[ret->n++] = host_of(ret->docs.v[i].doc, ret->specs);
	for (size_t i = 0; i < ret->servers.n; i++)
		add_server(ret, ret->servers.v[i].doc);
	return 0;
}

/* ---- availability zones ---- */

waits static bool view(struct api_call *c, struct host_view *v)
{
	int rc = hosts_view(server_state(c), c->arena, v);

	if (rc < 0)
		api_fail(c, rc);
	return rc == 0;
}

static json_t *zone_of(json_t *zones, struct str name, bool detail)
{
	json_t *zone;
	size_t i;

	json_array_foreach(zones, i, zone)
		if (str_eq(text(zone, "zoneName"), name))
			return zone;
	zone = json_pack("{s:o, s:{s:b}, s:o}", "zoneName", json_of(name), "zoneState",
			 "available", 0, "hosts", detail ? json_object() : json_null());
	json_array_append_new(zones, zone);
	return zone;
}

waits static void zones(struct api_call *c, bool detail)
{
	CLEANUP(host_view_done) struct host_view v = { .n = 0 };
	json_t *list;

	if (!view(c, &v))
		return;
	list = json_array();
	/* Always there, also before the first host has been heard of. */
	json_object_set_new(json_object_get(zone_of(list, str_from(server_conf.default_zone),
						    detail), "zoneState"),
			    "available", json_boolean(v.n == 0));
	for (unsigned i = 0; i < v.n; i++) {
		const struct sched_host *h = &v.hosts[i];
		json_t *zone = zone_of(list, h->zone, detail);

		if (h->up && !h->disabled)
			json_object_set_new(json_object_get(zone, "zoneState"), "available",
					    json_true());
		if (detail)
			json_object_set_new(json_object_get(zone, "hosts"), h->name.p,
					    json_pack("{s:{s:b, s:b, s:o}}", "nova-compute",
						      "available", (int)h->up, "active",
						      (int)!h->disabled, "updated_at",
						      time_legacy(number(v.docs.v[i].doc,
									 "beat_us"))));
	}
	api_respond(c, 200, json_pack("{s:o}", "availabilityZoneInfo", list));
}

void zone_list(struct api_call *c)
{
	zones(c, false);
}

void zone_detail(struct api_call *c)
{
	zones(c, true);
}

/* ---- services: each host is a nova-compute ---- */

static json_t *id_of(const struct api_call *c, const json_t *doc)
{
	return c->version >= 53 ? json_incref(json_object_get(doc, "uuid")) :
				  json_incref(json_object_get(doc, "number"));
}

static json_t *service_view(struct api_call *c, const json_t *doc, const struct sched_host *h)
{
	const json_t *reason = json_object_get(doc, "disabled_reason");
	json_t *view_doc = json_pack(
		"{s:o, s:s, s:O, s:o, s:s, s:s, s:o, s:o}", "id", id_of(c, doc), "binary",
		"nova-compute", "host", json_object_get(doc, "host"), "zone", json_of(h->zone),
		"status", h->disabled ? "disabled" : "enabled", "state", h->up ? "up" : "down",
		"updated_at", time_legacy(number(doc, "beat_us")), "disabled_reason",
		reason ? json_incref((json_t *)reason) : json_null());

	if (c->version >= 11)
		json_object_set_new(view_doc, "forced_down", json_false());
	return view_doc;
}

void host_services(struct api_call *c)
{
	CLEANUP(host_view_done) struct host_view v = { .n = 0 };
	struct str host = api_query(c, "host"), binary = api_query(c, "binary");
	json_t *list;

	if (!view(c, &v))
		return;
	list = json_array();
	for (unsigned i = 0; i < v.n; i++)
		if ((!host.n || str_eq(host, v.hosts[i].name)) &&
		    (!binary.n || str_eq(binary, S("nova-compute"))))
			json_array_append_new(list, service_view(c, v.docs.v[i].doc, &v.hosts[i]));
	api_respond(c, 200, json_pack("{s:o}", "services", list));
}

struct setting {
	int disabled;                   /* -1: as it is */
	const json_t *reason;
};

static int set_disabled(void *arg, json_t *doc)
{
	const struct setting *set = arg;

	if (set->disabled >= 0)
		json_object_set_new(doc, "disabled", json_boolean(set->disabled));
	if (set->reason && set->disabled != 0)
		json_object_set(doc, "disabled_reason", (json_t *)set->reason);
	else
		json_object_del(doc, "disabled_reason");
	return 1;
}

/* PUT /os-services/{enable,disable,disable-log-reason}, until 2.52. */
void host_service_update(struct api_call *c)
{
	static const struct field fields[] = {
		{ .name = "host", .kind = F_TEXT, .min = 1, .max = 255, .required = true },
		{ .name = "binary", .kind = F_TEXT, .min = 1, .max = 255, .required = true },
		{ .name = "disabled_reason", .kind = F_TEXT, .min = 1, .max = 255 },
		{ .name = NULL },
	};
	AUTO(json_text) body = api_body(c, SERVER_BODY_MAX);
	AUTO(json_text) doc = NULL;
	bool enable = str_eq(c->arg[0], S("enable"));
	bool logged = str_eq(c->arg[0], S("disable-log-reason"));
	struct setting set = { .disabled = !enable };

	if (!body || !version_until(c, 52))
		return;
	if (!enable && !logged && !str_eq(c->arg[0], S("disable"))) {
		api_error(c, 404, "Unknown action");
		return;
	}
	if (!fields_check(c, body, fields))
		return;
	set.reason = logged ? json_object_get(body, "disabled_reason") : NULL;
	if (logged && !set.reason) {
		api_error(c, 400, "Missing disabled reason field");
		return;
	}
	int rc = str_eq(text(body, "binary"), S("nova-compute")) ?
			 records_change(server_state(c)->hosts, c->arena, text(body, "host"),
					set_disabled, &set, &doc) : -ENOENT;

	if (rc < 0) {
		answer_fail(c, rc, "Could not find binary on host", text(body, "host"));
		return;
	}
	json_t *view_doc = json_pack("{s:O, s:s, s:s}", "host", json_object_get(doc, "host"),
				     "binary", "nova-compute", "status",
				     enable ? "enabled" : "disabled");

	if (logged)
		json_object_set(view_doc, "disabled_reason", (json_t *)set.reason);
	api_respond(c, 200, json_pack("{s:o}", "service", view_doc));
}

/* PUT /os-services/{id}, from 2.53. */
void host_service_set(struct api_call *c)
{
	static const struct field fields[] = {
		{ .name = "status", .kind = F_TEXT, .min = 1, .max = 16 },
		{ .name = "disabled_reason", .kind = F_TEXT, .min = 1, .max = 255 },
		{ .name = "forced_down", .kind = F_BOOL },
		{ .name = NULL },
	};
	CLEANUP(host_view_done) struct host_view v = { .n = 0 };
	AUTO(json_text) body = NULL;
	AUTO(json_text) doc = NULL;
	struct setting set = { .disabled = -1 };

	if (c->version < 53) {
		host_service_update(c);
		return;
	}
	body = api_body(c, SERVER_BODY_MAX);
	if (!body || !fields_check(c, body, fields) || !view(c, &v))
		return;
	if (json_object_get(body, "status"))
		set.disabled = str_eq(text(body, "status"), S("disabled"));
	set.reason = json_object_get(body, "disabled_reason");
	for (unsigned i = 0; i < v.n; i++) {
		if (!str_eq(text(v.docs.v[i].doc, "uuid"), c->arg[0]))
			continue;
		int rc = records_change(server_state(c)->hosts, c->arena, v.hosts[i].name,
					set_disabled, &set, &doc);

		if (rc < 0) {
			api_fail(c, rc);
			return;
		}
		v.hosts[i].disabled = json_is_true(json_object_get(doc, "disabled"));
		api_respond(c, 200, json_pack("{s:o}", "service",
					      service_view(c, doc, &v.hosts[i])));
		return;
	}
	api_error(c, 404, "Service %.*s could not be found.", STR(c->arg[0]));
}
