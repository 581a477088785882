/* Sealed text: bytes that only this cluster can make and read (AES-256-GCM), as URL-safe base64.
 * Two keys may be active, so that one can be replaced without making old seals unreadable. The
 * nonce is made from the content (as SIV), so equal content gives an equal seal and no nonce is
 * ever used for two. */
#pragma once
#include "lib/base/buf.h"

enum { SEAL_KEY_SIZE = 32, SEAL_KEYS_MAX = 2 };

struct seal_keys {
	unsigned char key[SEAL_KEYS_MAX][SEAL_KEY_SIZE];
	unsigned n;                     /* the first one seals, all open */
};

/* Adds a key made from a secret text of any length (SHA-256 of a label and the secret). */
void seal_keys_add(struct seal_keys *k, struct str secret);
/* purpose separates uses: what was sealed for one cannot be opened for another. */
void seal_make(const struct seal_keys *k, struct str purpose, struct str content, struct buf *to);
/* 0, or -EBADMSG for anything that seal_make did not make with one of the keys. */
must_check int seal_open(const struct seal_keys *k, struct str purpose, struct str sealed,
			 struct buf *ret_content);
