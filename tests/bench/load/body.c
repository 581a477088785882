/* The bodies that are sent and expected, and their MD5. */
#include "tests/bench/load/load.h"

#include "lib/base/encode.h"
#include "lib/crypto/digest.h"

enum { BLOCK = MIB, VARIANT_STEP = 15013, SIZES = 16 };

static char block[BLOCK];
/* ETags by size, as they are asked for. */
static struct etags {
	uint64_t size;
	char hex[BODY_VARIANTS][MD5_HEX_SIZE];
} etags[SIZES];

void body_init(void)
{
	uint64_t x = 0x9E3779B97F4A7C15;

	for (size_t i = 0; i < BLOCK; i += sizeof(x)) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		memcpy(block + i, &x, sizeof(x));
	}
}

unsigned body_variant(long number, uint64_t size)
{
	return size >= BODY_BIG ? 0 : (unsigned long)number % BODY_VARIANTS;
}

struct str body_at(unsigned variant, uint64_t offset)
{
	size_t at = (variant * (uint64_t)VARIANT_STEP + offset) % BLOCK;

	return str_of(block + at, BLOCK - at);
}

bool body_matches(unsigned variant, uint64_t offset, struct str s)
{
	while (s.n > 0) {
		struct str want = str_head(body_at(variant, offset), s.n);

		if (memcmp(want.p, s.p, want.n) != 0)
			return false;
		offset += want.n;
		s = str_skip(s, want.n);
	}
	return true;
}

static void etag_compute(unsigned variant, uint64_t size, char hex[MD5_HEX_SIZE])
{
	AUTO(digest) d = digest_new(DIGEST_MD5);
	unsigned char md5[MD5_SIZE];

	for (uint64_t at = 0; at < size;) {
		struct str s = body_at(variant, at);

		s = str_head(s, MIN(s.n, size - at));
		digest_add(d, s.p, s.n);
		at += s.n;
	}
	digest_final(d, md5);
	hex_encode(md5, sizeof(md5), hex);
}

const char *body_etag(unsigned variant, uint64_t size)
{
	struct etags *e = etags;

	while (e->hex[0][0] && e->size != size)
		if (++e == etags + SIZES)
			die("too many sizes at once");
	if (!e->hex[0][0]) {
		e->size = size;
		etag_compute(0, size, e->hex[0]);
	}
	if (!e->hex[variant][0])
		etag_compute(variant, size, e->hex[variant]);
	return e->hex[variant];
}
