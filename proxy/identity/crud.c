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

/* A user's own: his credentials. */
static bool is_own(const struct ident_call *c, const struct resource *r, const json_t *doc)
{
	return r->kind == RECORD_SECRET && str_eq(json_str(doc, "user_id"), c->session.user) &&
	       !c->session.trust.n && !c->session.credential.n;
}

/* Admins see all; everybody sees himself, his project, its domain, the regions and limits. */
static bool may_see(struct ident_call *c, const struct resource *r, struct str key,
		    const json_t *doc)
{
	const struct session *s = &c->session;
	const json_t *user = records_get(c->id->records, RECORD_USER, s->user);

	return c->admin || r->kind == RECORD_REGION || is_own(c, r, doc) ||
	       r->kind == RECORD_REGISTERED_LIMIT ||
	       (r->kind == RECORD_LIMIT && str_eq(json_str(doc, "project_id"),
						  session_project(s))) ||
	       (r->kind == RECORD_USER && str_eq(key, s->user)) ||
	       (r->kind == RECORD_PROJECT && str_eq(key, session_project(s))) ||
	       (r->kind == RECORD_DOMAIN && str_eq(key, json_str(user, "domain_id"))) ||
	       forbidden(c);
}

static json_t *view_of(struct ident_call *c, const struct resource *r, const json_t *doc)
{
	json_t *view = ident_view(c, r->kind, doc);

	if (r->kind == RECORD_ENDPOINT)
		json_object_set_new(view, "url",
				    json_of(ident_url(c, json_str(doc, "url"), STR_NONE,
						      STR_NONE)));
	if (r->kind == RECORD_SECRET)
		json_object_set_new(view, "blob", json_of(secret_open(c, doc)));
	if (r == resource_domain_as_project()) {
		json_object_set_new(view, "domain_id", json_null());
		json_object_set_new(view, "parent_id", json_null());
		json_object_set_new(view, "is_domain", json_true());
	}
	return view;
}

static json_t *wrapped(struct ident_call *c, const struct resource *r, const json_t *doc)
{
	return json_pack("{s:o}", r->singular, view_of(c, r, doc));
}

static bool listed(struct ident_call *c, const struct resource *r, const json_t *doc)
{
	struct str project = session_project(&c->session);

	/* Keystone's roles of domains are asked for by their domain. */
	if (r->kind == RECORD_ROLE && json_str(doc, "domain_id").p &&
	    !request_has_query(c->req, S("domain_id")))
		return false;
	if (!c->admin && r->kind == RECORD_SECRET && !is_own(c, r, doc))
		return false;
	if (!c->admin && r->kind == RECORD_LIMIT && !str_eq(json_str(doc, "project_id"), project))
		return false;
	return resource_matches(c->req, doc);
}

static void list(struct ident_call *c, const struct resource *r)
{
	struct str domains = request_query_lit(c->req, "is_domain");
	const char *plural = record_plurals[r->kind];

	/* Every domain is a project as well, which only those see who ask for it. */
	if (r->kind == RECORD_PROJECT && domains.p && !str_ieq(domains, S("false")) &&
	    !str_eq(domains, S("0")))
		r = resource_domain_as_project();
	AUTO(json_text) all = records_all(c->id->records, r->kind);
	json_t *found = json_array(), *doc;
	size_t i;

	json_array_foreach(all, i, doc)
		if (listed(c, r, doc))
			json_array_append_new(found, view_of(c, r, doc));
	ident_respond_list(c, plural, found);
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

/* Ids are names of objects, and parts of paths. */
static bool good_id(struct str id)
{
	enum { ID_MAX = 255 };

	for (size_t i = 0; i < id.n; i++)
		if ((unsigned char)id.p[i] < ' ' || id.p[i] == '/')
			return false;
	return id.n > 0 && id.n <= ID_MAX && str_is_utf8(id);
}

static bool complete_project(struct ident_call *c, json_t *doc)
{
	set_default(doc, "parent_id", json_str(doc, "domain_id"));
	if (!json_equal(json_object_get(doc, "parent_id"), json_object_get(doc, "domain_id")) &&
	    !refers(c, doc, "parent_id", RECORD_PROJECT, "project"))
		return false;
	if (ident_tags_are_good(json_object_get(doc, "tags")))
		return true;
	ident_error(c, 400, "Invalid input for field 'tags'.");
	return false;
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
	if (r->kind == RECORD_PROJECT)
		return complete_project(c, doc);
	if (r->kind == RECORD_DOMAIN) {
		json_object_del(doc, "is_domain");
		json_object_del(doc, "domain_id");
		json_object_del(doc, "parent_id");
	}
	if (r->kind == RECORD_LIMIT || r->kind == RECORD_REGISTERED_LIMIT)
		return ident_limit_is_good(c, r, doc);
	if (r->kind == RECORD_ENDPOINT) {
		struct str region = json_str(doc, "region_id");

		if (!region.p)
			region = json_str(doc, "region");
		json_object_set_new(doc, "region_id", json_of(region));
		json_object_set_new(doc, "region", json_of(region));
		if (region.n && !good_id(region)) {
			ident_error(c, 400, "Invalid input for field 'region'.");
			return false;
		}
		return refers(c, doc, "service_id", RECORD_SERVICE, "service");
	}
	if (r->kind == RECORD_SECRET) {
		set_default(doc, "user_id", c->session.user);
		return (c->admin || is_own(c, r, doc) || forbidden(c)) &&
		       refers(c, doc, "user_id", RECORD_USER, "user") &&
		       refers(c, doc, "project_id", RECORD_PROJECT, "project") &&
		       secret_hide(c, doc);
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
waits static bool hide_password(struct ident_call *c, json_t *doc, bool is_new)
{
	struct str password = json_str(doc, "password"), hash = STR_NONE;

	if (password.p) {
		int rc = password_hash(c->req->arena, password, &hash);

		if (rc < 0) {
			ident_refused(c, rc);
			return false;
		}
		json_object_set_new(doc, "_password", json_of(hash));
		if (!is_new)
			json_object_set_new(doc, "_tokens_after_us",
					    json_integer(clock_wall_us()));
	}
	json_object_del(doc, "password");
	json_object_del(doc, "original_password");
	return true;
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

/* Only a region's id may be chosen (in the path or the body); EC2's follow from their names. */
static struct str new_id(struct ident_call *c, const struct resource *r, const json_t *given,
			 struct str wanted)
{
	struct str key = wanted.n ? wanted : json_str(given, "id");

	if (r->kind == RECORD_SECRET && str_eq(json_str(given, "type"), S("ec2")))
		return secret_ec2_id(c, given);
	if (r->kind == RECORD_REGION && key.n)
		return key;
	return identity_new_id(c->req->arena);
}

waits static void create(struct ident_call *c, const struct resource *r, struct str wanted)
{
	AUTO(json_text) body = NULL;
	const json_t *given = body_of(c, r, &body);
	struct fault why;

	if (!given)
		return;
	if (r->kind == RECORD_PROJECT && json_is_true(json_object_get(given, "is_domain")))
		r = resource_domain_as_project();
	AUTO(json_text) doc = resource_make(r, given, &why);

	if (!doc) {
		ident_error(c, 400, "%s", why.text);
		return;
	}
	struct str key = new_id(c, r, given, wanted);

	if (!key.n) {
		ident_error(c, 400, "An EC2 credential needs a blob with access and secret.");
		return;
	}
	if (!good_id(key)) {
		ident_error(c, 400, "Invalid input for field 'id'.");
		return;
	}
	if (r->kind == RECORD_SECRET && !c->admin && !ident_may_own_more(c, r->kind))
		return;
	json_object_set_new(doc, "id", json_of(key));
	if (!complete(c, r, doc) || !name_is_free(c, r, doc) ||
	    (r->kind == RECORD_PROJECT && !ident_project_fits(c, doc, NULL)))
		return;
	if (records_get(c->id->records, r->kind, key)) {
		ident_error(c, 409, "Conflict occurred attempting to store %s - duplicate id.",
			    r->singular);
		return;
	}
	if (r->kind == RECORD_USER && !hide_password(c, doc, true))
		return;
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
	if (!complete(c, r, doc) || !name_is_free(c, r, doc) ||
	    (r->kind == RECORD_PROJECT && !ident_project_fits(c, doc, held)))
		return;
	/* The configuration's own key is not for the store. */
	json_object_del(doc, "_key");
	if (r->kind == RECORD_USER) {
		if (!hide_password(c, doc, false))
			return;
		if (json_is_false(json_object_get(doc, "enabled")))
			json_object_set_new(doc, "_tokens_after_us",
					    json_integer(clock_wall_us()));
	}
	store(c, r, doc, 200);
}

waits static void delete(struct ident_call *c, const struct resource *r, const json_t *doc)
{
	struct str key = arena_str(c->req->arena, json_str(doc, "id"));

	if (r->kind == RECORD_DOMAIN && !json_is_false(json_object_get(doc, "enabled"))) {
		ident_error(c, 403, "Cannot delete a domain that is enabled, please disable it "
				    "first.");
		return;
	}
	if (r->kind == RECORD_PROJECT && !ident_project_is_leaf(c, key))
		return;
	int rc = ident_delete_dependents(c, r->kind, key);

	if (rc == 0)
		rc = store_write(c->id, r->kind, key, NULL);
	if (rc < 0)
		ident_error(c, 503, "The record could not be deleted now.");
	else
		ident_no_content(c);
}

static void show(struct ident_call *c, const struct resource *r, const json_t *doc)
{
	AUTO(json_text) answer = wrapped(c, r, doc);

	if (r->kind == RECORD_PROJECT)
		ident_project_relatives(c, doc, json_object_get(answer, r->singular));
	ident_respond(c, 200, json_incref(answer));
}

waits static void one(struct ident_call *c, const struct resource *r, struct str key)
{
	enum http_method m = c->req->method;
	bool get = m == HTTP_GET || m == HTTP_HEAD;
	json_t *doc = records_get(c->id->records, r->kind, key);

	if (get && !may_see(c, r, key, doc))
		return;
	if (!get && !c->admin && !is_own(c, r, doc)) {
		forbidden(c);
		return;
	}
	if (!doc && r->kind == RECORD_PROJECT) {
		doc = records_get(c->id->records, RECORD_DOMAIN, key);
		r = doc ? resource_domain_as_project() : r;
	}
	if (!doc && r->kind == RECORD_REGION && m == HTTP_PUT)
		create(c, r, key);
	else if (!doc)
		ident_not_found(c, r->singular, key);
	else if (get)
		show(c, r, doc);
	else if (m == HTTP_PATCH)
		update(c, r, doc);
	else if (m == HTTP_DELETE)
		delete(c, r, doc);
	else
		ident_error(c, 405, "The method is not allowed for the requested URL.");
}

void ident_crud_of(struct ident_call *c, const struct resource *r, struct str key)
{
	bool anybody = r->kind == RECORD_REGION || r->kind == RECORD_SECRET ||
		       r->kind == RECORD_LIMIT || r->kind == RECORD_REGISTERED_LIMIT;

	if (key.p)
		one(c, r, key);
	else if (!c->admin && !anybody)
		forbidden(c);
	else if (c->req->method == HTTP_GET || c->req->method == HTTP_HEAD)
		list(c, r);
	else if (!c->admin && r->kind != RECORD_SECRET)
		forbidden(c);
	else if (c->req->method == HTTP_POST && ident_limit_kind(r->kind))
		ident_create_limits(c, r);
	else if (c->req->method == HTTP_POST)
		create(c, r, STR_NONE);
	else
		ident_error(c, 405, "The method is not allowed for the requested URL.");
}

bool ident_crud(struct ident_call *c)
{
	const struct resource *r = c->parts ? resource_find(c->part[0]) : NULL;

	if (!r || c->parts > 2 || r->kind == RECORD_ENDPOINT_GROUP)
		return false;
	ident_crud_of(c, r, c->parts == 2 ? c->part[1] : STR_NONE);
	return true;
}
