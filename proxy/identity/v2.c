/* Keystone v2.0, for old tools: tokens and tenants. */
#include "lib/base/clock.h"
#include "proxy/identity/identity.h"

static json_t *time_of(int64_t us)
{
	char text[ISO_DATE_SIZE + 1];

	clock_iso_us(us, text);
	text[ISO_DATE_SIZE - 1] = 'Z';
	text[ISO_DATE_SIZE] = 0;
	return json_string(text);
}

static json_t *tenant(const json_t *project)
{
	return json_pack("{s:O, s:O, s:b, s:O?}", "id", json_object_get(project, "id"), "name",
			 json_object_get(project, "name"), "enabled",
			 !json_is_false(json_object_get(project, "enabled")), "description",
			 json_object_get(project, "description"));
}

/* One object with all interfaces, as v2.0 had it, of v3's list. */
static json_t *endpoints_v2(const json_t *list)
{
	json_t *all = json_object(), *e;
	size_t i;

	json_array_foreach(list, i, e) {
		struct str interface = json_str(e, "interface");
		const char *key = str_eq(interface, S("public"))   ? "publicURL" :
				  str_eq(interface, S("internal")) ? "internalURL" :
								     "adminURL";

		json_object_set(all, key, json_object_get(e, "url"));
		json_object_set(all, "region", json_object_get(e, "region"));
		json_object_set(all, "id", json_object_get(e, "id"));
	}
	return json_pack("[o]", all);
}

static json_t *catalog_v2(const struct ident_call *c, struct str project)
{
	AUTO(json_text) catalog = project.p ? ident_catalog(c, project) : json_array();
	json_t *list = json_array(), *s;
	size_t i;

	json_array_foreach(catalog, i, s)
		json_array_append_new(
			list, json_pack("{s:O, s:O, s:o, s:[]}", "type",
					json_object_get(s, "type"), "name",
					json_object_get(s, "name"), "endpoints",
					endpoints_v2(json_object_get(s, "endpoints")),
					"endpoints_links"));
	return list;
}

static json_t *access_doc(const struct ident_call *c, const struct session *s, struct str token)
{
	struct str project = session_project(s);
	const json_t *user = records_get(c->id->records, RECORD_USER, s->user);
	AUTO(json_text) roles = session_roles(c->id, s);
	json_t *names = json_array(), *ids = json_array(), *role;
	size_t i;

	json_array_foreach(roles, i, role) {
		json_array_append_new(names,
				      json_pack("{s:O}", "name", json_object_get(role, "name")));
		json_array_append(ids, json_object_get(role, "id"));
	}
	json_t *token_doc = json_pack("{s:o, s:o, s:o, s:[o]}", "id", json_of(token), "expires",
				      time_of(s->expires * 1000000), "issued_at",
				      time_of(s->issued_us), "audit_ids", json_of(s->audit));
	if (project.p)
		json_object_set_new(
			token_doc, "tenant",
			tenant(records_get(c->id->records, RECORD_PROJECT, project)));
	json_t *user_doc =
		json_pack("{s:o, s:O, s:O, s:o, s:[]}", "id", json_of(s->user), "name",
			  json_object_get(user, "name"), "username", json_object_get(user, "name"),
			  "roles", names, "roles_links");
	return json_pack("{s:{s:o, s:o, s:o, s:{s:i, s:o}}}", "access", "token", token_doc,
			 "serviceCatalog", catalog_v2(c, project), "user", user_doc, "metadata",
			 "is_admin", 0, "roles", ids);
}

waits static void log_in(struct ident_call *c)
{
	AUTO(json_text) doc = ident_body(c);
	struct login l;
	struct session s;
	struct fault why;

	if (!doc)
		return;
	if (login_parse_v2(doc, &l, &why) < 0) {
		ident_error(c, 400, "%s", why.text);
		return;
	}
	int rc = login_check(c->id, c->req, &l, &s);

	if (rc < 0) {
		ident_refused(c, rc);
		return;
	}
	c->session = s;
	ident_respond(c, 200,
		      access_doc(c, &s, session_seal(c->req->arena, c->id->proxy, &s)));
}

/* GET and DELETE /v2.0/tokens/<token>: an admin's, or one's own. */
waits static void one_token(struct ident_call *c)
{
	struct session s;

	if (!ident_need_login(c))
		return;
	if (session_open(c->id, c->req->arena, c->part[1], &s) < 0)
		ident_error(c, 404, "Could not find token.");
	else if (!c->admin && !str_eq(s.user, c->session.user))
		ident_error(c, 403, "You are not authorized to perform the requested action.");
	else if (c->req->method == HTTP_DELETE)
		ident_revoke(c, &s);
	else
		ident_respond(c, 200, access_doc(c, &s, c->part[1]));
}

static void tenants(struct ident_call *c)
{
	if (!ident_need_login(c))
		return;
	AUTO(json_text) projects =
		ident_targets(c, c->session.user, S("project/"), RECORD_PROJECT);
	json_t *list = json_array(), *p;
	size_t i;

	json_array_foreach(projects, i, p)
		json_array_append_new(list, tenant(p));
	ident_respond(c, 200, json_pack("{s:o, s:[]}", "tenants", list, "tenants_links"));
}

void ident_v2(struct ident_call *c)
{
	enum http_method m = c->req->method;
	bool get = m == HTTP_GET || m == HTTP_HEAD;

	if (c->parts == 1 && str_eq(c->part[0], S("tokens")) && m == HTTP_POST)
		log_in(c);
	else if (c->parts == 2 && str_eq(c->part[0], S("tokens")) && (get || m == HTTP_DELETE))
		one_token(c);
	else if (c->parts == 1 && str_eq(c->part[0], S("tenants")) && get)
		tenants(c);
	else
		ident_error(c, 404, "The resource could not be found.");
}
