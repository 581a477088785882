/* JSON that comes from outside and goes out again: jansson recurses, and a task's stack is small,
 * so a text is looked at before it is parsed. */
#pragma once
#include "lib/base/arena.h"

#include <jansson.h>

/* The text as JSON, or NULL: not JSON, or nested deeper than 24. Free with json_decref. */
json_t *json_text_parse(struct str text);
/* Without blanks, in the arena. */
struct str json_text_of(struct arena *a, const json_t *doc);
DEFINE_AUTO(json_text, json_t *, json_decref);

/* A member's string; absent when there is none or it is something else. */
static inline struct str json_str(const json_t *object, const char *key)
{
	const json_t *v = json_object_get(object, key);

	return json_is_string(v) ? str_of(json_string_value(v), json_string_length(v)) : STR_NONE;
}
/* A new string; null for an absent one and for what is not UTF-8. */
json_t *json_of(struct str s);
