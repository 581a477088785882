/* The users of the configuration file, as Swift's tempauth has them: [tempauth]
 * user_<account>_<user> = key group group… [url]. */
#pragma once
#include "lib/base/map.h"
#include "lib/conf/conf.h"
#include "lib/http/request.h"
#include "lib/task/task.h"

struct user {
	struct str account, name;       /* "test", "tester" */
	struct str id;                  /* "test:tester" */
	struct str key;
	struct str groups; /* comma-separated, as configured (".admin,.reseller_admin") */
	struct str url;                 /* storage URL, or absent: made from the request */
};

struct users;
/* From the pairs of the section; user64_ keys hold base64 of account and user. 0, or -EINVAL naming
 * key and line. */
int users_new(const struct conf_pairs *pairs, struct users **ret, struct fault *why);
void users_free(struct users *u);
void users_each(const struct users *u, void (*fn)(void *arg, const struct user *user), void *arg);
/* NULL when there is none. */
const struct user *users_find(const struct users *u, struct str id);
/* Whether the key is the one of "account:user" now, which may be another than the configuration's:
 * 0, -EACCES, or -EBUSY when too many failures wait for their turn (429). */
waits must_check int identity_v1_login(struct request *req, struct str user, struct str key);
/* Tokens of "account:user" that were given before this second are no longer good; all when he is
 * disabled or gone. */
waits int64_t identity_v1_since(struct arena *a, struct str user);
