/* A view of bytes that somebody else owns: passed by value, never NUL-terminated by promise,
 * printed with "%.*s", STR(x). A str with p == NULL is "absent", one with n == 0 and p set is
 * "empty". */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

struct str {
	const char *p;
	size_t n;
};

#define STR(s) (int)(s).n, (s).p
#define S(literal) ((struct str){ "" literal, sizeof(literal) - 1 })
#define STR_INIT(literal) { "" literal, sizeof(literal) - 1 }
#define STR_NONE ((struct str){ NULL, 0 })

static inline struct str str_of(const char *p, size_t n) { return (struct str){ p, n }; }
/* The view of a C string; absent for NULL. */
static inline struct str str_from(const char *c) { return (struct str){ c, c ? strlen(c) : 0 }; }
static inline bool str_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}
/* Equal, ignoring the case of ASCII letters. */
bool str_ieq(struct str a, struct str b);
/* Byte order: <0, 0, >0; a prefix sorts before what it begins. */
int str_cmp(struct str a, struct str b);
bool str_starts(struct str s, struct str prefix);
bool str_istarts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
/* Position of a byte or string, or -1. */
ssize_t str_chr(struct str s, char c);
ssize_t str_rchr(struct str s, char c);
ssize_t str_find(struct str s, struct str needle);
/* s without its first n bytes / only its first n bytes; n beyond the end is the end. */
struct str str_skip(struct str s, size_t n);
struct str str_head(struct str s, size_t n);
/* Without spaces and tabs (and CR, LF) at both ends. */
struct str str_trim(struct str s);
/* Cuts the part before the first c out of *rest (which moves behind it): the part, or absent
 * when *rest is absent. The last part makes *rest absent. Loops: while ((part = str_cut(&rest,
 * ',')).p) */
struct str str_cut(struct str *rest, char c);

/* Whole-string decimal numbers without sign (u64) or with an optional '-' (i64); surrounding blanks
 * are not accepted. 0, -EINVAL (empty or not a number) or -ERANGE. */
int str_to_u64(struct str s, uint64_t *ret);
int str_to_i64(struct str s, int64_t *ret);
int str_to_double(struct str s, double *ret);
/* Swift's config_true_value: true 1 yes on t y, any case. */
bool str_is_true(struct str s);
/* Valid UTF-8 (no surrogates, no overlong forms). */
bool str_is_utf8(struct str s);
/* A new C string (free with free()). */
char *str_dup(struct str s);
/* Edit distance bounded at 255, for "did you mean". */
unsigned str_distance(struct str a, struct str b);
/* Equal in constant time for equal lengths (secrets, signatures). */
bool str_eq_secret(struct str a, struct str b);
