/* One blocking request on a connection of its own: login, making containers, counting, cleaning. */
#pragma once
#include "lib/base/buf.h"
#include "tests/bench/load/load.h"

struct reply {
	int status;
	struct str head;         /* status line and headers, each line ended by CRLF */
	struct str body;         /* chunks joined */
	struct buf memory;       /* owns the two */
};

void reply_done(struct reply *r);
/* headers: lines ended by CRLF, or "". Dies when there is no HTTP answer. */
struct reply simple_request(struct load *l, const char *method, const char *path,
			    const char *headers);
/* The value of a header in status line and headers; absent when it is not there. */
struct str header_get(struct str head, struct str name);

/* v1 auth: fills in l->token and l->account. Dies when refused. */
void simple_login(struct load *l);
void container_make(struct load *l, const char *name);
/* Objects in a container, by listing it, so that no stale counter is trusted. */
long container_count(struct load *l, const char *name);
/* One page of names (plain text, limit 10,000) after the marker, of the account ("") or a
 * container; reply as it came. */
struct reply names_page(struct load *l, const char *container, const char *query,
			struct str marker);
