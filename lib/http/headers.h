/* Header fields in order, names compared without case. Name and value bytes belong to the arena
 * that the set was made with (headers_add copies; headers_add_ref does not). */
#pragma once
#include "lib/base/arena.h"

struct header {
	struct str name, value;
};

struct headers {
	struct arena *arena;
	struct header *v;
	unsigned n, cap;
};

void headers_init(struct headers *h, struct arena *arena);
/* The first value, or absent. */
struct str headers_get(const struct headers *h, struct str name);
#define headers_get_lit(h, literal) headers_get(h, S(literal))
bool headers_has(const struct headers *h, struct str name);
/* How often it stands there. */
unsigned headers_count(const struct headers *h, struct str name);
/* All values joined with ", " (RFC 9110 5.3), or absent. */
struct str headers_joined(const struct headers *h, struct str name);
/* Appends; name and value are copied. */
void headers_add(struct headers *h, struct str name, struct str value);
/* Appends views whose bytes outlive the set. */
void headers_add_ref(struct headers *h, struct str name, struct str value);
void headers_addf(struct headers *h, struct str name, const char *fmt, ...) printf_like(3, 4);
/* Removes all of that name, then appends. */
void headers_set(struct headers *h, struct str name, struct str value);
void headers_setf(struct headers *h, struct str name, const char *fmt, ...) printf_like(3, 4);
/* Removes all of that name: how many there were. */
unsigned headers_remove(struct headers *h, struct str name);
/* Removes all whose name begins with the prefix. */
unsigned headers_remove_prefix(struct headers *h, struct str prefix);
/* Appends copies of all of from. */
void headers_copy(struct headers *to, const struct headers *from);
/* Whether a comma-separated list header contains the token (Connection: close). */
bool headers_has_token(const struct headers *h, struct str name, struct str token);

/* "x-object-meta-colour" to "X-Object-Meta-Colour" (Python's str.title on each part), copied. */
struct str header_title(struct arena *a, struct str name);
/* Whether name is a token (RFC 9110 5.6.2) / value holds no CR, LF or NUL. */
bool header_name_valid(struct str name);
bool header_value_valid(struct str value);
