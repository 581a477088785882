/* Absolute URLs of services. */
#pragma once
#include "lib/base/base.h"

struct url {
	struct str host;                /* without brackets */
	unsigned port;
	bool tls;                       /* https */
	struct str path;                /* with the query, as written; empty: none */
};

/* http:// or https:// only, no user, no fragment; views of the text. 0 or -EINVAL. */
must_check int url_parse(struct str text, struct url *ret);
