/* v1 authentication with users from the configuration, and who may do what: owner, reseller admin
 * and reader, container ACLs, account ACLs. Swift:
 * common/middleware/tempauth.py; docs/swift/acl.md */
#include "lib/base/clock.h"
#include "lib/base/encode.h"
#include "lib/log/log.h"
#include "lib/swift/acl.h"
#include "proxy/identity/token.h"
#include "proxy/identity/users.h"
#include "proxy/middleware/kinds.h"
#include "proxy/middleware/tempauth_rules.h"

#include <jansson.h>

struct tempauth_conf {
	struct conf_list reseller_prefix;
	const char *auth_prefix, *storage_url_scheme;
	uint64_t token_life;
	struct conf_pairs users, users64, require_groups;
};

static struct tempauth_conf conf;
static struct tempauth_prefixes prefixes;
static struct users *table;

const struct users *tempauth_users(void)
{
	return table;
}

static const struct conf_option options[] = {
	OPT_LIST(struct tempauth_conf, reseller_prefix, "AUTH",
		 "Prefixes of the accounts that this answers for, '_' is added; '' is the empty "
		 "one."),
	OPT_STR(struct tempauth_conf, auth_prefix, "/auth/", "Where tokens are given."),
	OPT_STR(struct tempauth_conf, storage_url_scheme, "default",
		"Scheme of the storage URL: default (as the request came), http or https."),
	OPT_DURATION(struct tempauth_conf, token_life, "24h", 1000, 365LL * 24 * 3600 * 1000,
		     "How long a token is good."),
	OPT_PAIRS(struct tempauth_conf, users, "user_",
		  "user_<account>_<user> = key [group …] [storage URL]. Groups: .admin owns the "
		  "account, "
		  ".reseller_admin all accounts, .reseller_reader reads all."),
	OPT_PAIRS(struct tempauth_conf, users64, "user64_",
		  "The same with account and user in base64 (without '='), for names with '_'."),
	OPT_PAIRS(struct tempauth_conf, require_groups, "require_group_",
		  "require_group_<PREFIX> = group: accounts of that prefix are open only to owners "
		  "who also have "
		  "the group (or whose X-Service-Token has)."),
	OPT_END,
};
static const struct conf_section section = {
	.name = "tempauth",
	.help = "v1 authentication (/auth/v1.0) with the users of this file, and ACLs.",
	.options = options,
	.into = &conf,
	.size = sizeof conf,
};

/* A login gives the same token as the one before as long as the hour is the same. */
enum { ISSUE_STEP_S = 3600 };
#define TOKEN_KIND S("tempauth")

static void unauthorized(struct response *res, struct str realm)
{
	respond_status(res, 401);
	proxy_add_realm(res, realm);
}

static void too_many(struct response *res)
{
	respond_text(res, 429, "Too many failed attempts; try again in some seconds.");
	headers_set(&res->headers, S("Retry-After"), S("5"));
}

static struct str token_prefix(struct arena *a)
{
	char *text = arena_alloc(a, prefixes.v[0].n + 2);

	memcpy(text, prefixes.v[0].p, prefixes.v[0].n);
	memcpy(text + prefixes.v[0].n, "tk", 2);
	return str_of(text, prefixes.v[0].n + 2);
}

static void add_group(struct buf *b, struct str group)
{
	buf_add_char(b, ',');
	buf_add_str(b, group);
}

/* Groups as Swift puts them together: account, account:user, configured ones, and for an .admin the
 * ids of its accounts. */
static struct str groups_of(struct arena *a, const struct user *user)
{
	CLEANUP(buf_done) struct buf b = BUF(8 * KIB);
	struct str rest = user->groups, group;
	bool admin = false;

	buf_add_str(&b, user->account);
	add_group(&b, user->id);
	while (user->groups.n && (group = str_cut(&rest, ',')).p) {
		if (str_eq(group, S(".admin")))
			admin = true;
		else
			add_group(&b, group);
	}
	for (unsigned i = 0; admin && i < prefixes.n; i++)
		if (prefixes.v[i].n) {
			add_group(&b, prefixes.v[i]);
			buf_add_str(&b, user->account);
		}
	ssize_t slash = str_rchr(user->url, '/');
	if (admin && slash >= 0)
		add_group(&b, str_skip(user->url, (size_t)slash + 1));
	return arena_str(a, buf_str(&b));
}

bool tempauth_is_token(struct arena *a, struct str text)
{
	return table && str_starts(text, token_prefix(a));
}

static int64_t life_s(void)
{
	return (int64_t)(conf.token_life / 1000);
}

waits static struct str groups_of_token(struct middleware *mw, struct request *req, struct str text)
{
	struct token token;
	int rc = token_open(req->arena, token_keys_get(mw->proxy), token_prefix(req->arena),
			    TOKEN_KIND, text, 0, &token);

	if (rc < 0 || token.expires - life_s() < identity_v1_since(req->arena, token.rest))
		return STR_NONE;
	const struct user *user = users_find(table, token.rest);

	return user ? groups_of(req->arena, user) : STR_NONE;
}

static struct str storage_url(const struct request *req, const struct user *user)
{
	struct str host = headers_get_lit(&req->headers, "Host");
	const char *scheme = conf.storage_url_scheme;
	struct str base =
		arena_printf(req->arena, "%.*s://%.*s",
			     STR(strcmp(scheme, "default") ? str_from(scheme) : req->scheme),
			     STR(host.n ? host : S("127.0.0.1")));
	CLEANUP(buf_done) struct buf b = BUF(8 * KIB);

	if (user->url.p) {
		ssize_t at = str_find(user->url, S("$HOST"));

		if (at < 0)
			return user->url;
		return arena_printf(req->arena, "%.*s%.*s%.*s",
				    STR(str_head(user->url, (size_t)at)), STR(base),
				    STR(str_skip(user->url, (size_t)at + 5)));
	}
	buf_addf(&b, "%.*s/v1/%.*s", STR(base), STR(prefixes.v[0]));
	percent_encode(&b, user->account, S("/"));
	return arena_str(req->arena, buf_str(&b));
}

static void give_token(struct middleware *mw, struct request *req, struct response *res,
		       const struct user *user, int64_t since)
{
	int64_t now = clock_wall_s(), issued = now - now % ISSUE_STEP_S, life = life_s();
	/* The name stands last: whatever is in it, it cannot be taken for another. */
	struct token token = { .subject = S("v1"), .rest = user->id };

	/* A short life is not cut shorter by the step; and who had to log in again gets another
	 * token than before. */
	if (life <= 2 * ISSUE_STEP_S || issued < since)
		issued = now;
	token.expires = issued + life;
	struct str text = token_make(req->arena, token_keys_get(mw->proxy),
				     token_prefix(req->arena), TOKEN_KIND, &token);

	respond(res, 200, S("text/html; charset=UTF-8"), S(""));
	headers_add(&res->headers, S("X-Auth-Token"), text);
	headers_add(&res->headers, S("X-Storage-Token"), text);
	headers_addf(&res->headers, S("X-Auth-Token-Expires"), "%" PRId64, token.expires - now);
	headers_add(&res->headers, S("X-Storage-Url"), storage_url(req, user));
}

static struct str header_or(const struct request *req, struct str first, struct str second)
{
	struct str v = headers_get(&req->headers, first);

	return v.n ? v : headers_get(&req->headers, second);
}

/* /auth/v1.0, /auth/auth and /auth/v1/<account>/auth; path is what stands behind the prefix. */
waits static void login(struct middleware *mw, struct request *req, struct response *res,
			struct str path)
{
	struct str rest = percent_decode(req->arena, path), version = str_cut(&rest, '/');
	struct str account = STR_NONE, user = STR_NONE, key;

	if (req->method != HTTP_GET) {
		respond_status(res, 405);
		headers_set(&res->headers, S("Allow"), S("GET"));
		return;
	}
	if (str_eq(version, S("v1")) && rest.p) {
		account = str_cut(&rest, '/');
		if (!str_eq(rest, S("auth"))) {
			respond_status(res, 400);
			return;
		}
		user = headers_get_lit(&req->headers, "X-Storage-User");
		if (user.n == 0) {
			user = headers_get_lit(&req->headers, "X-Auth-User");
			if (!str_eq(str_cut(&user, ':'), account))
				user = STR_NONE;
		}
		key = header_or(req, S("X-Storage-Pass"), S("X-Auth-Key"));
	} else if (str_eq(version, S("auth")) || str_eq(version, S("v1.0"))) {
		user = header_or(req, S("X-Auth-User"), S("X-Storage-User"));
		account = str_cut(&user, ':');
		key = header_or(req, S("X-Auth-Key"), S("X-Storage-Pass"));
	} else {
		respond_status(res, version.n ? 400 : 404);
		return;
	}
	struct str id = arena_printf(req->arena, "%.*s:%.*s", STR(account), STR(user));
	int rc = user.p ? identity_v1_login(req, id, key) : -EACCES;
	int64_t since = rc == 0 ? identity_v1_since(req->arena, id) : 0;
	const struct user *found = rc == 0 ? users_find(table, id) : NULL;

	if (found)
		give_token(mw, req, res, found, since);
	else if (rc == -EBUSY)
		too_many(res);
	else
		unauthorized(res, user.p ? account : STR_NONE);
}

static int denied(struct request *req, struct response *res)
{
	struct proxy_request *p = proxy_request(req);

	if (p->groups.n)
		respond_status(res, 403);
	else
		unauthorized(res, p->path.account);
	return -EACCES;
}

static int authorize(void *arg, struct request *req, struct response *res)
{
	struct tempauth_caller *caller = arg;
	struct fault why;
	int rc = tempauth_decide(&prefixes, caller, req, &why);

	if (rc == -EINVAL)
		respond_text(res, 400, "%s", why.text);
	return rc == -EACCES ? denied(req, res) : rc;
}

static int deny_all(void *arg, struct request *req, struct response *res)
{
	(void)arg;
	return denied(req, res);
}

/* Reads the token(s): false when the answer has been given. */
waits static bool identify(struct middleware *mw, struct request *req, struct response *res)
{
	struct proxy_request *p = proxy_request(req);
	struct str service = headers_get_lit(&req->headers, "X-Service-Token");

	p->token = headers_get_lit(&req->headers, "X-Auth-Token");
	if (!p->token.p)
		p->token = headers_get_lit(&req->headers, "X-Storage-Token");
	if (!p->token.n || !str_starts(p->token, prefixes.v[0]))
		return true;
	p->groups = groups_of_token(mw, req, p->token);
	if (!p->groups.p) {
		unauthorized(res, p->path.account);
		return false;
	}
	struct str rest = p->groups;

	(void)str_cut(&rest, ',');
	p->user_id = str_cut(&rest, ',');
	struct str more = service.n ? groups_of_token(mw, req, service) : STR_NONE;
	if (more.p)
		p->groups = arena_printf(req->arena, "%.*s,%.*s", STR(p->groups), STR(more));
	p->reseller_request = acl_has(p->groups, S(".reseller_admin"));
	return true;
}

waits static void handle(struct middleware *mw, struct request *req, struct response *res)
{
	struct proxy_request *p = proxy_request(req);
	struct str auth_prefix = str_from(conf.auth_prefix);

	if (p->authorize_override || p->identified) {
		middleware_next(mw, req, res);
		return;
	}
	if (str_starts(req->path, auth_prefix)) {
		login(mw, req, res, str_skip(req->path, auth_prefix.n));
		return;
	}
	if (!identify(mw, req, res))
		return;
	bool ours = p->path.account.p && tempauth_prefix_of(&prefixes, p->path.account) >= 0;
	struct tempauth_caller *caller = arena_zalloc(req->arena, sizeof *caller);

	caller->groups = p->groups;
	p->authorize = ours ? authorize : deny_all;
	p->authorize_arg = caller;
	middleware_next(mw, req, res);
}

/* Takes over what the configuration says of users and prefixes; on failure the old stays. */
static int take_conf(struct fault *why)
{
	struct tempauth_prefixes new_prefixes;
	struct users *new_table;
	struct conf_pairs all = { 0 };
	struct conf_pair *items = xcalloc(conf.users.count + conf.users64.count + 1, sizeof *items);

	for (unsigned i = 0; i < conf.users.count; i++)
		items[all.count++] = conf.users.items[i];
	for (unsigned i = 0; i < conf.users64.count; i++)
		items[all.count++] = conf.users64.items[i];
	all.items = items;
	int rc = users_new(&all, &new_table, why);
	free(items);
	if (rc < 0)
		return rc;
	rc = tempauth_prefixes_init(&new_prefixes, &conf.reseller_prefix, &conf.require_groups,
				    why);
	if (rc < 0) {
		users_free(new_table);
		return rc;
	}
	users_free(table);
	table = new_table;
	prefixes = new_prefixes;
	return 0;
}

static int start(struct middleware *mw, struct proxy *proxy, struct fault *why)
{
	int rc = take_conf(why);

	(void)mw;
	if (rc < 0)
		return rc;
	json_object_set_new(proxy->info, "tempauth", json_pack("{s:b}", "account_acls", 1));
	return 0;
}

static int reload(struct middleware *mw, struct fault *why)
{
	(void)mw;
	return take_conf(why);
}

const struct middleware_kind middleware_tempauth = {
	.name = "tempauth", .section = &section, .start = start, .reload = reload,
	.handle = handle,
};
