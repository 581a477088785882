/* Logging in: the bodies of v3 and v2.0 as one form, and whether it is good. */
#include "lib/base/clock.h"
#include "lib/base/encode.h"
#include "lib/crypto/digest.h"
#include "proxy/identity/backoff.h"
#include "proxy/identity/identity.h"

/* ---- reading ---- */

static void read_domain(const json_t *parent, struct str *ret_id, struct str *ret_name)
{
	const json_t *domain = json_object_get(parent, "domain");

	*ret_id = json_str(domain, "id");
	*ret_name = json_str(domain, "name");
}

static int read_password(const json_t *identity, struct login *l, struct fault *why)
{
	const json_t *user =
		json_object_get(json_object_get(identity, "password"), "user");

	l->by_password = true;
	l->user_id = json_str(user, "id");
	l->user_name = json_str(user, "name");
	l->password = json_str(user, "password");
	read_domain(user, &l->user_domain, &l->user_domain_name);
	if (!l->password.p || (!l->user_id.p && !l->user_name.p))
		return fault_set(why, -EINVAL, "password.user needs id or name, and password");
	if (!l->user_id.p && !l->user_domain.p && !l->user_domain_name.p)
		return fault_set(why, -EINVAL, "password.user.domain is missing");
	return 0;
}

static int read_credential(const json_t *identity, struct login *l, struct fault *why)
{
	const json_t *given = json_object_get(identity, "application_credential");
	const json_t *user = json_object_get(given, "user");

	l->by_credential = true;
	l->credential_id = json_str(given, "id");
	l->credential_name = json_str(given, "name");
	l->credential_secret = json_str(given, "secret");
	if (!l->credential_secret.p || (!l->credential_id.p && !l->credential_name.p))
		return fault_set(why, -EINVAL,
				 "application_credential needs id or name, and secret");
	if (!l->credential_id.p) {
		l->user_id = json_str(user, "id");
		l->user_name = json_str(user, "name");
		read_domain(user, &l->user_domain, &l->user_domain_name);
		if (!l->user_id.p && !l->user_name.p)
			return fault_set(why, -EINVAL, "application_credential.user is missing");
	}
	return 0;
}

static int read_method(const json_t *identity, struct str method, struct login *l,
		       struct fault *why)
{
	if (str_eq(method, S("password")))
		return read_password(identity, l, why);
	if (str_eq(method, S("application_credential")))
		return read_credential(identity, l, why);
	if (str_eq(method, S("token"))) {
		l->by_token = true;
		l->token = json_str(json_object_get(identity, "token"), "id");
		return l->token.p ? 0 : fault_set(why, -EINVAL, "token.id is missing");
	}
	return fault_set(why, -EACCES, "no such method");
}

static int read_scope(const json_t *scope, struct login *l, struct fault *why)
{
	const json_t *project = json_object_get(scope, "project"),
		     *domain = json_object_get(scope, "domain");

	if (json_is_string(scope) && str_eq(str_from(json_string_value(scope)), S("unscoped"))) {
		l->unscoped = true;
		return 0;
	}
	if (!json_is_object(scope))
		return fault_set(why, -EINVAL, "scope is neither an object nor \"unscoped\"");
	const json_t *trust = json_object_get(scope, "OS-TRUST:trust");

	l->scoped = true;
	if (trust) {
		l->trust = json_str(trust, "id");
		if (!l->trust.p || project || domain)
			return fault_set(why, -EINVAL, "scope.OS-TRUST:trust needs id alone");
	} else if (project) {
		l->project_id = json_str(project, "id");
		l->project_name = json_str(project, "name");
		read_domain(project, &l->project_domain, &l->project_domain_name);
		if (!l->project_id.p && (!l->project_name.p || (!l->project_domain.p &&
								!l->project_domain_name.p)))
			return fault_set(why, -EINVAL,
					 "scope.project needs id, or name and domain");
	} else if (domain) {
		l->domain_id = json_str(domain, "id");
		l->domain_name = json_str(domain, "name");
		if (!l->domain_id.p && !l->domain_name.p)
			return fault_set(why, -EINVAL, "scope.domain needs id or name");
	} else if (json_is_true(json_object_get(json_object_get(scope, "system"), "all"))) {
		l->system = true;
	} else {
		return fault_set(why, -EINVAL, "scope needs project, domain or system");
	}
	return 0;
}

int login_parse(const json_t *doc, struct login *ret, struct fault *why)
{
	const json_t *auth = json_object_get(doc, "auth"),
		     *identity = json_object_get(auth, "identity"),
		     *methods = json_object_get(identity, "methods"),
		     *scope = json_object_get(auth, "scope");
	struct login l = { 0 };

	if (!json_is_array(methods) || json_array_size(methods) == 0)
		return fault_set(why, -EINVAL, "auth.identity.methods is missing");
	for (size_t i = 0; i < json_array_size(methods); i++) {
		const json_t *method = json_array_get(methods, i);
		int rc = read_method(identity, str_from(json_string_value(method)), &l, why);

		if (rc < 0)
			return rc;
	}
	if (scope) {
		int rc = read_scope(scope, &l, why);

		if (rc < 0)
			return rc;
	}
	*ret = l;
	return 0;
}

int login_parse_v2(const json_t *doc, struct login *ret, struct fault *why)
{
	const json_t *auth = json_object_get(doc, "auth"),
		     *password = json_object_get(auth, "passwordCredentials"),
		     *token = json_object_get(auth, "token");
	struct login l = { .project_id = json_str(auth, "tenantId"),
			   .project_name = json_str(auth, "tenantName") };

	if (password) {
		l.by_password = true;
		l.user_id = json_str(password, "userId");
		l.user_name = json_str(password, "username");
		l.user_domain = S("default");
		l.password = json_str(password, "password");
		if (!l.password.p || (!l.user_id.p && !l.user_name.p))
			return fault_set(why, -EINVAL,
					 "passwordCredentials need username and password");
	} else if (token) {
		l.by_token = true;
		l.token = json_str(token, "id");
		if (!l.token.p)
			return fault_set(why, -EINVAL, "token.id is missing");
	} else {
		return fault_set(why, -EINVAL, "auth has neither passwordCredentials nor token");
	}
	/* Some clients send an empty name for "none". */
	if (l.project_name.n == 0)
		l.project_name = STR_NONE;
	if (l.project_id.n == 0)
		l.project_id = STR_NONE;
	l.project_domain = S("default");
	l.scoped = l.project_id.p || l.project_name.p;
	*ret = l;
	return 0;
}

/* ---- checking ---- */

static struct str domain_id(const struct identity *id, struct str by_id, struct str by_name)
{
	const json_t *doc = by_id.p ?
				    records_get(id->records, RECORD_DOMAIN, by_id) :
				    records_named(id->records, RECORD_DOMAIN, S(""), by_name);

	return doc ? json_str(doc, "id") : STR_NONE;
}

/* Users of [tempauth] may have the same name in several projects: the one of the project that is
 * asked for comes first. */
static struct str find_user(const struct identity *id, struct arena *a, const struct login *l)
{
	const struct records *r = id->records;

	if (l->user_id.p)
		return l->user_id;
	struct str domain = domain_id(id, l->user_domain, l->user_domain_name);
	struct str project = l->project_name.p ? l->project_name :
			     l->project_id.p   ? l->project_id :
						 S("");
	CLEANUP(buf_done) struct buf full = BUF(64 * KIB);

	if (str_chr(l->user_name, ':') < 0) {
		buf_add_str(&full, project);
		buf_add_char(&full, ':');
	}
	buf_add_str(&full, l->user_name);
	struct str made = identity_made_id(a, "user", buf_str(&full));
	const json_t *user = records_get(r, RECORD_USER, made);

	if (!user || !str_eq(json_str(user, "domain_id"), domain) ||
	    (str_chr(l->user_name, ':') < 0 && !str_eq(json_str(user, "name"), l->user_name)))
		user = domain.p ? records_named(r, RECORD_USER, domain, l->user_name) : NULL;
	return user ? arena_str(a, json_str(user, "id")) : STR_NONE;
}

static struct str find_target(const struct identity *id, struct arena *a, const struct login *l)
{
	const json_t *doc;

	if (l->system)
		return S("system/all");
	if (l->domain_id.p || l->domain_name.p) {
		struct str domain = domain_id(id, l->domain_id, l->domain_name);

		return domain.p ? arena_printf(a, "domain/%.*s", STR(domain)) : STR_NONE;
	}
	if (l->project_id.p) {
		doc = records_get(id->records, RECORD_PROJECT, l->project_id);
	} else {
		struct str domain = domain_id(id, l->project_domain, l->project_domain_name);

		doc = domain.p ? records_named(id->records, RECORD_PROJECT, domain,
					       l->project_name) :
				 NULL;
	}
	return doc ? arena_printf(a, "project/%.*s", STR(json_str(doc, "id"))) : STR_NONE;
}

/* A token that was asked for without a scope has the user's default project's, if there is one. */
static struct str default_target(const struct identity *id, struct arena *a, struct str user)
{
	struct str project = json_str(records_get(id->records, RECORD_USER, user),
				      "default_project_id");

	if (!project.n)
		return S("");
	struct str target = arena_printf(a, "project/%.*s", STR(project));

	if (!identity_target_enabled(id, target))
		return S("");
	json_t *roles = identity_roles(id, user, target);
	bool any = json_array_size(roles) > 0;

	json_decref(roles);
	return any ? target : S("");
}

static void add_method(struct arena *a, struct session *s, const char *method)
{
	struct str rest = s->methods, known;

	while (s->methods.n && (known = str_cut(&rest, ',')).p)
		if (str_eq(known, str_from(method)))
			return;
	s->methods = s->methods.n ? arena_printf(a, "%.*s,%s", STR(s->methods), method) :
				    str_from(method);
}

static struct str audit_id(struct arena *a)
{
	return str_head(identity_new_id(a), 22);
}

/* With a token: its user, methods and expiry go on. */
static int by_token(struct identity *id, struct arena *a, const struct login *l, struct session *s)
{
	struct session from;

	if (session_open(id, a, l->token, &from) < 0 || from.credential.n || from.trust.n)
		return -EACCES;
	if (s->user.n && !str_eq(s->user, from.user))
		return -EACCES;
	s->user = from.user;
	s->methods = from.methods;
	s->expires = from.expires;
	s->parent_audit = from.parent_audit.n ? from.parent_audit : from.audit;
	add_method(a, s, "token");
	return 0;
}

waits static int by_credential(struct identity *id, struct arena *a, const struct login *l,
			       struct session *s)
{
	struct str user = l->credential_id.p ? STR_NONE : find_user(id, a, l);
	const json_t *doc =
		l->credential_id.p ?
			records_get(id->records, RECORD_CREDENTIAL, l->credential_id) :
			records_named(id->records, RECORD_CREDENTIAL, user, l->credential_name);
	struct str key = doc ? arena_str(a, json_str(doc, "id")) : S("");
	int64_t until;
	int rc = l->scoped ? -EACCES : credential_check(id, key, l->credential_secret);

	if (rc < 0)
		return rc;
	doc = records_get(id->records, RECORD_CREDENTIAL, key);
	struct str expires = json_str(doc, "expires_at");

	if (!doc || (expires.n && (clock_iso_parse(expires, &until) < 0 ||
				   until / 1000000 <= clock_wall_s())))
		return -EACCES;
	s->user = arena_str(a, json_str(doc, "user_id"));
	s->credential = key;
	s->target = arena_printf(a, "project/%.*s", STR(json_str(doc, "project_id")));
	if (expires.n && until / 1000000 < s->expires)
		s->expires = until / 1000000;
	add_method(a, s, "application_credential");
	return 0;
}

waits static int who(struct identity *id, struct arena *a, const struct login *l,
		     struct session *s)
{
	int rc = 0;

	if (l->by_password) {
		struct str user = find_user(id, a, l);

		rc = password_check(id, user, l->password);
		if (rc < 0)
			return rc;
		s->user = user;
		add_method(a, s, "password");
	}
	if (l->by_token)
		rc = by_token(id, a, l, s);
	if (rc == 0 && l->by_credential)
		rc = by_credential(id, a, l, s);
	if (rc == 0 && !identity_user_enabled(id, s->user))
		rc = -EACCES;
	return rc;
}

/* The scope that a trust gives to its trustee: on its project, as its trustor or as himself. */
static int by_trust(struct identity *id, struct arena *a, const struct login *l, struct session *s)
{
	const json_t *doc = records_get(id->records, RECORD_TRUST, l->trust);
	struct str until = json_str(doc, "expires_at");
	int64_t us;

	if (!doc || !str_eq(json_str(doc, "trustee_user_id"), s->user))
		return -EPERM;
	if (until.n) {
		if (clock_iso_parse(until, &us) < 0 || us / 1000000 <= clock_wall_s())
			return -EPERM;
		if (us / 1000000 < s->expires)
			s->expires = us / 1000000;
	}
	s->trust = l->trust;
	s->target = arena_printf(a, "project/%.*s", STR(json_str(doc, "project_id")));
	if (json_is_true(json_object_get(doc, "impersonation")))
		s->user = arena_str(a, json_str(doc, "trustor_user_id"));
	return identity_user_enabled(id, json_str(doc, "trustor_user_id")) ? 0 : -EPERM;
}

/* The target of the new session, on which it must have a role. */
static int scope_of(struct identity *id, struct arena *a, const struct login *l, struct session *s)
{
	int rc = l->trust.p ? by_trust(id, a, l, s) : 0;

	if (rc < 0)
		return rc;
	if (l->scoped && !l->trust.p)
		s->target = find_target(id, a, l);
	else if (!l->scoped && !l->unscoped && !l->by_token && !s->credential.n)
		s->target = default_target(id, a, s->user);
	if (!l->scoped && !s->credential.n)
		return 0;
	json_t *roles = s->target.n ? session_roles(id, s) : NULL;
	bool any = json_array_size(roles) > 0;

	json_decref(roles);
	if (any && identity_target_enabled(id, s->target))
		return 0;
	return l->trust.p ? -EPERM : -EACCES;
}

/* What is guessed at: the name of the user or the application credential. */
static struct str guessed(const struct login *l)
{
	if (l->by_credential)
		return l->credential_id.p ? l->credential_id : l->credential_name;
	return l->user_id.p ? l->user_id : l->user_name;
}

int login_check(struct identity *id, struct request *req, const struct login *l,
		struct session *ret)
{
	struct arena *a = req->arena;
	bool secret = l->by_password || l->by_credential;
	int rc = secret ? backoff_wait(req->peer_ip, guessed(l)) : 0;

	if (rc < 0)
		return rc;
	int64_t now = clock_wall_us();
	struct session s = { .issued_us = now, .audit = audit_id(a) };

	s.expires = now / 1000000 + (int64_t)(identity_conf.token_life / 1000);
	rc = who(id, a, l, &s);
	if (secret && rc != -EBUSY)
		backoff_done(req->peer_ip, guessed(l), rc == 0);
	if (rc < 0)
		return rc;
	rc = scope_of(id, a, l, &s);
	if (rc < 0)
		return rc;
	*ret = s;
	return 0;
}
