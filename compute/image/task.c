/* The records of imports, and /v2/tasks. */
#include "compute/image/task.h"
#include "lib/base/clock.h"
#include "lib/log/log.h"

struct str task_begin(struct api_call *c, json_t *input)
{
	int64_t now = clock_wall_us();
	char id[UUID_SIZE];

	uuid_make(id);
	AUTO(json_text) doc = json_pack(
		"{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:s, s:n, s:I, s:I}", "id", id, "type",
		"api_image_import", "status", "processing", "owner",
		json_of(c->caller->project_id), "image_id", json_of(c->arg[0]), "request_id",
		json_of(c->req->trans_id), "user_id", json_of(c->caller->user_id), "input", input,
		"message", "", "result", "_created_us", (json_int_t)now, "_updated_us",
		(json_int_t)now);
	int rc = records_create(image_state(c)->tasks, c->arena, str_from(id), doc);

	if (rc < 0) {
		api_fail(c, rc);
		return STR_NONE;
	}
	return arena_str(c->arena, str_from(id));
}

static int set_end(void *arg, json_t *doc)
{
	const char *message = arg;

	json_object_set_new(doc, "status", json_string(message ? "failure" : "success"));
	json_object_set_new(doc, "message", json_of(str_from(message ? message : "")));
	json_object_set_new(doc, "_updated_us", json_integer(clock_wall_us()));
	return 1;
}

void task_end(struct image_state *s, struct str id, const char *message)
{
	AUTO(arena) a = arena_new();
	int rc = records_change(s->tasks, a, id, set_end, (char *)message, NULL);

	if (rc < 0)
		log_warn("the end of task %.*s is not recorded: %s, ignoring", STR(id),
			 strerror(-rc));
}

int tasks_expire(struct image_state *s)
{
	CLEANUP(record_list_done) struct record_list all = { .n = 0 };
	AUTO(arena) a = arena_new();
	int64_t before = clock_wall_us() - (int64_t)image_conf.task_life * 1000;
	int rc = records_list(s->tasks, a, &all);

	for (size_t i = 0; i < all.n && rc == 0; i++)
		if (image_number(all.v[i].doc, "_created_us") < before)
			rc = records_remove(s->tasks, a, all.v[i].id);
	return rc;
}

/* ---- the API ---- */

static json_t *view(const json_t *doc, bool whole)
{
	int64_t created = image_number(doc, "_created_us");
	json_t *v = json_object(), *value;
	const char *key;

	json_object_foreach((json_t *)doc, key, value)
		if (*key != '_' && (whole || (strcmp(key, "input") && strcmp(key, "result") &&
					      strcmp(key, "message"))))
			json_object_set(v, key, value);
	json_object_set_new(v, "created_at", api_time(created));
	json_object_set_new(v, "updated_at", api_time(image_number(doc, "_updated_us")));
	json_object_set_new(v, "expires_at",
			    api_time(created + (int64_t)image_conf.task_life * 1000));
	json_object_set_new(v, "self",
			    json_sprintf("/v2/tasks/%.*s", STR(json_str(doc, "id"))));
	json_object_set_new(v, "schema", json_string("/v2/schemas/task"));
	return v;
}

static int newest_first(const void *a, const void *b)
{
	int64_t x = image_number(((const struct record *)a)->doc, "_created_us");
	int64_t y = image_number(((const struct record *)b)->doc, "_created_us");

	return x > y ? -1 : x < y;
}

/* Those of an image (whole), or all. New reference; NULL and answered. */
waits static json_t *list_tasks(struct api_call *c, struct str image)
{
	CLEANUP(record_list_done) struct record_list all = { .n = 0 };
	int rc = records_list(image_state(c)->tasks, c->arena, &all);
	struct str status = api_query(c, "status"), type = api_query(c, "type");

	if (rc < 0) {
		api_fail(c, rc);
		return NULL;
	}
	json_t *list = json_array();

	if (all.n)
		qsort(all.v, all.n, sizeof *all.v, newest_first);
	for (size_t i = 0; i < all.n; i++) {
		const json_t *doc = all.v[i].doc;

		if ((!image.p || str_eq(json_str(doc, "image_id"), image)) &&
		    (!status.p || str_eq(json_str(doc, "status"), status)) &&
		    (!type.p || str_eq(json_str(doc, "type"), type)))
			json_array_append_new(list, view(doc, image.p != NULL));
	}
	return list;
}

void image_tasks(struct api_call *c)
{
	AUTO(json_text) doc = image_need(c);
	json_t *list = doc ? list_tasks(c, c->arg[0]) : NULL;

	if (list)
		api_respond(c, 200, json_pack("{s:o}", "tasks", list));
}

void tasks_list(struct api_call *c)
{
	json_t *list = list_tasks(c, STR_NONE);

	if (list)
		api_respond(c, 200, json_pack("{s:o, s:s, s:s}", "tasks", list, "schema",
					      "/v2/schemas/tasks", "first", "/v2/tasks"));
}

void task_show(struct api_call *c)
{
	AUTO(json_text) doc = NULL;
	int rc = records_get(image_state(c)->tasks, c->arena, c->arg[0], &doc);

	if (rc == -ENOENT)
		api_error(c, 404, "Task not found for task_id %.*s", STR(c->arg[0]));
	else if (rc < 0)
		api_fail(c, rc);
	else
		api_respond(c, 200, view(doc, true));
}
