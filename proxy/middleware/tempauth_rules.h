/* The rules by which tempauth decides (Swift's TempAuth.authorize), apart from tokens and logging
 * in. */
#pragma once
#include "lib/conf/conf.h"
#include "proxy/proxy.h"

enum { TEMPAUTH_PREFIXES_MAX = 16 };

struct tempauth_prefixes {
	struct str v[TEMPAUTH_PREFIXES_MAX];            /* "AUTH_"; "" is allowed */
	struct str require_group[TEMPAUTH_PREFIXES_MAX];/* absent: none */
	unsigned n;
};
int tempauth_prefixes_init(struct tempauth_prefixes *p, const struct conf_list *prefixes,
			   const struct conf_pairs *require_groups, struct fault *why);
/* Index of the prefix that the account begins with, or -1. */
int tempauth_prefix_of(const struct tempauth_prefixes *p, struct str account);

struct tempauth_caller {
	struct str groups;              /* comma-separated; absent: anonymous */
};
/* 0 (allowed; sets swift_owner on the request), -EACCES, or -EINVAL (bad account ACL header, reason
 * in why). */
int tempauth_decide(const struct tempauth_prefixes *p, const struct tempauth_caller *caller,
		    struct request *req, struct fault *why);

/* The users of [tempauth], for the identity service; NULL before the middleware was started. */
struct users;
const struct users *tempauth_users(void);
/* Whether the text looks like a token of v1 authentication. */
bool tempauth_is_token(struct arena *a, struct str text);
