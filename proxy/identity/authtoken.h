/* Tokens of another Keystone: the proxy asks it what a token is good for, as keystonemiddleware's
 * auth_token does, and remembers the answer for a short while. Off unless [authtoken] auth_url is
 * set; then this proxy is no Keystone itself. docs/swift/identity.md */
#pragma once
#include "proxy/identity/identity.h"

extern const struct conf_section authtoken_section;     /* [authtoken] */

/* Whether the configuration names one; and whether this worker began with that, which a reload does
 * not change. */
bool authtoken_configured(void);
bool authtoken_enabled(void);
/* With the configuration, once per worker. */
must_check int authtoken_start(struct fault *why);
/* When no request is under way any more. */
waits void authtoken_stop(void);
/* Asks about the request's tokens and sets up who is asking: false when 401 or 503 was answered. */
waits bool authtoken_identify(struct request *req, struct response *res, struct str token);
