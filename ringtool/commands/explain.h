/* What `ringtool explain` found, as one JSON document: gathered (explain.c), judged
 * (explain_judge.c) and printed for people (explain_print.c). docs/operate/explain.md shows it. */
#pragma once
#include "lib/swift/policy.h"
#include "ringtool/commands/command.h"

#include <jansson.h>

/* Compares what the devices have and adds "findings" (an array of sentences), "newest" (the
 * timestamp of the newest copy in each object section) and "settled": true when nothing is left to
 * be done. */
void explain_judge(json_t *result);
void explain_print(const json_t *result);

/* Texts and numbers of an object; "" and 0 when they are not there. */
static inline const char *text_in(const json_t *j, const char *key)
{
	return json_string_value(json_object_get(j, key)) ?: "";
}
static inline long long number_in(const json_t *j, const char *key)
{
	return json_integer_value(json_object_get(j, key));
}
