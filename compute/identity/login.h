/* This daemon's own login: a token and the account's URL, renewed when it gets old or is refused.
 * By Keystone v3, or by v1 auth for a store that has only that. */
#pragma once
#include "compute/compute.h"

struct login;

enum login_kind { LOGIN_KEYSTONE, LOGIN_V1 };
struct login *login_new(struct http_client *http, enum login_kind kind);
void login_free(struct login *l);

/* The token, from an earlier login while it is good, copied to the arena. 0; -EACCES: refused;
 * -EAGAIN: nobody answers. After a failure no other attempt is made for a second. */
waits must_check int login_token(struct login *l, struct arena *a, struct str *ret);
/* The URL of the endpoint of that type ("object-store") in the region; v1 knows only the store's.
 * -ENOENT when the catalog has none. */
waits must_check int login_endpoint(struct login *l, struct arena *a, struct str type,
				    struct str *ret);
/* The token was refused (401): the next login_token logs in again. */
void login_refused(struct login *l, struct str token);
