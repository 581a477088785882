/* Signatures of temporary URLs and of upload forms: HMAC over a few lines of text
 * (common/middleware/tempurl.py, common/digest.py). */
#pragma once
#include "lib/base/arena.h"
#include "lib/crypto/digest.h"

/* A signature as it stands in a URL: lower-case hex of sha1, sha256 or sha512, told by its length,
 * or "sha1:base64", "sha256:…", "sha512:…" (standard or URL-safe, padding optional). */
struct tempurl_signature {
	enum digest_kind digest;
	unsigned char mac[DIGEST_MAX];
	size_t size;
};
/* 0 or -EINVAL. */
int tempurl_signature_parse(struct str s, struct tempurl_signature *ret);
/* "sha1", "sha256", "sha512". */
struct str tempurl_digest_name(enum digest_kind kind);

/* The text that is signed: "[ip=<range>\n]METHOD\nexpires\npath". */
struct str tempurl_message(struct arena *a, struct str ip_range, struct str method, int64_t expires,
			   struct str path);
/* Compares in constant time. */
bool tempurl_signature_matches(const struct tempurl_signature *s, struct str key,
			       struct str message);

/* Unix seconds or "YYYY-MM-DDTHH:MM:SSZ": 0 or -EINVAL. */
int tempurl_expires_parse(struct str s, int64_t *ret);
/* Whether the address lies in the range ("10.0.0.1", "10.0.0.0/8", IPv6 alike; host bits must be
 * zero as Python's ip_network demands). */
bool tempurl_ip_in_range(struct str ip, struct str range);
