/* POST /servers/{id}/action: checks the state and writes down what the host has to do.
 * Nova: compute/api.py check_instance_state, api/openstack/compute/ */
#include "compute/server/server.h"
#include "lib/base/clock.h"
#include "lib/base/encode.h"

enum state {
	ACTIVE = 1, STOPPED = 2, PAUSED = 4, SUSPENDED = 8, RESCUED = 16, RESIZED = 32, ERROR = 64,
	BUILDING = 128,
};

static unsigned state_of(const json_t *doc)
{
	static const char *const names[] = { "active",	"stopped", "paused", "suspended",
					     "rescued", "resized", "error",  "building" };

	for (unsigned i = 0; i < ARRAY_LEN(names); i++)
		if (str_eq(text(doc, "vm_state"), str_from(names[i])))
			return 1U << i;
	return 0;
}

struct action;
struct asked {
	const struct action *action;
	const json_t *arg;              /* the member's value */
	json_t *todo;                   /* more of what the host is told */
	json_t *set;                    /* members of the record that change at once */
	const char *task;
	unsigned from;
	struct str password;
};
struct action {
	const char *name;               /* in the body */
	const char *todo;               /* what the host does; also its name in the list */
	const char *task_state;
	unsigned from;                  /* states in which it may be */
	int status;
	/* Looks at the argument; false when it has answered. (It may wait.) */
	bool (*prepare)(struct api_call *c, struct asked *a);
};

/* ---- arguments ---- */

static bool prepare_reboot(struct api_call *c, struct asked *a)
{
	struct str type = text(a->arg, "type");
	bool hard = str_ieq(type, S("HARD"));

	if (!hard && !str_ieq(type, S("SOFT"))) {
		api_error(c, 400, "Invalid input for field/attribute type. Value: %.*s. It is not "
				  "one of HARD, SOFT", STR(str_head(type, 100)));
		return false;
	}
	a->from = hard ? ACTIVE | STOPPED | PAUSED | SUSPENDED | ERROR : ACTIVE;
	a->task = hard ? "rebooting_hard" : "rebooting";
	a->todo = json_pack("{s:b}", "hard", (int)hard);
	return true;
}

static void make_password(struct api_call *c, struct asked *a)
{
	char uuid[UUID_SIZE];

	uuid_make(uuid);
	a->password = json_str(a->arg, "adminPass").n ? json_str(a->arg, "adminPass") :
							arena_str(c->arena, str_of(uuid + 24, 12));
}

waits static bool prepare_rebuild(struct api_call *c, struct asked *a)
{
	static const struct field fields[] = {
		{ .name = "imageRef", .kind = F_TEXT, .min = 1, .max = 255, .required = true },
		{ .name = "name", .kind = F_NAME, .min = 1, .max = 255 },
		{ .name = "adminPass", .kind = F_TEXT, .max = 255 },
		{ .name = "metadata", .kind = F_OBJECT },
		{ .name = "OS-DCF:diskConfig", .kind = F_TEXT, .max = 16 },
		{ .name = "accessIPv4", .kind = F_TEXT, .max = 64 },
		{ .name = "accessIPv6", .kind = F_TEXT, .max = 64 },
		{ .name = "preserve_ephemeral", .kind = F_BOOL },
		{ .name = "personality", .kind = F_LIST },
		{ .name = "description", .kind = F_TEXT, .max = 255, .nullable = true },
		{ .name = NULL },
	};
	AUTO(json_text) server = NULL;
	AUTO(json_text) image = NULL;
	static const struct {
		const char *from, *to;
	} plain[] = { { "name", "name" }, { "metadata", "metadata" },
		      { "description", "description" }, { "OS-DCF:diskConfig", "disk_config" } };

	if (!fields_check(c, a->arg, fields) || !(server = server_need(c)))
		return false;
	struct str ref = text(a->arg, "imageRef");
	ssize_t slash = str_rchr(ref, '/');

	if (!server_metadata_check(c, json_object_get(a->arg, "metadata"),
				   server_conf.quota_metadata) ||
	    image_fetch(c, slash < 0 ? ref : str_skip(ref, (size_t)slash + 1), &image) < 0 ||
	    !image_fits(c, image, json_object_get(server, "flavor")))
		return false;
	a->set = json_pack("{s:o}", "image", image_kept(image));
	for (size_t i = 0; i < ARRAY_LEN(plain); i++)
		if (json_object_get(a->arg, plain[i].from))
			json_object_set_new(a->set, plain[i].to,
					    json_deep_copy(json_object_get(a->arg,
									   plain[i].from)));
	for (int v6 = 0; v6 < 2; v6++) {
		struct str given = json_str(a->arg, v6 ? "accessIPv6" : "accessIPv4");
		struct str normal = given.n ? address_normal(c->arena, given, v6) : STR_NONE;

		if (given.n && !normal.p) {
			api_error(c, 400, "Invalid input for field/attribute accessIP.");
			return false;
		}
		if (normal.p)
			json_object_set_new(a->set, v6 ? "access_v6" : "access_v4",
					    json_of(normal));
	}
	make_password(c, a);
	return true;
}

waits static bool prepare_resize(struct api_call *c, struct asked *a)
{
	const json_t *ref = json_object_get(a->arg, "flavorRef");
	AUTO(json_text) server = server_need(c);
	AUTO(json_text) flavor = NULL;
	struct str id = json_is_integer(ref) ?
				arena_printf(c->arena, "%" JSON_INTEGER_FORMAT,
					     json_integer_value(ref)) :
				json_str(a->arg, "flavorRef");
	ssize_t slash = str_rchr(id, '/');

	if (!server)
		return false;
	id = slash < 0 ? id : str_skip(id, (size_t)slash + 1);
	int rc = flavor_get(c, id, &flavor);

	if (rc == -ENOENT)
		api_error(c, 400, "Flavor %.*s could not be found.", STR(str_head(id, 300)));
	else if (rc < 0)
		api_fail(c, rc);
	else if (str_eq(text(json_object_get(server, "flavor"), "id"), text(flavor, "id")))
		api_error(c, rc = 400, "When resizing, instances must change flavor!");
	else if (number(flavor, "disk") < number(json_object_get(server, "flavor"), "disk"))
		api_error(c, rc = 400, "Resize to a smaller disk is not possible.");
	if (rc)
		return false;
	a->set = json_pack("{s:o, s:O}", "flavor", flavor_kept(flavor), "old_flavor",
			   json_object_get(server, "flavor"));
	a->todo = json_pack("{s:O}", "was", json_object_get(server, "vm_state"));
	return true;
}

waits static bool prepare_rescue(struct api_call *c, struct asked *a)
{
	AUTO(json_text) server = server_need(c);
	AUTO(json_text) image = NULL;
	struct str ref = text(a->arg, "rescue_image_ref");

	if (!server)
		return false;
	if (!ref.n)
		ref = text(json_object_get(server, "image"), "id");
	if (image_fetch(c, ref, &image) < 0)
		return false;
	a->todo = json_pack("{s:o}", "image", image_kept(image));
	make_password(c, a);
	return true;
}

/* ---- the table ---- */

static const struct action actions[] = {
	{ "os-start", "start", "powering-on", STOPPED, 202, NULL },
	{ "os-stop", "stop", "powering-off", ACTIVE | RESCUED | ERROR, 202, NULL },
	{ "reboot", "reboot", "rebooting", ACTIVE, 202, prepare_reboot },
	{ "pause", "pause", "pausing", ACTIVE | RESCUED, 202, NULL },
	{ "unpause", "unpause", "unpausing", PAUSED, 202, NULL },
	{ "suspend", "suspend", "suspending", ACTIVE | RESCUED, 202, NULL },
	{ "resume", "resume", "resuming", SUSPENDED, 202, NULL },
	{ "rebuild", "rebuild", "rebuilding", ACTIVE | STOPPED | ERROR, 202, prepare_rebuild },
	{ "resize", "resize", "resize_prep", ACTIVE | STOPPED, 202, prepare_resize },
	{ "confirmResize", "confirmResize", NULL, RESIZED, 204, NULL },
	{ "revertResize", "revertResize", "resize_reverting", RESIZED, 202, NULL },
	{ "rescue", "rescue", "rescuing", ACTIVE | STOPPED | ERROR, 200, prepare_rescue },
	{ "unrescue", "unrescue", "unrescuing", RESCUED, 202, NULL },
};

static int ask(struct server_change *ch, json_t *doc)
{
	struct asked *a = ch->arg;
	struct str id = text(doc, "id"), task = text(doc, "task_state");
	int rc = server_unlocked(ch, doc);
	json_t *todo;

	if (rc < 0)
		return rc;
	if (task.n || json_object_get(doc, "todo"))
		return server_refuse(ch, 409, "Cannot '%s' instance %.*s while it is in task_state "
					      "%.*s", a->action->todo, STR(id), STR(task));
	if (!(state_of(doc) & a->from) || !text(doc, "host").n)
		return server_refuse(ch, 409, "Cannot '%s' instance %.*s while it is in vm_state "
					      "%.*s", a->action->todo, STR(id),
				     STR(text(doc, "vm_state")));
	json_object_set_new(doc, "task_state", a->task ? json_string(a->task) : json_null());
	todo = a->todo ? json_deep_copy(a->todo) : json_object();
	json_object_set_new(todo, "action", json_string(a->action->todo));
	json_object_set_new(doc, "todo", todo);
	if (a->set)
		json_object_update(doc, a->set);
	server_note(ch->c, doc, a->action->todo);
	server_touch(doc);
	return 1;
}

static void respond_done(struct api_call *c, const struct asked *a, const json_t *doc)
{
	if (a->action->prepare == prepare_rescue) {
		api_respond(c, 200, json_pack("{s:o}", "adminPass", json_of(a->password)));
	} else if (a->action->prepare == prepare_rebuild) {
		json_t *view = server_view(c, doc, VIEW_REDUCED);

		json_object_set_new(view, "adminPass", json_of(a->password));
		if (c->version >= 54)
			json_object_set(view, "key_name", json_object_get(doc, "key_name"));
		if (c->version >= 57)
			json_object_set(view, "user_data", json_object_get(doc, "user_data"));
		api_respond(c, 202, json_pack("{s:o}", "server", view));
		headers_set(&c->res->headers, S("Location"),
			    api_url(c, arena_printf(c->arena, "/v2.1/servers/%.*s",
						    STR(text(doc, "id"))).p));
	} else {
		api_respond_empty(c, a->action->status);
	}
}

waits static void run(struct api_call *c, const struct action *action, const json_t *arg)
{
	struct asked a = { .action = action, .arg = arg, .task = action->task_state,
			   .from = action->from };
	json_t *doc = NULL;

	if (!action->prepare || action->prepare(c, &a))
		doc = server_change(c, ask, &a);
	if (doc) {
		respond_done(c, &a, doc);
		server_kick(server_state(c));
	}
	json_decref(doc);
	json_decref(a.todo);
	json_decref(a.set);
}

/* ---- what concerns only the record ---- */

static int lock(struct server_change *ch, json_t *doc)
{
	const json_t *reason = json_object_get(ch->arg, "locked_reason");

	json_object_set_new(doc, "locked", json_string(ch->c->caller->admin ? "admin" : "owner"));
	json_object_set_new(doc, "locked_reason",
			    ch->c->version >= 73 && json_is_string(reason) ?
				    json_incref((json_t *)reason) : json_null());
	server_note(ch->c, doc, "lock");
	return 1;
}

static int unlock(struct server_change *ch, json_t *doc)
{
	if (str_eq(text(doc, "locked"), S("admin")) && !ch->c->caller->admin)
		return server_refuse(ch, 403, "Policy doesn't allow os_compute_api:os-lock-server:"
					      "unlock:unlock_override to be performed.");
	json_object_set_new(doc, "locked", json_null());
	json_object_set_new(doc, "locked_reason", json_null());
	server_note(ch->c, doc, "unlock");
	return 1;
}

static int reset_state(struct server_change *ch, json_t *doc)
{
	struct str state = text(ch->arg, "state");

	if (!ch->c->caller->admin)
		return server_refuse(ch, 403, "Policy doesn't allow os_compute_api:"
					      "os-admin-actions:reset_state to be performed.");
	if (!str_eq(state, S("active")) && !str_eq(state, S("error")))
		return server_refuse(ch, 400, "Invalid input for field/attribute state.");
	json_object_set_new(doc, "vm_state", json_of(state));
	json_object_set_new(doc, "task_state", json_null());
	json_object_del(doc, "todo");
	server_touch(doc);
	return 1;
}

static int change_group(struct server_change *ch, json_t *doc)
{
	const json_t *add = json_object_get(ch->arg, "addSecurityGroup");
	struct str name = text(add ? add : json_object_get(ch->arg, "removeSecurityGroup"), "name");
	json_t *groups = json_object_get(doc, "security_groups"), *g;
	size_t i, at = SIZE_MAX;

	if (!name.n)
		return server_refuse(ch, 400, "Missing parameter dict: name");
	json_array_foreach(groups, i, g)
		if (str_eq(str_from(json_string_value(g)), name))
			at = i;
	if (!add && at == SIZE_MAX)
		return server_refuse(ch, 404, "Security group %.*s not found.", STR(name));
	if (!add)
		json_array_remove(groups, at);
	else if (at == SIZE_MAX)
		json_array_append_new(groups, json_of(name));
	return 1;
}

static int refuse_restore(struct server_change *ch, json_t *doc)
{
	return server_refuse(ch, 409, "Cannot 'restore' instance %.*s while it is in vm_state "
				      "%.*s", STR(text(doc, "id")), STR(text(doc, "vm_state")));
}

waits static bool run_simple(struct api_call *c, const json_t *body, const char *name,
			     const json_t *arg)
{
	static const struct {
		const char *name;
		int (*fn)(struct server_change *ch, json_t *doc);
		bool whole;             /* fn wants the body */
	} simple[] = {
		{ "lock", lock, false },
		{ "unlock", unlock, false },
		{ "os-resetState", reset_state, false },
		{ "addSecurityGroup", change_group, true },
		{ "removeSecurityGroup", change_group, true },
		{ "restore", refuse_restore, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(simple); i++) {
		if (strcmp(name, simple[i].name) != 0)
			continue;
		AUTO(json_text) doc = server_change(c, simple[i].fn,
						    (void *)(simple[i].whole ? body : arg));

		if (doc)
			api_respond_empty(c, 202);
		return true;
	}
	return false;
}

waits static void console_output(struct api_call *c, const json_t *arg)
{
	AUTO(json_text) doc = server_need(c);

	if (doc)
		server_console(c, doc, arg);
}

void server_action(struct api_call *c)
{
	AUTO(json_text) body = api_body(c, SERVER_BODY_MAX);
	const char *name;

	if (!body)
		return;
	if (json_object_size(body) != 1) {
		api_error(c, 400, "Malformed request body");
		return;
	}
	name = json_object_iter_key(json_object_iter(body));
	const json_t *arg = json_object_get(body, name);

	for (size_t i = 0; i < ARRAY_LEN(actions); i++)
		if (strcmp(name, actions[i].name) == 0) {
			run(c, &actions[i], arg);
			return;
		}
	if (strcmp(name, "forceDelete") == 0)
		server_delete(c);
	else if (strcmp(name, "os-getConsoleOutput") == 0)
		console_output(c, arg);
	else if (!run_simple(c, body, name, arg))
		api_error(c, 400, "There is no such action: %.100s", name);
}
