/* Unsealing tokens, which a client sends again with each of its requests. */
#pragma once
#include "lib/base/arena.h"
#include "lib/crypto/seal.h"

enum { TOKEN_MAX = 4 * KIB };           /* bytes of one */

/* As seal_open, with the content in the arena; remembers what it has unsealed lately. */
must_check int token_unseal(struct arena *a, const struct seal_keys *k, struct str kind,
			    struct str sealed, struct str *ret_content);
