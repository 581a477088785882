/* Fuzz: the JSON of records that clients make and change. Nothing of theirs becomes a member that
 * only we set, and what was accepted once is accepted again. */
#include "proxy/identity/resources.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const json_t *doc)
{
	const char *key;
	json_t *value;

	assert(!json_object_get(doc, "id") && !json_object_get(doc, "links"));
	json_object_foreach((json_t *)doc, key, value)
		assert(*key != '_');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_of((const char *)data, size), plural = str_cut(&text, '\n');
	const struct resource *r = resource_find(plural);
	json_t *given = r && text.p ? json_text_parse(text) : NULL;
	json_t *doc = json_is_object(given) ? NULL : given;
	struct fault why;

	if (json_is_object(given))
		doc = resource_make(r, given, &why);
	if (json_is_object(doc)) {
		json_t *again = resource_change(r, doc, given, &why);

		check(doc);
		assert(again && json_equal(doc, again));
		json_decref(again);
	}
	if (doc != given)
		json_decref(doc);
	json_decref(given);
	return 0;
}
