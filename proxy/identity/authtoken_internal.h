/* What the files of authtoken share: its settings, and the questions to the other Keystone. */
#pragma once
#include "proxy/identity/authtoken.h"

struct authtoken_conf {
	const char *auth_url, *www_authenticate_uri, *username, *password, *project_name;
	const char *user_domain_name, *project_domain_name, *cafile;
	uint64_t token_cache_time, http_connect_timeout, http_request_timeout;
	int64_t token_cache_size, http_request_max_retries, concurrency;
	struct conf_list service_token_roles;
	bool service_token_roles_required;
};
/* As it was read last, and as it was when this worker began, which holds. */
extern struct authtoken_conf authtoken_conf, authtoken_now;

/* ---- asking (authtoken_client.c) ---- */

must_check int authtoken_client_start(struct fault *why);
waits void authtoken_client_stop(void);
/* What the Keystone says of a token: 0 with its "token" object (new reference); -EACCES: it is not
 * good; -EHOSTDOWN: nobody could say. late: also of one that has expired. */
waits must_check int authtoken_ask(struct arena *a, struct str text, bool late, json_t **ret);
