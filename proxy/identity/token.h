/* Tokens: self-contained, sealed with the cluster's keys, so that any proxy checks one without
 * asking anybody. What stands inside is "kind|expires|subject|…"; a token of another cluster or
 * another kind does not open. */
#pragma once
#include "lib/crypto/seal.h"
#include "proxy/proxy.h"

struct token_keys;
extern const struct conf_section token_section;         /* [identity] */

/* The keys from the configuration; without any, one is made of the hash path prefix and suffix.
 * They live as long as the process. */
const struct seal_keys *token_keys_get(struct proxy *p);
/* Likewise those of the blobs of /v3/credentials. */
const struct seal_keys *credential_keys_get(struct proxy *p);
/* After the configuration was read again: the same struct seal_keys, with other keys. */
void token_keys_reload(struct proxy *p);

struct token {
	int64_t expires;                /* unix seconds */
	struct str subject;             /* who: "account:user" */
	struct str rest;                /* the kind's own fields */
};
/* prefix + sealed text in the arena. */
struct str token_make(struct arena *a, const struct seal_keys *k, struct str prefix,
		      struct str kind, const struct token *t);
/* 0, -EBADMSG (not one of ours, or of another kind), or -ESTALE (expired more than late_s seconds
 * ago). */
must_check int token_open(struct arena *a, const struct seal_keys *k, struct str prefix,
			  struct str kind, struct str text, int64_t late_s, struct token *ret);
