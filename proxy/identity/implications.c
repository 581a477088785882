/* Roles that imply others: /roles/PRIOR/implies[/IMPLIED] and /role_inferences. */
#include "proxy/identity/store.h"
#include "proxy/identity/v3.h"

static json_t *short_view(const struct ident_call *c, struct str role)
{
	const json_t *doc = records_get(c->id->records, RECORD_ROLE, role);
	AUTO(json_text) view = doc ? ident_view(c, RECORD_ROLE, doc) : json_object();

	return json_pack("{s:O?, s:O?, s:O?}", "id", json_object_get(view, "id"), "name",
			 json_object_get(view, "name"), "links", json_object_get(view, "links"));
}

static json_t *inference(const struct ident_call *c, struct str prior)
{
	json_t *implies = json_array(), *v;
	size_t i;

	json_array_foreach(records_implied(c->id->records, prior), i, v)
		json_array_append_new(implies, short_view(c, str_from(json_string_value(v))));
	return json_pack("{s:o, s:o}", "prior_role", short_view(c, prior), "implies", implies);
}

static void list_all(struct ident_call *c)
{
	AUTO(json_text) roles = records_all(c->id->records, RECORD_ROLE);
	json_t *list = json_array(), *role;
	size_t i;

	json_array_foreach(roles, i, role)
		if (records_implied(c->id->records, json_str(role, "id")))
			json_array_append_new(list, inference(c, json_str(role, "id")));
	ident_respond_list(c, "role_inferences", list);
}

static void show(struct ident_call *c, int status, struct str prior, struct str implied)
{
	ident_respond(c, status,
		      json_pack("{s:{s:o, s:o}}", "role_inference", "prior_role",
				short_view(c, prior), "implies", short_view(c, implied)));
}

waits static void one(struct ident_call *c, struct str prior, struct str implied)
{
	struct arena *a = c->req->arena;
	struct str key = identity_made_id(
		a, "implication", arena_printf(a, "%.*s/%.*s", STR(prior), STR(implied)));
	bool there = records_get(c->id->records, RECORD_IMPLICATION, key) != NULL;
	int rc = 0;

	bool prior_has_domain =
		json_str(records_get(c->id->records, RECORD_ROLE, prior), "domain_id").p;
	bool implied_has_domain =
		json_str(records_get(c->id->records, RECORD_ROLE, implied), "domain_id").p;

	if (c->req->method == HTTP_PUT && implied_has_domain && !prior_has_domain) {
		ident_error(c, 403, "A role of a domain cannot be implied by one of all domains.");
		return;
	}
	if (c->req->method != HTTP_PUT && !there) {
		ident_not_found(c, "role inference", implied);
		return;
	}
	if (c->req->method == HTTP_PUT && !there)
		rc = store_write(c->id, RECORD_IMPLICATION, key,
				 json_pack("{s:o, s:o, s:o}", "id", json_of(key), "prior",
					   json_of(prior), "implied", json_of(implied)));
	else if (c->req->method == HTTP_DELETE)
		rc = store_write(c->id, RECORD_IMPLICATION, key, NULL);
	if (rc < 0)
		ident_error(c, 503, "The role could not be changed now.");
	else if (c->req->method == HTTP_PUT || c->req->method == HTTP_GET)
		show(c, c->req->method == HTTP_PUT ? 201 : 200, prior, implied);
	else
		ident_no_content(c);
}

bool ident_implications(struct ident_call *c)
{
	bool all = c->parts == 1 && str_eq(c->part[0], S("role_inferences"));

	if (!all && ((c->parts != 3 && c->parts != 4) || !str_eq(c->part[0], S("roles")) ||
		     !str_eq(c->part[2], S("implies"))))
		return false;
	if (!c->admin)
		ident_error(c, 403, "You are not authorized to perform the requested action.");
	else if (all)
		list_all(c);
	else if (!records_get(c->id->records, RECORD_ROLE, c->part[1]))
		ident_not_found(c, "role", c->part[1]);
	else if (c->parts == 4 && !records_get(c->id->records, RECORD_ROLE, c->part[3]))
		ident_not_found(c, "role", c->part[3]);
	else if (c->parts == 4)
		one(c, c->part[1], c->part[3]);
	else
		ident_respond(c, 200,
			      json_pack("{s:o}", "role_inference", inference(c, c->part[1])));
	return true;
}
