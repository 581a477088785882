/* Tables of domains, projects, users and so on, and their indexes. */
#include "proxy/identity/records.h"

const char *const record_plurals[RECORD_KINDS] = {
	[RECORD_DOMAIN] = "domains",
	[RECORD_PROJECT] = "projects",
	[RECORD_USER] = "users",
	[RECORD_GROUP] = "groups",
	[RECORD_ROLE] = "roles",
	[RECORD_ASSIGNMENT] = "assignments",
	[RECORD_MEMBERSHIP] = "memberships",
	[RECORD_REGION] = "regions",
	[RECORD_SERVICE] = "services",
	[RECORD_ENDPOINT] = "endpoints",
	[RECORD_CREDENTIAL] = "application_credentials",
	[RECORD_REVOCATION] = "revocations",
	[RECORD_SECRET] = "credentials",
	[RECORD_POLICY] = "policies",
	[RECORD_IMPLICATION] = "implications",
	[RECORD_TRUST] = "trusts",
	[RECORD_ENDPOINT_GROUP] = "endpoint_groups",
	[RECORD_ENDPOINT_LINK] = "endpoint_links",
	[RECORD_REGISTERED_LIMIT] = "registered_limits",
	[RECORD_LIMIT] = "limits",
	[RECORD_ACCESS_RULE] = "access_rules",
};

struct entry {
	json_t *base, *stored;
};

struct records {
	struct map *by_id[RECORD_KINDS];        /* struct entry */
	struct map *named;              /* json_t, borrowed from the entry */
	struct map *lists;              /* json arrays of strings */
};

enum { KEY_MAX = 4 * KIB };

static void entry_free(void *p)
{
	struct entry *e = p;

	json_decref(e->base);
	json_decref(e->stored);
	free(e);
}

static void list_free(void *p)
{
	json_decref(p);
}

struct records *records_new(void)
{
	struct records *r = xcalloc(1, sizeof *r);

	for (unsigned k = 0; k < RECORD_KINDS; k++)
		r->by_id[k] = map_new();
	r->named = map_new();
	r->lists = map_new();
	return r;
}

void records_free(struct records *r)
{
	if (!r)
		return;
	map_free(r->named, NULL);
	map_free(r->lists, list_free);
	for (unsigned k = 0; k < RECORD_KINDS; k++)
		map_free(r->by_id[k], entry_free);
	free(r);
}

static json_t *in_force(const struct entry *e)
{
	if (!e)
		return NULL;
	if (e->stored)
		return json_is_true(json_object_get(e->stored, "_deleted")) ? NULL : e->stored;
	return e->base;
}

/* ---- indexes ---- */

static const json_t *list_get(const struct records *r, const char *what, struct str a, struct str b)
{
	CLEANUP(buf_done) struct buf key = BUF(KEY_MAX);

	buf_addf(&key, "%s|%.*s|%.*s", what, STR(a), STR(b));
	return map_peek(r->lists, buf_str(&key));
}

static void list_add(struct records *r, const char *what, struct str a, struct str b,
		     struct str value)
{
	CLEANUP(buf_done) struct buf key = BUF(KEY_MAX);

	buf_addf(&key, "%s|%.*s|%.*s", what, STR(a), STR(b));
	json_t *list = map_peek(r->lists, buf_str(&key));

	if (!list) {
		list = json_array();
		map_put(r->lists, buf_str(&key), list);
	}
	json_array_append_new(list, json_of(value));
}

static void list_remove(struct records *r, const char *what, struct str a, struct str b,
			struct str value)
{
	CLEANUP(buf_done) struct buf key = BUF(KEY_MAX);

	buf_addf(&key, "%s|%.*s|%.*s", what, STR(a), STR(b));
	json_t *list = map_peek(r->lists, buf_str(&key));

	for (size_t i = 0; i < json_array_size(list); i++) {
		if (!str_eq(str_from(json_string_value(json_array_get(list, i))), value))
			continue;
		json_array_remove(list, i);
		break;
	}
	if (list && json_array_size(list) == 0)
		json_decref(map_remove(r->lists, buf_str(&key)));
}

/* Where a name must be unique. */
static struct str name_space(enum record_kind kind, const json_t *doc)
{
	struct str s = json_str(doc, kind == RECORD_CREDENTIAL ? "user_id" : "domain_id");

	return s.p && kind != RECORD_DOMAIN ? s : S("");
}

static void name_key(struct buf *key, enum record_kind kind, struct str space, struct str name)
{
	buf_addf(key, "%u|%.*s|%.*s", (unsigned)kind, STR(space), STR(name));
}

typedef void change_fn(struct records *r, const char *what, struct str a, struct str b,
		       struct str value);

static void change_assignment(struct records *r, const json_t *doc, change_fn *change)
{
	struct str actor = json_str(doc, "actor"), target = json_str(doc, "target");
	bool inherited = json_is_true(json_object_get(doc, "inherited"));

	change(r, inherited ? "inherited" : "roles", actor, target, json_str(doc, "role_id"));
	change(r, inherited ? "inherited_targets" : "targets", actor, S(""), target);
}

static void change_lists(struct records *r, enum record_kind kind, const json_t *doc,
			 change_fn *change)
{
	struct str id = json_str(doc, "id"), project = json_str(doc, "project_id");

	if (kind == RECORD_ASSIGNMENT) {
		change_assignment(r, doc, change);
	} else if (kind == RECORD_PROJECT) {
		change(r, "children", json_str(doc, "parent_id"), S(""), id);
	} else if (kind == RECORD_ENDPOINT_LINK) {
		change(r, "endpoint_links", project, S(""), id);
	} else if (kind == RECORD_REVOCATION) {
		change(r, "revocations", json_str(doc, "user_id"), S(""), id);
	} else if (kind == RECORD_LIMIT) {
		change(r, "limits", project.n ? project : json_str(doc, "domain_id"), S(""), id);
	} else if (kind == RECORD_MEMBERSHIP) {
		struct str user = json_str(doc, "user_id"), group = json_str(doc, "group_id");

		change(r, "groups", user, S(""), group);
		change(r, "members", group, S(""), user);
	} else if (kind == RECORD_IMPLICATION) {
		change(r, "implies", json_str(doc, "prior"), S(""), json_str(doc, "implied"));
	} else if (kind == RECORD_CREDENTIAL) {
		change(r, "credentials", json_str(doc, "user_id"), S(""), id);
	}
}

static void unindex(struct records *r, enum record_kind kind, json_t *doc)
{
	CLEANUP(buf_done) struct buf key = BUF(KEY_MAX);

	if (!doc)
		return;
	name_key(&key, kind, name_space(kind, doc), json_str(doc, "name"));
	if (map_peek(r->named, buf_str(&key)) == doc)
		map_remove(r->named, buf_str(&key));
	change_lists(r, kind, doc, list_remove);
}

static void index_doc(struct records *r, enum record_kind kind, json_t *doc)
{
	CLEANUP(buf_done) struct buf key = BUF(KEY_MAX);

	if (!doc)
		return;
	if (json_str(doc, "name").p) {
		name_key(&key, kind, name_space(kind, doc), json_str(doc, "name"));
		map_put(r->named, buf_str(&key), doc);
	}
	change_lists(r, kind, doc, list_add);
}

/* ---- changing ---- */

static struct entry *entry_of(struct records *r, enum record_kind kind, struct str id)
{
	struct entry *e = map_peek(r->by_id[kind], id);

	if (!e) {
		e = xcalloc(1, sizeof *e);
		map_put(r->by_id[kind], id, e);
	}
	return e;
}

void records_put_base(struct records *r, enum record_kind kind, json_t *doc)
{
	struct entry *e = entry_of(r, kind, json_str(doc, "id"));

	unindex(r, kind, in_force(e));
	json_decref(e->base);
	e->base = doc;
	index_doc(r, kind, in_force(e));
}

static void collect_based(void *arg, struct str key, void *value)
{
	const struct entry *e = value;

	if (e->base)
		json_array_append_new(arg, json_of(key));
}

void records_forget_base(struct records *r)
{
	for (unsigned k = 0; k < RECORD_KINDS; k++) {
		AUTO(json_text) ids = json_array();
		json_t *v;
		size_t i;

		map_each(r->by_id[k], collect_based, ids);
		json_array_foreach(ids, i, v) {
			struct str id = str_from(json_string_value(v));
			struct entry *e = map_peek(r->by_id[k], id);

			unindex(r, k, in_force(e));
			json_decref(e->base);
			e->base = NULL;
			index_doc(r, k, in_force(e));
			if (!e->stored)
				entry_free(map_remove(r->by_id[k], id));
		}
	}
}

void records_put(struct records *r, enum record_kind kind, struct str id, json_t *doc)
{
	struct entry *e = entry_of(r, kind, id);

	unindex(r, kind, in_force(e));
	json_decref(e->stored);
	e->stored = doc;
	index_doc(r, kind, in_force(e));
	if (!e->base && !e->stored)
		entry_free(map_remove(r->by_id[kind], id));
}

/* ---- asking ---- */

json_t *records_get(const struct records *r, enum record_kind kind, struct str id)
{
	return id.n ? in_force(map_peek(r->by_id[kind], id)) : NULL;
}

json_t *records_named(const struct records *r, enum record_kind kind, struct str domain,
		      struct str name)
{
	CLEANUP(buf_done) struct buf key = BUF(KEY_MAX);

	name_key(&key, kind, domain, name);
	return map_peek(r->named, buf_str(&key));
}

const json_t *records_base(const struct records *r, enum record_kind kind, struct str id)
{
	const struct entry *e = map_peek(r->by_id[kind], id);

	return e ? e->base : NULL;
}

struct all {
	json_t **v;
	size_t n;
};

static void collect(void *arg, struct str key, void *value)
{
	struct all *all = arg;
	json_t *doc = in_force(value);

	(void)key;
	if (doc)
		all->v[all->n++] = doc;
}

static int by_id(const void *a, const void *b)
{
	json_t *const *x = a, *const *y = b;
	struct str p = json_str(*x, "id"), q = json_str(*y, "id");
	int c = memcmp(p.p ? p.p : "", q.p ? q.p : "", p.n < q.n ? p.n : q.n);

	return c ? c : (p.n > q.n) - (p.n < q.n);
}

size_t records_count(const struct records *r, enum record_kind kind)
{
	return map_count(r->by_id[kind]);
}

json_t *records_all(const struct records *r, enum record_kind kind)
{
	struct all all = { xcalloc(map_count(r->by_id[kind]) + 1, sizeof *all.v), 0 };
	json_t *list = json_array();

	map_each(r->by_id[kind], collect, &all);
	qsort(all.v, all.n, sizeof *all.v, by_id);
	for (size_t i = 0; i < all.n; i++)
		json_array_append(list, all.v[i]);
	free(all.v);
	return list;
}

const json_t *records_roles(const struct records *r, struct str actor, struct str target)
{
	return list_get(r, "roles", actor, target);
}

const json_t *records_targets(const struct records *r, struct str actor)
{
	return list_get(r, "targets", actor, S(""));
}

const json_t *records_inherited_roles(const struct records *r, struct str actor, struct str target)
{
	return list_get(r, "inherited", actor, target);
}

const json_t *records_inherited_targets(const struct records *r, struct str actor)
{
	return list_get(r, "inherited_targets", actor, S(""));
}

const json_t *records_children(const struct records *r, struct str project)
{
	return list_get(r, "children", project, S(""));
}

const json_t *records_endpoint_links(const struct records *r, struct str project)
{
	return list_get(r, "endpoint_links", project, S(""));
}

const json_t *records_revocations(const struct records *r, struct str user)
{
	return list_get(r, "revocations", user, S(""));
}

const json_t *records_limits(const struct records *r, struct str owner)
{
	return list_get(r, "limits", owner, S(""));
}

const json_t *records_implied(const struct records *r, struct str role)
{
	return list_get(r, "implies", role, S(""));
}

const json_t *records_groups(const struct records *r, struct str user)
{
	return list_get(r, "groups", user, S(""));
}

const json_t *records_members(const struct records *r, struct str group)
{
	return list_get(r, "members", group, S(""));
}

const json_t *records_credentials(const struct records *r, struct str user)
{
	return list_get(r, "credentials", user, S(""));
}
