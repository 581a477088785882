/* Who asks: tokens of requests, checked by Keystone (GET /v3/auth/tokens with this daemon's own
 * token) and remembered for a while. */
#pragma once
#include "compute/identity/login.h"

/* Whom a token stands for. Shared by the requests that carry it; nobody changes it. */
struct caller {
	unsigned refs;
	struct arena *arena;
	struct str user_id, user_name, user_domain_id;
	struct str project_id, project_name, project_domain_id; /* absent: not scoped to one */
	const struct str *roles;                                /* names */
	unsigned role_count;
	bool admin;                     /* has [compute] admin_role */
	bool member;                    /* may change things of the project; admins always */
	int64_t expires_us;
};
struct caller *caller_ref(struct caller *c);
void caller_unref(struct caller *c);
bool caller_has_role(const struct caller *c, struct str name);
/* Reads the body of Keystone's answer: NULL when it is none. */
struct caller *caller_parse(struct str text);

struct identity *identity_new(struct http_client *http);
void identity_free(struct identity *id);
/* The login that identity uses; the store may use it, too. */
struct login *identity_login(struct identity *id);
/* Whose token it is: 0 with a reference; -EACCES: not good; -EAGAIN: nobody could say. */
waits must_check int identity_check(struct identity *id, struct str token, struct caller **ret);
