/* What the files of the store client share. */
#pragma once
#include "compute/store/store.h"

struct store {
	struct http_client *http;
	struct login *login;
	bool own_login;
	bool features_known;
	struct store_features features;
};

/* The URL of an object, container or the account, with its query. 0, -EAGAIN, -EACCES. */
waits must_check int store_url(struct store *s, struct arena *a, struct str container,
			       struct str name, struct str query, struct str *ret);
/* A copy of h (may be NULL) with this token. */
void store_headers(struct arena *a, const struct headers *h, struct str token,
		   struct headers *ret);
