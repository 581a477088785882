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

	t.rest = arena_printf(a, "%.*s|%.*s|%.*s|%" PRId64 "|%.*s|%.*s|%.*s", STR(s->methods),
			      STR(s->audit), STR(s->parent_audit), s->issued_us,
			      STR(s->credential), STR(s->trust), STR(s->target));
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

/* What an actor has itself on a target, and what comes down to it from the projects above and from
 * the domain. */
static void add_roles_of(const struct identity *id, json_t *to, struct str actor, struct str target)
{
	const struct records *r = id->records;
	CLEANUP(buf_done) struct buf from = BUF(4 * KIB);
	const json_t *doc;

	identity_add_roles(id, to, records_roles(r, actor, target));
	if (!records_inherited_targets(r, actor) || !str_starts(target, S("project/")))
		return;
	doc = records_get(r, RECORD_PROJECT, str_skip(target, 8));
	struct str domain = json_str(doc, "domain_id");

	for (unsigned i = 0; doc && i < PROJECT_DEPTH_MAX; i++) {
		struct str parent = json_str(doc, "parent_id");

		doc = records_get(r, RECORD_PROJECT, parent);
		buf_clear(&from);
		buf_addf(&from, "project/%.*s", STR(parent));
		identity_add_roles(id, to, records_inherited_roles(r, actor, buf_str(&from)));
	}
	buf_clear(&from);
	buf_addf(&from, "domain/%.*s", STR(domain));
	identity_add_roles(id, to, records_inherited_roles(r, actor, buf_str(&from)));
}

json_t *identity_roles(const struct identity *id, struct str user, struct str target)
{
	json_t *roles = json_array(), *v;
	size_t i;

	add_roles_of(id, roles, user, target);
	json_array_foreach(records_groups(id->records, user), i, v)
		add_roles_of(id, roles, str_from(json_string_value(v)), target);
	return roles;
}

/* ---- the tree of projects ---- */

bool identity_is_below(const struct identity *id, struct str project, struct str above)
{
	const json_t *doc = records_get(id->records, RECORD_PROJECT, project);

	for (unsigned i = 0; doc && i < PROJECT_DEPTH_MAX; i++) {
		struct str parent = json_str(doc, "parent_id");

		if (str_eq(parent, above))
			return true;
		doc = records_get(id->records, RECORD_PROJECT, parent);
	}
	return false;
}

static void each_below(const struct identity *id, struct str above, unsigned depth,
		       void (*fn)(void *arg, const json_t *project), void *arg)
{
	json_t *v;
	size_t i;

	json_array_foreach(records_children(id->records, above), i, v) {
		struct str child = str_from(json_string_value(v));

		fn(arg, records_get(id->records, RECORD_PROJECT, child));
		if (depth < PROJECT_DEPTH_MAX)
			each_below(id, child, depth + 1, fn, arg);
	}
}

void identity_each_heir(const struct identity *id, struct str target,
			void (*fn)(void *arg, const json_t *project), void *arg)
{
	struct str above = target;

	if (!str_eq(str_cut(&above, '/'), S("system")))
		each_below(id, above, 0, fn, arg);
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

json_t *roles_limit(json_t *roles, const json_t *allowed)
{
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

/* An application credential, or a trust, gives those of its roles that its maker still has. */
json_t *session_roles(const struct identity *id, const struct session *s)
{
	const json_t *by = NULL;
	struct str user = s->user;

	if (!s->target.n)
		return json_array();
	if (s->trust.n) {
		by = records_get(id->records, RECORD_TRUST, s->trust);
		user = json_str(by, "trustor_user_id");
	} else if (s->credential.n) {
		by = records_get(id->records, RECORD_CREDENTIAL, s->credential);
	}
	json_t *roles = identity_roles(id, user, s->target);

	return s->trust.n || s->credential.n ? roles_limit(roles, json_object_get(by, "roles"))
					     : roles;
}

static bool issued_before(const struct identity *id, const struct session *s, struct str user)
{
	const json_t *doc = records_get(id->records, RECORD_USER, user);

	return s->issued_us < json_integer_value(json_object_get(doc, "_tokens_after_us"));
}

/* Whether both sides of a trust may still log in, and it still lasts. */
static bool trust_holds(const struct identity *id, const struct session *s)
{
	const json_t *doc = records_get(id->records, RECORD_TRUST, s->trust);
	struct str trustor = json_str(doc, "trustor_user_id"),
		   trustee = json_str(doc, "trustee_user_id");

	return doc && identity_user_enabled(id, trustor) && identity_user_enabled(id, trustee) &&
	       !issued_before(id, s, trustor) && !issued_before(id, s, trustee);
}

static bool is_revoked(const struct identity *id, const struct session *s)
{
	return issued_before(id, s, s->user) ||
	       records_get(id->records, RECORD_REVOCATION, s->audit) ||
	       (s->trust.n && !trust_holds(id, s)) ||
	       (s->credential.n && !records_get(id->records, RECORD_CREDENTIAL, s->credential));
}

int session_open_late(struct identity *id, struct arena *a, struct str text, int64_t late_s,
		      struct session *ret)
{
	struct token t;
	int rc = token_open(a, token_keys_get(id->proxy), PREFIX, KIND, text, late_s, &t);

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
	s.trust = str_cut(&rest, '|');
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

int session_open(struct identity *id, struct arena *a, struct str text, struct session *ret)
{
	return session_open_late(id, a, text, 0, ret);
}
