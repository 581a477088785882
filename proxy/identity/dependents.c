/* What goes with a record that is deleted: a user's roles, a domain's users and so on; and how many
 * a user may have. */
#include "proxy/identity/store.h"
#include "proxy/identity/v3.h"

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
	case RECORD_TRUST:
		return (on == RECORD_USER && (str_eq(json_str(doc, "trustor_user_id"), key) ||
					      str_eq(json_str(doc, "trustee_user_id"), key))) ||
		       (on == RECORD_PROJECT && str_eq(json_str(doc, "project_id"), key));
	case RECORD_SECRET:
	case RECORD_ACCESS_RULE:
		return (on == RECORD_USER && str_eq(json_str(doc, "user_id"), key)) ||
		       (on == RECORD_PROJECT && str_eq(json_str(doc, "project_id"), key));
	case RECORD_ENDPOINT_LINK:
		return (on == RECORD_PROJECT && str_eq(json_str(doc, "project_id"), key)) ||
		       (on == RECORD_ENDPOINT && str_eq(json_str(doc, "endpoint_id"), key)) ||
		       (on == RECORD_ENDPOINT_GROUP &&
			str_eq(json_str(doc, "endpoint_group_id"), key));
	case RECORD_LIMIT:
		return (on == RECORD_PROJECT && str_eq(json_str(doc, "project_id"), key)) ||
		       (on == RECORD_DOMAIN && str_eq(json_str(doc, "domain_id"), key));
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

static bool is_in_domain(enum record_kind kind)
{
	return kind == RECORD_USER || kind == RECORD_GROUP || kind == RECORD_PROJECT;
}

int ident_delete_dependents(struct ident_call *c, enum record_kind on, struct str key)
{
	/* A domain's users first, so that what depends on them goes with them. */
	static const enum record_kind order[] = { RECORD_USER,	     RECORD_GROUP,
						  RECORD_PROJECT,    RECORD_ASSIGNMENT,
						  RECORD_MEMBERSHIP, RECORD_CREDENTIAL,
						  RECORD_TRUST,	     RECORD_SECRET,
						  RECORD_ACCESS_RULE, RECORD_ENDPOINT_LINK,
						  RECORD_LIMIT,	     RECORD_ENDPOINT,
						  RECORD_IMPLICATION };
	int rc = 0;

	for (size_t k = 0; rc == 0 && k < ARRAY_LEN(order); k++) {
		AUTO(json_text) all = records_all(c->id->records, order[k]);
		json_t *doc;
		size_t i;

		json_array_foreach(all, i, doc) {
			struct str id = arena_str(c->req->arena, json_str(doc, "id"));

			if (!depends(order[k], doc, on, key))
				continue;
			if (on == RECORD_DOMAIN && is_in_domain(order[k]))
				rc = ident_delete_dependents(c, order[k], id);
			if (rc == 0)
				rc = store_write(c->id, order[k], id, NULL);
			if (rc < 0)
				break;
		}
	}
	return rc;
}

bool ident_may_own_more(struct ident_call *c, enum record_kind kind)
{
	const char *owner = kind == RECORD_TRUST ? "trustor_user_id" : "user_id";
	AUTO(json_text) all = records_all(c->id->records, kind);
	size_t i, n = 0;
	json_t *doc;

	json_array_foreach(all, i, doc)
		n += str_eq(json_str(doc, owner), c->session.user);
	if (n < (size_t)identity_conf.limit_per_user)
		return true;
	ident_error(c, 403, "You have reached the limit of %" PRId64 " %s.",
		    identity_conf.limit_per_user, record_plurals[kind]);
	return false;
}
