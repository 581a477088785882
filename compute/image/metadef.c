/* Metadata definitions: namespaces, and what is in them. Glance: api/v2/metadef_*.py
 *
 * The record of a namespace has its fields and, in members that begin with '_', what is in it:
 * "_objects", "_properties", "_tags", "_resource_types", each an object by name. */
#include "compute/image/metadef.h"
#include "lib/base/clock.h"

enum { BODY_MAX = 1 * MIB, NAME_MAX_ = 80, ITEMS_MAX = 1000 };

/* ---- kinds of items ---- */

struct kind {
	const char *word;               /* in the URL */
	const char *list;               /* in answers */
	const char *member;             /* in the record */
	const char *schema;             /* NULL: not in answers */
	bool times;                     /* answers tell when it was made and changed */
};
static const struct kind kinds[] = {
	{ "objects", "objects", "_objects", "object", true },
	{ "properties", "properties", "_properties", NULL, false },
	{ "tags", "tags", "_tags", NULL, true },
	{ "resource_types", "resource_type_associations", "_resource_types", NULL, true },
};
enum { OBJECTS, PROPERTIES, TAGS, RESOURCE_TYPES };

static const struct kind *kind_of(struct api_call *c)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (str_eq(c->arg[1], str_from(kinds[i].word)))
			return &kinds[i];
	api_error(c, 404, "The resource could not be found.");
	return NULL;
}

static const char *const known_resource_types[] = {
	"OS::Glance::Image", "OS::Cinder::Volume", "OS::Nova::Flavor", "OS::Nova::Aggregate",
	"OS::Nova::Server", "OS::Trove::Instance",
};

static void set_times(json_t *view, const json_t *doc)
{
	json_object_set_new(view, "created_at", api_time(image_number(doc, "_created_us")));
	json_object_set_new(view, "updated_at", api_time(image_number(doc, "_updated_us")));
}

static void stamp(json_t *doc, bool made)
{
	json_int_t now = clock_wall_us();

	if (made)
		json_object_set_new(doc, "_created_us", json_integer(now));
	json_object_set_new(doc, "_updated_us", json_integer(now));
}

static json_t *item_view(const struct kind *k, struct str ns, const json_t *item)
{
	json_t *v = json_object(), *value;
	const char *key;

	json_object_foreach((json_t *)item, key, value)
		if (*key != '_')
			json_object_set(v, key, value);
	if (k->times)
		set_times(v, item);
	if (k->schema) {
		json_object_set_new(v, "self",
				    json_sprintf("/v2/metadefs/namespaces/%.*s/%s/%.*s", STR(ns),
						 k->word, STR(json_str(item, "name"))));
		json_object_set_new(v, "schema",
				    json_sprintf("/v2/schemas/metadefs/%s", k->schema));
	}
	return v;
}

/* Properties are an object by name, the others an array. */
static json_t *items_view(const struct kind *k, struct str ns, const json_t *doc)
{
	bool by_name = k == &kinds[PROPERTIES];
	json_t *list = by_name ? json_object() : json_array(), *item;
	const char *key;

	json_object_foreach(json_object_get(doc, k->member), key, item) {
		json_t *v = item_view(k, ns, item);

		if (by_name) {
			json_object_del(v, "name");
			json_object_set_new(list, key, v);
		} else {
			json_array_append_new(list, v);
		}
	}
	return list;
}

static json_t *namespace_view(const json_t *doc, bool whole)
{
	struct str ns = json_str(doc, "namespace");
	json_t *v = json_object(), *value;
	const char *key;

	json_object_foreach((json_t *)doc, key, value)
		if (*key != '_')
			json_object_set(v, key, value);
	set_times(v, doc);
	json_object_set_new(v, "self",
			    json_sprintf("/v2/metadefs/namespaces/%.*s", STR(ns)));
	json_object_set_new(v, "schema", json_string("/v2/schemas/metadefs/namespace"));
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if ((whole || i == RESOURCE_TYPES) &&
		    json_object_size(json_object_get(doc, kinds[i].member)) > 0)
			json_object_set_new(v, kinds[i].list, items_view(&kinds[i], ns, doc));
	return v;
}

/* ---- namespaces ---- */

static bool visible(const struct caller *who, const json_t *doc)
{
	return who->admin || str_eq(json_str(doc, "visibility"), S("public")) ||
	       (who->project_id.n && str_eq(json_str(doc, "owner"), who->project_id));
}

static void no_namespace(struct api_call *c)
{
	api_error(c, 404, "Metadata definition namespace not found: %.*s", STR(c->arg[0]));
}

/* The namespace of the request's first argument; NULL and answered. */
waits static json_t *need(struct api_call *c)
{
	AUTO(json_text) doc = NULL;
	int rc = records_get(image_state(c)->namespaces, c->arena, c->arg[0], &doc);

	if (rc == 0 && visible(c->caller, doc))
		return TAKE(doc);
	if (rc < 0 && rc != -ENOENT)
		api_fail(c, rc);
	else
		no_namespace(c);
	return NULL;
}

static bool name_good(struct str name)
{
	return name.n > 0 && name.n <= NAME_MAX_ && !memchr(name.p, '/', name.n);
}

/* Puts the items of a list (or of an object by name) into the record. False: answered 400. */
static bool take_items(struct api_call *c, json_t *doc, const struct kind *k, const json_t *from)
{
	json_t *to = json_object_get(doc, k->member), *item;
	const char *key;
	size_t i;

	if (json_is_object(from)) {
		json_object_foreach((json_t *)from, key, item) {
			json_t *copy = json_is_object(item) ? json_copy(item) : json_object();

			json_object_set_new(copy, "name", json_string(key));
			stamp(copy, true);
			json_object_set_new(to, key, copy);
		}
	}
	json_array_foreach((json_t *)from, i, item) {
		struct str name = json_str(item, "name");

		if (!name_good(name)) {
			api_error(c, 400, "Each of the %s needs a name of at most %d characters.",
				  k->word, NAME_MAX_);
			return false;
		}
		json_t *copy = json_copy(item);

		stamp(copy, true);
		json_object_set_new(to, arena_cstr(c->arena, name), copy);
	}
	if (json_object_size(to) > ITEMS_MAX)
		api_error(c, 413, "There are more than %d %s.", ITEMS_MAX, k->word);
	return json_object_size(to) <= ITEMS_MAX;
}

static const char *fields_wrong(const json_t *body)
{
	const json_t *visibility = json_object_get(body, "visibility");
	const json_t *protect = json_object_get(body, "protected");
	struct str v = json_str(body, "visibility");

	if (!name_good(json_str(body, "namespace")))
		return "namespace is not a string of at most 80 characters";
	if (visibility && !str_eq(v, S("public")) && !str_eq(v, S("private")))
		return "visibility is neither public nor private";
	if (protect && !json_is_boolean(protect))
		return "protected is not of type 'boolean'";
	return NULL;
}

/* The plain fields of the body. */
static void take_fields(json_t *doc, const json_t *body)
{
	static const char *const fields[] = { "namespace", "display_name", "description",
					      "visibility", "protected", "owner" };

	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (json_object_get(body, fields[i]))
			json_object_set(doc, fields[i], json_object_get(body, fields[i]));
}

waits void metadef_namespace_create(struct api_call *c)
{
	AUTO(json_text) body = api_body(c, BODY_MAX);
	const char *wrong = body ? fields_wrong(body) : NULL;

	if (!body)
		return;
	if (wrong) {
		api_error(c, 400, "Provided object does not match schema 'namespace': %s", wrong);
		return;
	}
	AUTO(json_text) doc = json_pack("{s:s, s:b, s:o}", "visibility", "private", "protected", 0,
					"owner", json_of(c->caller->project_id));

	take_fields(doc, body);
	stamp(doc, true);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		json_object_set_new(doc, kinds[i].member, json_object());
		if (!take_items(c, doc, &kinds[i], json_object_get(body, kinds[i].list)))
			return;
	}
	struct str name = json_str(doc, "namespace");
	int rc = records_create(image_state(c)->namespaces, c->arena, name, doc);

	if (rc == -EEXIST) {
		api_error(c, 409, "The metadata definition namespace=%.*s already exists.",
			  STR(name));
	} else if (rc < 0) {
		api_fail(c, rc);
	} else {
		api_respond(c, 201, namespace_view(doc, true));
		headers_setf(&c->res->headers, S("Location"), "%.*s%.*s",
			     STR(api_url(c, "/v2/metadefs/namespaces/")), STR(name));
	}
}

static bool has_type(const json_t *doc, struct str wanted)
{
	const json_t *types = json_object_get(doc, "_resource_types");
	struct str word;

	while ((word = str_cut(&wanted, ',')).p) {
		char key[NAME_MAX_ + 1];

		snprintf(key, sizeof key, "%.*s", STR(word));
		if (json_object_get(types, key))
			return true;
	}
	return false;
}

waits void metadef_namespaces(struct api_call *c)
{
	CLEANUP(record_list_done) struct record_list all = { .n = 0 };
	struct str visibility = api_query(c, "visibility"), marker = api_query(c, "marker");
	struct str types = api_query(c, "resource_types"), owner = api_query(c, "owner");
	uint64_t limit = (uint64_t)image_conf.limit_max;
	int rc = records_list(image_state(c)->namespaces, c->arena, &all);

	if (rc < 0) {
		api_fail(c, rc);
		return;
	}
	if (api_query_u64(c, "limit", &limit) < 0) {
		api_error(c, 400, "limit param must be an integer");
		return;
	}
	json_t *list = json_array();

	for (size_t i = 0; i < all.n && json_array_size(list) < limit; i++) {
		const json_t *doc = all.v[i].doc;

		if (visible(c->caller, doc) && str_cmp(all.v[i].id, marker) > 0 &&
		    (!visibility.p || str_eq(json_str(doc, "visibility"), visibility)) &&
		    (!owner.p || str_eq(json_str(doc, "owner"), owner)) &&
		    (!types.p || has_type(doc, types)))
			json_array_append_new(list, namespace_view(doc, false));
	}
	api_respond(c, 200, json_pack("{s:o, s:s, s:s}", "namespaces", list, "first",
				      "/v2/metadefs/namespaces", "schema",
				      "/v2/schemas/metadefs/namespaces"));
}

waits void metadef_namespace_show(struct api_call *c)
{
	AUTO(json_text) doc = need(c);

	if (doc)
		api_respond(c, 200, namespace_view(doc, true));
}

/* ---- changes ---- */

struct change {
	struct api_call *c;
	const struct kind *kind;
	const json_t *body;
	int (*fn)(struct change *ch, json_t *doc);
};

static int run_change(void *arg, json_t *doc)
{
	struct change *ch = arg;

	if (visible(ch->c->caller, doc))
		return ch->fn(ch, doc);
	no_namespace(ch->c);
	return IMAGE_ANSWERED;
}

/* The namespace as it is then; NULL and answered. */
waits static json_t *change(struct change *ch)
{
	json_t *doc = NULL;
	int rc = records_change(image_state(ch->c)->namespaces, ch->c->arena, ch->c->arg[0],
				run_change, ch, &doc);

	if (rc == -ENOENT)
		no_namespace(ch->c);
	else if (rc < 0 && rc != IMAGE_ANSWERED)
		api_fail(ch->c, rc);
	return doc;
}

static int update_fields(struct change *ch, json_t *doc)
{
	take_fields(doc, ch->body);
	stamp(doc, false);
	return 1;
}

waits void metadef_namespace_update(struct api_call *c)
{
	AUTO(json_text) body = api_body(c, BODY_MAX);
	const char *wrong = body ? fields_wrong(body) : NULL;
	struct change ch = { .c = c, .body = body, .fn = update_fields };

	if (!body)
		return;
	/* The name is the record's: a namespace is not renamed. */
	if (!wrong && !str_eq(json_str(body, "namespace"), c->arg[0]))
		wrong = "a namespace cannot be renamed";
	if (wrong) {
		api_error(c, 400, "Provided object does not match schema 'namespace': %s", wrong);
		return;
	}
	AUTO(json_text) doc = change(&ch);

	if (doc)
		api_respond(c, 200, namespace_view(doc, true));
}

waits void metadef_namespace_delete(struct api_call *c)
{
	AUTO(json_text) doc = need(c);

	if (!doc)
		return;
	if (json_is_true(json_object_get(doc, "protected"))) {
		api_error(c, 403, "Namespace %.*s is protected and cannot be deleted.",
			  STR(c->arg[0]));
		return;
	}
	int rc = records_remove(image_state(c)->namespaces, c->arena, c->arg[0]);

	if (rc < 0)
		api_fail(c, rc);
	else
		api_respond_empty(c, 204);
}

/* ---- items ---- */

waits void metadef_items(struct api_call *c)
{
	const struct kind *k = kind_of(c);
	AUTO(json_text) doc = k ? need(c) : NULL;

	if (!doc)
		return;
	json_t *answer = json_pack("{s:o}", k->list, items_view(k, c->arg[0], doc));

	if (k->schema || k == &kinds[TAGS])
		json_object_set_new(answer, "schema",
				    json_sprintf("/v2/schemas/metadefs/%s", k->word));
	api_respond(c, 200, answer);
}

static json_t *item_of(const struct change *ch, const json_t *doc, struct str name)
{
	return json_object_get(json_object_get(doc, ch->kind->member),
			       arena_cstr(ch->c->arena, name));
}

static int refuse(struct change *ch, int status, const char *text, struct str name)
{
	api_error(ch->c, status, "Metadata definition %s %.*s: %s", ch->kind->word, STR(name),
		  text);
	return IMAGE_ANSWERED;
}

static void put_item(const struct change *ch, json_t *doc, struct str name, json_t *item, bool made)
{
	stamp(item, made);
	json_object_set_new(item, "name", json_of(name));
	json_object_set_new(json_object_get(doc, ch->kind->member),
			    arena_cstr(ch->c->arena, name), item);
}

/* POST to the collection: one item, or {"tags": […]}, which replaces all tags. */
static int add(struct change *ch, json_t *doc)
{
	const json_t *tags = json_object_get(ch->body, "tags");
	struct str name = json_str(ch->body, "name");

	if (ch->kind == &kinds[TAGS]) {
		json_object_set_new(doc, ch->kind->member, json_object());
		return take_items(ch->c, doc, ch->kind, tags) ? 1 : IMAGE_ANSWERED;
	}
	if (!name_good(name))
		return refuse(ch, 400, "a name of at most 80 characters is needed", S(""));
	if (item_of(ch, doc, name))
		return refuse(ch, 409, "it is there already", name);
	if (json_object_size(json_object_get(doc, ch->kind->member)) >= ITEMS_MAX)
		return refuse(ch, 413, "there are too many", name);
	put_item(ch, doc, name, json_copy((json_t *)ch->body), true);
	return 1;
}

waits void metadef_items_add(struct api_call *c)
{
	const struct kind *k = kind_of(c);
	AUTO(json_text) body = k ? api_body(c, BODY_MAX) : NULL;
	struct change ch = { .c = c, .kind = k, .body = body, .fn = add };

	if (!body)
		return;
	if (!json_is_object(body)) {
		api_error(c, 400, "The body of the request is not an object.");
		return;
	}
	AUTO(json_text) doc = change(&ch);

	if (!doc)
		return;
	if (k == &kinds[TAGS])
		api_respond(c, 201, json_pack("{s:o}", "tags", items_view(k, c->arg[0], doc)));
	else
		api_respond(c, 201, item_view(k, c->arg[0],
					      item_of(&ch, doc, json_str(body, "name"))));
}

static int clear(struct change *ch, json_t *doc)
{
	json_object_set_new(doc, ch->kind->member, json_object());
	return 1;
}

waits void metadef_items_clear(struct api_call *c)
{
	const struct kind *k = kind_of(c);
	struct change ch = { .c = c, .kind = k, .fn = clear };
	AUTO(json_text) doc = k ? change(&ch) : NULL;

	if (doc)
		api_respond_empty(c, 204);
}

waits void metadef_item_show(struct api_call *c)
{
	const struct kind *k = kind_of(c);
	struct change ch = { .c = c, .kind = k };
	AUTO(json_text) doc = k ? need(c) : NULL;
	const json_t *item = doc ? item_of(&ch, doc, c->arg[2]) : NULL;

	if (item)
		api_respond(c, 200, item_view(k, c->arg[0], item));
	else if (doc)
		refuse(&ch, 404, "it is not there", c->arg[2]);
}

/* POST of a name: tags only. */
static int create_named(struct change *ch, json_t *doc)
{
	struct str name = ch->c->arg[2];

	if (!name_good(name) || !str_is_utf8(name))
		return refuse(ch, 400, "a name of at most 80 characters is needed", S(""));
	if (item_of(ch, doc, name))
		return refuse(ch, 409, "it is there already", name);
	if (json_object_size(json_object_get(doc, ch->kind->member)) >= ITEMS_MAX)
		return refuse(ch, 413, "there are too many", name);
	put_item(ch, doc, name, json_object(), true);
	return 1;
}

waits void metadef_item_create(struct api_call *c)
{
	const struct kind *k = kind_of(c);
	struct change ch = { .c = c, .kind = k, .fn = create_named };

	if (!k)
		return;
	if (k != &kinds[TAGS]) {
		api_error(c, 405, "The method is not allowed for this resource.");
		return;
	}
	AUTO(json_text) doc = change(&ch);

	if (doc)
		api_respond(c, 201, item_view(k, c->arg[0], item_of(&ch, doc, c->arg[2])));
}

/* The new content, perhaps under a new name. */
static int update_item(struct change *ch, json_t *doc)
{
	struct str old = ch->c->arg[2], name = json_str(ch->body, "name");
	const json_t *item = item_of(ch, doc, old);

	if (!item)
		return refuse(ch, 404, "it is not there", old);
	if (!name_good(name))
		return refuse(ch, 400, "a name of at most 80 characters is needed", S(""));
	if (!str_eq(name, old) && item_of(ch, doc, name))
		return refuse(ch, 409, "it is there already", name);
	json_t *copy = json_copy((json_t *)ch->body);

	json_object_set(copy, "_created_us", json_object_get(item, "_created_us"));
	json_object_del(json_object_get(doc, ch->kind->member), arena_cstr(ch->c->arena, old));
	put_item(ch, doc, name, copy, false);
	return 1;
}

waits void metadef_item_update(struct api_call *c)
{
	const struct kind *k = kind_of(c);
	AUTO(json_text) body = k ? api_body(c, BODY_MAX) : NULL;
	struct change ch = { .c = c, .kind = k, .body = body, .fn = update_item };
	AUTO(json_text) doc = body ? change(&ch) : NULL;

	if (doc)
		api_respond(c, 200, item_view(k, c->arg[0],
					      item_of(&ch, doc, json_str(body, "name"))));
}

static int delete_item(struct change *ch, json_t *doc)
{
	struct str name = ch->c->arg[2];

	if (!item_of(ch, doc, name))
		return refuse(ch, 404, "it is not there", name);
	json_object_del(json_object_get(doc, ch->kind->member), arena_cstr(ch->c->arena, name));
	return 1;
}

waits void metadef_item_delete(struct api_call *c)
{
	const struct kind *k = kind_of(c);
	struct change ch = { .c = c, .kind = k, .fn = delete_item };
	AUTO(json_text) doc = k ? change(&ch) : NULL;

	if (doc)
		api_respond_empty(c, 204);
}

/* Those that are known, and those that a namespace is for. */
waits void metadef_resource_types(struct api_call *c)
{
	CLEANUP(record_list_done) struct record_list all = { .n = 0 };
	AUTO(json_text) names = json_object();
	int rc = records_list(image_state(c)->namespaces, c->arena, &all);
	json_t *list, *item;
	const char *key;

	if (rc < 0) {
		api_fail(c, rc);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(known_resource_types); i++)
		json_object_set_new(names, known_resource_types[i], json_object());
	for (size_t i = 0; i < all.n; i++)
		json_object_foreach(json_object_get(all.v[i].doc, "_resource_types"), key, item)
			json_object_set(names, key, item);
	list = json_array();
	json_object_foreach(names, key, item) {
		json_t *v = json_pack("{s:s}", "name", key);

		set_times(v, item);
		json_array_append_new(list, v);
	}
	api_respond(c, 200, json_pack("{s:o}", "resource_types", list));
}
