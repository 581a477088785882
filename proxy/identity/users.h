/* The users of the configuration file, as Swift's tempauth has them: [tempauth]
 * user_<account>_<user> = key group group… [url]. */
#pragma once
#include "lib/base/map.h"
#include "lib/conf/conf.h"

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
/* Compares the key in constant time; also spends that time when there is no such user. NULL:
 * refused. */
const struct user *users_check(const struct users *u, struct str id, struct str key);
