/* JSON texts: depth first, then jansson. */
#include "lib/json/json_text.h"

enum { DEPTH_MAX = 24 };

static bool too_deep(struct str text)
{
	unsigned depth = 0;
	bool quoted = false;

	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (quoted) {
			if (c == '\\')
				i++;
			else if (c == '"')
				quoted = false;
		} else if (c == '"') {
			quoted = true;
		} else if (c == '{' || c == '[') {
			if (++depth > DEPTH_MAX)
				return true;
		} else if ((c == '}' || c == ']') && depth > 0) {
			depth--;
		}
	}
	return false;
}

json_t *json_text_parse(struct str text)
{
	return text.n && !too_deep(text) ? json_loadb(text.p, text.n, 0, NULL) : NULL;
}

struct str json_text_of(struct arena *a, const json_t *doc)
{
	char *text = json_dumps(doc, JSON_COMPACT);
	struct str copy = arena_str(a, str_from(text ? text : "{}"));

	free(text);
	return copy;
}

json_t *json_of(struct str s)
{
	json_t *v = s.p ? json_stringn(s.p, s.n) : NULL;

	return v ? v : json_null();
}
