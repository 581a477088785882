/* Keystone tokens: sealed, self-contained; what they allow is looked up in the records when they
 * are used, so that a disabled user or a changed role takes effect at once. */
#include "lib/base/clock.h"
#include "proxy/identity/identity.h"

#define PREFIX S("nt3.")
#define KIND S("keystone")

bool session_is_token(struct str text)
{
	return str_starts(text, PREFIX);
}

struct str session_seal(struct arena *a, struct proxy *p, const struct session *s)
{
	struct token t = { .expires = s->expires, .subject = s->user };

	t.rest = arena_printf(a, "%.*s|%.*s|%.*s|%" PRId64 "|%.*s|%.*s", STR(s->methods),
			      STR(s->audit), STR(s->parent_audit), s->issued_us,
			      STR(s->credential), STR(s->target));
	return token_make(a, token_keys_get(p), PREFIX, KIND, &t);
}

struct str session_project(const struct session *s)
{
	return str_starts(s->target, S("project/")) ? str_skip(s->target, 8) : STR_NONE;
}

static bool enabled(const json_t *doc)
{
	return doc && !json_is_false(json_object_get(doc, "enabled"));
}

static bool domain_enabled(const struct identity *id, const json_t *doc)
{
	return enabled(records_get(id->records, RECORD_DOMAIN, json_str(doc, "domain_id")));
}

bool identity_user_enabled(const struct identity *id, struct str user)
{
	const json_t *doc = records_get(id->records, RECORD_USER, user);

	return enabled(doc) && domain_enabled(id, doc);
}

bool identity_target_enabled(const struct identity *id, struct str target)
{
	struct str name = target, kind = str_cut(&name, '/');

	if (str_eq(kind, S("project"))) {
		const json_t *doc = records_get(id->records, RECORD_PROJECT, name);

		return enabled(doc) && domain_enabled(id, doc);
	}
	if (str_eq(kind, S("domain")))
		return enabled(records_get(id->records, RECORD_DOMAIN, name));
	return str_eq(target, S("system/all"));
}

/* Roles of a domain are for implying others, and give nothing themselves. */
static void add_role(const struct identity *id, json_t *to, struct str role_id, unsigned depth)
{
	enum { DEPTH_MAX = 16 };
	json_t *role = records_get(id->records, RECORD_ROLE, role_id), *v;
	size_t i;

	json_array_foreach(to, i, v)
		if (v == role)
			return;
	if (!role || depth > DEPTH_MAX)
		return;
	if (!json_str(role, "domain_id").p)
		json_array_append(to, role);
	json_array_foreach(records_implied(id->records, role_id), i, v)
		add_role(id, to, str_from(json_string_value(v)), depth + 1);
}

void identity_add_roles(const struct identity *id, json_t *to, const json_t *role_ids)
{
	json_t *v;
	size_t i;

	json_array_foreach(role_ids, i, v)
		add_role(id, to, str_from(json_string_value(v)), 0);
}

json_t *identity_roles(const struct identity *id, struct str user, struct str target)
{
	json_t *roles = json_array(), *v;
	size_t i;

	identity_add_roles(id, roles, records_roles(id->records, user, target));
	json_array_foreach(records_groups(id->records, user), i, v)
		identity_add_roles(id, roles,
				   records_roles(id->records, str_from(json_string_value(v)),
						 target));
	return roles;
}

bool roles_have(const json_t *roles, struct str name)
{
	size_t i;
	json_t *role;

	json_array_foreach(roles, i, role)
		if (str_ieq(json_str(role, "name"), name))
			return true;
	return false;
}

/* An application credential gives those of its roles that its user still has. */
static json_t *only_those_of(json_t *roles, const json_t *credential)
{
	const json_t *allowed = json_object_get(credential, "roles");

	for (size_t i = json_array_size(roles); i-- > 0;) {
		struct str id = json_str(json_array_get(roles, i), "id");
		size_t j;
		json_t *v;
		bool found = false;

		json_array_foreach(allowed, j, v)
			found |= str_eq(json_str(v, "id"), id);
		if (!found)
			json_array_remove(roles, i);
	}
	return roles;
}

json_t *session_roles(const struct identity *id, const struct session *s)
{
	json_t *roles = s->target.n ? identity_roles(id, s->user, s->target) : json_array();

	if (!s->credential.n)
		return roles;
	return only_those_of(roles, records_get(id->records, RECORD_CREDENTIAL, s->credential));
}

static bool is_revoked(const struct identity *id, const struct session *s)
{
	const json_t *user = records_get(id->records, RECORD_USER, s->user);
	const json_t *after = json_object_get(user, "_tokens_after_us");

	return s->issued_us < json_integer_value(after) ||
	       records_get(id->records, RECORD_REVOCATION, s->audit) ||
	       (s->credential.n && !records_get(id->records, RECORD_CREDENTIAL, s->credential));
}

int session_open(struct identity *id, struct arena *a, struct str text, struct session *ret)
{
	struct token t;
	int rc = token_open(a, token_keys_get(id->proxy), PREFIX, KIND, text, &t);

	if (rc < 0)
		return rc;
	struct session s = { .user = t.subject, .expires = t.expires };
	struct str rest = t.rest;

	s.methods = str_cut(&rest, '|');
	s.audit = str_cut(&rest, '|');
	s.parent_audit = str_cut(&rest, '|');
	if (str_to_i64(str_cut(&rest, '|'), &s.issued_us) < 0)
		return -EBADMSG;
	s.credential = str_cut(&rest, '|');
	s.target = rest;
	if (!identity_user_enabled(id, s.user) || is_revoked(id, &s))
		return -EACCES;
	if (s.target.n) {
		json_t *roles = session_roles(id, &s);
		bool any = json_array_size(roles) > 0;

		json_decref(roles);
		if (!any || !identity_target_enabled(id, s.target))
			return -EACCES;
	}
	*ret = s;
	return 0;
}
