/* Projects as a tree: what a project's place in it demands; its relatives; its tags. */
#include "proxy/identity/resources.h"
#include "proxy/identity/store.h"
#include "proxy/identity/v3.h"

enum { TAGS_MAX = 80, TAG_MAX = 255 };

static bool enabled(const json_t *doc)
{
	return !json_is_false(json_object_get(doc, "enabled"));
}

/* How many projects stand above; -EINVAL: one of them is disabled. */
static int depth_of(const struct identity *id, const json_t *doc)
{
	int depth = 0;

	while (depth <= PROJECT_DEPTH_MAX &&
	       (doc = records_get(id->records, RECORD_PROJECT, json_str(doc, "parent_id")))) {
		if (!enabled(doc))
			return -EINVAL;
		depth++;
	}
	return depth;
}

static bool forbid(struct ident_call *c, const char *why)
{
	ident_error(c, 403, "%s", why);
	return false;
}

static void find_enabled(void *arg, const json_t *project)
{
	bool *found = arg;

	*found |= enabled(project);
}

bool ident_project_fits(struct ident_call *c, const json_t *doc, const json_t *old)
{
	struct str id = json_str(doc, "id"), parent_id = json_str(doc, "parent_id");
	const json_t *parent = records_get(c->id->records, RECORD_PROJECT, parent_id);
	int depth = depth_of(c->id, doc);
	bool below = false;

	if (old && !str_eq(parent_id, json_str(old, "parent_id")))
		return forbid(c, "Update of `parent_id` is not allowed.");
	if (parent && !str_eq(json_str(parent, "domain_id"), json_str(doc, "domain_id"))) {
		ident_error(c, 400, "The parent is in another domain.");
		return false;
	}
	if (!old && depth == -EINVAL) {
		ident_error(c, 400, "Cannot create a project in a branch containing a disabled "
				    "project.");
		return false;
	}
	if (depth >= PROJECT_DEPTH_MAX)
		return forbid(c, "Max hierarchy depth reached.");
	if (old && depth == -EINVAL && enabled(doc) && !enabled(old))
		return forbid(c, "Cannot enable a project that has disabled parents.");
	if (old && enabled(old) && !enabled(doc)) {
		identity_each_heir(c->id, arena_printf(c->req->arena, "project/%.*s", STR(id)),
				   find_enabled, &below);
		if (below)
			return forbid(c, "Cannot disable a project whose subtree contains enabled "
					 "projects.");
	}
	return true;
}

bool ident_project_is_leaf(struct ident_call *c, struct str id)
{
	if (!records_children(c->id->records, id))
		return true;
	return forbid(c, "Cannot delete a project that is not a leaf in the hierarchy.");
}

/* ---- relatives ---- */

static json_t *viewed(struct ident_call *c, const json_t *doc)
{
	return json_pack("{s:o}", "project", ident_view(c, RECORD_PROJECT, doc));
}

/* {"parent": {"its parent": null}} */
static json_t *parents_as_ids(struct ident_call *c, const json_t *doc, unsigned depth)
{
	struct str parent = json_str(doc, "parent_id");
	const json_t *above = records_get(c->id->records, RECORD_PROJECT, parent);

	if (!parent.n || depth > PROJECT_DEPTH_MAX)
		return json_null();
	json_t *one = json_object();

	json_object_set_new(one, arena_cstr(c->req->arena, parent),
			    above ? parents_as_ids(c, above, depth + 1) : json_null());
	return one;
}

static json_t *subtree_as_ids(struct ident_call *c, struct str id, unsigned depth)
{
	const json_t *children = records_children(c->id->records, id);
	json_t *all, *v;
	size_t i;

	if (!children || depth > PROJECT_DEPTH_MAX)
		return json_null();
	all = json_object();
	json_array_foreach(children, i, v)
		json_object_set_new(all, json_string_value(v),
				    subtree_as_ids(c, str_from(json_string_value(v)), depth + 1));
	return all;
}

struct relatives {
	struct ident_call *c;
	json_t *list;
};

static void add_relative(void *arg, const json_t *project)
{
	struct relatives *r = arg;

	json_array_append_new(r->list, viewed(r->c, project));
}

void ident_project_relatives(struct ident_call *c, const json_t *doc, json_t *view)
{
	struct relatives r = { c, json_array() };
	struct str id = json_str(doc, "id");
	const json_t *above = doc;

	if (request_has_query(c->req, S("parents_as_ids")))
		json_object_set_new(view, "parents", parents_as_ids(c, doc, 0));
	if (request_has_query(c->req, S("subtree_as_ids")))
		json_object_set_new(view, "subtree", subtree_as_ids(c, id, 0));
	if (request_has_query(c->req, S("parents_as_list"))) {
		for (unsigned i = 0; i < PROJECT_DEPTH_MAX; i++) {
			above = records_get(c->id->records, RECORD_PROJECT,
					    json_str(above, "parent_id"));
			if (above)
				add_relative(&r, above);
		}
		json_object_set(view, "parents", r.list);
	} else if (request_has_query(c->req, S("subtree_as_list"))) {
		identity_each_heir(c->id, arena_printf(c->req->arena, "project/%.*s", STR(id)),
				   add_relative, &r);
		json_object_set(view, "subtree", r.list);
	}
	json_decref(r.list);
}

/* ---- tags ---- */

static bool good_tag(struct str tag)
{
	return tag.n && tag.n <= TAG_MAX && str_chr(tag, '/') < 0 && str_chr(tag, ',') < 0;
}

bool ident_tags_are_good(const json_t *tags)
{
	json_t *v;
	size_t i;

	if (!json_is_array(tags) || json_array_size(tags) > TAGS_MAX)
		return false;
	json_array_foreach(tags, i, v)
		if (!json_is_string(v) || !good_tag(str_from(json_string_value(v))))
			return false;
	return true;
}

static ssize_t find_tag(const json_t *tags, struct str tag)
{
	for (size_t i = 0; i < json_array_size(tags); i++)
		if (str_eq(str_from(json_string_value(json_array_get(tags, i))), tag))
			return (ssize_t)i;
	return -1;
}

/* Stores the project with these tags; takes the reference to tags. False: answered. */
waits static bool store_tags(struct ident_call *c, const json_t *project, json_t *tags)
{
	json_t *doc = json_copy((json_t *)project);
	struct str key = arena_str(c->req->arena, json_str(doc, "id"));

	json_object_set_new(doc, "tags", tags);
	if (store_write(c->id, RECORD_PROJECT, key, doc) == 0)
		return true;
	ident_error(c, 503, "The tags could not be stored now.");
	return false;
}

/* GET, PUT {"tags": […]} and DELETE of all. */
waits static void all_tags(struct ident_call *c, const json_t *project)
{
	AUTO(json_text) held = json_incref((json_t *)project);
	AUTO(json_text) body = NULL;
	json_t *tags = json_object_get(held, "tags");

	switch (c->req->method) {
	case HTTP_GET:
	case HTTP_HEAD:
		ident_respond(c, 200, json_pack("{s:O, s:{}}", "tags", tags, "links"));
		break;
	case HTTP_DELETE:
		if (store_tags(c, held, json_array()))
			ident_no_content(c);
		break;
	case HTTP_PUT:
		body = ident_body(c);
		tags = json_object_get(body, "tags");
		if (body && !ident_tags_are_good(tags))
			ident_error(c, 400, "Invalid input for field 'tags'.");
		else if (body && store_tags(c, held, json_incref(tags)))
			ident_respond(c, 200, json_pack("{s:O, s:{}}", "tags", tags, "links"));
		break;
	default:
		ident_error(c, 405, "The method is not allowed for the requested URL.");
	}
}

waits static void one_tag(struct ident_call *c, const json_t *project, struct str tag)
{
	json_t *tags = json_copy(json_object_get(project, "tags"));
	ssize_t at = find_tag(tags, tag);
	enum http_method m = c->req->method;

	if (m == HTTP_PUT && (!good_tag(tag) || (at < 0 && json_array_size(tags) >= TAGS_MAX))) {
		json_decref(tags);
		ident_error(c, 400, "Invalid input for field 'tags'.");
	} else if (m == HTTP_PUT) {
		if (at < 0)
			json_array_append_new(tags, json_of(tag));
		if (!store_tags(c, project, tags))
			return;
		c->res->status = 201;
		c->res->content_length = 0;
	} else if (at < 0) {
		json_decref(tags);
		ident_not_found(c, "project tag", tag);
	} else if (m == HTTP_DELETE) {
		json_array_remove(tags, (size_t)at);
		if (store_tags(c, project, tags))
			ident_no_content(c);
	} else {
		json_decref(tags);
		ident_no_content(c);
	}
}

bool ident_project_tags(struct ident_call *c)
{
	bool get = c->req->method == HTTP_GET || c->req->method == HTTP_HEAD;

	if ((c->parts != 3 && c->parts != 4) || !str_eq(c->part[0], S("projects")) ||
	    !str_eq(c->part[2], S("tags")))
		return false;
	const json_t *project = records_get(c->id->records, RECORD_PROJECT, c->part[1]);
	bool own = get && str_eq(c->part[1], session_project(&c->session));

	if (!c->admin && !own)
		ident_error(c, 403, "You are not authorized to perform the requested action.");
	else if (!project)
		ident_not_found(c, "project", c->part[1]);
	else if (c->parts == 4)
		one_tag(c, project, c->part[3]);
	else
		all_tags(c, project);
	return true;
}
