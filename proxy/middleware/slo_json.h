/* JSON from outside, read with care: jansson recurses, and a task's stack is small. */
#pragma once
#include "lib/base/base.h"

#include <jansson.h>

/* NULL when it is not JSON, or nested deeper than any manifest. Free with json_decref. */
json_t *slo_json_load(struct str text);
DEFINE_AUTO(slo_json, json_t *, json_decref);

/* A string's bytes, or absent for anything else. */
static inline struct str slo_json_str(const json_t *v)
{
	return json_is_string(v) ? str_of(json_string_value(v), json_string_length(v)) : STR_NONE;
}
