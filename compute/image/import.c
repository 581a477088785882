/* POST /v2/images/{id}/import, and what /v2/info tells. There is one store, called "swift". */
#include "compute/image/data.h"
#include "compute/image/task.h"
#include "compute/image/web.h"

enum { BODY_MAX = 64 * KIB };

struct importing {
	struct str prefix;              /* of a new upload, for web-download */
	json_t *facts;                  /* of what is staged */
};

/* ---- glance-direct: what was staged becomes the image ---- */

static int use_stage(struct image_change *ch, json_t *doc)
{
	const json_t *stage = json_object_get(doc, "_stage");
	int rc = image_need_mutable(ch, doc);

	if (rc < 0)
		return rc;
	if (!image_has_status(doc, "uploading") || !stage)
		return image_refuse(ch, 409, "Only images with status 'uploading' and staged data "
					     "can be imported; it is '%.*s'.",
				    STR(json_str(doc, "status")));
	if (!json_str(doc, "disk_format").n || !json_str(doc, "container_format").n)
		return image_refuse(ch, 400, "Properties disk_format, container_format must be "
					     "set prior to saving data.");
	AUTO(json_text) facts = json_incref((json_t *)stage);

	image_activate(doc, facts);
	return 1;
}

waits static bool import_staged(struct api_call *c, struct str task)
{
	AUTO(json_text) doc = image_change(c, use_stage, NULL);

	task_end(image_state(c), task, doc ? NULL : "The image has no staged data.");
	return doc != NULL;
}

/* ---- web-download ---- */

static int mark_import(struct image_change *ch, json_t *doc)
{
	struct importing *im = ch->arg;
	int rc = image_need_mutable(ch, doc);

	if (rc < 0)
		return rc;
	if (!image_has_status(doc, "queued"))
		return image_refuse(ch, 409, "Only images with status 'queued' can be imported by "
					     "web-download; it is '%.*s'.",
				    STR(json_str(doc, "status")));
	if (!json_str(doc, "disk_format").n || !json_str(doc, "container_format").n)
		return image_refuse(ch, 400, "Properties disk_format, container_format must be "
					     "set prior to saving data.");
	json_object_set_new(doc, "status", json_string("importing"));
	json_object_set_new(doc, "_upload",
			    image_upload_mark(image_state(ch->c), im->prefix, "queued", -1));
	image_touch(doc);
	return 1;
}

waits static bool import_web(struct api_call *c, struct str uri, struct str task)
{
	struct importing im = { .prefix = image_new_prefix(c->arena, c->arg[0]) };
	AUTO(json_text) doc = image_change(c, mark_import, &im);

	if (doc)
		web_download(c, uri, im.prefix, task);
	else
		task_end(image_state(c), task, "The image is not queued.");
	return doc != NULL;
}

/* ---- copy-image: the one store has it already ---- */

static int check_copy(struct image_change *ch, json_t *doc)
{
	int rc = image_need_mutable(ch, doc);

	if (rc == 0 && !image_has_status(doc, "active"))
		rc = image_refuse(ch, 409, "Only images with status active can be targeted for "
					   "copying");
	return rc;
}

waits static bool import_copy(struct api_call *c, struct str task)
{
	AUTO(json_text) doc = image_change(c, check_copy, NULL);

	task_end(image_state(c), task, doc ? NULL : "The image is not active.");
	return doc != NULL;
}

/* ---- the request ---- */

/* Whether the stores that are asked for are those there are; else answered. */
static bool stores_good(struct api_call *c, const json_t *body)
{
	const json_t *stores = json_object_get(body, "stores"), *store;
	size_t i;

	if (stores && json_is_true(json_object_get(body, "all_stores"))) {
		api_error(c, 400, "All_stores parameter can't be used with stores in the same "
				  "request");
		return false;
	}
	json_array_foreach((json_t *)stores, i, store)
		if (!json_is_string(store) || strcmp(json_string_value(store), "swift") != 0) {
			api_error(c, 400, "There is no such store.");
			return false;
		}
	return true;
}

/* 0 when the method and its URI can be used, else answered. */
static int check_method(struct api_call *c, struct str method, struct str uri)
{
	bool web = str_eq(method, S("web-download"));

	if (!str_eq(method, S("glance-direct")) && !str_eq(method, S("copy-image")) &&
	    !(web && image_conf.web_download_hosts.count)) {
		api_error(c, 400, "Unknown import method name '%.*s'.", STR(method));
		return -EINVAL;
	}
	if (!web)
		return 0;
	int rc = uri.n ? web_allowed(uri) : -EINVAL;

	if (rc < 0)
		api_error(c, 400, rc == -EPERM ? "URI for web-download does not pass filtering: "
						 "%.*s" : "URI is invalid: %.*s", STR(uri));
	return rc;
}

waits static bool run_method(struct api_call *c, struct str method, struct str uri, struct str task)
{
	if (str_eq(method, S("web-download")))
		return import_web(c, uri, task);
	return str_eq(method, S("copy-image")) ? import_copy(c, task) : import_staged(c, task);
}

void image_import(struct api_call *c)
{
	AUTO(json_text) body = api_body(c, BODY_MAX);
	json_t *method = json_object_get(body, "method");
	struct str name = json_str(method, "name"), uri = json_str(method, "uri");

	if (!body)
		return;
	if (!name.n) {
		api_error(c, 400, "Expected a method with a name.");
		return;
	}
	if (check_method(c, name, uri) < 0 || !stores_good(c, body))
		return;
	AUTO(json_text) doc = image_need(c);

	if (!doc)
		return;
	struct str task = task_begin(c, json_pack("{s:O, s:{s:O}}", "image_id",
						  json_object_get(doc, "id"), "import_req",
						  "method", method));

	if (task.p && run_method(c, name, uri, task))
		api_respond_empty(c, 202);
}

/* ---- /v2/info ---- */

void image_info_import(struct api_call *c)
{
	json_t *methods = json_pack("[s]", "glance-direct");

	if (image_conf.web_download_hosts.count)
		json_array_append_new(methods, json_string("web-download"));
	json_array_append_new(methods, json_string("copy-image"));
	api_respond(c, 200,
		    json_pack("{s:{s:s, s:s, s:o}}", "import-methods", "type", "array",
			      "description", "Import methods available.", "value", methods));
}

void image_info_stores(struct api_call *c)
{
	api_respond(c, 200, json_pack("{s:[{s:s, s:s}]}", "stores", "id", "swift", "default",
				      "true"));
}

static json_t *usage(uint64_t quota, uint64_t used)
{
	return json_pack("{s:I, s:I}", "quota", quota ? (json_int_t)quota : (json_int_t)-1,
			 "usage", (json_int_t)used);
}

void image_info_usage(struct api_call *c)
{
	uint64_t bytes, images;
	int rc = image_usage(image_state(c), c->arena, c->caller->project_id, STR_NONE, &bytes,
			     &images);

	if (rc < 0) {
		api_fail(c, rc);
		return;
	}
	api_respond(c, 200,
		    json_pack("{s:{s:o, s:o}}", "usage", "image_size_total",
			      usage(image_conf.project_quota, bytes), "image_count_total",
			      usage(0, images)));
}
