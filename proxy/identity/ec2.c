/* EC2 credentials of a user: /users/U/credentials/OS-EC2[/ACCESS]. They are credentials of the type
 * ec2, whose blob holds access key and secret. */
#include "proxy/identity/store.h"
#include "proxy/identity/v3.h"

static json_t *view_of(const struct ident_call *c, const json_t *doc)
{
	AUTO(json_text) blob = json_text_parse(secret_open(c, doc));
	struct str url = arena_printf(c->req->arena, "%.*s/v3/users/%.*s/credentials/OS-EC2/%.*s",
				      STR(ident_base(c->req)), STR(json_str(doc, "user_id")),
				      STR(json_str(blob, "access")));

	return json_pack("{s:o, s:o, s:O?, s:O?, s:n, s:{s:o}}", "access",
			 json_of(json_str(blob, "access")), "secret",
			 json_of(json_str(blob, "secret")), "user_id",
			 json_object_get(doc, "user_id"), "tenant_id",
			 json_object_get(doc, "project_id"), "trust_id", "links", "self",
			 json_of(url));
}

static bool is_ec2_of(const json_t *doc, struct str user)
{
	return doc && str_eq(json_str(doc, "type"), S("ec2")) &&
	       str_eq(json_str(doc, "user_id"), user);
}

waits static void create(struct ident_call *c, struct str user)
{
	AUTO(json_text) body = ident_body(c);
	struct arena *a = c->req->arena;
	struct str project = json_str(body, "tenant_id");

	if (!body)
		return;
	if (!project.n) {
		ident_error(c, 400, "'tenant_id' is a required property");
		return;
	}
	if (!records_get(c->id->records, RECORD_PROJECT, project)) {
		ident_not_found(c, "project", project);
		return;
	}
	AUTO(json_text) roles =
		identity_roles(c->id, user, arena_printf(a, "project/%.*s", STR(project)));

	if (json_array_size(roles) == 0) {
		ident_error(c, 403, "The user has no role on this project.");
		return;
	}
	if (!ident_may_own_more(c, RECORD_SECRET))
		return;
	AUTO(json_text) blob = json_pack("{s:o, s:o, s:n}", "access", json_of(identity_new_id(a)),
					 "secret", json_of(identity_new_id(a)), "trust_id");
	AUTO(json_text) doc = json_pack("{s:s, s:o, s:o, s:o}", "type", "ec2", "user_id",
					json_of(user), "project_id", json_of(project), "blob",
					json_of(json_text_of(a, blob)));
	struct str id = secret_ec2_id(c, doc);

	json_object_set_new(doc, "id", json_of(id));
	if (!secret_hide(c, doc))
		return;
	if (store_write(c->id, RECORD_SECRET, id, json_incref(doc)) < 0)
		ident_error(c, 503, "The credential could not be stored now.");
	else
		ident_respond(c, 201, json_pack("{s:o}", "credential", view_of(c, doc)));
}

static void list(struct ident_call *c, struct str user)
{
	AUTO(json_text) all = records_all(c->id->records, RECORD_SECRET);
	json_t *found = json_array(), *doc;
	size_t i;

	json_array_foreach(all, i, doc)
		if (is_ec2_of(doc, user))
			json_array_append_new(found, view_of(c, doc));
	ident_respond_list(c, "credentials", found);
}

waits static void one(struct ident_call *c, struct str user, struct str access)
{
	AUTO(json_text) blob = json_pack("{s:o, s:s}", "access", json_of(access), "secret", "x");
	AUTO(json_text) given =
		json_pack("{s:o}", "blob", json_of(json_text_of(c->req->arena, blob)));
	struct str id = secret_ec2_id(c, given);
	const json_t *doc = id.n ? records_get(c->id->records, RECORD_SECRET, id) : NULL;
	enum http_method m = c->req->method;

	if (!is_ec2_of(doc, user))
		ident_not_found(c, "credential", access);
	else if (m == HTTP_GET || m == HTTP_HEAD)
		ident_respond(c, 200, json_pack("{s:o}", "credential", view_of(c, doc)));
	else if (m != HTTP_DELETE)
		ident_error(c, 405, "The method is not allowed for the requested URL.");
	else if (store_write(c->id, RECORD_SECRET, id, NULL) < 0)
		ident_error(c, 503, "The credential could not be deleted now.");
	else
		ident_no_content(c);
}

bool ident_ec2(struct ident_call *c)
{
	enum http_method m = c->req->method;
	struct str user = c->part[1];

	if ((c->parts != 4 && c->parts != 5) || !str_eq(c->part[0], S("users")) ||
	    !str_eq(c->part[2], S("credentials")) || !str_eq(c->part[3], S("OS-EC2")))
		return false;
	/* What was lent by a trust or an application credential makes no lasting keys. */
	bool own = str_eq(user, c->session.user) && !c->session.trust.n && !c->session.credential.n;

	if (!own && !c->admin)
		ident_error(c, 403, "You are not authorized to perform the requested action.");
	else if (!records_get(c->id->records, RECORD_USER, user))
		ident_not_found(c, "user", user);
	else if (c->parts == 5)
		one(c, user, c->part[4]);
	else if (m == HTTP_POST)
		create(c, user);
	else if (m == HTTP_GET || m == HTTP_HEAD)
		list(c, user);
	else
		ident_error(c, 405, "The method is not allowed for the requested URL.");
	return true;
}
