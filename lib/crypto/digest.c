/* Digests, HMAC and random bytes by OpenSSL; CRC32C by isa-l. */
#include "lib/crypto/digest.h"
#include "lib/base/encode.h"

#include <isa-l/crc.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

enum { HMAC_BLOCK_MAX = 128 };           /* bytes that SHA-512 works on at once */

struct digest {
	EVP_MD_CTX *ctx;
	const EVP_MD *md;
};

/* Fetched once: EVP_md5() would look the implementation up at each use (OpenSSL 3). */
static const EVP_MD *md_of(enum digest_kind kind)
{
	static const char *const names[] = { "MD5", "SHA1", "SHA256", "SHA512" };
	static EVP_MD *fetched[ARRAY_LEN(names)];
	EVP_MD *md = __atomic_load_n(&fetched[kind], __ATOMIC_ACQUIRE);

	assert((size_t)kind < ARRAY_LEN(names));
	if (!md) {
		md = EVP_MD_fetch(NULL, names[kind], NULL);
		assert(md);
		__atomic_store_n(&fetched[kind], md, __ATOMIC_RELEASE);
	}
	return md;
}

size_t digest_size(enum digest_kind kind)
{
	static const size_t sizes[] = { MD5_SIZE, SHA1_SIZE, SHA256_SIZE, SHA512_SIZE };

	assert((size_t)kind < ARRAY_LEN(sizes));
	return sizes[kind];
}

struct digest *digest_new(enum digest_kind kind)
{
	struct digest *d = xcalloc(1, sizeof *d);

	d->ctx = EVP_MD_CTX_new();
	d->md = md_of(kind);
	assert(d->ctx);
	digest_reset(d);
	return d;
}

void digest_free(struct digest *d)
{
	if (!d)
		return;
	EVP_MD_CTX_free(d->ctx);
	free(d);
}

void digest_reset(struct digest *d)
{
	if (EVP_DigestInit_ex(d->ctx, d->md, NULL) != 1)
		unreachable("a digest that was fetched can be started");
}

void digest_add(struct digest *d, const void *p, size_t n)
{
	if (EVP_DigestUpdate(d->ctx, p, n) != 1)
		unreachable("a started digest takes bytes");
}

void digest_final(struct digest *d, unsigned char *out)
{
	if (EVP_DigestFinal_ex(d->ctx, out, NULL) != 1)
		unreachable("a started digest ends");
}

void digest_of(enum digest_kind kind, const void *p, size_t n, unsigned char *out)
{
	if (EVP_Digest(p, n, out, NULL, md_of(kind), NULL) != 1)
		unreachable("a digest of one piece");
}

void md5_hex(struct str s, char text[MD5_HEX_SIZE])
{
	unsigned char md5[MD5_SIZE];

	digest_of(DIGEST_MD5, s.n ? s.p : "", s.n, md5);
	hex_encode(md5, sizeof md5, text);
}

/* One of the two digests that an HMAC is made of: of the key's block, each byte turned by flip, and
 * of what follows. */
static void hmac_half(EVP_MD_CTX *ctx, const EVP_MD *md, const unsigned char *block, size_t size,
		      unsigned char flip, struct str rest, unsigned char *out)
{
	unsigned char turned[HMAC_BLOCK_MAX];

	for (size_t i = 0; i < size; i++)
		turned[i] = block[i] ^ flip;
	if (EVP_DigestInit_ex(ctx, md, NULL) != 1 || EVP_DigestUpdate(ctx, turned, size) != 1 ||
	    EVP_DigestUpdate(ctx, rest.n ? rest.p : "", rest.n) != 1 ||
	    EVP_DigestFinal_ex(ctx, out, NULL) != 1)
		unreachable("a digest of two pieces");
	OPENSSL_cleanse(turned, sizeof turned);
}

/* RFC 2104 with fetched digests: OpenSSL 3's HMAC() looks its implementation up at each call, which
 * takes four times as long as the digests of a short message. */
void hmac_of(enum digest_kind kind, struct str key, struct str message, unsigned char *out)
{
	const EVP_MD *md = md_of(kind);
	size_t size = kind == DIGEST_SHA512 ? 128 : 64;
	unsigned char block[HMAC_BLOCK_MAX] = { 0 }, inner[DIGEST_MAX];
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	assert(ctx);
	if (key.n > size)
		digest_of(kind, key.p, key.n, block);
	else if (key.n)
		memcpy(block, key.p, key.n);
	hmac_half(ctx, md, block, size, 0x36, message, inner);
	hmac_half(ctx, md, block, size, 0x5c,
		  str_of((const char *)inner, digest_size(kind)), out);
	EVP_MD_CTX_free(ctx);
	OPENSSL_cleanse(block, sizeof block);
}

/* isa-l's crc32_iscsi leaves the inversions to the caller. */
uint32_t crc32c(uint32_t crc, const void *p, size_t n)
{
	const unsigned char *at = p;

	crc = ~crc;
	while (n > 0) {
		size_t part = MIN(n, (size_t)1 << 30);

		crc = crc32_iscsi((unsigned char *)at, (int)part, crc);
		at += part;
		n -= part;
	}
	return ~crc;
}

void random_bytes(void *p, size_t n)
{
	if (RAND_bytes(p, (int)n) != 1)
		unreachable("the system has random bytes");
}
