/* What the files of the identity service share: its settings, its state, who is asking, and
 * answers in Keystone's form. docs/swift/identity.md */
#pragma once
#include "proxy/identity/records.h"
#include "proxy/identity/token.h"
#include "proxy/middleware/middleware.h"

struct identity_conf {
	int64_t bind_port, limit_per_user;
	const char *region, *object_store_url, *identity_url, *image_url, *compute_url;
	struct conf_list reseller_prefix, operator_roles;
	const char *reseller_admin_role;
	struct conf_pairs users, service_roles;
	uint64_t token_life, allow_expired_window;
	struct conf_list system_reader_roles, project_reader_roles;
};
extern struct identity_conf identity_conf;
extern const struct conf_section identity_section;      /* [keystone] */

/* How deep projects may stand below each other; Keystone's max_project_tree_depth is 5. */
enum { PROJECT_DEPTH_MAX = 5 };

struct identity {
	struct proxy *proxy;
	struct records *records;
	struct identity_store *store;   /* store.c */
};

/* The port of its own that the identity service has; 0: none. Set before the workers are forked. */
extern unsigned identity_port;
enum { IDENTITY_PORT_DEFAULT = 5000 };

/* Ids that the configuration's records have: the first 32 hex digits of a digest. */
struct str identity_made_id(struct arena *a, const char *kind, struct str name);
/* A new random id of 32 hex digits. */
struct str identity_new_id(struct arena *a);
/* Fills in the records that come from the configuration. */
void identity_load_base(struct identity *id);

/* ---- tokens ---- */

/* What a token says of itself. Which roles it gives is looked up when it is used. */
struct session {
	struct str user, methods;       /* "password,token" */
	struct str audit, parent_audit; /* audit ids; parent: of the token it was made from */
	struct str target;              /* "project/ID", "domain/ID", "system/all", or empty */
	struct str credential;          /* id of the application credential, or empty */
	struct str trust;               /* id of the trust that it was given by, or empty */
	int64_t issued_us, expires;
};
struct str session_seal(struct arena *a, struct proxy *p, const struct session *s);
/* Whether the text looks like one of ours. */
bool session_is_token(struct str text);
/* 0; -EBADMSG, -ESTALE: not good or expired; -EACCES: revoked, its user or project is disabled, or
 * there are no roles any more. No I/O. */
must_check int session_open(struct identity *id, struct arena *a, struct str text,
			    struct session *ret);
/* The same for one that may have expired up to late_s seconds ago. */
must_check int session_open_late(struct identity *id, struct arena *a, struct str text,
				 int64_t late_s, struct session *ret);
/* Whether the access rules of the session's application credential, if it has any, allow the
 * request to a service ("object-store", "identity"). */
bool session_allows(const struct identity *id, const struct session *s, struct str service,
		    const struct request *req);
/* The roles of the session as an array of role records (new reference), or of a user on a
 * target. */
json_t *session_roles(const struct identity *id, const struct session *s);
json_t *identity_roles(const struct identity *id, struct str user, struct str target);
/* Adds the roles of these ids, with all that they imply, to those that are there. */
void identity_add_roles(const struct identity *id, json_t *to, const json_t *role_ids);
bool roles_have(const json_t *roles, struct str name);
/* Of the roles those that are among allowed ([{"id"}…]) stay: roles. */
json_t *roles_limit(json_t *roles, const json_t *allowed);
/* Whether the project stands below another, at any depth. */
bool identity_is_below(const struct identity *id, struct str project, struct str above);
/* Calls fn for each project that inherits from a target: those below a project, or all of
 * a domain. */
void identity_each_heir(const struct identity *id, struct str target,
			void (*fn)(void *arg, const json_t *project), void *arg);
/* Whether user, and project or domain of the target, exist and are enabled. */
bool identity_user_enabled(const struct identity *id, struct str user);
bool identity_target_enabled(const struct identity *id, struct str target);
/* The id behind "project/" in a session's target; absent when it is of another kind. */
struct str session_project(const struct session *s);

/* ---- one request ---- */

enum { IDENTITY_PARTS_MAX = 10 };

struct ident_call {
	struct identity *id;
	struct request *req;
	struct response *res;
	struct str part[IDENTITY_PARTS_MAX];    /* of the path behind the version, decoded */
	unsigned parts;
	struct session session;         /* of X-Auth-Token, after ident_need_login */
	json_t *roles;                  /* of the session */
	bool admin;
};

/* Whether the request's token is good; else 401 was answered. */
bool ident_need_login(struct ident_call *c);
/* The same, and an admin: else 403. */
bool ident_need_admin(struct ident_call *c);
/* Reads the JSON body (new reference), or answers 400 or 413 and returns NULL. */
waits json_t *ident_body(struct ident_call *c);
/* Takes the reference. */
void ident_respond(struct ident_call *c, int status, json_t *doc);
void ident_no_content(struct ident_call *c);
void ident_error(struct ident_call *c, int status, const char *fmt, ...) printf_like(3, 4);
/* 401 as for every failed login. */
void ident_unauthorized(struct ident_call *c);
/* The same, or 429 for -EBUSY, 403 for -EPERM. */
void ident_refused(struct ident_call *c, int error);
void ident_not_found(struct ident_call *c, const char *what, struct str id);
/* scheme://host:port as the client sees this service. */
struct str ident_base(const struct request *req);
/* A copy of a record for clients: without what begins with '_', with links.self. */
json_t *ident_view(const struct ident_call *c, enum record_kind kind, const json_t *doc);
/* {"<plural>": list, "links": {…}}; takes the reference. */
void ident_respond_list(struct ident_call *c, const char *plural, json_t *list);

/* Views of the projects or domains (prefix "project/", "domain/") on which the user has a role. */
json_t *ident_targets(const struct ident_call *c, struct str user, struct str prefix,
		      enum record_kind kind);
/* DELETE of a token. */
waits void ident_revoke(struct ident_call *c, const struct session *s);

/* The service catalog for a project (absent: none). New reference. */
json_t *ident_catalog(const struct ident_call *c, struct str project);
/* Whether the project's catalog shows the endpoint (endpoint_filter.c). */
bool ident_endpoint_shown(const struct identity *id, struct str project, const json_t *endpoint);
/* The URL of an endpoint with its placeholders filled in. */
struct str ident_url(const struct ident_call *c, struct str url, struct str project,
		     struct str user);
/* {"id", "name", "domain": {…}} of a project, or of a user. */
json_t *ident_reference(const struct ident_call *c, enum record_kind kind, struct str id);

/* ---- the routes; each answers ---- */
waits void ident_tokens(struct ident_call *c);          /* /v3/auth/tokens */
void ident_auth_lists(struct ident_call *c);            /* /v3/auth/{catalog,projects,domains} */
waits void ident_v2(struct ident_call *c);              /* /v2.0/… */
waits void ident_v3(struct ident_call *c);              /* the rest of /v3 */

/* ---- logging in ---- */

struct login {
	struct str user_id, user_name, user_domain;     /* domain: an id */
	struct str user_domain_name;
	struct str password, token;
	struct str credential_id, credential_name, credential_secret;
	struct str project_id, project_name, project_domain, project_domain_name;
	struct str domain_id, domain_name;
	struct str trust;
	bool by_password, by_token, by_credential;
	bool system, unscoped, scoped;
};
/* Reads {"auth": …} of v3 into views of doc: 0, or -EINVAL with what is missing in why. */
must_check int login_parse(const json_t *doc, struct login *ret, struct fault *why);
/* The v2.0 form. */
must_check int login_parse_v2(const json_t *doc, struct login *ret, struct fault *why);
/* Checks who it is and what is asked for: 0 with the new session; -EACCES; -EPERM for a trust that
 * is not his; -EBUSY after too many failures. Waits for passwords that are hashed, and longer after
 * failures. */
waits must_check int login_check(struct identity *id, struct request *req, const struct login *l,
				 struct session *ret);
/* The body of a token answer: {"token": …}. */
json_t *ident_token_doc(const struct ident_call *c, const struct session *s, bool catalog);

/* Whether the password is the user's, and the secret the application credential's: 0, -EACCES, or
 * -EBUSY when too many are being checked. Both take their time when there is no such. */
waits must_check int password_check(const struct identity *id, struct str user,
				    struct str password);
waits must_check int credential_check(const struct identity *id, struct str credential,
				      struct str secret);
/* What is stored instead of a password, at most 255 bytes: 0, or -EBUSY. */
waits must_check int password_hash(struct arena *a, struct str password, struct str *ret);

/* ---- the Swift API ---- */

/* Who asks with a Keystone token, for the rules of authorize.c. Lives as long as the request. */
struct keystone_caller {
	struct str project, project_name, user, user_name;
	struct str names;               /* of the roles, comma-separated, lower case */
	struct str service_names;       /* of the X-Service-Token's */
	bool names_in_acls;             /* user and project are of the default domain */
};
/* Of [{"name"}…]. */
struct str keystone_role_names(struct arena *a, const json_t *roles);
/* Sets up p->authorize for this caller. */
void keystone_authorize(struct request *req, struct keystone_caller *k);
/* The same for a token of ours; service: that of the X-Service-Token, or NULL. */
void identity_authorize(struct identity *id, struct request *req, const struct session *s,
			const struct session *service);
