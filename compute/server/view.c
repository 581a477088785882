/* Servers as clients see them, in each microversion's form.
 * Nova: api/openstack/compute/views/servers.py */
#include "compute/server/server.h"
#include "lib/base/encode.h"
#include "lib/crypto/digest.h"

static void copy(json_t *to, const char *name, const json_t *doc, const char *key)
{
	json_t *v = json_object_get(doc, key);

	json_object_set_new(to, name, v ? json_incref(v) : json_null());
}

static void copy_text(json_t *to, const char *name, const json_t *doc, const char *key)
{
	json_object_set_new(to, name, json_of(text(doc, key)));
}

json_t *server_brief(struct api_call *c, const json_t *doc)
{
	return json_pack("{s:O, s:O, s:o}", "id", json_object_get(doc, "id"), "name",
			 json_object_get(doc, "name"), "links",
			 links_of(c, "servers", text(doc, "id")));
}

json_t *server_addresses(struct api_call *c, const json_t *doc, bool extended)
{
	json_t *all = json_object();
	const json_t *nic;
	size_t i;

	(void)c;
	json_array_foreach(json_object_get(doc, "nics"), i, nic) {
		const char *label = text(nic, "label").p;
		json_t *list = json_object_get(all, label), *one;

		if (!text(nic, "address").n)
			continue;
		if (!list)
			json_object_set_new(all, label, list = json_array());
		one = json_pack("{s:i, s:O}", "version", 4, "addr",
				json_object_get(nic, "address"));
		if (extended) {
			json_object_set_new(one, "OS-EXT-IPS:type", json_string("fixed"));
			copy(one, "OS-EXT-IPS-MAC:mac_addr", nic, "mac");
		}
		json_array_append_new(list, one);
	}
	return all;
}

/* The same for one project on one host, and telling nothing of either. */
static json_t *host_id(const json_t *doc)
{
	struct str host = text(doc, "host");
	unsigned char sum[SHA256_SIZE];
	char hex[2 * SHA256_SIZE + 1];
	CLEANUP(buf_done) struct buf b = BUF(4 * KIB);

	if (!host.n)
		return json_string("");
	buf_add_str(&b, text(doc, "project_id"));
	buf_add_str(&b, host);
	digest_of(DIGEST_SHA256, b.p, b.n, sum);
	hex_encode(sum, 28, hex);
	return json_string(hex);
}

static json_t *flavor_view(struct api_call *c, const json_t *doc)
{
	const json_t *f = json_object_get(doc, "flavor");
	json_t *view;
	CLEANUP(buf_done) struct buf id = BUF(4 * KIB);

	if (c->version >= 47) {
		view = json_object();
		copy(view, "vcpus", f, "vcpus");
		copy(view, "ram", f, "ram");
		copy(view, "disk", f, "disk");
		copy(view, "ephemeral", f, "ephemeral");
		copy(view, "swap", f, "swap");
		copy(view, "original_name", f, "name");
		copy(view, "extra_specs", f, "extra_specs");
		return view;
	}
	percent_encode(&id, text(f, "id"), S(""));
	struct str url = api_url(c, arena_printf(c->arena, "/flavors/%s", id.p).p);

	return json_pack("{s:O, s:[{s:s, s:o}]}", "id", json_object_get(f, "id"), "links", "rel",
			 "bookmark", "href", json_of(url));
}

static json_t *image_view(struct api_call *c, const json_t *doc)
{
	struct str id = text(json_object_get(doc, "image"), "id");

	if (!id.n)
		return json_string("");
	return json_pack("{s:o, s:[{s:s, s:o}]}", "id", json_of(id), "links", "rel", "bookmark",
			 "href",
			 json_of(api_url(c, arena_printf(c->arena, "/images/%.*s", STR(id)).p)));
}

static void add_fault(struct api_call *c, json_t *view, const json_t *doc)
{
	const json_t *f = json_object_get(doc, "fault");
	json_t *fault;

	if (!f || !str_eq(text(doc, "vm_state"), S("error")))
		return;
	fault = json_pack("{s:O, s:o, s:O}", "code", json_object_get(f, "code"), "created",
			  api_time(number(f, "created_us")), "message",
			  json_object_get(f, "message"));
	if (c->caller->admin && json_object_get(f, "details"))
		copy(fault, "details", f, "details");
	json_object_set_new(view, "fault", fault);
}

static void add_progress(json_t *view, const json_t *doc)
{
	static const char *const with[] = { "ACTIVE", "BUILD", "REBUILD", "RESIZE",
					    "VERIFY_RESIZE" };
	const char *status = server_status(doc);

	for (size_t i = 0; i < ARRAY_LEN(with); i++)
		if (strcmp(status, with[i]) == 0)
			json_object_set_new(view, "progress",
					    json_integer(strcmp(status, "BUILD") != 0 &&
							 strcmp(status, "REBUILD") != 0 ? 100 : 0));
}

/* What PUT and rebuild show as well. */
static json_t *base(struct api_call *c, const json_t *doc, bool extended)
{
	json_t *view = server_brief(c, doc);

	json_object_set_new(view, "status", json_string(server_status(doc)));
	copy(view, "tenant_id", doc, "project_id");
	copy(view, "user_id", doc, "user_id");
	copy(view, "metadata", doc, "metadata");
	json_object_set_new(view, "hostId", host_id(doc));
	json_object_set_new(view, "image", image_view(c, doc));
	json_object_set_new(view, "flavor", flavor_view(c, doc));
	json_object_set_new(view, "created", api_time(number(doc, "created_us")));
	json_object_set_new(view, "updated", api_time(number(doc, "updated_us")));
	json_object_set_new(view, "addresses", server_addresses(c, doc, extended));
	copy_text(view, "accessIPv4", doc, "access_v4");
	copy_text(view, "accessIPv6", doc, "access_v6");
	copy_text(view, "OS-DCF:diskConfig", doc, "disk_config");
	add_progress(view, doc);
	add_fault(c, view, doc);
	if (c->version >= 9)
		json_object_set_new(view, "locked",
				    json_boolean(json_is_string(json_object_get(doc, "locked"))));
	if (c->version >= 19)
		copy(view, "description", doc, "description");
	if (c->version >= 26)
		copy(view, "tags", doc, "tags");
	if (c->version >= 63)
		json_object_set_new(view, "trusted_image_certificates", json_null());
	if (c->version >= 73)
		copy(view, "locked_reason", doc, "locked_reason");
	return view;
}

/* OS-EXT-SRV-ATTR: for admins. */
static void add_admin(struct api_call *c, json_t *view, const json_t *doc)
{
	copy(view, "OS-EXT-SRV-ATTR:host", doc, "host");
	copy(view, "OS-EXT-SRV-ATTR:hypervisor_hostname", doc, "host");
	json_object_set_new(view, "OS-EXT-SRV-ATTR:instance_name",
			    json_sprintf("instance-%.*s", STR(text(doc, "id"))));
	if (c->version < 3)
		return;
	copy(view, "OS-EXT-SRV-ATTR:reservation_id", doc, "reservation_id");
	copy(view, "OS-EXT-SRV-ATTR:launch_index", doc, "launch_index");
	copy_text(view, "OS-EXT-SRV-ATTR:kernel_id", doc, "kernel_id");
	copy_text(view, "OS-EXT-SRV-ATTR:ramdisk_id", doc, "ramdisk_id");
	json_object_set_new(view, "OS-EXT-SRV-ATTR:root_device_name", json_string("/dev/vda"));
	copy(view, "OS-EXT-SRV-ATTR:user_data", doc, "user_data");
	if (c->version < 90)
		copy(view, "OS-EXT-SRV-ATTR:hostname", doc, "hostname");
}

static void add_extended(struct api_call *c, json_t *view, const json_t *doc)
{
	struct str zone = text(doc, "zone");
	json_t *groups;
	const json_t *name;
	size_t i;

	copy(view, "key_name", doc, "key_name");
	json_object_set_new(view, "config_drive",
			    json_string(json_is_true(json_object_get(doc, "config_drive")) ?
						"True" : ""));
	json_object_set_new(view, "OS-SRV-USG:launched_at",
			    time_legacy(number(doc, "launched_us")));
	json_object_set_new(view, "OS-SRV-USG:terminated_at", json_null());
	json_object_set_new(view, "OS-EXT-AZ:availability_zone", json_of(zone));
	copy(view, "OS-EXT-STS:task_state", doc, "task_state");
	copy(view, "OS-EXT-STS:vm_state", doc, "vm_state");
	json_object_set_new(view, "OS-EXT-STS:power_state",
			    json_integer(number(doc, "power_state")));
	json_object_set_new(view, "os-extended-volumes:volumes_attached", json_array());
	if (json_array_size(json_object_get(doc, "security_groups"))) {
		json_object_set_new(view, "security_groups", groups = json_array());
		json_array_foreach(json_object_get(doc, "security_groups"), i, name)
			json_array_append_new(groups, json_pack("{s:O}", "name", name));
	}
	if (c->version >= 16 && c->caller->admin)
		json_object_set_new(view, "host_status",
				    json_string(text(doc, "host").n ? "UP" : ""));
	if (c->version >= 90)
		copy(view, "OS-EXT-SRV-ATTR:hostname", doc, "hostname");
	if (c->caller->admin)
		add_admin(c, view, doc);
}

json_t *server_view(struct api_call *c, const json_t *doc, enum view_kind kind)
{
	bool reduced = kind == VIEW_REDUCED && c->version < 75;
	json_t *view = base(c, doc, !reduced);

	if (!reduced)
		add_extended(c, view, doc);
	if (c->version >= 71 && kind != VIEW_DETAIL) {
		struct str group = text(doc, "group");

		json_object_set_new(view, "server_groups", group.n ?
				    json_pack("[o]", json_of(group)) : json_array());
	}
	return view;
}
