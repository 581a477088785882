/* Domains, projects, users, groups, roles, regions, services, endpoints: their members. */
#include "proxy/identity/resources.h"
#include "lib/base/encode.h"

enum { NAME_MAX_CHARS = 255, MEMBERS_MAX = 64 };

static const struct member domain_members[] = {
	{ "name", MEMBER_REQUIRED, NULL },
	{ "description", MEMBER_NULLABLE, "\"\"" },
	{ "enabled", MEMBER_BOOL, "true" },
	{ "tags", MEMBER_OTHER, "[]" },
	{ "options", MEMBER_OTHER, "{}" },
	{ NULL, 0, NULL },
};
static const struct member project_members[] = {
	{ "name", MEMBER_REQUIRED, NULL },
	{ "domain_id", MEMBER_FIXED | MEMBER_NULLABLE, NULL },
	{ "parent_id", MEMBER_NULLABLE, NULL },
	{ "is_domain", MEMBER_BOOL | MEMBER_FIXED, "false" },
	{ "description", MEMBER_NULLABLE, "\"\"" },
	{ "enabled", MEMBER_BOOL, "true" },
	{ "tags", MEMBER_OTHER, "[]" },
	{ "options", MEMBER_OTHER, "{}" },
	{ NULL, 0, NULL },
};
static const struct member user_members[] = {
	{ "name", MEMBER_REQUIRED, NULL },
	{ "domain_id", MEMBER_FIXED | MEMBER_NULLABLE, NULL },
	{ "default_project_id", MEMBER_NULLABLE, NULL },
	{ "password", MEMBER_NULLABLE, NULL },
	{ "enabled", MEMBER_BOOL, "true" },
	{ "password_expires_at", MEMBER_OTHER | MEMBER_FIXED, "null" },
	{ "options", MEMBER_OTHER, "{}" },
	{ NULL, 0, NULL },
};
static const struct member group_members[] = {
	{ "name", MEMBER_REQUIRED, NULL },
	{ "domain_id", MEMBER_FIXED | MEMBER_NULLABLE, NULL },
	{ "description", MEMBER_NULLABLE, "\"\"" },
	{ NULL, 0, NULL },
};
static const struct member role_members[] = {
	{ "name", MEMBER_REQUIRED, NULL },
	{ "domain_id", MEMBER_FIXED | MEMBER_NULLABLE, "null" },
	{ "description", MEMBER_NULLABLE, "null" },
	{ "options", MEMBER_OTHER, "{}" },
	{ NULL, 0, NULL },
};
static const struct member region_members[] = {
	{ "description", MEMBER_NULLABLE, "\"\"" },
	{ "parent_region_id", MEMBER_NULLABLE, "null" },
	{ NULL, 0, NULL },
};
static const struct member service_members[] = {
	{ "type", MEMBER_REQUIRED, NULL },
	{ "name", 0, NULL },
	{ "enabled", MEMBER_BOOL, "true" },
	{ NULL, 0, NULL },
};
static const struct member endpoint_members[] = {
	{ "service_id", MEMBER_REQUIRED, NULL },
	{ "interface", MEMBER_REQUIRED, NULL },
	{ "url", MEMBER_REQUIRED, NULL },
	{ "region", MEMBER_NULLABLE, NULL },
	{ "region_id", MEMBER_NULLABLE, NULL },
	{ "enabled", MEMBER_BOOL, "true" },
	{ NULL, 0, NULL },
};

static const struct member secret_members[] = {
	{ "blob", MEMBER_REQUIRED, NULL },
	{ "type", MEMBER_REQUIRED, NULL },
	{ "user_id", 0, NULL },
	{ "project_id", MEMBER_NULLABLE, "null" },
	{ NULL, 0, NULL },
};
static const struct member policy_members[] = {
	{ "blob", MEMBER_REQUIRED, NULL },
	{ "type", MEMBER_REQUIRED, NULL },
	{ NULL, 0, NULL },
};

static const struct member endpoint_group_members[] = {
	{ "name", MEMBER_REQUIRED, NULL },
	{ "description", MEMBER_NULLABLE, "\"\"" },
	{ "filters", MEMBER_OTHER, "{}" },
	{ NULL, 0, NULL },
};
static const struct member registered_limit_members[] = {
	{ "service_id", MEMBER_REQUIRED, NULL },
	{ "region_id", MEMBER_NULLABLE, "null" },
	{ "resource_name", MEMBER_REQUIRED, NULL },
	{ "default_limit", MEMBER_OTHER, NULL },
	{ "description", MEMBER_NULLABLE, "null" },
	{ NULL, 0, NULL },
};
static const struct member limit_members[] = {
	{ "project_id", MEMBER_FIXED | MEMBER_NULLABLE, "null" },
	{ "domain_id", MEMBER_FIXED | MEMBER_NULLABLE, "null" },
	{ "service_id", MEMBER_REQUIRED | MEMBER_FIXED, NULL },
	{ "region_id", MEMBER_FIXED | MEMBER_NULLABLE, "null" },
	{ "resource_name", MEMBER_REQUIRED | MEMBER_FIXED, NULL },
	{ "resource_limit", MEMBER_OTHER, NULL },
	{ "description", MEMBER_NULLABLE, "null" },
	{ NULL, 0, NULL },
};

static const struct resource domain_as_project = { RECORD_DOMAIN, "project", domain_members,
						   false, true };

static const struct resource resources[] = {
	{ RECORD_DOMAIN, "domain", domain_members, false, true },
	{ RECORD_PROJECT, "project", project_members, true, true },
	{ RECORD_USER, "user", user_members, true, true },
	{ RECORD_GROUP, "group", group_members, true, true },
	{ RECORD_ROLE, "role", role_members, false, true },
	{ RECORD_REGION, "region", region_members, false, false },
	{ RECORD_SERVICE, "service", service_members, false, false },
	{ RECORD_ENDPOINT, "endpoint", endpoint_members, false, false },
	{ RECORD_SECRET, "credential", secret_members, false, false },
	{ RECORD_POLICY, "policy", policy_members, false, false },
	{ RECORD_ENDPOINT_GROUP, "endpoint_group", endpoint_group_members, false, false },
	{ RECORD_REGISTERED_LIMIT, "registered_limit", registered_limit_members, false, false },
	{ RECORD_LIMIT, "limit", limit_members, false, false },
};

const struct resource *resource_domain_as_project(void)
{
	return &domain_as_project;
}

const struct resource *resource_find(struct str plural)
{
	for (size_t i = 0; i < ARRAY_LEN(resources); i++)
		if (str_eq(plural, str_from(record_plurals[resources[i].kind])))
			return &resources[i];
	return NULL;
}

static const struct member *member_find(const struct resource *r, const char *name)
{
	for (const struct member *m = r->members; m->name; m++)
		if (strcmp(m->name, name) == 0)
			return m;
	return NULL;
}

static size_t characters(struct str text)
{
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++)
		n += (text.p[i] & 0xc0) != 0x80;
	return n;
}

static int check_member(const struct resource *r, const struct member *m,
			const json_t *value, struct fault *why)
{
	if (m->flags & MEMBER_OTHER || (m->flags & MEMBER_NULLABLE && json_is_null(value)))
		return 0;
	if (m->flags & MEMBER_BOOL ? !json_is_boolean(value) : !json_is_string(value))
		return fault_set(why, -EINVAL, "Invalid input for field '%s'.", m->name);
	bool is_name = strcmp(m->name, "name") == 0;
	size_t most = r->kind == RECORD_DOMAIN || r->kind == RECORD_PROJECT ? 64 : NAME_MAX_CHARS;
	struct str text = str_from(json_string_value(value));

	if (json_is_string(value) && ((is_name && str_trim(text).n == 0) ||
				      (is_name && characters(text) > most) ||
				      (m->flags & MEMBER_REQUIRED && text.n == 0)))
		return fault_set(why, -EINVAL, "Invalid input for field '%s'.", m->name);
	return 0;
}

static int check_interface(const json_t *doc, struct fault *why)
{
	struct str s = json_str(doc, "interface");

	if (str_eq(s, S("public")) || str_eq(s, S("internal")) || str_eq(s, S("admin")))
		return 0;
	return fault_set(why, -EINVAL, "Invalid input for field 'interface'.");
}

/* Members that nobody has declared are kept (Keystone's "extra"). */
static int take(const struct resource *r, json_t *doc, const json_t *given, bool is_new,
		struct fault *why)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)given, key, value) {
		const struct member *m = member_find(r, key);

		if (*key == '_' || strcmp(key, "links") == 0 || strcmp(key, "id") == 0)
			continue;
		if (m && check_member(r, m, value, why) < 0)
			return -EINVAL;
		if (m && !is_new && m->flags & MEMBER_FIXED &&
		    !json_equal(value, json_object_get(doc, key)))
			return fault_set(why, -EINVAL, "'%s' cannot be changed.", key);
		if (json_object_size(doc) >= MEMBERS_MAX)
			return fault_set(why, -EINVAL, "There are too many properties.");
		json_object_set(doc, key, value);
	}
	return r->kind == RECORD_ENDPOINT ? check_interface(doc, why) : 0;
}

json_t *resource_make(const struct resource *r, const json_t *given, struct fault *why)
{
	json_t *doc = json_object();

	for (const struct member *m = r->members; m->name; m++) {
		if (m->flags & MEMBER_REQUIRED && !json_object_get(given, m->name)) {
			(void)fault_set(why, -EINVAL, "'%s' is a required property", m->name);
			json_decref(doc);
			return NULL;
		}
		if (m->value)
			json_object_set_new(doc, m->name,
					    json_loads(m->value, JSON_DECODE_ANY, NULL));
	}
	if (take(r, doc, given, true, why) == 0)
		return doc;
	json_decref(doc);
	return NULL;
}

json_t *resource_change(const struct resource *r, const json_t *old, const json_t *given,
			struct fault *why)
{
	json_t *doc = json_copy((json_t *)old);

	if (take(r, doc, given, false, why) == 0)
		return doc;
	json_decref(doc);
	return NULL;
}

/* ---- filters ---- */

static bool compare(struct str have, struct str how, struct str want)
{
	if (!how.p)
		return str_eq(have, want);
	bool folded = how.n && how.p[0] == 'i';
	struct str kind = folded ? str_skip(how, 1) : how;
	size_t last = have.n >= want.n ? have.n - want.n : 0;
	size_t from = str_eq(kind, S("endswith")) ? last : 0;
	size_t to = str_eq(kind, S("startswith")) ? 0 : last;

	for (size_t at = from; want.n <= have.n && at <= to; at++) {
		struct str part = str_head(str_skip(have, at), want.n);

		if (folded ? str_ieq(part, want) : str_eq(part, want))
			return true;
	}
	return false;
}

/* tags=a,b: has both; tags-any: one of them; not-tags, not-tags-any: the contrary. */
static bool passes_tags(const json_t *tags, struct str how, struct str want)
{
	bool not = str_starts(how, S("not-")), any = str_ends(how, S("-any"));
	struct str rest = want, tag;
	size_t n = 0, found = 0, i;
	json_t *v;

	while (rest.p && (tag = str_cut(&rest, ',')).p) {
		bool has = false;

		json_array_foreach(tags, i, v)
			has |= str_eq(str_from(json_string_value(v)), tag);
		n++;
		found += has;
	}
	return (any ? found > 0 : found == n) != not;
}

static bool passes(struct arena *a, const json_t *doc, struct str key, struct str want)
{
	const json_t *tags = json_object_get(doc, "tags");

	if (tags && (str_eq(key, S("tags")) || str_eq(key, S("tags-any")) ||
		     str_eq(key, S("not-tags")) || str_eq(key, S("not-tags-any"))))
		return passes_tags(tags, key, want);
	ssize_t at = str_find(key, S("__"));
	struct str how = at > 0 ? str_skip(key, (size_t)at + 2) : STR_NONE;
	char *name = arena_cstr(a, at > 0 ? str_head(key, (size_t)at) : key);
	const json_t *value = *name == '_' ? NULL : json_object_get(doc, name);

	if (json_is_boolean(value))
		return json_is_true(value) == !(str_ieq(want, S("false")) || str_eq(want, S("0")));
	if (json_is_string(value))
		return compare(str_from(json_string_value(value)), how, want);
	/* A filter on something that this record could have but has not. */
	static const char *const known[] = { "name", "domain_id", "parent_id", "region_id", "type",
					     "service_id", "parent_region_id", "user_id" };

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (strcmp(known[i], name) == 0)
			return want.n == 0;
	return true;
}

bool resource_matches(const struct request *req, const json_t *doc)
{
	struct str rest = req->query, pair;

	while (rest.p && (pair = str_cut(&rest, '&')).p) {
		struct str key = query_decode(req->arena, str_cut(&pair, '='));

		if (key.n && pair.p &&
		    !passes(req->arena, doc, key, query_decode(req->arena, pair)))
			return false;
	}
	return true;
}
