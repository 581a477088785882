/* Trusts (OS-TRUST): a user lets another use some of his roles on a project, as himself or in his
 * name. */
#include "lib/base/clock.h"
#include "proxy/identity/resources.h"
#include "proxy/identity/store.h"
#include "proxy/identity/v3.h"

static void forbidden(struct ident_call *c)
{
	ident_error(c, 403, "You are not authorized to perform the requested action.");
}

static json_t *view_of(struct ident_call *c, const json_t *doc, bool with_roles)
{
	json_t *view = ident_view(c, RECORD_TRUST, doc), *roles = json_array(), *v;
	struct str url = arena_printf(c->req->arena, "%.*s/roles",
				      STR(json_str(json_object_get(view, "links"), "self")));
	size_t i;

	json_array_foreach(json_object_get(doc, "roles"), i, v) {
		const json_t *role = records_get(c->id->records, RECORD_ROLE, json_str(v, "id"));

		if (role)
			json_array_append_new(roles, ident_view(c, RECORD_ROLE, role));
	}
	if (with_roles) {
		json_object_set(view, "roles", roles);
		json_object_set_new(view, "roles_links",
				    json_pack("{s:o, s:n, s:n}", "self", json_of(url), "next",
					      "previous"));
	} else {
		json_object_del(view, "roles");
	}
	json_decref(roles);
	return view;
}

/* ---- making ---- */

/* Of what is asked for, by id or name, [{"id"}…]; NULL when the trustor has not all of it. */
static json_t *choose(struct ident_call *c, struct str project, const json_t *asked)
{
	struct str target = arena_printf(c->req->arena, "project/%.*s", STR(project));
	AUTO(json_text) have = identity_roles(c->id, c->session.user, target);
	json_t *chosen = json_array(), *one, *role;
	size_t i, j;

	json_array_foreach(asked, i, one) {
		struct str id = json_str(one, "id"), name = json_str(one, "name");

		json_array_foreach(have, j, role) {
			if (!(id.p ? str_eq(id, json_str(role, "id")) :
				     name.p && str_eq(name, json_str(role, "name"))))
				continue;
			json_array_append_new(chosen,
					      json_pack("{s:O}", "id",
							json_object_get(role, "id")));
			break;
		}
	}
	if (json_array_size(chosen) && json_array_size(chosen) == json_array_size(asked))
		return chosen;
	json_decref(chosen);
	return NULL;
}

/* "2026-11-22T09:19:12.000000Z", or null: -EINVAL for what is no time, or past. */
static int expiry(const json_t *given, json_t **ret)
{
	const json_t *asked = json_object_get(given, "expires_at");
	char iso[ISO_DATE_SIZE + 1];
	int64_t us;

	if (!asked || json_is_null(asked)) {
		*ret = json_null();
		return 0;
	}
	if (clock_iso_parse(json_str(given, "expires_at"), &us) < 0 || us <= clock_wall_us())
		return -EINVAL;
	clock_iso_us(us, iso);
	iso[ISO_DATE_SIZE - 1] = 'Z';
	iso[ISO_DATE_SIZE] = 0;
	*ret = json_string(iso);
	return 0;
}

static bool good_request(struct ident_call *c, const json_t *given)
{
	struct str trustor = json_str(given, "trustor_user_id"),
		   trustee = json_str(given, "trustee_user_id"),
		   project = json_str(given, "project_id");
	const json_t *uses = json_object_get(given, "remaining_uses");

	if (!trustor.p || !trustee.p || !project.p ||
	    !json_is_boolean(json_object_get(given, "impersonation")))
		ident_error(c, 400, "'trustor_user_id', 'trustee_user_id', 'project_id' and "
				    "'impersonation' are required properties");
	else if (!str_eq(trustor, c->session.user) || c->session.credential.n ||
		 c->session.trust.n)
		forbidden(c);
	else if ((uses && !json_is_null(uses)) ||
		 json_is_true(json_object_get(given, "allow_redelegation")))
		ident_error(c, 501, "Trusts have no limited uses and are not delegated on.");
	else if (!records_get(c->id->records, RECORD_USER, trustee))
		ident_not_found(c, "user", trustee);
	else if (!records_get(c->id->records, RECORD_PROJECT, project))
		ident_not_found(c, "project", project);
	else
		return true;
	return false;
}

waits static void create(struct ident_call *c)
{
	AUTO(json_text) body = ident_body(c);
	const json_t *given = json_object_get(body, "trust");
	struct str id = identity_new_id(c->req->arena);
	json_t *until, *roles;

	if (!body || !good_request(c, given) || !ident_may_own_more(c, RECORD_TRUST))
		return;
	if (expiry(given, &until) < 0) {
		ident_error(c, 400, "Invalid input for field 'expires_at'.");
		return;
	}
	roles = choose(c, json_str(given, "project_id"), json_object_get(given, "roles"));
	if (!roles) {
		json_decref(until);
		ident_error(c, 403, "At least one role, and only your own, can be delegated.");
		return;
	}
	AUTO(json_text) doc = json_pack(
		"{s:o, s:O, s:O, s:O, s:O, s:o, s:o, s:n, s:n, s:i}", "id", json_of(id),
		"trustor_user_id", json_object_get(given, "trustor_user_id"), "trustee_user_id",
		json_object_get(given, "trustee_user_id"), "project_id",
		json_object_get(given, "project_id"), "impersonation",
		json_object_get(given, "impersonation"), "roles", roles, "expires_at", until,
		"remaining_uses", "deleted_at", "redelegation_count", 0);

	if (store_write(c->id, RECORD_TRUST, id, json_incref(doc)) < 0)
		ident_error(c, 503, "The trust could not be stored now.");
	else
		ident_respond(c, 201, json_pack("{s:o}", "trust", view_of(c, doc, true)));
}

/* ---- the others ---- */

static void list(struct ident_call *c)
{
	struct str trustor = request_query_lit(c->req, "trustor_user_id");
	struct str trustee = request_query_lit(c->req, "trustee_user_id");
	AUTO(json_text) all = records_all(c->id->records, RECORD_TRUST);
	json_t *found, *doc;
	size_t i;

	if (!c->admin && !str_eq(trustor, c->session.user) && !str_eq(trustee, c->session.user)) {
		forbidden(c);
		return;
	}
	found = json_array();
	json_array_foreach(all, i, doc)
		if (resource_matches(c->req, doc))
			json_array_append_new(found, view_of(c, doc, false));
	ident_respond_list(c, "trusts", found);
}

static void show_roles(struct ident_call *c, const json_t *doc)
{
	AUTO(json_text) view = view_of(c, doc, true);
	json_t *roles = json_object_get(view, "roles"), *role;
	size_t i;

	if (c->parts == 4) {
		ident_respond_list(c, "roles", json_incref(roles));
		return;
	}
	json_array_foreach(roles, i, role) {
		if (str_eq(json_str(role, "id"), c->part[4])) {
			ident_respond(c, 200, json_pack("{s:O}", "role", role));
			return;
		}
	}
	ident_not_found(c, "role", c->part[4]);
}

waits static void one(struct ident_call *c, struct str id)
{
	const json_t *doc = records_get(c->id->records, RECORD_TRUST, id);
	enum http_method m = c->req->method;
	bool trustor = str_eq(json_str(doc, "trustor_user_id"), c->session.user),
	     trustee = str_eq(json_str(doc, "trustee_user_id"), c->session.user);

	if (!doc)
		ident_not_found(c, "trust", id);
	else if (!c->admin && !trustor && !trustee)
		forbidden(c);
	else if (m == HTTP_GET || m == HTTP_HEAD) {
		if (c->parts == 3)
			ident_respond(c, 200, json_pack("{s:o}", "trust", view_of(c, doc, true)));
		else
			show_roles(c, doc);
	} else if (m != HTTP_DELETE || c->parts != 3)
		ident_error(c, 405, "The method is not allowed for the requested URL.");
	else if (!c->admin && !trustor)
		forbidden(c);
	else if (store_write(c->id, RECORD_TRUST, id, NULL) < 0)
		ident_error(c, 503, "The trust could not be deleted now.");
	else
		ident_no_content(c);
}

bool ident_trusts(struct ident_call *c)
{
	enum http_method m = c->req->method;

	if (c->parts < 2 || c->parts > 5 || !str_eq(c->part[0], S("OS-TRUST")) ||
	    !str_eq(c->part[1], S("trusts")) ||
	    (c->parts > 3 && !str_eq(c->part[3], S("roles"))))
		return false;
	if (c->parts > 2)
		one(c, c->part[2]);
	else if (m == HTTP_POST)
		create(c);
	else if (m == HTTP_GET || m == HTTP_HEAD)
		list(c);
	else
		ident_error(c, 405, "The method is not allowed for the requested URL.");
	return true;
}
