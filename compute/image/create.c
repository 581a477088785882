/* POST /v2/images: an image without bytes; GET of one. */
#include "compute/image/image.h"
#include "lib/base/clock.h"

static json_t *new_image(const struct caller *caller, struct str id)
{
	int64_t now = clock_wall_us();

	return json_pack("{s:o, s:n, s:s, s:s, s:b, s:b, s:n, s:n, s:n, s:o, s:n, s:n, s:n, s:n,"
			 " s:[], s:i, s:i, s:{}, s:[], s:I, s:I}",
			 "id", json_of(id), "name", "status", "queued", "visibility", "shared",
			 "protected", 0, "os_hidden", 0, "checksum", "os_hash_algo",
			 "os_hash_value", "owner", json_of(caller->project_id), "size",
			 "virtual_size", "container_format", "disk_format", "tags", "min_ram", 0,
			 "min_disk", 0, "properties", "_members", "_created_us", (json_int_t)now,
			 "_updated_us", (json_int_t)now);
}

/* Each tag once, in order. */
static json_t *distinct(const json_t *tags)
{
	json_t *list = json_array(), *tag;
	size_t i, j;

	json_array_foreach((json_t *)tags, i, tag) {
		bool seen = false;
		const json_t *other;

		json_array_foreach(list, j, other)
			seen |= json_equal(tag, other);
		if (!seen)
			json_array_append(list, tag);
	}
	return list;
}

/* Puts one member of the request into the record; false when it was refused. */
static bool take(struct api_call *c, json_t *doc, struct str name, json_t *value)
{
	const struct image_field *f = image_field(name);
	const char *wrong;

	if (image_name_reserved(name) || (f && f->read_only)) {
		api_error(c, 403, "Attribute '%.*s' is %s.", STR(name),
			  f ? "read-only" : "reserved");
		return false;
	}
	wrong = f ? image_value_wrong(c->arena, f, value) :
		    image_property_wrong(c->arena, name, value);
	if (!wrong && str_eq(name, S("id")) && !uuid_valid(json_str(doc, "id")))
		wrong = "is not a UUID";
	if (wrong) {
		api_error(c, 400, "Provided object does not match schema 'image': '%.*s' %s",
			  STR(name), wrong);
		return false;
	}
	if (!f)
		json_object_set(json_object_get(doc, "properties"), arena_cstr(c->arena, name),
				value);
	else if (f->kind == IMAGE_TAGS)
		json_object_set_new(doc, f->name, distinct(value));
	else
		json_object_set(doc, f->name, value);
	return true;
}

static bool may_create(struct api_call *c, const json_t *doc)
{
	const struct caller *who = c->caller;

	if (!who->admin && !str_eq(json_str(doc, "owner"), who->project_id)) {
		api_error(c, 403, "You are not permitted to create images owned by '%.*s'.",
			  STR(json_str(doc, "owner")));
		return false;
	}
	if (!who->admin && str_eq(json_str(doc, "visibility"), S("public"))) {
		api_error(c, 403, "You are not authorized to complete publicize_image action.");
		return false;
	}
	if (json_object_size(json_object_get(doc, "properties")) >
	    (size_t)image_conf.property_quota) {
		api_error(c, 413, "The limit of %" PRId64 " properties has been exceeded.",
			  image_conf.property_quota);
		return false;
	}
	return true;
}

static struct str import_methods(void)
{
	return image_conf.web_download_hosts.count ? S("glance-direct,web-download,copy-image") :
						     S("glance-direct,copy-image");
}

void image_create(struct api_call *c)
{
	AUTO(json_text) body = api_body(c, IMAGE_BODY_MAX);
	const char *key;
	json_t *value;
	char uuid[UUID_SIZE];

	if (!body)
		return;
	if (!json_is_object(body)) {
		api_error(c, 400, "Provided object does not match schema 'image'");
		return;
	}
	if (!c->caller->project_id.n && !c->caller->admin) {
		api_error(c, 403, "A token that is scoped to a project is needed.");
		return;
	}
	uuid_make(uuid);
	struct str id = json_str(body, "id").n ? json_str(body, "id") : str_from(uuid);
	AUTO(json_text) doc = new_image(c->caller, id);

	json_object_foreach(body, key, value)
		if (!take(c, doc, str_from(key), value))
			return;
	if (!may_create(c, doc))
		return;
	int rc = records_create(image_state(c)->images, c->arena, id, doc);

	if (rc == -EEXIST) {
		api_error(c, 409, "Image ID %.*s already exists!", STR(id));
		return;
	}
	if (rc < 0) {
		api_fail(c, rc);
		return;
	}
	api_respond(c, 201, image_view(doc));
	headers_set(&c->res->headers, S("Location"),
		    api_url(c, arena_printf(c->arena, "/v2/images/%.*s", STR(id)).p));
	headers_set(&c->res->headers, S("OpenStack-image-import-methods"), import_methods());
	headers_set(&c->res->headers, S("OpenStack-image-store-ids"), S("swift"));
}

void image_show(struct api_call *c)
{
	AUTO(json_text) doc = image_need(c);

	if (doc)
		api_respond(c, 200, image_view(doc));
}
