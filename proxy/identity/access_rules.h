/* Access rules of application credentials: which requests of which service they are good for. */
#pragma once
#include "proxy/identity/json_text.h"

enum { ACCESS_RULES_MAX = 64, ACCESS_PATH_MAX = 512 };

/* Whether a path is one that the pattern stands for: "*" and "{name}" are one part of a path, "**"
 * any number of them. keystonemiddleware: auth_token/_path_matches */
bool access_path_matches(struct str pattern, struct str path);
/* Whether one of the rules ([{service, method, path}…]) allows it. */
bool access_rules_allow(const json_t *rules, struct str service, struct str method,
			struct str path);
