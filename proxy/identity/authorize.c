/* Keystone's rules for the Swift API: operators of a project own its account; container ACLs name
 * project:user by id or name, or a role. Swift: common/middleware/keystoneauth.py;
 * docs/swift/identity.md */
#include "lib/swift/acl.h"
#include "proxy/identity/identity.h"

struct str keystone_role_names(struct arena *a, const json_t *roles)
{
	CLEANUP(buf_done) struct buf b = BUF(64 * KIB);
	size_t i;
	json_t *role;

	json_array_foreach(roles, i, role)
		buf_addf(&b, "%s%.*s", i ? "," : "", STR(json_str(role, "name")));
	for (size_t at = 0; at < b.n; at++)
		if (b.p[at] >= 'A' && b.p[at] <= 'Z')
			b.p[at] += 'a' - 'A';
	return arena_str(a, buf_str(&b));
}

static struct str role_names(struct arena *a, const struct identity *id, const struct session *s)
{
	AUTO(json_text) roles = session_roles(id, s);

	return keystone_role_names(a, roles);
}

static bool has_role(struct str names, struct str role)
{
	struct str rest = names, name;

	while (names.n && (name = str_cut(&rest, ',')).p)
		if (str_ieq(name, role))
			return true;
	return false;
}

static struct str prefix_of(struct str account)
{
	const struct conf_list *list = &identity_conf.reseller_prefix;

	for (unsigned i = 0; i < list->count; i++) {
		struct str p = list->items[i];

		if (str_starts(account, p) && account.n > p.n && account.p[p.n] == '_')
			return p;
	}
	return STR_NONE;
}

static bool has_one_of(struct str names, const struct conf_list *roles)
{
	for (unsigned i = 0; i < roles->count; i++)
		if (has_role(names, roles->items[i]))
			return true;
	return false;
}

static bool owns(const struct keystone_caller *k, struct str account)
{
	struct str prefix = prefix_of(account);

	return prefix.p && k->project.n && str_eq(str_skip(account, prefix.n + 1), k->project);
}

static bool is_operator(const struct keystone_caller *k, struct str account)
{
	struct str prefix = prefix_of(account);
	const struct conf_pairs *services = &identity_conf.service_roles;
	bool is = owns(k, account) && has_one_of(k->names, &identity_conf.operator_roles);

	for (unsigned i = 0; i < services->count; i++) {
		struct str of = str_skip(services->items[i].key, sizeof "service_roles_" - 1);

		if (str_ieq(of, prefix))
			is &= has_role(k->service_names, services->items[i].value);
	}
	return is;
}

/* project:user with either as id, as name, or '*'. */
static bool crosses(struct arena *a, const struct keystone_caller *k, struct str acl)
{
	struct str projects[] = { k->project, S("*"), k->project_name };
	struct str users[] = { k->user, S("*"), k->user_name };
	unsigned n = k->names_in_acls ? 3 : 2;

	for (unsigned i = 0; i < n; i++)
		for (unsigned j = 0; j < n; j++)
			if (projects[i].n && users[j].n &&
			    acl_name_allowed(a, acl,
					     arena_printf(a, "%.*s:%.*s", STR(projects[i]),
							  STR(users[j]))))
				return true;
	return false;
}

static bool referrer_allows(const struct request *req, struct str acl)
{
	const struct proxy_request *p = proxy_request(req);

	return acl_referrer_allowed(req->arena, acl, headers_get_lit(&req->headers, "Referer")) &&
	       (p->path.object.p || acl_has(acl, S(".rlistings")));
}

static bool role_in_acl(struct arena *a, struct str names, struct str acl)
{
	CLEANUP(buf_done) struct buf lower = BUF(64 * KIB);

	buf_add_str(&lower, acl);
	for (size_t i = 0; i < lower.n; i++)
		if (lower.p[i] >= 'A' && lower.p[i] <= 'Z')
			lower.p[i] += 'a' - 'A';
	return names.n && acl_group_allowed(a, arena_str(a, buf_str(&lower)), names);
}

static bool allowed(const struct keystone_caller *k, struct request *req)
{
	struct proxy_request *p = proxy_request(req);
	struct str account = p->path.account;
	bool reads = req->method == HTTP_GET || req->method == HTTP_HEAD;

	if (req->method == HTTP_OPTIONS)
		return true;
	if (has_role(k->names, str_from(identity_conf.reseller_admin_role)) &&
	    prefix_of(account).p) {
		p->swift_owner = p->reseller_request = true;
		return true;
	}
	/* A system reader who writes may still have another right to. */
	if (reads && prefix_of(account).p &&
	    has_one_of(k->names, &identity_conf.system_reader_roles))
		return true;
	if (!p->path.container.p && req->method == HTTP_DELETE)
		return false;
	if (p->acl.n && (crosses(req->arena, k, p->acl) || referrer_allows(req, p->acl)))
		return true;
	if (is_operator(k, account)) {
		p->swift_owner = true;
		return true;
	}
	if (reads && owns(k, account) &&
	    has_one_of(k->names, &identity_conf.project_reader_roles))
		return true;
	/* A role's name in an ACL is meant for those of the same project. */
	return p->acl.n && owns(k, account) && role_in_acl(req->arena, k->names, p->acl);
}

static int authorize(void *arg, struct request *req, struct response *res)
{
	if (allowed(arg, req))
		return 0;
	respond_status(res, 403);
	return -EACCES;
}

static struct str name_of(const struct identity *id, struct arena *a, enum record_kind kind,
			  struct str key, bool *ret_default_domain)
{
	const json_t *doc = records_get(id->records, kind, key);

	*ret_default_domain &= str_eq(json_str(doc, "domain_id"), S("default"));
	return doc ? arena_str(a, json_str(doc, "name")) : STR_NONE;
}

void keystone_authorize(struct request *req, struct keystone_caller *k)
{
	struct proxy_request *p = proxy_request(req);

	p->user_id = k->user;
	p->reseller_request = has_role(k->names, str_from(identity_conf.reseller_admin_role));
	p->authorize = authorize;
	p->authorize_arg = k;
	p->identified = true;
}

void identity_authorize(struct identity *id, struct request *req, const struct session *s,
			const struct session *service)
{
	struct arena *a = req->arena;
	struct keystone_caller *k = arena_zalloc(a, sizeof *k);

	k->names_in_acls = true;
	k->user = s->user;
	k->user_name = name_of(id, a, RECORD_USER, s->user, &k->names_in_acls);
	k->project = session_project(s);
	if (k->project.n)
		k->project_name =
			name_of(id, a, RECORD_PROJECT, k->project, &k->names_in_acls);
	k->names = role_names(a, id, s);
	if (service)
		k->service_names = role_names(a, id, service);
	keystone_authorize(req, k);
}
