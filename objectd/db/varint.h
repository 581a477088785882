/* Numbers in rows and infos: little-endian groups of seven bits, the highest bit says that more
 * follows. Reading is bounded and never trusts the bytes. */
#pragma once
#include "lib/base/buf.h"

enum { VARINT_MAX = 10 };

static inline size_t varint_put(unsigned char *to, uint64_t v)
{
	size_t n = 0;

	while (v >= 0x80) {
		to[n++] = (unsigned char)(v | 0x80);
		v >>= 7;
	}
	to[n++] = (unsigned char)v;
	return n;
}

static inline void varint_add(struct buf *to, uint64_t v)
{
	unsigned char bytes[VARINT_MAX];

	buf_add(to, bytes, varint_put(bytes, v));
}

/* Signed numbers, small ones of either sign short. */
static inline void varint_add_signed(struct buf *to, int64_t v)
{
	varint_add(to, (uint64_t)v << 1 ^ (uint64_t)(v >> 63));
}

/* A length and the bytes. */
static inline void varint_add_str(struct buf *to, struct str s)
{
	varint_add(to, s.n);
	buf_add_str(to, s);
}

/* Takes a number off the front of *rest: 0 or -EBADMSG. */
static inline int varint_take(struct str *rest, uint64_t *ret)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < VARINT_MAX && i < rest->n; i++) {
		unsigned char c = (unsigned char)rest->p[i];

		if (i == VARINT_MAX - 1 && c > 1)
			return -EBADMSG;
		v |= (uint64_t)(c & 0x7f) << (7 * i);
		if (!(c & 0x80)) {
			*ret = v;
			rest->p += i + 1;
			rest->n -= i + 1;
			return 0;
		}
	}
	return -EBADMSG;
}

static inline int varint_take_signed(struct str *rest, int64_t *ret)
{
	uint64_t v;

	if (varint_take(rest, &v) < 0)
		return -EBADMSG;
	*ret = (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
	return 0;
}

/* A view of n bytes / of the bytes behind a length. */
static inline int varint_take_bytes(struct str *rest, uint64_t n, struct str *ret)
{
	if (n > rest->n)
		return -EBADMSG;
	*ret = str_of(rest->p, n);
	rest->p += n;
	rest->n -= n;
	return 0;
}

static inline int varint_take_str(struct str *rest, struct str *ret)
{
	uint64_t n;

	return varint_take(rest, &n) < 0 ? -EBADMSG : varint_take_bytes(rest, n, ret);
}
