/* Digests and HMAC by OpenSSL, CRC32C by isa-l. Nothing here waits; big inputs belong in the
 * blocking pool (task_run_blocking) so that the loop goes on. */
#pragma once
#include "lib/base/base.h"

enum digest_kind { DIGEST_MD5, DIGEST_SHA1, DIGEST_SHA256, DIGEST_SHA512 };
enum { MD5_SIZE = 16, SHA1_SIZE = 20, SHA256_SIZE = 32, SHA512_SIZE = 64, DIGEST_MAX = 64,
       MD5_HEX_SIZE = 33 };

size_t digest_size(enum digest_kind kind);

/* A digest over several pieces. */
struct digest;
struct digest *digest_new(enum digest_kind kind);
void digest_free(struct digest *d);
DEFINE_AUTO(digest, struct digest *, digest_free);
void digest_add(struct digest *d, const void *p, size_t n);
/* Writes digest_size() bytes; the digest can then only be freed or reset. */
void digest_final(struct digest *d, unsigned char *out);
void digest_reset(struct digest *d);

/* One piece. */
void digest_of(enum digest_kind kind, const void *p, size_t n, unsigned char *out);
/* Lower-case hex MD5 of one piece, with a NUL. */
void md5_hex(struct str s, char text[MD5_HEX_SIZE]);

/* HMAC; out has digest_size() bytes. */
void hmac_of(enum digest_kind kind, struct str key, struct str message, unsigned char *out);

/* CRC32C (Castagnoli) with initial value 0 of a whole piece, or going on from crc. */
uint32_t crc32c(uint32_t crc, const void *p, size_t n);

/* Random bytes for tokens and ids; aborts when the system has none. */
void random_bytes(void *p, size_t n);
