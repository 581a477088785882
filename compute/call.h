/* One request to another service and its whole answer, for what is small. */
#pragma once
#include "lib/http/client.h"

struct call {
	struct str method, url;         /* url: absolute */
	const struct headers *headers;  /* may be NULL */
	struct str body;                /* absent or empty: none */
	size_t answer_max;              /* bytes of the answer's body; beyond: -EFBIG */
};
/* Sends it and reads the answer into the arena: its status; or negative: -EINVAL (url), -EAGAIN
 * (the name cannot be resolved), what exchanges have, -EFBIG. */
waits must_check int call_run(struct http_client *http, struct arena *a, const struct call *c,
			      struct response *ret_res, struct str *ret_body);

/* The same up to the answer's head, for bodies that stream; end the exchange when done. */
waits must_check int call_open(struct http_client *http, struct arena *a, const struct call *c,
			       struct response *ret_res, struct exchange **ret);

/* The connection for a URL; *ret_target is what to ask for. */
waits must_check int call_connect(struct http_client *http, struct arena *a, struct str url,
				  struct str *ret_target, struct exchange **ret);
