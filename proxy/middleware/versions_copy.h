/* Copies between a container and the one with its old versions, and answers to what went wrong, for
 * both kinds of versioning. */
#pragma once
#include "proxy/middleware/middleware.h"

/* Who copies: the middleware, the client's request, and the tag of its sub-requests ("VW"). */
struct versions_copy {
	struct middleware *mw;
	struct request *req;
	struct str tag;
};

/* A sub-request that needs no permission, with reserved names where the container's is one. */
struct request *versions_request(const struct versions_copy *c, enum http_method m,
				 struct str container, struct str object, struct str query);
/* The object itself (of a link: the link), the newest there is. An object larger than one may be is
 * answered 413. */
waits void versions_get(const struct versions_copy *c, struct str container, struct str object,
			struct response *res);
/* PUTs what versions_get answered under another name. Closes its body. */
waits void versions_put(const struct versions_copy *c, struct str container, struct str object,
			struct response *got, struct response *res);
/* The time an answered object was written; none when the answer does not say. */
struct timestamp versions_time(const struct response *got);
/* 0 when the client may write to its container; else res is filled. */
waits must_check int versions_may_write(struct request *req, struct response *res);
/* An object's PUT becomes one without body. */
void versions_drop_body(struct request *req);
