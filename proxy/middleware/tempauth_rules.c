/* Who may do what, by groups: owner, reseller admin, referrers, container ACLs, account ACLs. */
#include "proxy/middleware/tempauth_rules.h"
#include "lib/swift/acl.h"

#include <jansson.h>

int tempauth_prefixes_init(struct tempauth_prefixes *p, const struct conf_list *prefixes,
			   const struct conf_pairs *require_groups, struct fault *why)
{
	memset(p, 0, sizeof *p);
	if (prefixes->count > TEMPAUTH_PREFIXES_MAX)
		return fault_set(why, -EINVAL, "more than %d reseller prefixes",
				 TEMPAUTH_PREFIXES_MAX);
	for (unsigned i = 0; i < prefixes->count; i++) {
		struct str word = prefixes->items[i];
		CLEANUP(buf_done) struct buf b = BUF(KIB);

		if (str_eq(word, S("''")) || str_eq(word, S("\"\"")))
			word = S("");
		buf_add_str(&b, word);
		if (word.n && !str_ends(word, S("_")))
			buf_add_char(&b, '_');
		p->v[p->n] = str_of(buf_take(&b), word.n + (word.n && !str_ends(word, S("_"))));
		for (unsigned j = 0; j < require_groups->count; j++) {
			struct str of =
				str_skip(require_groups->items[j].key, sizeof "require_group_" - 1);

			if (str_ieq(of, word))
				p->require_group[p->n] = require_groups->items[j].value;
		}
		p->n++;
	}
	if (p->n == 0)
		p->v[p->n++] = S("");
	return 0;
}

int tempauth_prefix_of(const struct tempauth_prefixes *p, struct str account)
{
	int empty = -1;

	for (unsigned i = 0; i < p->n; i++) {
		if (p->v[i].n == 0)
			empty = (int)i;
		else if (str_starts(account, p->v[i]))
			return (int)i;
	}
	return empty;
}

/* X-Account-Access-Control of the request: must be JSON with lists of strings; it becomes system
 * metadata. */
static int check_account_acl(struct request *req, struct fault *why)
{
	static const char *const known[] = { "admin", "read-write", "read-only" };
	struct str text = headers_get_lit(&req->headers, "X-Account-Access-Control");
	const char *key;
	json_t *value;

	if (!text.p)
		return 0;
	json_t *acl = text.n ? json_loadb(text.p, text.n, 0, NULL) : json_object();
	int rc = 0;

	if (!json_is_object(acl))
		rc = fault_set(why, -EINVAL,
			       "X-Account-Access-Control invalid: Syntax error in input "
			       "('%.*s')\n\nInput: %.*s\n",
			       STR(str_head(text, 100)), STR(str_head(text, 200)));
	json_object_foreach(acl, key, value) {
		bool good = false;
		size_t i;
		json_t *item;

		for (size_t k = 0; k < ARRAY_LEN(known); k++)
			good |= strcmp(known[k], key) == 0;
		if (!good)
			rc = fault_set(why, -EINVAL,
				       "X-Account-Access-Control invalid: Key \"%s\" not "
				       "recognized\n\nInput: %.*s\n",
				       key, STR(str_head(text, 200)));
		else if (!json_is_array(value))
			rc = fault_set(why, -EINVAL,
				       "X-Account-Access-Control invalid: Value for key \"%s\" "
				       "must be a list\n\nInput: %.*s\n",
				       key, STR(str_head(text, 200)));
		json_array_foreach(value, i, item) if (!json_is_string(item)) rc =
			fault_set(why, -EINVAL,
				  "X-Account-Access-Control invalid: Elements of "
				  "\"%s\" list must be strings\n\nInput: %.*s\n",
				  key, STR(str_head(text, 200)));
		if (rc < 0)
			break;
	}
	json_decref(acl);
	return rc;
}

/* In Swift's form (format_acl): no blanks, sorted keys, ASCII; an empty object removes. */
static void store_account_acl(struct request *req)
{
	struct str text = headers_get_lit(&req->headers, "X-Account-Access-Control");

	if (!text.p)
		return;
	json_t *acl = text.n ? json_loadb(text.p, text.n, 0, NULL) : NULL;
	char *plain = json_object_size(acl) ?
			      json_dumps(acl, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENSURE_ASCII) :
			      NULL;

	headers_remove(&req->headers, S("X-Account-Access-Control"));
	headers_set(&req->headers, S("X-Account-Sysmeta-Core-Access-Control"),
		    str_from(plain ? plain : ""));
	free(plain);
	json_decref(acl);
}

static bool has_group(struct str groups, struct str group)
{
	return groups.n && acl_has(groups, group);
}

static bool is_reading(const struct request *req)
{
	return req->method == HTTP_GET || req->method == HTTP_HEAD;
}

static bool is_reseller(const struct tempauth_prefixes *p, const struct tempauth_caller *c,
			const struct request *req, int prefix, struct str account, bool *ret_owner)
{
	bool dot = account.n > p->v[prefix].n && account.p[p->v[prefix].n] == '.';

	if (dot || account.n == p->v[prefix].n)
		return false;
	*ret_owner = has_group(c->groups, S(".reseller_admin"));
	return *ret_owner || (has_group(c->groups, S(".reseller_reader")) && is_reading(req));
}

static bool lists_a_group(const json_t *list, struct str groups)
{
	size_t i;
	json_t *item;

	json_array_foreach(list, i, item)
		if (json_is_string(item) && has_group(groups, str_from(json_string_value(item))))
			return true;
	return false;
}

/* X-Account-Access-Control as stored. */
waits static bool account_acl_allows(const struct tempauth_caller *c, struct request *req)
{
	struct proxy_request *p = proxy_request(req);
	const struct account_info *info = proxy_account_info(req, p->path.account);
	struct str text = headers_get_lit(&info->sysmeta, "core-access-control");

	if (!text.n || !c->groups.n)
		return false;
	json_t *acl = json_loadb(text.p, text.n, 0, NULL);
	/* Swift lets an admin grantee delete the account, which its owner cannot; here that is the
	 * reseller's alone. */
	bool account_itself =
		!p->path.container.p && (req->method == HTTP_PUT || req->method == HTTP_DELETE);
	bool allowed = false;

	if (lists_a_group(json_object_get(acl, "admin"), c->groups) && !account_itself)
		allowed = p->swift_owner = true;
	else if (lists_a_group(json_object_get(acl, "read-write"), c->groups))
		allowed = p->path.container.p || is_reading(req);
	if (!allowed && lists_a_group(json_object_get(acl, "read-only"), c->groups))
		allowed = is_reading(req);
	json_decref(acl);
	return allowed;
}

static bool container_acl_allows(const struct tempauth_caller *c, struct request *req)
{
	const struct proxy_request *p = proxy_request(req);
	struct str referer = headers_get_lit(&req->headers, "Referer");

	if (!p->acl.n)
		return false;
	if (acl_referrer_allowed(req->arena, p->acl, referer) &&
	    (p->path.object.p || acl_has(p->acl, S(".rlistings"))))
		return true;
	return c->groups.n && acl_group_allowed(req->arena, p->acl, c->groups);
}

static bool allowed_at_all(const struct tempauth_prefixes *prefixes,
			   const struct tempauth_caller *c, struct request *req, int prefix)
{
	struct proxy_request *p = proxy_request(req);
	struct str account = p->path.account;
	bool owner = false;

	if (is_reseller(prefixes, c, req, prefix, account, &owner)) {
		p->swift_owner = owner;
		return true;
	}
	if (has_group(c->groups, account) &&
	    ((req->method != HTTP_DELETE && req->method != HTTP_PUT) || p->path.container.p)) {
		struct str need = prefixes->require_group[prefix];

		if (!need.n || has_group(c->groups, need)) {
			p->swift_owner = true;
			return true;
		}
	}
	return req->method == HTTP_OPTIONS || container_acl_allows(c, req);
}

task_asserted int tempauth_decide(const struct tempauth_prefixes *prefixes,
				  const struct tempauth_caller *caller, struct request *req,
				  struct fault *why)
{
	struct proxy_request *p = proxy_request(req);
	int prefix = tempauth_prefix_of(prefixes, p->path.account);
	int rc;

	if (prefix < 0)
		return -EACCES;
	if ((rc = check_account_acl(req, why)) < 0)
		return rc;
	store_account_acl(req);
	return allowed_at_all(prefixes, caller, req, prefix) || account_acl_allows(caller, req)
		       ? 0
		       : -EACCES;
}
