/* Unified limits: registered defaults, limits of projects and domains, and what a project's account
 * may hold. */
#include "proxy/identity/limits.h"
#include "proxy/identity/resources.h"
#include "proxy/identity/store.h"
#include "proxy/identity/v3.h"

enum { LIST_MAX = 1000 };

static bool same(const json_t *a, const json_t *b, const char *member)
{
	return str_eq(json_str(a, member), json_str(b, member));
}

static bool same_resource(const json_t *a, const json_t *b)
{
	return same(a, b, "service_id") && same(a, b, "region_id") && same(a, b, "resource_name");
}

/* Another record of the kind for the same resource (and owner). */
static bool is_taken(const struct identity *id, enum record_kind kind, const json_t *doc)
{
	AUTO(json_text) all = records_all(id->records, kind);
	json_t *other;
	size_t i;

	json_array_foreach(all, i, other)
		if (same_resource(doc, other) && same(doc, other, "project_id") &&
		    same(doc, other, "domain_id") && !same(doc, other, "id"))
			return true;
	return false;
}

static bool is_registered(const struct identity *id, const json_t *doc)
{
	AUTO(json_text) all = records_all(id->records, RECORD_REGISTERED_LIMIT);
	json_t *other;
	size_t i;

	json_array_foreach(all, i, other)
		if (same_resource(doc, other))
			return true;
	return false;
}

static bool there(struct ident_call *c, const json_t *doc, const char *member,
		  enum record_kind kind)
{
	struct str key = json_str(doc, member);

	return !key.p || records_get(c->id->records, kind, key);
}

bool ident_limit_is_good(struct ident_call *c, const struct resource *r, const json_t *doc)
{
	bool registered = r->kind == RECORD_REGISTERED_LIMIT;
	const json_t *n = json_object_get(doc, registered ? "default_limit" : "resource_limit");
	bool project = json_str(doc, "project_id").p, domain = json_str(doc, "domain_id").p;

	if (!json_is_integer(n) || json_integer_value(n) < -1)
		ident_error(c, 400, "Invalid input for field '%s'.",
			    registered ? "default_limit" : "resource_limit");
	else if (!registered && project == domain)
		ident_error(c, 400, "A limit is either of a project or of a domain.");
	else if (!there(c, doc, "service_id", RECORD_SERVICE) ||
		 !there(c, doc, "region_id", RECORD_REGION) ||
		 !there(c, doc, "project_id", RECORD_PROJECT) ||
		 !there(c, doc, "domain_id", RECORD_DOMAIN))
		ident_error(c, 400, "What the limit refers to is not there.");
	else if (!registered && !is_registered(c->id, doc))
		ident_error(c, 403, "There is no registered limit of this resource.");
	else if (is_taken(c->id, r->kind, doc))
		ident_error(c, 409, "Conflict occurred attempting to store %s - there is one "
				    "already.", r->singular);
	else
		return true;
	return false;
}

/* The list of checked new records, or NULL: answered. */
waits static json_t *read_list(struct ident_call *c, const struct resource *r, const json_t *given)
{
	json_t *docs = json_array(), *one;
	struct fault why;
	size_t i;

	json_array_foreach(given, i, one) {
		json_t *doc = json_is_object(one) ? resource_make(r, one, &why) : NULL;

		if (!doc)
			ident_error(c, 400, "%s", json_is_object(one) ? why.text :
								       "Invalid limit.");
		if (!doc || !ident_limit_is_good(c, r, doc)) {
			json_decref(doc);
			json_decref(docs);
			return NULL;
		}
		json_object_set_new(doc, "id", json_of(identity_new_id(c->req->arena)));
		json_array_append_new(docs, doc);
	}
	return docs;
}

void ident_create_limits(struct ident_call *c, const struct resource *r)
{
	const char *plural = record_plurals[r->kind];
	AUTO(json_text) body = ident_body(c);
	const json_t *given = json_object_get(body, plural);
	json_t *doc;
	size_t i;

	if (!body)
		return;
	if (!json_is_array(given) || json_array_size(given) == 0 ||
	    json_array_size(given) > LIST_MAX) {
		ident_error(c, 400, "'%s' is a required property", plural);
		return;
	}
	AUTO(json_text) docs = read_list(c, r, given);

	if (!docs)
		return;
	AUTO(json_text) views = json_array();

	json_array_foreach(docs, i, doc) {
		if (store_write(c->id, r->kind, json_str(doc, "id"), json_incref(doc)) < 0) {
			ident_error(c, 503, "The limit could not be stored now.");
			return;
		}
		json_array_append_new(views, ident_view(c, r->kind, doc));
	}
	ident_respond(c, 201, json_pack("{s:O, s:{s:n, s:n, s:n}}", plural, views, "links", "next",
					"self", "previous"));
}

bool ident_limits(struct ident_call *c)
{
	if (c->parts != 2 || !str_eq(c->part[0], S("limits")) ||
	    !str_eq(c->part[1], S("model")))
		return false;
	ident_respond(c, 200,
		      json_pack("{s:{s:s, s:s}}", "model", "name", "flat", "description",
				"Limit enforcement and validation does not take project "
				"hierarchy into consideration."));
	return true;
}

/* ---- what the store asks ---- */

static bool is_of_the_store(const struct identity *id, const json_t *doc, struct str resource)
{
	const json_t *service =
		records_get(id->records, RECORD_SERVICE, json_str(doc, "service_id"));

	return str_eq(json_str(doc, "resource_name"), resource) &&
	       str_eq(json_str(service, "type"), S("object-store"));
}

static bool found(const json_t *number, uint64_t *ret)
{
	json_int_t n = json_integer_value(number);

	if (n < 0)
		return false;
	*ret = (uint64_t)n;
	return true;
}

static struct str project_of(struct str account)
{
	const struct conf_list *list = &identity_conf.reseller_prefix;

	for (unsigned i = 0; i < list->count; i++)
		if (str_starts(account, list->items[i]) && account.n > list->items[i].n + 1 &&
		    account.p[list->items[i].n] == '_')
			return str_skip(account, list->items[i].n + 1);
	return STR_NONE;
}

bool identity_account_limit(struct str account, struct str resource, uint64_t *ret)
{
	const struct identity *id = identity_self();
	struct str project = project_of(account);
	size_t i;
	json_t *v;

	if (!id->records || records_count(id->records, RECORD_REGISTERED_LIMIT) == 0 ||
	    !records_get(id->records, RECORD_PROJECT, project))
		return false;
	json_array_foreach(records_limits(id->records, project), i, v) {
		const json_t *doc = records_get(id->records, RECORD_LIMIT,
						str_from(json_string_value(v)));

		if (is_of_the_store(id, doc, resource))
			return found(json_object_get(doc, "resource_limit"), ret);
	}
	AUTO(json_text) all = records_all(id->records, RECORD_REGISTERED_LIMIT);

	json_array_foreach(all, i, v)
		if (is_of_the_store(id, v, resource))
			return found(json_object_get(v, "default_limit"), ret);
	return false;
}
