/* Temporary URLs: what is signed, and how signatures are written. */
#include "lib/swift/tempurl.h"
#include "lib/base/clock.h"
#include "lib/base/encode.h"

#include <arpa/inet.h>

static const struct {
	enum digest_kind kind;
	struct str name;
} digests[] = {
	{ DIGEST_SHA1, STR_INIT("sha1") },
	{ DIGEST_SHA256, STR_INIT("sha256") },
	{ DIGEST_SHA512, STR_INIT("sha512") },
};

struct str tempurl_digest_name(enum digest_kind kind)
{
	for (size_t i = 0; i < ARRAY_LEN(digests); i++)
		if (digests[i].kind == kind)
			return digests[i].name;
	return STR_NONE;
}

static int parse_base64(struct str name, struct str text, struct tempurl_signature *ret)
{
	CLEANUP(buf_done) struct buf mac = BUF(DIGEST_MAX + 2);

	for (size_t i = 0; i < ARRAY_LEN(digests); i++)
		if (str_eq(digests[i].name, name)) {
			if (base64_decode(&mac, text) < 0 || buf_failed(&mac) ||
			    mac.n != digest_size(digests[i].kind))
				return -EINVAL;
			ret->digest = digests[i].kind;
			ret->size = mac.n;
			memcpy(ret->mac, mac.p, mac.n);
			return 0;
		}
	return -EINVAL;
}

int tempurl_signature_parse(struct str s, struct tempurl_signature *ret)
{
	ssize_t colon = str_chr(s, ':');

	if (colon >= 0)
		return parse_base64(str_head(s, (size_t)colon), str_skip(s, (size_t)colon + 1),
				    ret);
	for (size_t i = 0; i < ARRAY_LEN(digests); i++) {
		size_t size = digest_size(digests[i].kind);

		if (s.n != 2 * size)
			continue;
		for (size_t c = 0; c < s.n; c++)
			if (s.p[c] >= 'A' && s.p[c] <= 'F')
				return -EINVAL;
		ret->digest = digests[i].kind;
		ret->size = size;
		return hex_decode(s, ret->mac, size);
	}
	return -EINVAL;
}

struct str tempurl_message(struct arena *a, struct str ip_range, struct str method, int64_t expires,
			   struct str path)
{
	char number[24];
	int digits = snprintf(number, sizeof number, "%" PRId64, expires);
	const struct str parts[] = {
		ip_range.p ? S("ip=") : S(""), ip_range, ip_range.p ? S("\n") : S(""),
		method, S("\n"), str_of(number, (size_t)digits), S("\n"), path,
	};

	return arena_join(a, parts, ARRAY_LEN(parts));
}

bool tempurl_signature_matches(const struct tempurl_signature *s, struct str key,
			       struct str message)
{
	unsigned char mac[DIGEST_MAX];

	hmac_of(s->digest, key, message, mac);
	return str_eq_secret(str_of((const char *)mac, s->size),
			     str_of((const char *)s->mac, s->size));
}

int tempurl_expires_parse(struct str s, int64_t *ret)
{
	int64_t us;

	if (str_to_i64(s, ret) == 0)
		return 0;
	if (!str_ends(s, S("Z")) || str_chr(s, '.') >= 0 || clock_iso_parse(s, &us) < 0)
		return -EINVAL;
	*ret = us / 1000000;
	return 0;
}

static int address_parse(struct str s, unsigned char bytes[16])
{
	char text[64];

	if (s.n >= sizeof text)
		return -EINVAL;
	memcpy(text, s.p, s.n);
	text[s.n] = 0;
	if (inet_pton(AF_INET, text, bytes) == 1)
		return 4;
	return inet_pton(AF_INET6, text, bytes) == 1 ? 16 : -EINVAL;
}

bool tempurl_ip_in_range(struct str ip, struct str range)
{
	unsigned char have[16], net[16];
	struct str rest = range, base = str_cut(&rest, '/');
	int size = base.p ? address_parse(base, net) : -EINVAL;
	uint64_t bits = size > 0 ? (uint64_t)size * 8 : 0;

	if (size < 0 || address_parse(ip, have) != size)
		return false;
	if (rest.p && (str_to_u64(rest, &bits) < 0 || bits > (uint64_t)size * 8))
		return false;
	for (int i = 0; i < size; i++) {
		uint64_t left = bits > (uint64_t)i * 8 ? bits - (uint64_t)i * 8 : 0;
		unsigned mask = left >= 8 ? 0xff : 0xff & ~(0xffu >> left);

		if ((net[i] & ~mask) || ((have[i] ^ net[i]) & mask))
			return false;
	}
	return true;
}
