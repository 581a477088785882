/* Sealed text by AES-256-GCM with a nonce derived from the content. */
#include "lib/crypto/seal.h"
#include "lib/base/encode.h"
#include "lib/crypto/digest.h"

#include <openssl/evp.h>

enum { NONCE = 12, TAG = 16, VERSION = 1, SEALED_MAX = 16 * KIB };

/* Fetched once: EVP_aes_256_gcm() would look the implementation up at each use (OpenSSL 3). */
static const EVP_CIPHER *cipher(void)
{
	static EVP_CIPHER *fetched;
	EVP_CIPHER *known = __atomic_load_n(&fetched, __ATOMIC_ACQUIRE);

	if (!known) {
		known = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
		assert(known);
		__atomic_store_n(&fetched, known, __ATOMIC_RELEASE);
	}
	return known;
}

void seal_keys_add(struct seal_keys *k, struct str secret)
{
	assert(k->n < SEAL_KEYS_MAX);
	hmac_of(DIGEST_SHA256, S("needletail seal key"), secret, k->key[k->n++]);
}

static void nonce_of(const unsigned char *key, struct str purpose, struct str content,
		     unsigned char nonce[NONCE])
{
	CLEANUP(buf_done) struct buf b = BUF(purpose.n + content.n + 16);
	unsigned char mac[SHA256_SIZE];

	buf_add_str(&b, purpose);
	buf_add_char(&b, 0);
	buf_add_str(&b, content);
	hmac_of(DIGEST_SHA256, str_of((const char *)key, SEAL_KEY_SIZE), buf_str(&b), mac);
	memcpy(nonce, mac, NONCE);
}

void seal_make(const struct seal_keys *k, struct str purpose, struct str content, struct buf *to)
{
	CLEANUP(buf_done) struct buf raw = BUF(SEALED_MAX);
	unsigned char nonce[NONCE];
	int n;

	assert(k->n > 0 && content.n <= SEALED_MAX - 64);
	nonce_of(k->key[0], purpose, content, nonce);
	buf_add_char(&raw, VERSION);
	buf_add(&raw, nonce, NONCE);
	unsigned char *out = (unsigned char *)buf_reserve(&raw, content.n + TAG);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

	assert(out && ctx);
	if (EVP_EncryptInit_ex(ctx, cipher(), NULL, k->key[0], nonce) != 1 ||
	    EVP_EncryptUpdate(ctx, NULL, &n, (const unsigned char *)purpose.p, (int)purpose.n) !=
		    1 ||
	    EVP_EncryptUpdate(ctx, out, &n, (const unsigned char *)content.p, (int)content.n) !=
		    1 ||
	    EVP_EncryptFinal_ex(ctx, out + n, &n) != 1 ||
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG, out + content.n) != 1)
		unreachable("AES-GCM of bounded content");
	EVP_CIPHER_CTX_free(ctx);
	raw.n += content.n + TAG;
	size_t before = to->n;
	base64_encode(to, raw.p, raw.n);
	for (size_t i = before; i < to->n; i++)
		to->p[i] = to->p[i] == '+' ? '-' : to->p[i] == '/' ? '_' : to->p[i];
	while (to->n > before && to->p[to->n - 1] == '=')
		to->p[--to->n] = 0;
}

static int open_with(const unsigned char *key, struct str purpose, struct str raw, struct buf *ret)
{
	const unsigned char *nonce = (const unsigned char *)raw.p + 1, *body = nonce + NONCE;
	int len = (int)(raw.n - 1 - NONCE - TAG), n = 0;

	buf_clear(ret);
	unsigned char *out = (unsigned char *)buf_reserve(ret, (size_t)len);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

	assert(ctx);
	bool good =
		out && EVP_DecryptInit_ex(ctx, cipher(), NULL, key, nonce) == 1 &&
		EVP_DecryptUpdate(ctx, NULL, &n, (const unsigned char *)purpose.p,
				  (int)purpose.n) == 1 &&
		EVP_DecryptUpdate(ctx, out, &n, body, len) == 1 &&
		EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG, (void *)(body + len)) == 1 &&
		EVP_DecryptFinal_ex(ctx, out + n, &n) == 1;
	EVP_CIPHER_CTX_free(ctx);
	if (!good)
		return -EBADMSG;
	ret->n += (size_t)len;
	ret->p[ret->n] = 0;
	return 0;
}

/* Whether the text is what seal_make writes for these bytes, and not another way to write them: one
 * seal has one text. */
static bool is_as_made(struct str sealed, struct str raw)
{
	CLEANUP(buf_done) struct buf b = BUF(16);
	size_t tail = raw.n % 3;

	if (str_chr(sealed, '+') >= 0 || str_chr(sealed, '/') >= 0 || str_ends(sealed, S("=")))
		return false;
	if (tail == 0)
		return true;
	base64_encode(&b, raw.p + raw.n - tail, tail);
	for (size_t i = 0; i < b.n; i++)
		b.p[i] = b.p[i] == '+' ? '-' : b.p[i] == '/' ? '_' : b.p[i];
	return str_ends(sealed, str_head(buf_str(&b), tail + 1));
}

int seal_open(const struct seal_keys *k, struct str purpose, struct str sealed,
	      struct buf *ret_content)
{
	CLEANUP(buf_done) struct buf raw = BUF(SEALED_MAX);

	if (sealed.n > SEALED_MAX || base64_decode(&raw, sealed) < 0 || buf_failed(&raw) ||
	    raw.n < 1 + NONCE + TAG || raw.p[0] != VERSION || !is_as_made(sealed, buf_str(&raw)))
		return -EBADMSG;
	for (unsigned i = 0; i < k->n; i++)
		if (open_with(k->key[i], purpose, buf_str(&raw), ret_content) == 0)
			return 0;
	buf_clear(ret_content);
	return -EBADMSG;
}
