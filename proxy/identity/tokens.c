/* /v3/auth/tokens: logging in, checking and revoking; /v3/auth/catalog, projects, domains. */
#include "lib/base/clock.h"
#include "proxy/identity/store.h"
#include "proxy/identity/v3.h"

json_t *ident_reference(const struct ident_call *c, enum record_kind kind, struct str id)
{
	const json_t *doc = records_get(c->id->records, kind, id);
	struct str domain = json_str(doc, "domain_id");
	const json_t *domain_doc = records_get(c->id->records, RECORD_DOMAIN, domain);

	return json_pack("{s:o, s:o, s:{s:o, s:o}}", "id", json_of(id), "name",
			 json_of(json_str(doc, "name")), "domain", "id", json_of(domain), "name",
			 json_of(json_str(domain_doc, "name")));
}

static json_t *time_of(int64_t us)
{
	char text[ISO_DATE_SIZE + 1];

	clock_iso_us(us, text);
	text[ISO_DATE_SIZE - 1] = 'Z';
	text[ISO_DATE_SIZE] = 0;
	return json_string(text);
}

static json_t *words(struct str text)
{
	json_t *list = json_array();
	struct str rest = text, item;

	while (text.n && (item = str_cut(&rest, ',')).p)
		json_array_append_new(list, json_of(item));
	return list;
}

static void add_scope(const struct ident_call *c, const struct session *s, json_t *t, bool catalog)
{
	struct str project = session_project(s), rest = s->target;
	json_t *list = json_array(), *roles = session_roles(c->id, s), *role;
	size_t i;

	json_array_foreach(roles, i, role)
		json_array_append_new(list, json_pack("{s:O, s:O}", "id",
						      json_object_get(role, "id"), "name",
						      json_object_get(role, "name")));
	json_decref(roles);
	json_object_set_new(t, "roles", list);
	if (project.p) {
		json_object_set_new(t, "project", ident_reference(c, RECORD_PROJECT, project));
		json_object_set_new(t, "is_domain", json_false());
	} else if (str_eq(str_cut(&rest, '/'), S("domain"))) {
		const json_t *doc = records_get(c->id->records, RECORD_DOMAIN, rest);

		json_object_set_new(t, "domain",
				    json_pack("{s:o, s:o}", "id", json_of(rest), "name",
					      json_of(json_str(doc, "name"))));
	} else {
		json_object_set_new(t, "system", json_pack("{s:b}", "all", 1));
	}
	if (catalog)
		json_object_set_new(t, "catalog", ident_catalog(c, project));
}

static void add_credential(const struct ident_call *c, const struct session *s, json_t *t)
{
	const json_t *doc = records_get(c->id->records, RECORD_CREDENTIAL, s->credential);

	if (doc)
		json_object_set_new(t, "application_credential",
				    json_pack("{s:O, s:O, s:b, s:O*}", "id",
					      json_object_get(doc, "id"), "name",
					      json_object_get(doc, "name"), "restricted",
					      !json_is_true(json_object_get(doc, "unrestricted")),
					      "access_rules",
					      json_object_get(doc, "access_rules")));
}

static void add_trust(const struct ident_call *c, const struct session *s, json_t *t)
{
	const json_t *doc = records_get(c->id->records, RECORD_TRUST, s->trust);

	if (doc)
		json_object_set_new(t, "OS-TRUST:trust",
				    json_pack("{s:O, s:O, s:{s:O}, s:{s:O}}", "id",
					      json_object_get(doc, "id"), "impersonation",
					      json_object_get(doc, "impersonation"),
					      "trustee_user", "id",
					      json_object_get(doc, "trustee_user_id"),
					      "trustor_user", "id",
					      json_object_get(doc, "trustor_user_id")));
}

json_t *ident_token_doc(const struct ident_call *c, const struct session *s, bool catalog)
{
	json_t *user = ident_reference(c, RECORD_USER, s->user), *audit = json_array();
	json_t *t = json_object();

	json_object_set_new(user, "password_expires_at", json_null());
	json_array_append_new(audit, json_of(s->audit));
	if (s->parent_audit.n)
		json_array_append_new(audit, json_of(s->parent_audit));
	json_object_set_new(t, "methods", words(s->methods));
	json_object_set_new(t, "user", user);
	json_object_set_new(t, "audit_ids", audit);
	json_object_set_new(t, "issued_at", time_of(s->issued_us));
	json_object_set_new(t, "expires_at", time_of(s->expires * 1000000));
	if (s->target.n)
		add_scope(c, s, t, catalog);
	if (s->credential.n)
		add_credential(c, s, t);
	if (s->trust.n)
		add_trust(c, s, t);
	return json_pack("{s:o}", "token", t);
}

static bool wants_catalog(const struct request *req)
{
	return !request_has_query(req, S("nocatalog"));
}

waits static void log_in(struct ident_call *c)
{
	AUTO(json_text) doc = ident_body(c);
	struct session s = { .issued_us = 0 };
	struct login l;
	struct fault why;

	if (!doc)
		return;
	int rc = login_parse(doc, &l, &why);

	if (rc == -EINVAL) {
		ident_error(c, 400, "%s", why.text);
		return;
	}
	if (rc == 0)
		rc = login_check(c->id, c->req, &l, &s);
	if (rc < 0) {
		ident_refused(c, rc);
		return;
	}
	c->session = s;
	ident_respond(c, 201, ident_token_doc(c, &s, wants_catalog(c->req)));
	headers_set(&c->res->headers, S("X-Subject-Token"),
		    session_seal(c->req->arena, c->id->proxy, &s));
}

/* Services go on with a token that has expired meanwhile. */
static int64_t late_of(const struct ident_call *c)
{
	bool service = c->admin || roles_have(c->roles, S("service"));

	return service && str_is_true(request_query_lit(c->req, "allow_expired"))
		       ? (int64_t)(identity_conf.allow_expired_window / 1000)
		       : 0;
}

/* A service that does not know of access rules would let everything pass. */
static bool knows_rules(const struct ident_call *c, const struct session *s)
{
	const json_t *doc = records_get(c->id->records, RECORD_CREDENTIAL, s->credential);

	return !json_object_get(doc, "access_rules") ||
	       headers_has(&c->req->headers, S("OpenStack-Identity-Access-Rules"));
}

/* The token that is asked about: its user's own, or anybody's for an admin. */
static bool subject(struct ident_call *c, struct session *ret)
{
	struct str text = headers_get_lit(&c->req->headers, "X-Subject-Token");

	if (!ident_need_login(c))
		return false;
	if (session_open_late(c->id, c->req->arena, text, late_of(c), ret) < 0 ||
	    !knows_rules(c, ret)) {
		ident_error(c, 404, "Could not find token.");
		return false;
	}
	if (!c->admin && !roles_have(c->roles, S("service")) &&
	    !str_eq(ret->user, c->session.user)) {
		ident_error(c, 403, "You are not authorized to perform the requested action.");
		return false;
	}
	return true;
}

/* Whoever revokes that many tokens loses all that he has: one mark on the user stands for them. */
waits static int revoke_all(struct ident_call *c, struct str user)
{
	json_t *doc = json_copy(records_get(c->id->records, RECORD_USER, user));

	if (!doc)
		return 0;
	json_object_del(doc, "_key");
	json_object_set_new(doc, "_tokens_after_us", json_integer(clock_wall_us()));
	return store_write(c->id, RECORD_USER, user, doc);
}

void ident_revoke(struct ident_call *c, const struct session *s)
{
	const json_t *known = records_revocations(c->id->records, s->user);
	int rc;

	if (json_array_size(known) >= (size_t)identity_conf.limit_per_user)
		rc = revoke_all(c, s->user);
	else
		rc = store_write(c->id, RECORD_REVOCATION, s->audit,
				 json_pack("{s:o, s:I, s:o}", "id", json_of(s->audit), "expires",
					   (json_int_t)s->expires, "user_id", json_of(s->user)));
	if (rc < 0)
		ident_error(c, 503, "The token could not be revoked now.");
	else
		ident_no_content(c);
}

void ident_tokens(struct ident_call *c)
{
	struct session s;

	switch (c->req->method) {
	case HTTP_POST:
		log_in(c);
		break;
	case HTTP_GET:
	case HTTP_HEAD:
		if (!subject(c, &s))
			break;
		ident_respond(c, 200, ident_token_doc(c, &s, wants_catalog(c->req)));
		headers_set(&c->res->headers, S("X-Subject-Token"),
			    headers_get_lit(&c->req->headers, "X-Subject-Token"));
		break;
	case HTTP_DELETE:
		if (subject(c, &s))
			ident_revoke(c, &s);
		break;
	default:
		ident_error(c, 405, "The method is not allowed for the requested URL.");
	}
}

/* ---- what a token may see ---- */

struct targets {
	const struct ident_call *c;
	enum record_kind kind;
	struct str prefix;
	json_t *list, *seen;            /* seen: an object with their ids */
};

static void add_target(struct targets *t, struct str target)
{
	struct str id = str_skip(target, t->prefix.n < target.n ? t->prefix.n : 0);
	const char *key = arena_cstr(t->c->req->arena, id);

	if (!str_starts(target, t->prefix) || !identity_target_enabled(t->c->id, target) ||
	    json_object_get(t->seen, key))
		return;
	json_object_set_new(t->seen, key, json_true());
	json_array_append_new(t->list, ident_view(t->c, t->kind,
						  records_get(t->c->id->records, t->kind, id)));
}

static void add_heir(void *arg, const json_t *project)
{
	struct targets *t = arg;

	add_target(t, arena_printf(t->c->req->arena, "project/%.*s",
				   STR(json_str(project, "id"))));
}

static void add_targets_of(struct targets *t, struct str actor)
{
	const struct records *r = t->c->id->records;
	json_t *v;
	size_t i;

	json_array_foreach(records_targets(r, actor), i, v)
		add_target(t, str_from(json_string_value(v)));
	json_array_foreach(records_inherited_targets(r, actor), i, v)
		identity_each_heir(t->c->id, str_from(json_string_value(v)), add_heir, t);
}

json_t *ident_targets(const struct ident_call *c, struct str user, struct str prefix,
		      enum record_kind kind)
{
	AUTO(json_text) seen = json_object();
	struct targets t = { c, kind, prefix, json_array(), seen };
	json_t *v;
	size_t i;

	add_targets_of(&t, user);
	json_array_foreach(records_groups(c->id->records, user), i, v)
		add_targets_of(&t, str_from(json_string_value(v)));
	return t.list;
}

void ident_auth_lists(struct ident_call *c)
{
	struct str what = c->part[1];

	if (!ident_need_login(c))
		return;
	if (str_eq(what, S("catalog"))) {
		if (c->session.target.n)
			ident_respond_list(c, "catalog",
					   ident_catalog(c, session_project(&c->session)));
		else
			ident_error(c, 403, "The token has no scope.");
	} else if (str_eq(what, S("projects"))) {
		ident_respond_list(c, "projects",
				   ident_targets(c, c->session.user, S("project/"),
						 RECORD_PROJECT));
	} else if (str_eq(what, S("domains"))) {
		ident_respond_list(c, "domains",
				   ident_targets(c, c->session.user, S("domain/"),
						 RECORD_DOMAIN));
	} else if (str_eq(what, S("system"))) {
		AUTO(json_text) roles = identity_roles(c->id, c->session.user, S("system/all"));
		json_t *list = json_array();

		if (json_array_size(roles))
			json_array_append_new(list, json_pack("{s:b}", "all", 1));
		ident_respond_list(c, "system", list);
	} else {
		ident_error(c, 404, "The resource could not be found.");
	}
}
