/* Sub-requests that a middleware answers for: nobody is asked whether they are allowed. Swift:
 * make_pre_authed_request in common/wsgi.py */
#pragma once
#include "proxy/middleware/middleware.h"

#define ALLOW_RESERVED_NAMES S("X-Backend-Allow-Reserved-Names")

static inline void request_authorize(struct request *sub)
{
	struct proxy_request *p = proxy_request(sub);

	p->authorize = NULL;
	p->authorize_override = true;
	p->swift_owner = true;
}

/* Names with a NUL in front are old versions and their containers; only requests from inside have
 * them. */
static inline void request_allow_reserved(struct request *sub)
{
	headers_set(&sub->headers, ALLOW_RESERVED_NAMES, S("true"));
}
