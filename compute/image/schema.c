/* /v2/schemas: JSON schemas, by which clients know the fields.
 * Glance: api/v2/schemas.py and the get_schema of each resource. */
#include "compute/image/image.h"

struct property {
	const char *name, *type, *about;
};

static json_t *property(const char *type, const char *about)
{
	return json_pack("{s:s, s:s}", "type", type, "description", about);
}

static json_t *properties(const struct property *list)
{
	json_t *o = json_object();

	for (; list->name; list++)
		json_object_set_new(o, list->name, property(list->type, list->about));
	return o;
}

static json_t *links(void)
{
	return json_pack("[{s:s, s:s}, {s:s, s:s}, {s:s, s:s}]", "rel", "self", "href", "{self}",
			 "rel", "enclosure", "href", "{file}", "rel", "describedby", "href",
			 "{schema}");
}

static json_t *page_links(void)
{
	return json_pack("[{s:s, s:s}, {s:s, s:s}, {s:s, s:s}]", "rel", "first", "href", "{first}",
			 "rel", "next", "href", "{next}", "rel", "describedby", "href",
			 "{schema}");
}

/* ---- images ---- */

static void set_type(json_t *p, const struct image_field *f, const char *type)
{
	json_object_set_new(p, "type", f->nullable ? json_pack("[s, s]", "null", type) :
						     json_string(type));
}

static json_t *words(const struct image_field *f)
{
	const struct conf_list *list = image_words(f);
	json_t *a = f->nullable ? json_pack("[n]") : json_array();

	for (unsigned i = 0; i < list->count; i++)
		json_array_append_new(a, json_of(list->items[i]));
	return a;
}

static json_t *image_property(const struct image_field *f)
{
	static const char *const types[] = { "string", "integer", "boolean", "array", "string" };
	json_t *p = json_pack("{s:s}", "description", f->about);

	set_type(p, f, types[f->kind]);
	if (f->read_only)
		json_object_set_new(p, "readOnly", json_true());
	if (f->kind == IMAGE_TEXT && !f->read_only)
		json_object_set_new(p, "maxLength", json_integer(IMAGE_NAME_MAX));
	if (f->kind == IMAGE_WORD)
		json_object_set_new(p, "enum", words(f));
	if (f->kind == IMAGE_TAGS)
		json_object_set_new(p, "items", json_pack("{s:s, s:i}", "type", "string",
							  "maxLength", IMAGE_NAME_MAX));
	return p;
}

static json_t *image(void)
{
	json_t *p = json_object();

	for (const struct image_field *f = image_fields; f->name; f++)
		json_object_set_new(p, f->name, image_property(f));
	return json_pack("{s:s, s:o, s:{s:s}, s:o}", "name", "image", "properties", p,
			 "additionalProperties", "type", "string", "links", links());
}

/* ---- what is described by a list ---- */

static const struct property member_properties[] = {
	{ "member_id", "string", "An identifier for the image member (tenantId)" },
	{ "image_id", "string", "An identifier for the image" },
	{ "created_at", "string", "Date and time of image member creation" },
	{ "updated_at", "string", "Date and time of last modification of image member" },
	{ "status", "string", "The status of this image member" },
	{ "schema", "string", "The schema of an image member" },
	{ .name = NULL },
};
static const struct property task_properties[] = {
	{ "id", "string", "An identifier for the task" },
	{ "type", "string", "The type of task represented by this content" },
	{ "status", "string", "The current status of this task" },
	{ "input", "object", "The parameters required by task, JSON blob" },
	{ "result", "object", "The result of current task, JSON blob" },
	{ "owner", "string", "An identifier for the owner of this task" },
	{ "message", "string", "Human-readable message, included when appropriate" },
	{ "image_id", "string", "Image associated with the task" },
	{ "request_id", "string", "Human-readable informative request-id" },
	{ "user_id", "string", "User associated with the task" },
	{ "expires_at", "string", "Datetime when this resource would be subject to removal" },
	{ "created_at", "string", "Datetime when this resource was created" },
	{ "updated_at", "string", "Datetime when this resource was updated" },
	{ "self", "string", "A link to this resource" },
	{ "schema", "string", "The schema of a task" },
	{ .name = NULL },
};
static const struct property namespace_properties[] = {
	{ "namespace", "string", "The unique namespace text." },
	{ "display_name", "string", "The user friendly name for the namespace." },
	{ "description", "string", "Provides a user friendly description of the namespace." },
	{ "visibility", "string", "Scope of namespace accessibility." },
	{ "protected", "boolean", "If true, namespace will not be deletable." },
	{ "owner", "string", "Owner of the namespace." },
	{ "created_at", "string", "Date and time of namespace creation" },
	{ "updated_at", "string", "Date and time of the last namespace modification" },
	{ "self", "string", "The URL of the namespace" },
	{ "schema", "string", "The URL of the schema" },
	{ "resource_type_associations", "array", "The resource types it is for" },
	{ "properties", "object", "The properties it defines, by name" },
	{ "objects", "array", "The objects it defines" },
	{ "tags", "array", "The tags it defines" },
	{ .name = NULL },
};
static const struct property resource_type_properties[] = {
	{ "name", "string", "Resource type names should be aligned with Heat resource types." },
	{ "prefix", "string", "Specifies the prefix to use for the given resource type." },
	{ "properties_target", "string", "Where the properties apply: image, metadata …" },
	{ "created_at", "string", "Date and time of resource type association" },
	{ "updated_at", "string", "Date and time of its last modification" },
	{ .name = NULL },
};
static const struct property property_properties[] = {
	{ "name", "string", "The name of the property" },
	{ "title", "string", "A title for people" },
	{ "description", "string", "What it is for" },
	{ "operators", "array", "The operators that may be used with it" },
	{ "type", "string", "array, boolean, integer, number, object, string or null" },
	{ "required", "array", "What must be there" },
	{ "minimum", "number", "The least value" },
	{ "maximum", "number", "The greatest value" },
	{ "maxLength", "integer", "The most characters" },
	{ "minLength", "integer", "The least characters" },
	{ "pattern", "string", "A regular expression that values match" },
	{ "enum", "array", "The values there are" },
	{ "readonly", "boolean", "Whether it cannot be set" },
	{ "default", "string", "The value when none is given" },
	{ "items", "object", "What the items of an array are" },
	{ "uniqueItems", "boolean", "Whether each item is there once" },
	{ "minItems", "integer", "The least items" },
	{ "maxItems", "integer", "The most items" },
	{ "additionalItems", "boolean", "Whether there may be more items" },
	{ .name = NULL },
};
static const struct property object_properties[] = {
	{ "name", "string", "The name of the object" },
	{ "description", "string", "What it is for" },
	{ "required", "array", "The properties that must be there" },
	{ "properties", "object", "Its properties, by name" },
	{ "created_at", "string", "Date and time of object creation" },
	{ "updated_at", "string", "Date and time of the last object modification" },
	{ "self", "string", "The URL of the object" },
	{ "schema", "string", "The URL of the schema" },
	{ .name = NULL },
};
static const struct property tag_properties[] = {
	{ "name", "string", "The name of the tag" },
	{ "created_at", "string", "Date and time of tag creation" },
	{ "updated_at", "string", "Date and time of the last tag modification" },
	{ .name = NULL },
};

struct schema {
	const char *one, *many;         /* in the URL */
	const char *one_name, *many_name;
	const struct property *list;
	bool metadef;
};
static const struct schema schemas[] = {
	{ "member", "members", "member", "members", member_properties, false },
	{ "task", "tasks", "task", "tasks", task_properties, false },
	{ "namespace", "namespaces", "namespace", "namespaces", namespace_properties, true },
	{ "resource_type", "resource_types", "resource_type_association",
	  "resource_type_associations", resource_type_properties, true },
	{ "property", "properties", "property", "properties", property_properties, true },
	{ "object", "objects", "object", "objects", object_properties, true },
	{ "tag", "tags", "tag", "tags", tag_properties, true },
};

/* A page of what one schema describes. Takes the reference. */
static json_t *page_of(const char *name, json_t *one)
{
	return json_pack("{s:s, s:{s:{s:s, s:o}, s:o, s:o, s:o}, s:o}", "name", name, "properties",
			 name, "type", "array", "items", one, "first",
			 property("string", "The URL of the first page"), "next",
			 property("string", "The URL of the next page"), "schema",
			 property("string", "The URL of this schema"), "links", page_links());
}

static json_t *find(struct str name, bool metadef)
{
	for (size_t i = 0; i < ARRAY_LEN(schemas); i++) {
		const struct schema *s = &schemas[i];
		bool one = str_eq(name, str_from(s->one)), many = str_eq(name, str_from(s->many));

		if (s->metadef != metadef || (!one && !many))
			continue;
		json_t *doc = json_pack("{s:s, s:o}", "name", s->one_name, "properties",
					properties(s->list));

		return many ? page_of(s->many_name, doc) : doc;
	}
	return NULL;
}

static void respond_schema(struct api_call *c, json_t *doc)
{
	if (doc)
		api_respond(c, 200, doc);
	else
		api_error(c, 404, "There is no schema of that name.");
}

void image_schema(struct api_call *c)
{
	struct str name = c->arg[0];

	if (str_eq(name, S("image")))
		respond_schema(c, image());
	else if (str_eq(name, S("images")))
		respond_schema(c, page_of("images", image()));
	else
		respond_schema(c, find(name, false));
}

void image_metadef_schema(struct api_call *c)
{
	respond_schema(c, find(c->arg[0], true));
}
