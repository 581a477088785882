/* Roles of users and groups on projects, domains and the system, and the list of assignments. */
#include "lib/base/encode.h"
#include "proxy/identity/store.h"
#include "proxy/identity/v3.h"

struct grant {
	struct str target;              /* "project/ID" */
	bool group, inherited;
	struct str actor, role;         /* role: absent for the list */
};

/* /{projects|domains}/T/{users|groups}/A/roles[/R] and /system/{users|groups}/A/roles[/R]; with
 * /OS-INHERIT before and /inherited_to_projects behind it of what projects inherit. */
static bool parse(const struct ident_call *c, struct grant *ret)
{
	struct grant g = { .target = S("system/all") };
	const struct str *p = c->part;
	unsigned n = c->parts;

	if (n > 2 && str_eq(p[0], S("OS-INHERIT")) &&
	    str_eq(p[n - 1], S("inherited_to_projects"))) {
		g.inherited = true;
		p++;
		n -= 2;
	}
	if (n < 4)
		return false;
	if (str_eq(p[0], S("projects")))
		g.target = arena_printf(c->req->arena, "project/%.*s", STR(p[1]));
	else if (str_eq(p[0], S("domains")))
		g.target = arena_printf(c->req->arena, "domain/%.*s", STR(p[1]));
	else if (!str_eq(p[0], S("system")) || g.inherited)
		return false;
	unsigned skip = str_eq(p[0], S("system")) ? 1 : 2;

	p += skip;
	n -= skip;
	if ((n != 3 && n != 4) || !str_eq(p[2], S("roles")))
		return false;
	g.group = str_eq(p[0], S("groups"));
	if (!g.group && !str_eq(p[0], S("users")))
		return false;
	g.actor = p[1];
	if (n == 4)
		g.role = p[3];
	*ret = g;
	return true;
}

static bool all_there(struct ident_call *c, const struct grant *g)
{
	struct str of = g->target, type = str_cut(&of, '/');
	const struct records *r = c->id->records;

	if (!records_get(r, g->group ? RECORD_GROUP : RECORD_USER, g->actor))
		ident_not_found(c, g->group ? "group" : "user", g->actor);
	else if (str_eq(type, S("project")) && !records_get(r, RECORD_PROJECT, of))
		ident_not_found(c, "project", of);
	else if (str_eq(type, S("domain")) && !records_get(r, RECORD_DOMAIN, of))
		ident_not_found(c, "domain", of);
	else if (g->role.p && !records_get(r, RECORD_ROLE, g->role))
		ident_not_found(c, "role", g->role);
	else
		return true;
	return false;
}

static struct str grant_id(struct arena *a, const struct grant *g)
{
	return identity_made_id(a, "assignment",
				arena_printf(a, "%s/%.*s/%.*s/%.*s%s", g->group ? "group" : "user",
					     STR(g->actor), STR(g->target), STR(g->role),
					     g->inherited ? "/inherited" : ""));
}

static void list_roles(struct ident_call *c, const struct grant *g)
{
	const struct records *r = c->id->records;
	const json_t *ids = g->inherited ? records_inherited_roles(r, g->actor, g->target) :
					   records_roles(r, g->actor, g->target);
	json_t *roles = json_array(), *v;
	size_t i;

	json_array_foreach(ids, i, v) {
		const json_t *role = records_get(c->id->records, RECORD_ROLE,
						 str_from(json_string_value(v)));

		if (role)
			json_array_append_new(roles, ident_view(c, RECORD_ROLE, role));
	}
	ident_respond_list(c, "roles", roles);
}

waits static void put_grant(struct ident_call *c, const struct grant *g)
{
	struct str key = grant_id(c->req->arena, g);
	json_t *doc = json_pack("{s:o, s:s, s:o, s:o, s:o}", "id", json_of(key), "actor_type",
				g->group ? "group" : "user", "actor", json_of(g->actor), "target",
				json_of(g->target), "role_id", json_of(g->role));

	if (g->inherited)
		json_object_set_new(doc, "inherited", json_true());
	if (records_get(c->id->records, RECORD_ASSIGNMENT, key)) {
		json_decref(doc);
		ident_no_content(c);
	} else if (store_write(c->id, RECORD_ASSIGNMENT, key, doc) < 0) {
		ident_error(c, 503, "The role could not be granted now.");
	} else {
		ident_no_content(c);
	}
}

waits static void change_grant(struct ident_call *c, const struct grant *g)
{
	struct str key = grant_id(c->req->arena, g);
	bool there = records_get(c->id->records, RECORD_ASSIGNMENT, key) != NULL;
	enum http_method m = c->req->method;

	if (m == HTTP_PUT)
		put_grant(c, g);
	else if (!there)
		ident_not_found(c, "role assignment", g->role);
	else if (m == HTTP_GET || m == HTTP_HEAD)
		ident_no_content(c);
	else if (m != HTTP_DELETE)
		ident_error(c, 405, "The method is not allowed for the requested URL.");
	else if (store_write(c->id, RECORD_ASSIGNMENT, key, NULL) < 0)
		ident_error(c, 503, "The role could not be taken now.");
	else
		ident_no_content(c);
}

/* ---- /role_assignments ---- */

/* Whether the target is the project that is asked for, or with include_subtree below it. */
static bool on_project(const struct ident_call *c, struct str target, struct str project)
{
	struct str of = target, type = str_cut(&of, '/');

	return str_eq(type, S("project")) &&
	       (str_eq(of, project) || (request_has_query(c->req, S("include_subtree")) &&
					identity_is_below(c->id, of, project)));
}

static bool wanted(const struct ident_call *c, const json_t *doc)
{
	static const char *const actors[] = { "user", "group" };
	struct str target = json_str(doc, "target"), of = target, type = str_cut(&of, '/');
	struct str role = request_query_lit(c->req, "role.id");
	struct str project = request_query_lit(c->req, "scope.project.id");
	struct str domain = request_query_lit(c->req, "scope.domain.id");
	bool good = !role.n || str_eq(role, json_str(doc, "role_id"));

	for (size_t i = 0; i < ARRAY_LEN(actors); i++) {
		struct str id = request_query(
			c->req, arena_printf(c->req->arena, "%s.id", actors[i]));

		if (id.n)
			good &= str_eq(json_str(doc, "actor_type"), str_from(actors[i])) &&
				str_eq(json_str(doc, "actor"), id);
	}
	if (project.n)
		good &= on_project(c, target, project);
	if (domain.n)
		good &= str_eq(type, S("domain")) && str_eq(of, domain);
	if (request_query_lit(c->req, "scope.system").n)
		good &= str_eq(type, S("system"));
	if (request_query_lit(c->req, "scope.OS-INHERIT:inherited_to").n)
		good &= json_is_true(json_object_get(doc, "inherited"));
	return good;
}

static json_t *named(const struct ident_call *c, enum record_kind kind, struct str id, bool names)
{
	const json_t *doc = records_get(c->id->records, kind, id);

	if (!names)
		return json_pack("{s:o}", "id", json_of(id));
	if (kind == RECORD_ROLE || kind == RECORD_DOMAIN)
		return json_pack("{s:o, s:o}", "id", json_of(id), "name",
				 json_of(json_str(doc, "name")));
	return ident_reference(c, kind, id);
}

static json_t *assignment_view(const struct ident_call *c, const json_t *doc)
{
	struct str of = json_str(doc, "target"), type = str_cut(&of, '/');
	struct str actor = json_str(doc, "actor");
	bool group = str_eq(json_str(doc, "actor_type"), S("group"));
	bool names = request_has_query(c->req, S("include_names"));
	json_t *scope = json_object();
	struct str link = arena_printf(c->req->arena, "%.*s/v3/role_assignments",
				       STR(ident_base(c->req)));

	if (str_eq(type, S("system")))
		json_object_set_new(scope, "system", json_pack("{s:b}", "all", 1));
	else if (str_eq(type, S("domain")))
		json_object_set_new(scope, "domain", named(c, RECORD_DOMAIN, of, names));
	else
		json_object_set_new(scope, "project", named(c, RECORD_PROJECT, of, names));
	if (json_is_true(json_object_get(doc, "inherited")))
		json_object_set_new(scope, "OS-INHERIT:inherited_to", json_string("projects"));
	return json_pack("{s:o, s:o, s:o, s:{s:o}}", "role",
			 named(c, RECORD_ROLE, json_str(doc, "role_id"), names),
			 group ? "group" : "user",
			 named(c, group ? RECORD_GROUP : RECORD_USER, actor, names), "scope", scope,
			 "links", "assignment", json_of(link));
}

static void add_if_wanted(const struct ident_call *c, const json_t *doc, json_t *list)
{
	if (wanted(c, doc))
		json_array_append_new(list, assignment_view(c, doc));
}

/* effective: what a group has is shown as what its users have, what a role implies besides, and
 * what is inherited on each project that inherits it. */
struct effective {
	const struct ident_call *c;
	json_t *list;
	const json_t *users, *roles;
};

static void add_on(const struct effective *e, struct str target)
{
	json_t *user, *role;
	size_t i, j;

	json_array_foreach(e->users, i, user) {
		json_array_foreach(e->roles, j, role) {
			AUTO(json_text) one =
				json_pack("{s:s, s:O, s:o, s:O}", "actor_type", "user", "actor",
					  user, "target", json_of(target), "role_id",
					  json_object_get(role, "id"));

			add_if_wanted(e->c, one, e->list);
		}
	}
}

static void add_on_heir(void *arg, const json_t *project)
{
	const struct effective *e = arg;

	add_on(e, arena_printf(e->c->req->arena, "project/%.*s", STR(json_str(project, "id"))));
}

static void add_effective(const struct ident_call *c, const json_t *doc, json_t *list)
{
	bool group = str_eq(json_str(doc, "actor_type"), S("group"));
	struct str actor = json_str(doc, "actor"), target = json_str(doc, "target");
	struct str user = request_query_lit(c->req, "user.id");
	AUTO(json_text) users = group ? json_copy((json_t *)records_members(c->id->records,
									   actor)) :
					json_pack("[o]", json_of(actor));
	AUTO(json_text) ids = json_pack("[O]", json_object_get(doc, "role_id"));
	AUTO(json_text) roles = json_array();
	struct effective e = { c, list, users, roles };

	if (!group && user.n && !str_eq(user, actor))
		return;
	identity_add_roles(c->id, roles, ids);
	if (json_is_true(json_object_get(doc, "inherited")))
		identity_each_heir(c->id, target, add_on_heir, &e);
	else
		add_on(&e, target);
}

static void list_assignments(struct ident_call *c)
{
	AUTO(json_text) all = records_all(c->id->records, RECORD_ASSIGNMENT);
	bool effective = request_has_query(c->req, S("effective"));
	json_t *list = json_array(), *doc;
	size_t i;

	json_array_foreach(all, i, doc) {
		if (effective)
			add_effective(c, doc, list);
		else
			add_if_wanted(c, doc, list);
	}
	ident_respond_list(c, "role_assignments", list);
}

bool ident_grants(struct ident_call *c)
{
	struct grant g;

	if (c->parts == 1 && str_eq(c->part[0], S("role_assignments")) &&
	    (c->req->method == HTTP_GET || c->req->method == HTTP_HEAD)) {
		/* Whoever only wants to see his own may. */
		if (c->admin || str_eq(request_query_lit(c->req, "user.id"), c->session.user))
			list_assignments(c);
		else
			ident_error(c, 403,
				    "You are not authorized to perform the requested action.");
		return true;
	}
	if (!parse(c, &g))
		return false;
	if (!c->admin)
		ident_error(c, 403, "You are not authorized to perform the requested action.");
	else if (!all_there(c, &g))
		return true;
	else if (g.role.p)
		change_grant(c, &g);
	else
		list_roles(c, &g);
	return true;
}
