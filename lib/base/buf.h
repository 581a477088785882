/* A growable byte buffer with a limit. Invariants: p is never NULL and p[n] is always 0; n <= max.
 * Adding beyond the limit changes nothing and makes the buffer "failed", which stays until
 * buf_clear: build first, ask buf_failed once. CLEANUP(buf_done) struct buf b = BUF(limit); */
#pragma once
#include "lib/base/base.h"

struct buf {
	char *p;
	size_t n, cap, max;
	bool failed;
};

extern char buf_empty[1];
#define BUF(limit) ((struct buf){ .p = buf_empty, .max = (limit) })

void buf_done(struct buf *b);
/* Empties, keeps the memory, forgets a failure. */
void buf_clear(struct buf *b);
void buf_add(struct buf *b, const void *p, size_t n);
static inline void buf_add_str(struct buf *b, struct str s) { buf_add(b, s.p, s.n); }
#define buf_add_lit(b, literal) buf_add(b, "" literal, sizeof(literal) - 1)
void buf_add_char(struct buf *b, char c);
void buf_addf(struct buf *b, const char *fmt, ...) printf_like(2, 3);
void buf_addfv(struct buf *b, const char *fmt, va_list ap) printf_like(2, 0);
void buf_add_u64(struct buf *b, uint64_t v);
/* Room for n more bytes at p + n: the place to write to (then add to n), or NULL when that
 * passes the limit. */
char *buf_reserve(struct buf *b, size_t n);
/* Drops the first n bytes. */
void buf_consume(struct buf *b, size_t n);
static inline bool buf_failed(const struct buf *b) { return b->failed; }
static inline struct str buf_str(const struct buf *b) { return (struct str){ b->p, b->n }; }
/* The bytes as a C string that the caller frees; the buffer is empty afterwards. */
char *buf_take(struct buf *b);
