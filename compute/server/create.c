/* POST /servers. Nova: api/openstack/compute/servers.py create */
#include "compute/server/server.h"
#include "lib/base/clock.h"
#include "lib/base/encode.h"
#include "lib/crypto/digest.h"

#include <arpa/inet.h>

enum { USER_DATA_MAX = 65535, COUNT_MAX = 100, NETWORKS_MAX = 8 };

/* The network of machines that have QEMU's own: there is one, the same everywhere. */
#define USER_NETWORK "11111111-0000-4000-8000-000000000001"

struct str address_normal(struct arena *a, struct str address, bool v6)
{
	unsigned char raw[16];
	char out[INET6_ADDRSTRLEN];
	int family = v6 ? AF_INET6 : AF_INET;

	if (inet_pton(family, arena_cstr(a, address), raw) != 1 ||
	    !inet_ntop(family, raw, out, sizeof out))
		return STR_NONE;
	return arena_str(a, str_from(out));
}

static const struct field fields[] = {
	{ .name = "name", .kind = F_NAME, .min = 1, .max = 255, .required = true },
	{ .name = "imageRef", .kind = F_TEXT, .min = 0, .max = 255 },
	{ .name = "flavorRef", .kind = F_ANY, .required = true },
	{ .name = "adminPass", .kind = F_TEXT, .min = 0, .max = 255 },
	{ .name = "metadata", .kind = F_OBJECT },
	{ .name = "networks", .kind = F_ANY },
	{ .name = "key_name", .kind = F_TEXT, .min = 1, .max = 255 },
	{ .name = "user_data", .kind = F_TEXT, .max = USER_DATA_MAX, .nullable = true },
	{ .name = "config_drive", .kind = F_BOOL },
	{ .name = "min_count", .kind = F_INT, .min = 1, .max = COUNT_MAX },
	{ .name = "max_count", .kind = F_INT, .min = 1, .max = COUNT_MAX },
	{ .name = "return_reservation_id", .kind = F_BOOL },
	{ .name = "accessIPv4", .kind = F_TEXT, .min = 0, .max = 64 },
	{ .name = "accessIPv6", .kind = F_TEXT, .min = 0, .max = 64 },
	{ .name = "OS-DCF:diskConfig", .kind = F_TEXT, .min = 1, .max = 16 },
	{ .name = "security_groups", .kind = F_LIST },
	{ .name = "availability_zone", .kind = F_NAME, .min = 1, .max = 255 },
	{ .name = "description", .kind = F_TEXT, .max = 255, .nullable = true },
	{ .name = "tags", .kind = F_LIST },
	{ .name = "hostname", .kind = F_TEXT, .min = 2, .max = 63 },
	{ .name = "host", .kind = F_TEXT, .min = 1, .max = 255 },
	{ .name = "hypervisor_hostname", .kind = F_TEXT, .min = 1, .max = 255 },
	{ .name = "personality", .kind = F_LIST },
	{ .name = "block_device_mapping_v2", .kind = F_LIST },
	{ .name = "block_device_mapping", .kind = F_LIST },
	{ .name = "trusted_image_certificates", .kind = F_LIST, .nullable = true },
	{ .name = NULL },
};

/* Members that came with a microversion, or that have gone with one. */
static bool versions_fit(struct api_call *c, const json_t *f)
{
	static const struct {
		const char *name;
		unsigned from, until;
	} some[] = {
		{ "description", 19, 0 }, { "tags", 52, 0 }, { "hostname", 90, 0 },
		{ "host", 74, 0 }, { "hypervisor_hostname", 74, 0 }, { "personality", 0, 56 },
		{ "trusted_image_certificates", 63, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(some); i++)
		if (json_object_get(f, some[i].name) &&
		    (c->version < some[i].from || (some[i].until && c->version > some[i].until))) {
			api_error(c, 400, "Additional properties are not allowed ('%s' was "
					  "unexpected)", some[i].name);
			return false;
		}
	if (c->version >= 37 && !json_object_get(f, "networks")) {
		api_error(c, 400, "Invalid input: 'networks' is a required property");
		return false;
	}
	return true;
}

/* What is being made. */
struct making {
	struct api_call *c;
	const json_t *f;                /* "server" of the body */
	const json_t *hints;
	json_t *flavor, *image, *nics;
	int64_t min, max;
	struct str key, group;
	enum sched_policy policy;
};

static void making_done(struct making *m)
{
	json_decref(m->flavor);
	json_decref(m->image);
	json_decref(m->nics);
}

static bool wrong(struct making *m, const char *what)
{
	api_error(m->c, 400, "%s", what);
	return false;
}

static bool check_user_data(struct making *m)
{
	CLEANUP(buf_done) struct buf raw = BUF(USER_DATA_MAX);
	struct str given = json_str(m->f, "user_data");

	if (!given.p || (base64_decode(&raw, given) == 0 && !buf_failed(&raw)))
		return true;
	return wrong(m, "Invalid input for field/attribute user_data. It is not a 'base64'");
}

static bool check_address(struct making *m, const char *name, bool v6)
{
	struct str given = json_str(m->f, name);

	if (!given.n || address_normal(m->c->arena, given, v6).p)
		return true;
	api_error(m->c, 400, "Invalid input for field/attribute %s. Value: %.*s. It is not an "
			     "IP address", name, STR(given));
	return false;
}

static bool check_counts(struct making *m)
{
	m->min = field_int(m->f, "min_count", 1);
	m->max = field_int(m->f, "max_count", m->min);
	if (m->min > m->max)
		return wrong(m, "min_count must be <= max_count");
	return true;
}

static bool check_rest(struct making *m)
{
	struct str disk = json_str(m->f, "OS-DCF:diskConfig");
	const json_t *group, *tags = json_object_get(m->f, "tags");
	size_t i;

	if (json_array_size(json_object_get(m->f, "personality")) ||
	    json_object_get(m->f, "block_device_mapping") ||
	    json_object_get(m->f, "block_device_mapping_v2"))
		return wrong(m, "There are no volumes and no injected files here.");
	if (disk.p && !str_eq(disk, S("AUTO")) && !str_eq(disk, S("MANUAL")))
		return wrong(m, "Invalid input for field/attribute OS-DCF:diskConfig.");
	json_array_foreach(json_object_get(m->f, "security_groups"), i, group)
		if (!json_str(group, "name").n)
			return wrong(m, "Invalid input for field/attribute security_groups.");
	if (tags && !tags_check(m->c, tags))
		return false;
	return check_user_data(m) && check_address(m, "accessIPv4", false) &&
	       check_address(m, "accessIPv6", true) && check_counts(m);
}

/* ---- networks ---- */

static json_t *user_nic(void)
{
	unsigned char r[3];

	random_bytes(r, sizeof r);
	/* 10.0.2.15 is what QEMU's DHCP gives to the only guest of such a network. */
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:o}", "kind", "user", "label", "user",
			 "network_id", USER_NETWORK, "address", "10.0.2.15", "gateway", "10.0.2.2",
			 "prefix", 24, "mac",
			 json_sprintf("fa:16:3e:%02x:%02x:%02x", r[0], r[1], r[2]));
}

static bool check_networks(struct making *m)
{
	const json_t *networks = json_object_get(m->f, "networks"), *n;
	size_t i;

	m->nics = json_array();
	if (json_is_string(networks) && m->c->version >= 37) {
		if (str_eq(json_str(m->f, "networks"), S("none")))
			return true;
		if (!str_eq(json_str(m->f, "networks"), S("auto")))
			return wrong(m, "Invalid input for field/attribute networks.");
	} else if (networks && !json_is_array(networks)) {
		return wrong(m, "Invalid input for field/attribute networks.");
	}
	if (json_array_size(networks) == 0)
		json_array_append_new(m->nics, user_nic());
	if (json_array_size(networks) > NETWORKS_MAX)
		return wrong(m, "Too many networks.");
	json_array_foreach((json_t *)networks, i, n) {
		struct str id = json_str(n, "uuid");

		if (!uuid_valid(id))
			return wrong(m, "Bad networks format: network uuid is not in proper "
					"format");
		if (!str_eq(id, S(USER_NETWORK))) {
			api_error(m->c, 400, "Network %.*s could not be found.", STR(id));
			return false;
		}
		json_array_append_new(m->nics, user_nic());
	}
	return true;
}

/* ---- what it refers to ---- */

waits static bool find_flavor(struct making *m)
{
	const json_t *ref = json_object_get(m->f, "flavorRef");
	struct str id = json_is_integer(ref) ?
				arena_printf(m->c->arena, "%" JSON_INTEGER_FORMAT,
					     json_integer_value(ref)) :
				json_str(m->f, "flavorRef");
	ssize_t slash = str_rchr(id, '/');
	int rc = flavor_get(m->c, slash < 0 ? id : str_skip(id, (size_t)slash + 1), &m->flavor);

	if (rc == -ENOENT)
		api_error(m->c, 400, "Flavor %.*s could not be found.", STR(str_head(id, 300)));
	else if (rc < 0)
		api_fail(m->c, rc);
	return rc == 0;
}

waits static bool find_image(struct making *m)
{
	struct str ref = json_str(m->f, "imageRef");
	ssize_t slash = str_rchr(ref, '/');

	if (!ref.n)
		return wrong(m, "Invalid imageRef provided: servers boot from images here.");
	return image_fetch(m->c, slash < 0 ? ref : str_skip(ref, (size_t)slash + 1),
			   &m->image) == 0 &&
	       image_fits(m->c, m->image, m->flavor);
}

waits static bool find_key(struct making *m)
{
	struct str name = json_str(m->f, "key_name");
	AUTO(json_text) doc = NULL;

	if (!name.p)
		return true;
	int rc = keypair_get(server_state(m->c), m->c->arena, m->c->caller->user_id, name, &doc);

	if (rc == 0)
		m->key = arena_str(m->c->arena, text(doc, "public_key"));
	else if (rc == -ENOENT)
		wrong(m, "Invalid key_name provided.");
	else
		api_fail(m->c, rc);
	return rc == 0;
}

waits static bool find_group(struct making *m)
{
	struct str id = json_str(m->hints, "group");
	AUTO(json_text) doc = NULL;

	if (!id.p)
		return true;
	int rc = uuid_valid(id) ? records_get(server_state(m->c)->groups, m->c->arena, id, &doc) :
				  -ENOENT;

	if (rc == 0 && may_see(m->c, text(doc, "project_id"))) {
		m->group = arena_str(m->c->arena, id);
		return true;
	}
	if (rc == 0 || rc == -ENOENT)
		return wrong(m, "Instance group could not be found.");
	api_fail(m->c, rc);
	return false;
}

waits static bool quota_allows(struct making *m, const char *name, int64_t used, int64_t each)
{
	struct api_call *c = m->c;
	int64_t most = -1;
	int rc = quota_of(server_state(c), c->arena, c->caller->project_id, name, &most);

	if (rc < 0) {
		api_fail(c, rc);
		return false;
	}
	if (most < 0 || used + each * m->min <= most) {
		if (most >= 0 && each && (most - used) / each < m->max)
			m->max = (most - used) / each;
		return true;
	}
	api_error(c, 403, "Quota exceeded for %s: Requested %" PRId64 ", but already used %" PRId64
			  " of %" PRId64 " %s", name, each * m->min, used, most, name);
	return false;
}

waits static bool check_quotas(struct making *m)
{
	struct usage u;
	struct api_call *c = m->c;
	int64_t most = -1;
	int rc = usage_of(server_state(c), c->arena, c->caller->project_id, &u);

	if (rc == 0)
		rc = quota_of(server_state(c), c->arena, c->caller->project_id, "metadata_items",
			      &most);
	if (rc < 0) {
		api_fail(c, rc);
		return false;
	}
	return server_metadata_check(c, json_object_get(m->f, "metadata"), most) &&
	       quota_allows(m, "instances", u.instances, 1) &&
	       quota_allows(m, "cores", u.cores, number(m->flavor, "vcpus")) &&
	       quota_allows(m, "ram", u.ram, number(m->flavor, "ram"));
}

/* ---- the record ---- */

/* Letters, digits and hyphens of the name. */
static struct str hostname_of(struct arena *a, struct str name)
{
	char out[64];
	size_t n = 0;

	for (size_t i = 0; i < name.n && n < sizeof out - 1; i++) {
		char ch = name.p[i];

		if (ch >= 'A' && ch <= 'Z')
			ch = (char)(ch - 'A' + 'a');
		if ((ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9'))
			out[n++] = ch;
		else if ((ch == '-' || ch == ' ' || ch == '_' || ch == '.') && n &&
			 out[n - 1] != '-')
			out[n++] = '-';
	}
	while (n && out[n - 1] == '-')
		n--;
	return n ? arena_str(a, str_of(out, n)) : STR_NONE;
}

static void put(json_t *doc, const char *name, const json_t *v)
{
	json_object_set_new(doc, name, v ? json_incref((json_t *)v) : json_null());
}

static json_t *group_names(const json_t *f)
{
	json_t *names = json_array();
	const json_t *group;
	size_t i;

	json_array_foreach(json_object_get(f, "security_groups"), i, group)
		json_array_append(names, json_object_get(group, "name"));
	if (json_array_size(names) == 0)
		json_array_append_new(names, json_string("default"));
	return names;
}

static void put_options(struct making *m, json_t *doc, const char *id, struct str name)
{
	struct arena *a = m->c->arena;
	const json_t *f = m->f, *metadata = json_object_get(f, "metadata");
	const json_t *tags = json_object_get(f, "tags");
	struct str v4 = json_str(f, "accessIPv4"), v6 = json_str(f, "accessIPv6");
	struct str host = json_str(f, "hostname");

	if (!host.n)
		host = hostname_of(a, name);
	if (!host.n)
		host = arena_printf(a, "server-%s", id);
	json_object_set_new(doc, "hostname", json_of(host));
	put(doc, "description", json_object_get(f, "description") || m->c->version >= 19 ?
					json_object_get(f, "description") :
					json_object_get(f, "name"));
	json_object_set_new(doc, "metadata", metadata ? json_deep_copy(metadata) : json_object());
	json_object_set_new(doc, "tags", tags ? json_deep_copy(tags) : json_array());
	put(doc, "key_name", json_object_get(f, "key_name"));
	json_object_set_new(doc, "key", json_of(m->key));
	put(doc, "user_data", json_object_get(f, "user_data"));
	json_object_set_new(doc, "config_drive",
			    json_boolean(field_bool(f, "config_drive", false)));
	json_object_set_new(doc, "access_v4", json_of(v4.n ? address_normal(a, v4, false) : S("")));
	json_object_set_new(doc, "access_v6", json_of(v6.n ? address_normal(a, v6, true) : S("")));
	json_object_set_new(doc, "disk_config", json_of(json_str(f, "OS-DCF:diskConfig").p ?
							json_str(f, "OS-DCF:diskConfig") :
							S("MANUAL")));
	json_object_set_new(doc, "security_groups", group_names(f));
	put(doc, "zone_wanted", json_object_get(f, "availability_zone"));
	put(doc, "zone", json_object_get(f, "availability_zone"));
	put(doc, "host_wanted", json_object_get(f, "host") ? json_object_get(f, "host") :
							     json_object_get(f,
									"hypervisor_hostname"));
	json_object_set_new(doc, "group", json_of(m->group));
}

static json_t *record_of(struct making *m, const char *id, struct str reservation, int64_t i)
{
	struct api_call *c = m->c;
	int64_t now = clock_wall_us();
	struct str name = text(m->f, "name");
	json_t *doc;

	if (m->max > 1)
		name = arena_printf(c->arena, "%.*s-%" PRId64, STR(name), i + 1);
	doc = json_pack("{s:s, s:o, s:o, s:o, s:s, s:s, s:i, s:I, s:I, s:i, s:o, s:o, s:o, s:n, "
			"s:[], s:o, s:I, s:n, s:n}",
			"id", id, "name", json_of(name), "project_id",
			json_of(c->caller->project_id), "user_id", json_of(c->caller->user_id),
			"vm_state", "building", "task_state", "scheduling", "power_state", 0,
			"created_us", (json_int_t)now, "updated_us", (json_int_t)now,
			"launched_us", 0, "image", image_kept(m->image), "flavor",
			flavor_kept(m->flavor), "nics", json_deep_copy(m->nics), "host", "refused",
			"reservation_id", json_of(reservation), "launch_index", (json_int_t)i,
			"locked", "locked_reason");
	put_options(m, doc, id, name);
	server_note(c, doc, "create");
	return doc;
}

static struct str reservation_make(struct arena *a)
{
	unsigned char raw[4];
	char hex[9];

	random_bytes(raw, sizeof raw);
	hex_encode(raw, sizeof raw, hex);
	return arena_printf(a, "r-%s", hex);
}

static void respond_created(struct making *m, const json_t *doc, struct str password)
{
	struct api_call *c = m->c;
	json_t *view, *groups = json_array();
	const json_t *name;
	size_t i;

	if (field_bool(m->f, "return_reservation_id", false)) {
		api_respond(c, 202, json_pack("{s:O}", "reservation_id",
					      json_object_get(doc, "reservation_id")));
		json_decref(groups);
		return;
	}
	json_array_foreach(json_object_get(doc, "security_groups"), i, name)
		json_array_append_new(groups, json_pack("{s:O}", "name", name));
	view = json_pack("{s:O, s:o, s:o, s:O, s:o}", "id", json_object_get(doc, "id"), "links",
			 links_of(c, "servers", text(doc, "id")), "security_groups", groups,
			 "OS-DCF:diskConfig", json_object_get(doc, "disk_config"), "adminPass",
			 json_of(password));
	api_respond(c, 202, json_pack("{s:o}", "server", view));
	headers_set(&c->res->headers, S("Location"),
		    api_url(c, arena_printf(c->arena, "/v2.1/servers/%.*s",
					    STR(text(doc, "id"))).p));
}

waits static void make_all(struct making *m)
{
	struct api_call *c = m->c;
	struct server_state *s = server_state(c);
	struct str reservation = reservation_make(c->arena);
	struct str password = json_str(m->f, "adminPass");
	AUTO(json_text) first = NULL;

	if (!password.n) {
		char uuid[UUID_SIZE];

		uuid_make(uuid);
		password = arena_str(c->arena, str_of(uuid + 24, 12));
	}
	for (int64_t i = 0; i < m->max; i++) {
		char id[UUID_SIZE];

		uuid_make(id);
		AUTO(json_text) doc = record_of(m, id, reservation, i);
		int rc = records_create(s->servers, c->arena, str_from(id), doc);

		if (rc < 0) {
			api_fail(c, rc);
			return;
		}
		if (!first)
			first = json_incref(doc);
		server_place_later(s, str_from(id));
	}
	respond_created(m, first, password);
}

void server_create(struct api_call *c)
{
	AUTO(json_text) body = NULL;
	CLEANUP(making_done) struct making m = { .c = c };

	m.f = fields_body(c, "server", fields, &body);
	if (!m.f || !versions_fit(c, m.f))
		return;
	if (!c->caller->project_id.n) {
		api_error(c, 403, "A token that is scoped to a project is needed.");
		return;
	}
	m.hints = json_object_get(body, "os:scheduler_hints");
	if (!m.hints)
		m.hints = json_object_get(body, "OS-SCH-HNT:scheduler_hints");
	if (m.hints && !json_is_object(m.hints)) {
		wrong(&m, "Invalid input for field/attribute os:scheduler_hints.");
		return;
	}
	if (check_rest(&m) && find_flavor(&m) && find_image(&m) && check_networks(&m) &&
	    find_key(&m) && find_group(&m) && check_quotas(&m))
		make_all(&m);
}
