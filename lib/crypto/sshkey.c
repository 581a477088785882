/* SSH key pairs: the texts of OpenSSH (RFC 4253 6.6, PROTOCOL.key), keys by OpenSSL. */
#include "lib/crypto/sshkey.h"
#include "lib/base/encode.h"
#include "lib/crypto/digest.h"

#include <openssl/evp.h>

enum { ED25519_SIZE = 32, RSA_BITS_MIN = 1024, RSA_BITS_MAX = 16384 };

/* One string of the wire form: a length of four bytes, and the bytes. */
static int cut(struct str *rest, struct str *ret)
{
	const unsigned char *p = (const unsigned char *)rest->p;

	if (rest->n < 4)
		return -EINVAL;
	size_t n = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];

	if (n > rest->n - 4)
		return -EINVAL;
	*ret = str_of(rest->p + 4, n);
	*rest = str_skip(*rest, n + 4);
	return 0;
}

struct kind {
	const char *name;
	unsigned parts;                 /* strings behind the name */
	int (*check)(const struct str *parts);
};

static int check_rsa(const struct str *parts)
{
	struct str n = parts[1];

	while (n.n && n.p[0] == 0)
		n = str_skip(n, 1);
	return parts[0].n && n.n * 8 >= RSA_BITS_MIN && n.n * 8 <= RSA_BITS_MAX ? 0 : -EINVAL;
}

static int check_ed25519(const struct str *parts)
{
	return parts[0].n == ED25519_SIZE ? 0 : -EINVAL;
}

static int check_any(const struct str *parts)
{
	return parts[0].n && parts[1].n ? 0 : -EINVAL;
}

static const struct kind kinds[] = {
	{ "ssh-rsa", 2, check_rsa },
	{ "ssh-ed25519", 1, check_ed25519 },
	{ "ecdsa-sha2-nistp256", 2, check_any },
	{ "ecdsa-sha2-nistp384", 2, check_any },
	{ "ecdsa-sha2-nistp521", 2, check_any },
	{ "ssh-dss", 4, check_any },
	{ "sk-ssh-ed25519@openssh.com", 2, check_any },
	{ "sk-ecdsa-sha2-nistp256@openssh.com", 3, check_any },
};

static int check_blob(struct str blob, struct str type)
{
	const struct kind *k = NULL;
	struct str name, parts[4] = { { 0 } };

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (str_eq(type, str_from(kinds[i].name)))
			k = &kinds[i];
	if (!k || cut(&blob, &name) < 0 || !str_eq(name, type))
		return -EINVAL;
	for (unsigned i = 0; i < k->parts; i++)
		if (cut(&blob, &parts[i]) < 0)
			return -EINVAL;
	return blob.n == 0 ? k->check(parts) : -EINVAL;
}

int sshkey_check(struct str text, char ret_fingerprint[SSHKEY_FINGERPRINT_SIZE])
{
	CLEANUP(buf_done) struct buf blob = BUF(SSHKEY_TEXT_MAX);
	struct str rest = str_trim(text), type, data;
	unsigned char md5[MD5_SIZE];

	if (rest.n > SSHKEY_TEXT_MAX || str_chr(rest, '\n') >= 0)
		return -EINVAL;
	type = str_cut(&rest, ' ');
	rest = rest.p ? str_trim(rest) : rest;
	data = rest.p ? str_cut(&rest, ' ') : STR_NONE;
	if (!data.n || base64_decode(&blob, data) < 0 || buf_failed(&blob) ||
	    check_blob(buf_str(&blob), type) < 0)
		return -EINVAL;
	digest_of(DIGEST_MD5, blob.p, blob.n, md5);
	for (size_t i = 0; i < MD5_SIZE; i++)
		snprintf(ret_fingerprint + 3 * i, SSHKEY_FINGERPRINT_SIZE - 3 * i, "%02x%s",
			 md5[i], i + 1 < MD5_SIZE ? ":" : "");
	return 0;
}

/* ---- making ---- */

static void add_u32(struct buf *b, size_t n)
{
	const unsigned char v[4] = { (unsigned char)(n >> 24), (unsigned char)(n >> 16),
				     (unsigned char)(n >> 8), (unsigned char)n };

	buf_add(b, v, sizeof v);
}

static void add_string(struct buf *b, struct str s)
{
	add_u32(b, s.n);
	buf_add_str(b, s);
}

/* "openssh-key-v1": no cipher, one key, the private part padded to blocks of eight. */
static void add_private(struct buf *to, struct str public_blob, struct str public, struct str seed,
			struct str comment)
{
	CLEANUP(buf_done) struct buf part = BUF(SSHKEY_TEXT_MAX), both = BUF(SSHKEY_TEXT_MAX);
	uint32_t check;

	random_bytes(&check, sizeof check);
	buf_add(&part, &check, sizeof check);
	buf_add(&part, &check, sizeof check);
	add_string(&part, S("ssh-ed25519"));
	add_string(&part, public);
	buf_add_str(&both, seed);
	buf_add_str(&both, public);
	add_string(&part, buf_str(&both));
	add_string(&part, comment);
	for (char pad = 1; part.n % 8; pad++)
		buf_add_char(&part, pad);
	buf_add(to, "openssh-key-v1", sizeof "openssh-key-v1");
	add_string(to, S("none"));
	add_string(to, S("none"));
	add_string(to, S(""));
	add_u32(to, 1);
	add_string(to, public_blob);
	add_string(to, buf_str(&part));
	explicit_bzero(part.p, part.n);
	explicit_bzero(both.p, both.n);
}

static void make_raw(unsigned char seed[ED25519_SIZE], unsigned char public[ED25519_SIZE])
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	size_t n = ED25519_SIZE, m = ED25519_SIZE;

	assert(key && EVP_PKEY_get_raw_private_key(key, seed, &n) == 1 &&
	       EVP_PKEY_get_raw_public_key(key, public, &m) == 1);
	assert(n == ED25519_SIZE && m == ED25519_SIZE);
	EVP_PKEY_free(key);
}

void sshkey_make(struct arena *a, struct str comment, struct str *ret_private,
		 struct str *ret_public)
{
	enum { LINE = 70 };
	unsigned char seed[ED25519_SIZE], public[ED25519_SIZE];
	CLEANUP(buf_done) struct buf blob = BUF(SSHKEY_TEXT_MAX), raw = BUF(SSHKEY_TEXT_MAX);
	CLEANUP(buf_done) struct buf text = BUF(SSHKEY_TEXT_MAX), pem = BUF(SSHKEY_TEXT_MAX);
	struct str key = str_of((const char *)public, sizeof public);

	make_raw(seed, public);
	add_string(&blob, S("ssh-ed25519"));
	add_string(&blob, key);
	add_private(&raw, buf_str(&blob), key, str_of((const char *)seed, sizeof seed), comment);
	base64_encode(&text, raw.p, raw.n);
	buf_add_lit(&pem, "-----BEGIN OPENSSH PRIVATE KEY-----\n");
	for (struct str rest = buf_str(&text); rest.n; rest = str_skip(rest, LINE))
		buf_addf(&pem, "%.*s\n", STR(str_head(rest, LINE)));
	buf_add_lit(&pem, "-----END OPENSSH PRIVATE KEY-----\n");
	assert(!buf_failed(&pem) && !buf_failed(&raw));
	*ret_private = arena_str(a, buf_str(&pem));
	buf_clear(&text);
	base64_encode(&text, blob.p, blob.n);
	*ret_public = arena_printf(a, "ssh-ed25519 %s %.*s", text.p, STR(comment));
	explicit_bzero(seed, sizeof seed);
	explicit_bzero(raw.p, raw.n);
	explicit_bzero(pem.p, pem.n);
}
