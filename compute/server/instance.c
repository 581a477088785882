/* One server: GET, PUT, DELETE, and what can be read below it.
 * Nova: api/openstack/compute/{servers,ips,instance_actions,console_output}.py */
#include "compute/server/server.h"
#include "lib/base/clock.h"

void server_show(struct api_call *c)
{
	AUTO(json_text) doc = server_need(c);

	if (doc)
		api_respond(c, 200, json_pack("{s:o}", "server", server_view(c, doc, VIEW_SHOW)));
}

static int update(struct server_change *ch, json_t *doc)
{
	static const struct {
		const char *from, *to;
	} plain[] = { { "name", "name" }, { "description", "description" },
		      { "OS-DCF:diskConfig", "disk_config" }, { "hostname", "hostname" },
		      { "accessIPv4", "access_v4" }, { "accessIPv6", "access_v6" } };
	const json_t *f = ch->arg;
	int rc = server_unlocked(ch, doc);

	for (size_t i = 0; i < ARRAY_LEN(plain) && rc == 0; i++)
		if (json_object_get(f, plain[i].from))
			json_object_set(doc, plain[i].to, json_object_get(f, plain[i].from));
	if (rc < 0)
		return rc;
	server_touch(doc);
	return 1;
}

void server_update(struct api_call *c)
{
	static const struct field fields[] = {
		{ .name = "name", .kind = F_NAME, .min = 1, .max = 255 },
		{ .name = "accessIPv4", .kind = F_TEXT, .max = 64 },
		{ .name = "accessIPv6", .kind = F_TEXT, .max = 64 },
		{ .name = "OS-DCF:diskConfig", .kind = F_TEXT, .min = 1, .max = 16 },
		{ .name = "description", .kind = F_TEXT, .max = 255, .nullable = true },
		{ .name = "hostname", .kind = F_TEXT, .min = 2, .max = 63 },
		{ .name = NULL },
	};
	AUTO(json_text) body = NULL;
	json_t *f = fields_body(c, "server", fields, &body);

	if (!f)
		return;
	for (int v6 = 0; v6 < 2; v6++) {
		const char *key = v6 ? "accessIPv6" : "accessIPv4";
		struct str given = json_str(f, key);
		struct str normal = given.n ? address_normal(c->arena, given, v6) : STR_NONE;

		if (given.n && !normal.p) {
			api_error(c, 400, "Invalid input for field/attribute %s. Value: %.*s.",
				  key, STR(given));
			return;
		}
		if (normal.p)
			json_object_set_new(f, key, json_of(normal));
	}
	AUTO(json_text) doc = server_change(c, update, f);

	if (doc)
		api_respond(c, 200,
			    json_pack("{s:o}", "server", server_view(c, doc, VIEW_REDUCED)));
}

/* Whatever it does now: the host stops that and clears away. */
static int mark_deleted(struct server_change *ch, json_t *doc)
{
	int rc = server_unlocked(ch, doc);

	if (rc < 0)
		return rc;
	if (str_eq(text(doc, "task_state"), S("deleting")))
		return 0;
	json_object_set_new(doc, "task_state", json_string("deleting"));
	json_object_set_new(doc, "todo", json_pack("{s:s}", "action", "delete"));
	server_note(ch->c, doc, "delete");
	server_touch(doc);
	return 1;
}

void server_delete(struct api_call *c)
{
	struct server_state *s = server_state(c);
	AUTO(json_text) doc = server_change(c, mark_deleted, NULL);

	if (!doc)
		return;
	/* No host has it: nobody else would. */
	if (!text(doc, "host").n) {
		int rc = records_remove(s->servers, c->arena, c->arg[0]);

		if (rc < 0) {
			api_fail(c, rc);
			return;
		}
	}
	server_kick(s);
	api_respond_empty(c, 204);
}

/* ---- addresses ---- */

void server_ips(struct api_call *c)
{
	AUTO(json_text) doc = server_need(c);

	if (doc)
		api_respond(c, 200, json_pack("{s:o}", "addresses",
					      server_addresses(c, doc, false)));
}

void server_ips_of(struct api_call *c)
{
	AUTO(json_text) doc = server_need(c);
	char *label = arena_cstr(c->arena, c->arg[1]);

	if (!doc)
		return;
	AUTO(json_text) all = server_addresses(c, doc, false);
	json_t *list = json_object_get(all, label);

	if (list)
		api_respond(c, 200, json_pack("{s:O}", label, list));
	else
		api_error(c, 404, "Instance is not a member of specified network");
}

static json_t *interface_view(const json_t *nic)
{
	return json_pack("{s:s, s:O, s:O, s:O, s:[{s:O}]}", "port_state", "ACTIVE", "net_id",
			 json_object_get(nic, "network_id"), "port_id",
			 json_object_get(nic, "mac"), "mac_addr", json_object_get(nic, "mac"),
			 "fixed_ips", "ip_address", json_object_get(nic, "address"));
}

void server_interfaces(struct api_call *c)
{
	AUTO(json_text) doc = server_need(c);
	json_t *list;
	const json_t *nic;
	size_t i;

	if (!doc)
		return;
	list = json_array();
	json_array_foreach(json_object_get(doc, "nics"), i, nic)
		json_array_append_new(list, interface_view(nic));
	api_respond(c, 200, json_pack("{s:o}", "interfaceAttachments", list));
}

void server_volumes(struct api_call *c)
{
	AUTO(json_text) doc = server_need(c);

	if (doc)
		api_respond(c, 200, json_pack("{s:[]}", "volumeAttachments"));
}

void server_groups_of(struct api_call *c)
{
	AUTO(json_text) doc = server_need(c);
	json_t *list;
	const json_t *name;
	size_t i;

	if (!doc)
		return;
	list = json_array();
	json_array_foreach(json_object_get(doc, "security_groups"), i, name)
		json_array_append_new(list, json_pack("{s:O, s:O, s:s, s:O, s:[]}", "id", name,
						      "name", name, "description", "",
						      "tenant_id",
						      json_object_get(doc, "project_id"),
						      "rules"));
	api_respond(c, 200, json_pack("{s:o}", "security_groups", list));
}

/* ---- what was asked for ---- */

static json_t *action_view(struct api_call *c, const json_t *doc, const json_t *a)
{
	json_t *view = json_pack("{s:O, s:O, s:O, s:O, s:o, s:O, s:O}", "action",
				 json_object_get(a, "action"), "request_id",
				 json_object_get(a, "request_id"), "user_id",
				 json_object_get(a, "user_id"), "project_id",
				 json_object_get(a, "project_id"), "start_time",
				 time_legacy(number(a, "start_us")), "message",
				 json_object_get(a, "message"), "instance_uuid",
				 json_object_get(doc, "id"));

	if (c->version >= 58)
		json_object_set_new(view, "updated_at",
				    time_legacy(MAX(number(a, "finish_us"),
						    number(a, "start_us"))));
	return view;
}

void server_actions(struct api_call *c)
{
	AUTO(json_text) doc = server_need(c);
	json_t *list;
	const json_t *a;
	size_t i;

	if (!doc)
		return;
	list = json_array();
	json_array_foreach(json_object_get(doc, "actions"), i, a)
		json_array_append_new(list, action_view(c, doc, a));
	api_respond(c, 200, json_pack("{s:o}", "instanceActions", list));
}

void server_action_show(struct api_call *c)
{
	AUTO(json_text) doc = server_need(c);
	const json_t *a;
	size_t i;

	if (!doc)
		return;
	json_array_foreach(json_object_get(doc, "actions"), i, a) {
		json_t *view, *event;

		if (!str_eq(text(a, "request_id"), c->arg[1]))
			continue;
		view = action_view(c, doc, a);
		event = json_pack("{s:o, s:o, s:o, s:o}", "event",
				  json_sprintf("compute_%.*s", STR(text(a, "action"))),
				  "start_time", time_legacy(number(a, "start_us")), "finish_time",
				  time_legacy(number(a, "finish_us")), "result",
				  !number(a, "finish_us") ? json_null() :
				  json_is_null(json_object_get(a, "message")) ?
							    json_string("Success") :
							    json_string("Error"));
		if (c->version >= 51 || c->caller->admin)
			json_object_set_new(view, "events", json_pack("[o]", event));
		else
			json_decref(event);
		api_respond(c, 200, json_pack("{s:o}", "instanceAction", view));
		return;
	}
	api_error(c, 404, "Action for request_id %.*s on instance %.*s not found",
		  STR(str_head(c->arg[1], 100)), STR(c->arg[0]));
}

/* ---- console ---- */

void server_console(struct api_call *c, const json_t *doc, const json_t *arg)
{
	int64_t lines = field_int(arg, "length", -1);
	struct fault why = { .text = "" };
	struct str out;
	int rc;

	if (arg && !json_is_object(arg) && !json_is_null(arg)) {
		api_error(c, 400, "Invalid input for field/attribute os-getConsoleOutput.");
		return;
	}
	if (!text(doc, "host").n || str_eq(text(doc, "vm_state"), S("building"))) {
		api_error(c, 409, "Instance %.*s is not ready", STR(text(doc, "id")));
		return;
	}
	if (lines == 0) {
		api_respond(c, 200, json_pack("{s:s}", "output", ""));
		return;
	}
	if (!str_eq(text(doc, "host"), str_from(c->compute->host))) {
		api_error(c, 503, "The server is on another host.");
		return;
	}
	rc = drive_console(server_state(c), text(doc, "id"), lines < 0 ? 0 : (unsigned)lines,
			   c->arena, &out, &why);
	if (rc < 0) {
		api_error(c, rc == -ENOENT ? 404 : 503, "%s", why.text);
		return;
	}
	while (out.n && out.p[out.n - 1] == '\n')
		out.n--;
	/* What is no UTF-8 becomes question marks. */
	bool good = str_is_utf8(out);
	char *clean = arena_cstr(c->arena, out);

	for (size_t i = 0; i < out.n && !good; i++)
		if ((unsigned char)clean[i] >= 0x80)
			clean[i] = '?';
	json_t *v = json_stringn(clean, out.n);

	api_respond(c, 200, json_pack("{s:o}", "output", v ? v : json_string("")));
}
