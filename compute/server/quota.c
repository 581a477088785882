/* Quotas, limits, and what of them is used. Nova: api/openstack/compute/{quota_sets,limits,
 * simple_tenant_usage}.py */
#include "compute/server/server.h"
#include "lib/base/clock.h"

static const struct {
	const char *name;
	const int64_t *conf;            /* NULL: fixed, as there is nothing of the kind here */
	int64_t fixed;
	unsigned until;                 /* shown up to that microversion; 0: always */
} quotas[] = {
	{ .name = "instances", .conf = &server_conf.quota_instances },
	{ .name = "cores", .conf = &server_conf.quota_cores },
	{ .name = "ram", .conf = &server_conf.quota_ram },
	{ .name = "metadata_items", .conf = &server_conf.quota_metadata },
	{ .name = "key_pairs", .conf = &server_conf.quota_key_pairs },
	{ .name = "server_groups", .conf = &server_conf.quota_groups },
	{ .name = "server_group_members", .conf = &server_conf.quota_group_members },
	{ "floating_ips", NULL, -1, 35 },
	{ "fixed_ips", NULL, -1, 35 },
	{ "security_groups", NULL, -1, 35 },
	{ "security_group_rules", NULL, -1, 35 },
	{ "injected_files", NULL, 0, 56 },
	{ "injected_file_content_bytes", NULL, 0, 56 },
	{ "injected_file_path_bytes", NULL, 0, 56 },
};

static int64_t default_of(size_t i)
{
	return quotas[i].conf ? *quotas[i].conf : quotas[i].fixed;
}

waits static int own_quotas(struct server_state *s, struct arena *a, struct str project,
			    json_t **ret)
{
	int rc = records_get(s->quotas, a, arena_printf(a, "project/%.*s", STR(project)), ret);

	return rc == -ENOENT ? 0 : rc;
}

static int64_t value_of(const json_t *own, size_t i)
{
	const json_t *v = json_object_get(own, quotas[i].name);

	return v ? json_integer_value(v) : default_of(i);
}

int quota_of(struct server_state *s, struct arena *a, struct str project, const char *name,
	     int64_t *ret)
{
	AUTO(json_text) own = NULL;
	int rc = own_quotas(s, a, project, &own);

	for (size_t i = 0; i < ARRAY_LEN(quotas) && rc == 0; i++)
		if (strcmp(quotas[i].name, name) == 0)
			*ret = value_of(own, i);
	return rc;
}

int usage_of(struct server_state *s, struct arena *a, struct str project, struct usage *ret)
{
	CLEANUP(record_list_done) struct record_list all = { .n = 0 };
	int rc = records_list(s->servers, a, &all);

	*ret = (struct usage){ 0 };
	for (size_t i = 0; i < all.n; i++) {
		const json_t *flavor = json_object_get(all.v[i].doc, "flavor");

		if (!str_eq(text(all.v[i].doc, "project_id"), project))
			continue;
		ret->instances++;
		ret->cores += number(flavor, "vcpus");
		ret->ram += number(flavor, "ram");
	}
	return rc;
}

waits static int groups_of(struct server_state *s, struct arena *a, struct str project,
			   int64_t *ret)
{
	CLEANUP(record_list_done) struct record_list all = { .n = 0 };
	int rc = records_list(s->groups, a, &all);

	*ret = 0;
	for (size_t i = 0; i < all.n; i++)
		*ret += str_eq(text(all.v[i].doc, "project_id"), project);
	return rc;
}

/* ---- limits ---- */

static void add(json_t *to, const char *name, int64_t v)
{
	json_object_set_new(to, name, json_integer(v));
}

static json_t *absolute(struct api_call *c, const json_t *own, const struct usage *u,
			int64_t groups)
{
	json_t *l = json_object();

	add(l, "maxTotalInstances", value_of(own, 0));
	add(l, "maxTotalCores", value_of(own, 1));
	add(l, "maxTotalRAMSize", value_of(own, 2));
	add(l, "maxServerMeta", value_of(own, 3));
	add(l, "maxTotalKeypairs", value_of(own, 4));
	add(l, "maxServerGroups", value_of(own, 5));
	add(l, "maxServerGroupMembers", value_of(own, 6));
	add(l, "totalInstancesUsed", u->instances);
	add(l, "totalCoresUsed", u->cores);
	add(l, "totalRAMUsed", u->ram);
	add(l, "totalServerGroupsUsed", groups);
	if (c->version <= 56) {
		add(l, "maxPersonality", 0);
		add(l, "maxPersonalitySize", 0);
	}
	if (c->version <= 38)
		add(l, "maxImageMeta", value_of(own, 3));
	if (c->version <= 35) {
		add(l, "maxSecurityGroups", -1);
		add(l, "maxSecurityGroupRules", -1);
		add(l, "maxTotalFloatingIps", -1);
		add(l, "totalFloatingIpsUsed", 0);
		add(l, "totalSecurityGroupsUsed", 0);
	}
	return l;
}

void limits_show(struct api_call *c)
{
	struct str project = api_query(c, "tenant_id");
	struct server_state *s = server_state(c);
	AUTO(json_text) own = NULL;
	struct usage used = { .instances = 0 };
	int64_t groups = 0;

	if (!project.n)
		project = c->caller->project_id.p ? c->caller->project_id : S("");
	if (!may_see(c, project)) {
		api_error(c, 403, "Policy doesn't allow os_compute_api:limits:other_project.");
		return;
	}
	int rc = own_quotas(s, c->arena, project, &own);

	if (rc == 0)
		rc = usage_of(s, c->arena, project, &used);
	if (rc == 0)
		rc = groups_of(s, c->arena, project, &groups);
	if (rc < 0)
		api_fail(c, rc);
	else
		api_respond(c, 200, json_pack("{s:{s:[], s:o}}", "limits", "rate", "absolute",
					      absolute(c, own, &used, groups)));
}

/* ---- quota sets ---- */

static bool may(struct api_call *c)
{
	if (may_see(c, c->arg[0]))
		return true;
	api_error(c, 403, "Policy doesn't allow os_compute_api:os-quota-sets:show.");
	return false;
}

static json_t *set_of(struct api_call *c, const json_t *own, bool with_id)
{
	json_t *set = json_object();

	if (with_id)
		json_object_set_new(set, "id", json_of(c->arg[0]));
	for (size_t i = 0; i < ARRAY_LEN(quotas); i++)
		if (!quotas[i].until || c->version <= quotas[i].until)
			add(set, quotas[i].name, value_of(own, i));
	return json_pack("{s:o}", "quota_set", set);
}

void quota_show(struct api_call *c)
{
	AUTO(json_text) own = NULL;

	if (!may(c))
		return;
	int rc = own_quotas(server_state(c), c->arena, c->arg[0], &own);

	if (rc < 0)
		api_fail(c, rc);
	else
		api_respond(c, 200, set_of(c, own, true));
}

void quota_defaults(struct api_call *c)
{
	if (may(c))
		api_respond(c, 200, set_of(c, NULL, true));
}

static int64_t used_of(const char *name, const struct usage *u, int64_t groups)
{
	return strcmp(name, "instances") == 0	  ? u->instances :
	       strcmp(name, "cores") == 0	  ? u->cores :
	       strcmp(name, "ram") == 0		  ? u->ram :
	       strcmp(name, "server_groups") == 0 ? groups : 0;
}

void quota_detail(struct api_call *c)
{
	struct server_state *s = server_state(c);
	AUTO(json_text) own = NULL;
	struct usage used = { .instances = 0 };
	int64_t groups = 0;

	if (!may(c))
		return;
	int rc = own_quotas(s, c->arena, c->arg[0], &own);

	if (rc == 0)
		rc = usage_of(s, c->arena, c->arg[0], &used);
	if (rc == 0)
		rc = groups_of(s, c->arena, c->arg[0], &groups);
	if (rc < 0) {
		api_fail(c, rc);
		return;
	}
	json_t *set = json_pack("{s:o}", "id", json_of(c->arg[0]));

	for (size_t i = 0; i < ARRAY_LEN(quotas); i++)
		if (!quotas[i].until || c->version <= quotas[i].until)
			json_object_set_new(set, quotas[i].name,
					    json_pack("{s:I, s:I, s:i}", "limit",
						      (json_int_t)value_of(own, i), "in_use",
						      (json_int_t)used_of(quotas[i].name, &used,
									  groups),
						      "reserved", 0));
	api_respond(c, 200, json_pack("{s:o}", "quota_set", set));
}

static int set_quotas(void *arg, json_t *doc)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)arg, key, v)
		if (strcmp(key, "force") != 0)
			json_object_set_new(doc, key, json_integer(field_int(arg, key, -1)));
	return 1;
}

/* The record comes into being with the first change. */
waits static int change_quotas(struct api_call *c, struct str id, json_t *f, json_t **ret)
{
	struct records *r = server_state(c)->quotas;
	int rc = records_change(r, c->arena, id, set_quotas, f, ret);

	if (rc != -ENOENT)
		return rc;
	AUTO(json_text) empty = json_object();

	rc = records_create(r, c->arena, id, empty);
	return rc == 0 || rc == -EEXIST ? records_change(r, c->arena, id, set_quotas, f, ret) : rc;
}

void quota_update(struct api_call *c)
{
	struct field fields[ARRAY_LEN(quotas) + 3] = {
		[ARRAY_LEN(quotas)] = { .name = "force", .kind = F_BOOL },
		[ARRAY_LEN(quotas) +
			1] = { .name = "tenant_id", .kind = F_TEXT, .min = 0, .max = 255 },
	};
	AUTO(json_text) body = NULL;
	AUTO(json_text) own = NULL;

	for (size_t i = 0; i < ARRAY_LEN(quotas); i++)
		fields[i] = (struct field){ .name = quotas[i].name, .kind = F_INT, .min = -1,
					    .max = INT32_MAX };
	json_t *f = fields_body(c, "quota_set", fields, &body);

	if (!f)
		return;
	json_object_del(f, "tenant_id");
	int rc = change_quotas(c, arena_printf(c->arena, "project/%.*s", STR(c->arg[0])), f, &own);

	if (rc < 0)
		api_fail(c, rc);
	else
		api_respond(c, 200, set_of(c, own, false));
}

void quota_delete(struct api_call *c)
{
	int rc = records_remove(server_state(c)->quotas, c->arena,
				arena_printf(c->arena, "project/%.*s", STR(c->arg[0])));

	if (rc < 0)
		api_fail(c, rc);
	else
		api_respond_empty(c, 202);
}

/* ---- simple tenant usage: of servers that are there ---- */

static bool time_of(struct api_call *c, const char *key, int64_t missing, int64_t *ret)
{
	struct str t = api_query(c, key);
	char iso[ISO_DATE_SIZE];

	*ret = missing;
	if (!t.n)
		return true;
	/* A blank stands for the T as well. */
	if (t.n < sizeof iso) {
		memcpy(iso, t.p, t.n);
		if (t.n > 10 && iso[10] == ' ')
			iso[10] = 'T';
		if (clock_iso_parse(str_of(iso, t.n), ret) == 0)
			return true;
	}
	api_error(c, 400, "Datetime is in invalid format");
	return false;
}

static json_t *usage_doc(struct api_call *c, const struct record_list *all, struct str project,
			 int64_t start, int64_t stop, bool detailed)
{
	double hours = 0, ram = 0, cores = 0, disk = 0;
	json_t *list = json_array();

	for (size_t i = 0; i < all->n; i++) {
		const json_t *s = all->v[i].doc, *f = json_object_get(s, "flavor");
		int64_t from = MAX(number(s, "launched_us"), start);
		double h = from < stop ? (double)(stop - from) / 3.6e9 : 0;

		if (!str_eq(text(s, "project_id"), project) || !number(s, "launched_us") || h <= 0)
			continue;
		hours += h;
		ram += h * (double)number(f, "ram");
		cores += h * (double)number(f, "vcpus");
		disk += h * (double)number(f, "disk");
		json_array_append_new(
			list,
			json_pack("{s:O, s:O, s:o, s:f, s:O, s:O, s:O, s:O, s:o, s:n, s:s, s:I}",
				  "instance_id", json_object_get(s, "id"), "name",
				  json_object_get(s, "name"), "tenant_id", json_of(project),
				  "hours", h, "flavor", json_object_get(f, "name"), "memory_mb",
				  json_object_get(f, "ram"), "local_gb",
				  json_object_get(f, "disk"), "vcpus",
				  json_object_get(f, "vcpus"), "started_at",
				  time_legacy(number(s, "launched_us")), "ended_at", "state",
				  text(s, "vm_state").p, "uptime",
				  (json_int_t)((clock_wall_us() - number(s, "launched_us")) /
					       1000000)));
	}
	json_t *doc = json_pack("{s:o, s:f, s:f, s:f, s:f, s:o, s:o}", "tenant_id",
				json_of(project), "total_hours", hours, "total_memory_mb_usage",
				ram, "total_vcpus_usage", cores, "total_local_gb_usage", disk,
				"start", time_legacy(start), "stop", time_legacy(stop));

	(void)c;
	if (detailed)
		json_object_set(doc, "server_usages", list);
	json_decref(list);
	return doc;
}

waits static bool usage_read(struct api_call *c, int64_t *start, int64_t *stop,
			     struct record_list *ret)
{
	int64_t now = clock_wall_us();

	if (!time_of(c, "end", now, stop) ||
	    !time_of(c, "start", *stop - 28LL * 86400 * 1000000, start))
		return false;
	if (*start >= *stop) {
		api_error(c, 400, "Invalid start time. The start time cannot occur after the end "
				  "time.");
		return false;
	}
	int rc = records_list(server_state(c)->servers, c->arena, ret);

	if (rc < 0)
		api_fail(c, rc);
	return rc == 0;
}

void usage_show(struct api_call *c)
{
	CLEANUP(record_list_done) struct record_list all = { .n = 0 };
	int64_t start, stop;

	if (!may(c) || !usage_read(c, &start, &stop, &all))
		return;
	api_respond(c, 200, json_pack("{s:o}", "tenant_usage",
				      usage_doc(c, &all, c->arg[0], start, stop, true)));
}

void usage_list(struct api_call *c)
{
	CLEANUP(record_list_done) struct record_list all = { .n = 0 };
	AUTO(json_text) seen = json_object();
	json_t *list;
	int64_t start, stop;
	bool detailed = str_eq(api_query(c, "detailed"), S("1"));

	if (!usage_read(c, &start, &stop, &all))
		return;
	list = json_array();
	for (size_t i = 0; i < all.n; i++) {
		struct str project = text(all.v[i].doc, "project_id");

		if (json_object_get(seen, project.p))
			continue;
		json_object_set_new(seen, project.p, json_true());
		json_array_append_new(list, usage_doc(c, &all, project, start, stop, detailed));
	}
	api_respond(c, 200, json_pack("{s:o}", "tenant_usages", list));
}
