/* An answer of several ranges whose server broke off in the middle: the rest of the very same bytes
 * is put together here from requests for single ranges. */
#pragma once
#include "proxy/backend/backend.h"

struct multirange {
	struct request *req;
	struct get get;                 /* the request; its headers have the Range */
	struct str etag;                /* of the object; another one will not do */
	struct str type;                /* the answer's Content-Type, with its boundary */
	uint64_t length, given;         /* bytes of the answer; so many were handed out */
};

/* The body that follows after `given` bytes: 0, or negative when no server has that object any more
 * or its parts would be framed differently. */
waits must_check int multirange_continue(const struct multirange *m, struct body **ret);
