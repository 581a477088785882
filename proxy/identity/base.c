/* The records that the configuration makes: the domain default, its users, their projects and
 * roles, the service catalog. */
#include "proxy/identity/identity.h"
#include "proxy/identity/users.h"
#include "proxy/middleware/tempauth_rules.h"
#include "lib/base/encode.h"
#include "lib/crypto/digest.h"

enum { ID_HEX = 32 };

struct str identity_made_id(struct arena *a, const char *kind, struct str name)
{
	CLEANUP(buf_done) struct buf text = BUF(64 * KIB);
	unsigned char digest[SHA256_SIZE];
	char hex[2 * SHA256_SIZE + 1];

	buf_addf(&text, "%s/%.*s", kind, STR(name));
	digest_of(DIGEST_SHA256, text.p, text.n, digest);
	hex_encode(digest, sizeof digest, hex);
	return arena_str(a, str_of(hex, ID_HEX));
}

struct str identity_new_id(struct arena *a)
{
	unsigned char bytes[ID_HEX / 2];
	char hex[ID_HEX + 1];

	random_bytes(bytes, sizeof bytes);
	hex_encode(bytes, sizeof bytes, hex);
	return arena_str(a, str_from(hex));
}

/* For one loading. */
struct loading {
	struct identity *id;
	struct arena *a;
};

static void add(struct loading *l, enum record_kind kind, json_t *doc)
{
	assert(doc);
	records_put_base(l->id->records, kind, doc);
}

static struct str add_role(struct loading *l, struct str name)
{
	struct str id = identity_made_id(l->a, "role", name);

	if (!records_get(l->id->records, RECORD_ROLE, id))
		add(l, RECORD_ROLE,
		    json_pack("{s:o, s:o, s:n, s:n, s:{}}", "id", json_of(id), "name",
			      json_of(name), "domain_id", "description", "options"));
	return id;
}

static void add_project(struct loading *l, struct str name)
{
	if (records_get(l->id->records, RECORD_PROJECT, name))
		return;
	add(l, RECORD_PROJECT,
	    json_pack("{s:o, s:o, s:s, s:s, s:b, s:s, s:b, s:[], s:{}}", "id", json_of(name),
		      "name", json_of(name), "domain_id", "default", "description", "", "enabled",
		      1, "parent_id", "default", "is_domain", 0, "tags", "options"));
}

/* User ids have the project in them: names of [tempauth] are unique only within an account. */
static struct str add_user(struct loading *l, struct str project, struct str name, struct str key)
{
	struct str full = arena_printf(l->a, "%.*s:%.*s", STR(project), STR(name));
	struct str id = identity_made_id(l->a, "user", full);

	add_project(l, project);
	add(l, RECORD_USER,
	    json_pack("{s:o, s:o, s:s, s:b, s:n, s:{}, s:o}", "id", json_of(id), "name",
		      json_of(name), "domain_id", "default", "enabled", 1, "password_expires_at",
		      "options", "_key", json_of(key)));
	return id;
}

static void add_grant(struct loading *l, struct str user, struct str target, struct str role)
{
	struct str role_id = add_role(l, role);
	struct str id = identity_made_id(
		l->a, "assignment",
		arena_printf(l->a, "user/%.*s/%.*s/%.*s", STR(user), STR(target), STR(role_id)));

	add(l, RECORD_ASSIGNMENT,
	    json_pack("{s:o, s:s, s:o, s:o, s:o}", "id", json_of(id), "actor_type", "user",
		      "actor", json_of(user), "target", json_of(target), "role_id",
		      json_of(role_id)));
}

static void add_admin(struct loading *l, struct str user, struct str target)
{
	add_grant(l, user, target, S("admin"));
	add_grant(l, user, S("domain/default"), S("admin"));
	add_grant(l, user, S("system/all"), S("admin"));
}

/* A group of tempauth is a role of that name; the special ones have names of their own here. */
static void add_tempauth_user(void *arg, const struct user *user)
{
	struct loading *l = arg;
	struct str id = add_user(l, user->account, user->name, user->key);
	struct str target = arena_printf(l->a, "project/%.*s", STR(user->account));
	struct str rest = user->groups, group;

	add_grant(l, id, target, S("reader"));
	while (user->groups.n && (group = str_cut(&rest, ',')).p) {
		if (str_eq(group, S(".admin"))) {
			add_grant(l, id, target, S("member"));
		} else if (str_eq(group, S(".reseller_admin"))) {
			add_admin(l, id, target);
			add_grant(l, id, target,
				  str_from(identity_conf.reseller_admin_role));
		} else if (group.n && group.p[0] != '.') {
			add_grant(l, id, target, group);
		}
	}
}

static struct str word(struct str *rest)
{
	struct str w;

	do
		w = str_cut(rest, ' ');
	while (w.p && w.n == 0);
	return w;
}

static void add_conf_user(struct loading *l, struct str line)
{
	struct str project = word(&line), name = word(&line), key = word(&line), role;

	if (!key.n)
		return;
	struct str id = add_user(l, project, name, key);
	struct str target = arena_printf(l->a, "project/%.*s", STR(project));

	while ((role = word(&line)).p) {
		if (str_eq(role, S("admin")))
			add_admin(l, id, target);
		else
			add_grant(l, id, target, role);
	}
}

static void add_service(struct loading *l, const char *type, const char *name, const char *url)
{
	static const char *const interfaces[] = { "public", "internal", "admin" };
	struct str id = identity_made_id(l->a, "service", str_from(type));
	struct str region = str_from(identity_conf.region);

	if (!url || !*url)
		return;
	add(l, RECORD_SERVICE,
	    json_pack("{s:o, s:s, s:s, s:b, s:s}", "id", json_of(id), "type", type, "name", name,
		      "enabled", 1, "description", ""));
	for (size_t i = 0; i < ARRAY_LEN(interfaces); i++) {
		struct str endpoint = identity_made_id(
			l->a, "endpoint", arena_printf(l->a, "%s/%s", type, interfaces[i]));

		add(l, RECORD_ENDPOINT,
		    json_pack("{s:o, s:o, s:s, s:o, s:o, s:s, s:b}", "id", json_of(endpoint),
			      "service_id", json_of(id), "interface", interfaces[i], "region",
			      json_of(region), "region_id", json_of(region), "url", url, "enabled",
			      1));
	}
}

void identity_load_base(struct identity *id)
{
	static const char *const roles[] = { "admin", "member", "reader" };
	AUTO(arena) arena = arena_new();
	struct loading l = { id, arena };
	struct str region = str_from(identity_conf.region);

	add(&l, RECORD_DOMAIN,
	    json_pack("{s:s, s:s, s:s, s:b, s:[], s:{}}", "id", "default", "name", "Default",
		      "description", "The default domain", "enabled", 1, "tags", "options"));
	add(&l, RECORD_REGION,
	    json_pack("{s:o, s:s, s:n}", "id", json_of(region), "description", "",
		      "parent_region_id"));
	for (size_t i = 0; i < ARRAY_LEN(roles); i++)
		add_role(&l, str_from(roles[i]));
	add_role(&l, str_from(identity_conf.reseller_admin_role));
	for (unsigned i = 0; i < identity_conf.operator_roles.count; i++)
		add_role(&l, identity_conf.operator_roles.items[i]);
	if (tempauth_users())
		users_each(tempauth_users(), add_tempauth_user, &l);
	for (unsigned i = 0; i < identity_conf.users.count; i++)
		add_conf_user(&l, identity_conf.users.items[i].value);
	add_service(&l, "object-store", "swift", identity_conf.object_store_url);
	add_service(&l, "identity", "keystone", identity_conf.identity_url);
	add_service(&l, "image", "glance", identity_conf.image_url);
	add_service(&l, "compute", "nova", identity_conf.compute_url);
}
