/* Sets of header fields: an array in the arena, searched from the front. */
#include "lib/http/internal.h"

enum { FIRST_CAP = 16 };

void headers_init(struct headers *h, struct arena *arena)
{
	*h = (struct headers){ .arena = arena };
}

static bool named(const struct header *h, struct str name)
{
	return h->name.n == name.n && str_ieq(h->name, name);
}

struct str headers_get(const struct headers *h, struct str name)
{
	for (unsigned i = 0; i < h->n; i++)
		if (named(&h->v[i], name))
			return h->v[i].value;
	return STR_NONE;
}

bool headers_has(const struct headers *h, struct str name)
{
	return headers_get(h, name).p != NULL;
}

unsigned headers_count(const struct headers *h, struct str name)
{
	unsigned count = 0;

	for (unsigned i = 0; i < h->n; i++)
		count += named(&h->v[i], name);
	return count;
}

struct str headers_joined(const struct headers *h, struct str name)
{
	struct str joined = STR_NONE;

	for (unsigned i = 0; i < h->n; i++) {
		if (!named(&h->v[i], name))
			continue;
		joined = joined.p ? arena_printf(h->arena, "%.*s, %.*s", STR(joined),
						 STR(h->v[i].value))
				  : h->v[i].value;
	}
	return joined;
}

void headers_add_ref(struct headers *h, struct str name, struct str value)
{
	assert(h->arena);
	if (h->n == h->cap) {
		unsigned cap = h->cap ? 2 * h->cap : FIRST_CAP;
		struct header *v = arena_alloc(h->arena, cap * sizeof *v);

		if (h->n)
			memcpy(v, h->v, h->n * sizeof *v);
		h->v = v;
		h->cap = cap;
	}
	/* An absent value would look like a missing header. */
	h->v[h->n++] = (struct header){ name, value.p ? value : S("") };
}

void headers_add(struct headers *h, struct str name, struct str value)
{
	headers_add_ref(h, arena_str(h->arena, name), arena_str(h->arena, value));
}

void headers_addf(struct headers *h, struct str name, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	headers_add_ref(h, arena_str(h->arena, name), arena_vprintf(h->arena, fmt, ap));
	va_end(ap);
}

void headers_set(struct headers *h, struct str name, struct str value)
{
	/* The value may be a view of what is removed: its bytes stay in the arena. */
	headers_remove(h, name);
	headers_add(h, name, value);
}

void headers_setf(struct headers *h, struct str name, const char *fmt, ...)
{
	va_list ap;

	headers_remove(h, name);
	va_start(ap, fmt);
	headers_add_ref(h, arena_str(h->arena, name), arena_vprintf(h->arena, fmt, ap));
	va_end(ap);
}

static unsigned remove_where(struct headers *h,
			     bool (*match)(const struct header *h, struct str key), struct str key)
{
	unsigned kept = 0, n = h->n;

	for (unsigned i = 0; i < n; i++)
		if (!match(&h->v[i], key))
			h->v[kept++] = h->v[i];
	h->n = kept;
	return n - kept;
}

unsigned headers_remove(struct headers *h, struct str name)
{
	return remove_where(h, named, name);
}

static bool begins(const struct header *h, struct str prefix)
{
	return str_istarts(h->name, prefix);
}

unsigned headers_remove_prefix(struct headers *h, struct str prefix)
{
	return remove_where(h, begins, prefix);
}

void headers_copy(struct headers *to, const struct headers *from)
{
	for (unsigned i = 0; i < from->n; i++)
		headers_add(to, from->v[i].name, from->v[i].value);
}

bool headers_has_token(const struct headers *h, struct str name, struct str token)
{
	for (unsigned i = 0; i < h->n; i++) {
		if (!named(&h->v[i], name))
			continue;
		struct str rest = h->v[i].value, part;

		while ((part = str_cut(&rest, ',')).p)
			if (str_ieq(str_trim(part), token))
				return true;
	}
	return false;
}

static bool is_alpha(char c)
{
	return (unsigned char)((c | 32) - 'a') < 26;
}

struct str header_title(struct arena *a, struct str name)
{
	struct str copy = arena_str(a, name);
	char *p = (char *)copy.p;
	bool inside = false;            /* of a run of letters, as Python's str.title sees it */

	for (size_t i = 0; i < copy.n; i++) {
		if (is_alpha(p[i]))
			p[i] = inside ? (char)(p[i] | 32) : (char)(p[i] & ~32);
		inside = is_alpha(p[i]);
	}
	return copy;
}

static const bool token_char[256] = {
	['!'] = 1, ['#'] = 1, ['$'] = 1, ['%'] = 1, ['&'] = 1, ['\''] = 1, ['*'] = 1, ['+'] = 1,
	['-'] = 1, ['.'] = 1, ['^'] = 1, ['_'] = 1, ['`'] = 1, ['|'] = 1, ['~'] = 1,
	['0' ... '9'] = 1, ['A' ... 'Z'] = 1, ['a' ... 'z'] = 1,
};

bool header_name_valid(struct str name)
{
	for (size_t i = 0; i < name.n; i++)
		if (!token_char[(unsigned char)name.p[i]])
			return false;
	return name.n > 0;
}

bool field_name_ok(struct str name)
{
	for (size_t i = 0; i < name.n; i++)
		if (!token_char[(unsigned char)name.p[i]] && (unsigned char)name.p[i] < 128)
			return false;
	return name.n > 0;
}

bool header_value_valid(struct str value)
{
	for (size_t i = 0; i < value.n; i++)
		if (value.p[i] == '\r' || value.p[i] == '\n' || value.p[i] == 0)
			return false;
	return true;
}
