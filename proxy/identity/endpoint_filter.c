/* OS-EP-FILTER: which endpoints a project's catalog shows. A project that nothing was chosen for
 * sees all. Endpoints are chosen one by one, or by groups: all that pass a group's filters. */
#include "proxy/identity/resources.h"
#include "proxy/identity/store.h"
#include "proxy/identity/v3.h"

static struct str link_id(struct arena *a, const char *what, struct str project, struct str id)
{
	return identity_made_id(a, "endpoint_link",
				arena_printf(a, "%s/%.*s/%.*s", what, STR(project), STR(id)));
}

static bool passes_group(const json_t *group, const json_t *endpoint)
{
	const char *key;
	json_t *want;

	json_object_foreach(json_object_get(group, "filters"), key, want)
		if (!json_equal(want, json_object_get(endpoint, key)))
			return false;
	return true;
}

bool ident_endpoint_shown(const struct identity *id, struct str project, const json_t *endpoint)
{
	const json_t *links = records_endpoint_links(id->records, project);
	json_t *v;
	size_t i;

	json_array_foreach(links, i, v) {
		const json_t *link = records_get(id->records, RECORD_ENDPOINT_LINK,
						 str_from(json_string_value(v)));
		struct str group = json_str(link, "endpoint_group_id");
		const json_t *doc = records_get(id->records, RECORD_ENDPOINT_GROUP, group);

		if (str_eq(json_str(link, "endpoint_id"), json_str(endpoint, "id")) ||
		    (doc && passes_group(doc, endpoint)))
			return true;
	}
	return !links;
}

/* ---- lists ---- */

/* The endpoints that pass a group's filters (group given), or that a project was given. */
static void list_endpoints(struct ident_call *c, const json_t *group, struct str project)
{
	AUTO(json_text) all = records_all(c->id->records, RECORD_ENDPOINT);
	bool chosen = records_endpoint_links(c->id->records, project);
	json_t *list = json_array(), *doc;
	size_t i;

	json_array_foreach(all, i, doc)
		if (group ? passes_group(group, doc) :
			    chosen && ident_endpoint_shown(c->id, project, doc))
			json_array_append_new(list, ident_view(c, RECORD_ENDPOINT, doc));
	ident_respond_list(c, "endpoints", list);
}

/* The other side of all links whose member is this id. */
static void list_linked(struct ident_call *c, const char *member, struct str id,
			const char *other, enum record_kind kind)
{
	AUTO(json_text) all = records_all(c->id->records, RECORD_ENDPOINT_LINK);
	json_t *list = json_array(), *link;
	size_t i;

	json_array_foreach(all, i, link) {
		const json_t *doc = records_get(c->id->records, kind, json_str(link, other));

		if (doc && str_eq(json_str(link, member), id))
			json_array_append_new(list, ident_view(c, kind, doc));
	}
	ident_respond_list(c, record_plurals[kind], list);
}

/* PUT, HEAD, GET and DELETE of one link. */
waits static void link_one(struct ident_call *c, struct str project, const char *member,
			   enum record_kind kind, struct str id)
{
	struct str key = link_id(c->req->arena, member, project, id);
	bool there = records_get(c->id->records, RECORD_ENDPOINT_LINK, key);
	enum http_method m = c->req->method;
	int rc = 0;

	if (!records_get(c->id->records, RECORD_PROJECT, project)) {
		ident_not_found(c, "project", project);
		return;
	}
	if (!records_get(c->id->records, kind, id)) {
		ident_not_found(c, "endpoint", id);
		return;
	}
	if (m != HTTP_PUT && !there) {
		ident_not_found(c, "endpoint of the project", id);
		return;
	}
	if (m == HTTP_PUT)
		rc = store_write(c->id, RECORD_ENDPOINT_LINK, key,
				 json_pack("{s:o, s:o, s:o}", "id", json_of(key), "project_id",
					   json_of(project), member, json_of(id)));
	else if (m == HTTP_DELETE)
		rc = store_write(c->id, RECORD_ENDPOINT_LINK, key, NULL);
	if (rc < 0)
		ident_error(c, 503, "The catalog could not be changed now.");
	else
		ident_no_content(c);
}

/* /projects/P/endpoints[/E] and /projects/P/endpoint_groups */
waits static bool of_project(struct ident_call *c, const struct str *p, unsigned n)
{
	if (n < 3 || !str_eq(p[0], S("projects")))
		return false;
	if (n == 4 && str_eq(p[2], S("endpoints")))
		link_one(c, p[1], "endpoint_id", RECORD_ENDPOINT, p[3]);
	else if (n == 3 && str_eq(p[2], S("endpoints")))
		list_endpoints(c, NULL, p[1]);
	else if (n == 3 && str_eq(p[2], S("endpoint_groups")))
		list_linked(c, "project_id", p[1], "endpoint_group_id", RECORD_ENDPOINT_GROUP);
	else
		return false;
	return true;
}

/* /endpoint_groups/G/projects[/P] and /endpoint_groups/G/endpoints */
waits static bool of_group(struct ident_call *c, const struct str *p, unsigned n)
{
	if (n < 3 || !str_eq(p[0], S("endpoint_groups")))
		return false;
	const json_t *group = records_get(c->id->records, RECORD_ENDPOINT_GROUP, p[1]);

	if (!group)
		ident_not_found(c, "endpoint group", p[1]);
	else if (n == 4 && str_eq(p[2], S("projects")))
		link_one(c, p[3], "endpoint_group_id", RECORD_ENDPOINT_GROUP, p[1]);
	else if (n == 3 && str_eq(p[2], S("projects")))
		list_linked(c, "endpoint_group_id", p[1], "project_id", RECORD_PROJECT);
	else if (n == 3 && str_eq(p[2], S("endpoints")))
		list_endpoints(c, group, STR_NONE);
	else
		return false;
	return true;
}

bool ident_endpoint_filter(struct ident_call *c)
{
	const struct str *p = c->part + 1;
	unsigned n = c->parts - 1;

	if (c->parts < 2 || !str_eq(c->part[0], S("OS-EP-FILTER")))
		return false;
	if (!c->admin) {
		ident_error(c, 403, "You are not authorized to perform the requested action.");
		return true;
	}
	if (str_eq(p[0], S("endpoint_groups")) && n <= 2) {
		ident_crud_of(c, resource_find(p[0]), n == 2 ? p[1] : STR_NONE);
		return true;
	}
	if (n == 3 && str_eq(p[0], S("endpoints")) && str_eq(p[2], S("projects"))) {
		list_linked(c, "endpoint_id", p[1], "project_id", RECORD_PROJECT);
		return true;
	}
	return of_project(c, p, n) || of_group(c, p, n);
}
