/* The record of a server: who may see it, its status, changes on behalf of a request. */
#include "compute/server/server.h"
#include "lib/base/clock.h"

static const char *active_status(struct str task)
{
	if (str_eq(task, S("rebooting")))
		return "REBOOT";
	if (str_eq(task, S("rebooting_hard")))
		return "HARD_REBOOT";
	if (str_eq(task, S("rebuilding")))
		return "REBUILD";
	return str_starts(task, S("resize_")) ? "RESIZE" : "ACTIVE";
}

const char *server_status(const json_t *doc)
{
	static const struct {
		const char *state, *status;
	} others[] = {
		{ "building", "BUILD" },     { "paused", "PAUSED" }, { "suspended", "SUSPENDED" },
		{ "rescued", "RESCUE" },     { "error", "ERROR" },   { "deleted", "DELETED" },
		{ "resized", "VERIFY_RESIZE" },
	};
	struct str state = text(doc, "vm_state"), task = text(doc, "task_state");

	if (str_eq(state, S("active")))
		return active_status(task);
	if (str_eq(state, S("stopped")))
		return str_starts(task, S("resize_"))	? "RESIZE" :
		       str_eq(task, S("rebuilding"))	? "REBUILD" :
							  "SHUTOFF";
	if (str_eq(state, S("resized")) && str_eq(task, S("resize_reverting")))
		return "REVERT_RESIZE";
	if (str_eq(state, S("error")) && str_eq(task, S("rebuilding")))
		return "REBUILD";
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (str_eq(state, str_from(others[i].state)))
			return others[i].status;
	return "UNKNOWN";
}

void server_touch(json_t *doc)
{
	json_object_set_new(doc, "updated_us", json_integer(clock_wall_us()));
}

void server_note(struct api_call *c, json_t *doc, const char *action)
{
	enum { KEPT = 50 };
	json_t *list = json_object_get(doc, "actions");

	if (!list)
		json_object_set_new(doc, "actions", list = json_array());
	json_array_insert_new(list, 0,
			      json_pack("{s:s, s:o, s:o, s:o, s:I, s:n}", "action", action,
					"request_id", json_of(c->req->trans_id), "user_id",
					json_of(c->caller->user_id), "project_id",
					json_of(c->caller->project_id), "start_us",
					(json_int_t)clock_wall_us(), "message"));
	while (json_array_size(list) > KEPT)
		json_array_remove(list, KEPT);
}

static void not_found(struct api_call *c)
{
	api_error(c, 404, "Instance %.*s could not be found.", STR(str_head(c->arg[0], 300)));
}

json_t *server_need(struct api_call *c)
{
	AUTO(json_text) doc = NULL;
	int rc = uuid_valid(c->arg[0]) ?
			 records_get(server_state(c)->servers, c->arena, c->arg[0], &doc) : -ENOENT;

	if (rc == 0 && may_see(c, text(doc, "project_id")))
		return TAKE(doc);
	if (rc == 0 || rc == -ENOENT)
		not_found(c);
	else
		api_fail(c, rc);
	return NULL;
}

static int run_change(void *arg, json_t *doc)
{
	struct server_change *ch = arg;

	if (!may_see(ch->c, text(doc, "project_id"))) {
		not_found(ch->c);
		return SERVER_ANSWERED;
	}
	return ch->fn(ch, doc);
}

json_t *server_change(struct api_call *c, int (*fn)(struct server_change *ch, json_t *doc),
		      void *arg)
{
	struct server_change ch = { .c = c, .fn = fn, .arg = arg };
	json_t *doc = NULL;
	int rc = uuid_valid(c->arg[0]) ? records_change(server_state(c)->servers, c->arena,
							c->arg[0], run_change, &ch, &doc) :
					 -ENOENT;

	if (rc == -ENOENT)
		not_found(c);
	else if (rc < 0 && rc != SERVER_ANSWERED)
		api_fail(c, rc);
	return doc;
}

int server_refuse(struct server_change *ch, int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	struct str why = arena_vprintf(ch->c->arena, fmt, ap);
	va_end(ap);
	api_error(ch->c, status, "%.*s", STR(why));
	return SERVER_ANSWERED;
}

int server_unlocked(struct server_change *ch, const json_t *doc)
{
	if (!json_is_string(json_object_get(doc, "locked")) || ch->c->caller->admin)
		return 0;
	return server_refuse(ch, 409, "Instance %.*s is locked", STR(text(doc, "id")));
}
