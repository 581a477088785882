/* The record of an image: who may see it, how it looks from outside, changes on behalf of a
 * request. Glance: glance/api/policy.py, db/simple/api.py is_image_visible. */
#include "compute/image/image.h"
#include "lib/base/clock.h"

int64_t image_number(const json_t *doc, const char *key)
{
	return json_integer_value(json_object_get(doc, key));
}

bool image_has_status(const json_t *doc, const char *status)
{
	return str_eq(json_str(doc, "status"), str_from(status));
}

void image_touch(json_t *doc)
{
	json_object_set_new(doc, "_updated_us", json_integer(clock_wall_us()));
}

static bool owns(const struct caller *caller, const json_t *doc)
{
	return caller->project_id.n && str_eq(json_str(doc, "owner"), caller->project_id);
}

static bool is_member(const struct caller *caller, const json_t *doc)
{
	const json_t *member;
	size_t i;

	json_array_foreach(json_object_get(doc, "_members"), i, member)
		if (caller->project_id.n &&
		    str_eq(json_str(member, "member_id"), caller->project_id))
			return true;
	return false;
}

bool image_visible(const struct caller *caller, const json_t *doc)
{
	struct str visibility = json_str(doc, "visibility");

	if (image_has_status(doc, "deleted"))
		return false;
	return caller->admin || owns(caller, doc) || str_eq(visibility, S("public")) ||
	       str_eq(visibility, S("community")) ||
	       (str_eq(visibility, S("shared")) && is_member(caller, doc));
}

bool image_mutable(const struct caller *caller, const json_t *doc)
{
	return caller->admin || (caller->member && owns(caller, doc));
}

json_t *image_view(const json_t *doc)
{
	struct str id = json_str(doc, "id");
	json_t *view = json_object(), *value;
	const char *key;

	json_object_foreach(json_object_get(doc, "properties"), key, value)
		json_object_set(view, key, value);
	json_object_foreach((json_t *)doc, key, value)
		if (*key != '_' && strcmp(key, "properties") != 0)
			json_object_set(view, key, value);
	json_object_set_new(view, "created_at", api_time(image_number(doc, "_created_us")));
	json_object_set_new(view, "updated_at", api_time(image_number(doc, "_updated_us")));
	json_object_set_new(view, "self", json_sprintf("/v2/images/%.*s", STR(id)));
	json_object_set_new(view, "file", json_sprintf("/v2/images/%.*s/file", STR(id)));
	json_object_set_new(view, "schema", json_string("/v2/schemas/image"));
	if (json_object_get(doc, "_data"))
		json_object_set_new(view, "stores", json_string("swift"));
	return view;
}

void image_not_found(struct api_call *c, struct str id)
{
	api_error(c, 404, "No image found with ID %.*s", STR(id));
}

json_t *image_need(struct api_call *c)
{
	AUTO(json_text) doc = NULL;
	int rc = uuid_valid(c->arg[0]) ?
			 records_get(image_state(c)->images, c->arena, c->arg[0], &doc) :
			 -ENOENT;

	if (rc == 0 && image_visible(c->caller, doc))
		return TAKE(doc);
	if (rc == 0 || rc == -ENOENT)
		image_not_found(c, c->arg[0]);
	else
		api_fail(c, rc);
	return NULL;
}

static int run_change(void *arg, json_t *doc)
{
	struct image_change *ch = arg;

	if (!image_visible(ch->c->caller, doc)) {
		image_not_found(ch->c, ch->c->arg[0]);
		return IMAGE_ANSWERED;
	}
	return ch->fn(ch, doc);
}

json_t *image_change(struct api_call *c, int (*fn)(struct image_change *ch, json_t *doc), void *arg)
{
	struct image_change ch = { .c = c, .fn = fn, .arg = arg };
	json_t *doc = NULL;
	int rc = uuid_valid(c->arg[0]) ? records_change(image_state(c)->images, c->arena,
							c->arg[0], run_change, &ch, &doc) :
					 -ENOENT;

	if (rc == -ENOENT)
		image_not_found(c, c->arg[0]);
	else if (rc < 0 && rc != IMAGE_ANSWERED)
		api_fail(c, rc);
	return doc;
}

int image_refuse(struct image_change *ch, int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	struct str text = arena_vprintf(ch->c->arena, fmt, ap);
	va_end(ap);
	api_error(ch->c, status, "%.*s", STR(text));
	return IMAGE_ANSWERED;
}

int image_need_mutable(struct image_change *ch, const json_t *doc)
{
	if (image_mutable(ch->c->caller, doc))
		return 0;
	return image_refuse(ch, 403, "You are not permitted to modify this image.");
}
