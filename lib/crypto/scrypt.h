/* Passwords as they are stored: hashed with scrypt (RFC 7914) and a salt of their own. Each call
 * takes some 50 ms of a processor and 16 MiB: it belongs in the blocking pool. */
#pragma once
#include "lib/base/str.h"

enum { SCRYPT_TEXT_SIZE = 160 };

/* "scrypt$N$r$p$salt$hash" and a NUL. */
void scrypt_make(struct str password, char text[SCRYPT_TEXT_SIZE]);
/* Whether the text was made of this password; compared in constant time. For a text that is not
 * such a hash the same time is spent, and the answer is no. */
bool scrypt_check(struct str password, struct str text);
