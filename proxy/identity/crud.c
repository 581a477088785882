/* Making, listing, showing, changing and deleting the records of resources.c. */
#include "lib/base/clock.h"
#include "proxy/identity/resources.h"
#include "proxy/identity/store.h"
#include "proxy/identity/v3.h"

static bool forbidden(struct ident_call *c)
{
	ident_error(c, 403, "You are not authorized to perform the requested action.");
	return false;
}

/* Admins see all; everybody sees himself, his project, its domain, and the regions. */
static bool may_see(struct ident_call *c, const struct resource *r, struct str key)
{
	const struct session *s = &c->session;
	const json_t *user = records_get(c->id->records, RECORD_USER, s->user);

	return c->admin || r->kind == RECORD_REGION ||
	       (r->kind == RECORD_USER && str_eq(key, s->user)) ||
	       (r->kind == RECORD_PROJECT && str_eq(key, session_project(s))) ||
	       (r->kind == RECORD_DOMAIN && str_eq(key, json_str(user, "domain_id"))) ||
	       forbidden(c);
}

static json_t *wrapped(struct ident_call *c, const struct resource *r, const json_t *doc)
{
	json_t *view = ident_view(c, r->kind, doc);

	if (r->kind == RECORD_ENDPOINT)
		json_object_set_new(view, "url",
				    json_of(ident_url(c, json_str(doc, "url"), STR_NONE,
						      STR_NONE)));
	return json_pack("{s:o}", r->singular, view);
}

static void list(struct ident_call *c, const struct resource *r)
{
	AUTO(json_text) all = records_all(c->id->records, r->kind);
	json_t *found = json_array(), *doc;
	size_t i;

	json_array_foreach(all, i, doc) {
		/* Keystone's roles of domains are asked for by their domain. */
		bool other_role = r->kind == RECORD_ROLE && json_str(doc, "domain_id").p &&
				  !request_has_query(c->req, S("domain_id"));

		if (resource_matches(c->req, doc) && !other_role) {
			json_t *one = wrapped(c, r, doc);

			json_array_append(found, json_object_get(one, r->singular));
			json_decref(one);
		}
	}
	ident_respond_list(c, record_plurals[r->kind], found);
}

/* ---- what a record refers to ---- */

static bool refers(struct ident_call *c, json_t *doc, const char *member, enum record_kind kind,
		   const char *what)
{
	struct str key = json_str(doc, member);

	if (!key.p || records_get(c->id->records, kind, key))
		return true;
	ident_not_found(c, what, key);
	return false;
}

static void set_default(json_t *doc, const char *member, struct str value)
{
	if (!json_str(doc, member).p)
		json_object_set_new(doc, member, json_of(value));
}

static struct str own_domain(const struct ident_call *c)
{
	return json_str(records_get(c->id->records, RECORD_USER, c->session.user), "domain_id");
}

static bool complete(struct ident_call *c, const struct resource *r, json_t *doc)
{
	struct str domain = json_str(doc, "domain_id");

	if (r->in_domain) {
		set_default(doc, "domain_id", own_domain(c));
		domain = json_str(doc, "domain_id");
	}
	if (domain.p && !refers(c, doc, "domain_id", RECORD_DOMAIN, "domain"))
		return false;
	if (r->kind == RECORD_PROJECT) {
		set_default(doc, "parent_id", domain);
		struct str parent = json_str(doc, "parent_id");

		if (!str_eq(parent, domain) &&
		    !refers(c, doc, "parent_id", RECORD_PROJECT, "project"))
			return false;
	}
	if (r->kind == RECORD_ENDPOINT) {
		struct str region = json_str(doc, "region_id");

		if (!region.p)
			region = json_str(doc, "region");
		json_object_set_new(doc, "region_id", json_of(region));
		json_object_set_new(doc, "region", json_of(region));
		return refers(c, doc, "service_id", RECORD_SERVICE, "service");
	}
	if (r->kind == RECORD_SECRET) {
		set_default(doc, "user_id", c->session.user);
		return refers(c, doc, "user_id", RECORD_USER, "user");
	}
	return r->kind != RECORD_REGION ||
	       refers(c, doc, "parent_region_id", RECORD_REGION, "region");
}

static bool name_is_free(struct ident_call *c, const struct resource *r, const json_t *doc)
{
	struct str domain = json_str(doc, "domain_id");
	const json_t *other =
		!r->named ? NULL :
			    records_named(c->id->records, r->kind, domain.p ? domain : S(""),
					  json_str(doc, "name"));

	if (!other || str_eq(json_str(other, "id"), json_str(doc, "id")))
		return true;
	ident_error(c, 409, "Conflict occurred attempting to store %s - Duplicate entry found with "
			    "name %.*s.", r->singular, STR(json_str(doc, "name")));
	return false;
}

/* The password becomes its hash; tokens that were given before are no longer good. */
waits static void hide_password(struct ident_call *c, json_t *doc, bool is_new)
{
	struct str password = json_str(doc, "password");

	if (password.p) {
		json_object_set_new(doc, "_password",
				    json_of(password_hash(c->req->arena, password)));
		if (!is_new)
			json_object_set_new(doc, "_tokens_after_us",
					    json_integer(clock_wall_us()));
	}
	json_object_del(doc, "password");
	json_object_del(doc, "original_password");
}

/* ---- verbs ---- */

waits static const json_t *body_of(struct ident_call *c, const struct resource *r, json_t **ret_doc)
{
	*ret_doc = ident_body(c);
	const json_t *given = json_object_get(*ret_doc, r->singular);

	if (*ret_doc && !json_is_object(given))
		ident_error(c, 400, "'%s' is a required property", r->singular);
	return json_is_object(given) ? given : NULL;
}

/* An endpoint's region is made when there is none of that name. */
waits static int make_region(struct ident_call *c, const json_t *doc)
{
	struct str key = json_str(doc, "region_id");

	if (!key.n || records_get(c->id->records, RECORD_REGION, key))
		return 0;
	return store_write(c->id, RECORD_REGION, key,
			   json_pack("{s:o, s:s, s:n}", "id", json_of(key), "description", "",
				     "parent_region_id"));
}

waits static void store(struct ident_call *c, const struct resource *r, json_t *doc, int status)
{
	struct str key = arena_str(c->req->arena, json_str(doc, "id"));

	if ((r->kind == RECORD_ENDPOINT && make_region(c, doc) < 0) ||
	    store_write(c->id, r->kind, key, json_incref(doc)) < 0)
		ident_error(c, 503, "The record could not be stored now.");
	else
		ident_respond(c, status, wrapped(c, r, doc));
}

waits static void create(struct ident_call *c, const struct resource *r)
{
	AUTO(json_text) body = NULL;
	const json_t *given = body_of(c, r, &body);
	struct fault why;

	if (!given)
		return;
	AUTO(json_text) doc = resource_make(r, given, &why);

	if (!doc) {
		ident_error(c, 400, "%s", why.text);
		return;
	}
	/* Only a region's id may be chosen. */
	struct str key = json_str(given, "id");

	if (c->parts == 2)
		key = c->part[1];
	if (r->kind != RECORD_REGION || !key.n)
		key = identity_new_id(c->req->arena);
	json_object_set_new(doc, "id", json_of(key));
	if (!complete(c, r, doc) || !name_is_free(c, r, doc))
		return;
	if (records_get(c->id->records, r->kind, key)) {
		ident_error(c, 409, "Conflict occurred attempting to store %s - duplicate id.",
			    r->singular);
		return;
	}
	if (r->kind == RECORD_USER)
		hide_password(c, doc, true);
	store(c, r, doc, 201);
}

waits static void update(struct ident_call *c, const struct resource *r, json_t *old)
{
	AUTO(json_text) held = json_incref(old);
	AUTO(json_text) body = NULL;
	const json_t *given = body_of(c, r, &body);
	struct fault why;

	if (!given)
		return;
	AUTO(json_text) doc = resource_change(r, held, given, &why);

	if (!doc) {
		ident_error(c, 400, "%s", why.text);
		return;
	}
	/* region is the older name of region_id. */
	if (r->kind == RECORD_ENDPOINT && json_str(given, "region").p &&
	    !json_str(given, "region_id").p)
		json_object_set(doc, "region_id", json_object_get(given, "region"));
	if (!complete(c, r, doc) || !name_is_free(c, r, doc))
		return;
	/* The configuration's own key is not for the store. */
	json_object_del(doc, "_key");
	if (r->kind == RECORD_USER) {
		hide_password(c, doc, false);
		if (json_is_false(json_object_get(doc, "enabled")))
			json_object_set_new(doc, "_tokens_after_us",
					    json_integer(clock_wall_us()));
	}
	store(c, r, doc, 200);
}

/* Whether a record goes when the other is deleted. */
static bool depends(enum record_kind kind, const json_t *doc, enum record_kind on, struct str key)
{
	struct str target = json_str(doc, "target");
	struct str of = target, type = str_cut(&of, '/');

	switch (kind) {
	case RECORD_ASSIGNMENT:
		return ((on == RECORD_USER || on == RECORD_GROUP) &&
			str_eq(json_str(doc, "actor"), key)) ||
		       (on == RECORD_ROLE && str_eq(json_str(doc, "role_id"), key)) ||
		       (on == RECORD_PROJECT && str_eq(type, S("project")) && str_eq(of, key)) ||
		       (on == RECORD_DOMAIN && str_eq(type, S("domain")) && str_eq(of, key));
	case RECORD_MEMBERSHIP:
		return (on == RECORD_USER && str_eq(json_str(doc, "user_id"), key)) ||
		       (on == RECORD_GROUP && str_eq(json_str(doc, "group_id"), key));
	case RECORD_CREDENTIAL:
		return (on == RECORD_USER && str_eq(json_str(doc, "user_id"), key)) ||
		       (on == RECORD_PROJECT && str_eq(json_str(doc, "project_id"), key));
	case RECORD_IMPLICATION:
		return on == RECORD_ROLE && (str_eq(json_str(doc, "prior"), key) ||
					     str_eq(json_str(doc, "implied"), key));
	case RECORD_ENDPOINT:
		return on == RECORD_SERVICE && str_eq(json_str(doc, "service_id"), key);
	case RECORD_PROJECT:
	case RECORD_USER:
	case RECORD_GROUP:
		return on == RECORD_DOMAIN && str_eq(json_str(doc, "domain_id"), key);
	default:
		return false;
	}
}

waits static int delete_dependents(struct ident_call *c, enum record_kind on, struct str key)
{
	/* A domain's users first, so that what depends on them goes with them. */
	static const enum record_kind order[] = { RECORD_USER,	     RECORD_GROUP,
						  RECORD_PROJECT,    RECORD_ASSIGNMENT,
						  RECORD_MEMBERSHIP, RECORD_CREDENTIAL,
						  RECORD_ENDPOINT,   RECORD_IMPLICATION };
	int rc = 0;

	for (size_t k = 0; rc == 0 && k < ARRAY_LEN(order); k++) {
		AUTO(json_text) all = records_all(c->id->records, order[k]);
		json_t *doc;
		size_t i;

		json_array_foreach(all, i, doc) {
			struct str id = arena_str(c->req->arena, json_str(doc, "id"));

			if (!depends(order[k], doc, on, key))
				continue;
			if (on == RECORD_DOMAIN && order[k] <= RECORD_GROUP)
				rc = delete_dependents(c, order[k], id);
			if (rc == 0)
				rc = store_write(c->id, order[k], id, NULL);
			if (rc < 0)
				break;
		}
	}
	return rc;
}

waits static void delete(struct ident_call *c, const struct resource *r, const json_t *doc)
{
	struct str key = arena_str(c->req->arena, json_str(doc, "id"));

	if (r->kind == RECORD_DOMAIN && !json_is_false(json_object_get(doc, "enabled"))) {
		ident_error(c, 403, "Cannot delete a domain that is enabled, please disable it "
				    "first.");
		return;
	}
	int rc = delete_dependents(c, r->kind, key);

	if (rc == 0)
		rc = store_write(c->id, r->kind, key, NULL);
	if (rc < 0)
		ident_error(c, 503, "The record could not be deleted now.");
	else
		ident_no_content(c);
}

waits static void one(struct ident_call *c, const struct resource *r)
{
	enum http_method m = c->req->method;
	bool get = m == HTTP_GET || m == HTTP_HEAD;

	if (get && !may_see(c, r, c->part[1]))
		return;
	if (!get && !c->admin) {
		forbidden(c);
		return;
	}
	json_t *doc = records_get(c->id->records, r->kind, c->part[1]);

	if (!doc && r->kind == RECORD_REGION && m == HTTP_PUT)
		create(c, r);
	else if (!doc)
		ident_not_found(c, r->singular, c->part[1]);
	else if (get)
		ident_respond(c, 200, wrapped(c, r, doc));
	else if (m == HTTP_PATCH)
		update(c, r, doc);
	else if (m == HTTP_DELETE)
		delete(c, r, doc);
	else
		ident_error(c, 405, "The method is not allowed for the requested URL.");
}

bool ident_crud(struct ident_call *c)
{
	const struct resource *r = c->parts ? resource_find(c->part[0]) : NULL;

	if (!r || c->parts > 2)
		return false;
	if (c->parts == 2)
		one(c, r);
	else if (!c->admin && r->kind != RECORD_REGION)
		forbidden(c);
	else if (c->req->method == HTTP_GET || c->req->method == HTTP_HEAD)
		list(c, r);
	else if (!c->admin)
		forbidden(c);
	else if (c->req->method == HTTP_POST)
		create(c, r);
	else
		ident_error(c, 405, "The method is not allowed for the requested URL.");
	return true;
}
