/* How often the keys of temporary URLs and upload forms were used, by account, for /metrics. One
 * table for all workers, bounded: accounts beyond KEY_USES_ACCOUNTS are counted together. Keys
 * themselves are not kept. */
#pragma once
#include "lib/base/buf.h"

enum { KEY_USES_ACCOUNTS = 1000 };

enum key_use { KEY_USE_TEMPURL, KEY_USE_FORMPOST, KEY_USES };
enum key_scope { KEY_SCOPE_ACCOUNT, KEY_SCOPE_CONTAINER, KEY_SCOPES };
enum { KEY_NUMBERS = 2 };               /* Temp-URL-Key is 1, Temp-URL-Key-2 is 2 */

/* A key that has signed something. */
struct key_used {
	enum key_scope scope;
	unsigned number;                /* 1 or 2 */
};

/* Once, before the workers are forked. Aborts when there is no memory. */
void key_uses_share(void);
/* Counts one request that was signed with the key and answered with the status. account: empty to
 * count it without its account. Nothing before key_uses_share. */
void key_uses_count(enum key_use use, struct str account, struct key_used key, int status);
/* The series that are not 0, in Prometheus' text format. */
void key_uses_format(struct buf *to);
