/* Tests of proxy/identity/resources.c. */
#include "proxy/identity/resources.h"
#include "tests/unit/cmocka.h"

static json_t *make(const char *plural, const char *text, struct fault *why)
{
	json_t *given = json_text_parse(str_from(text));

	assert_non_null(given);
	json_t *doc = resource_make(resource_find(str_from(plural)), given, why);

	json_decref(given);
	return doc;
}

static void test_defaults(void **state)
{
	struct fault why;
	json_t *doc = make("projects", "{\"name\": \"p\", \"id\": \"x\", \"_key\": 1, \"k\": 2}",
			   &why);

	(void)state;
	assert_true(json_is_true(json_object_get(doc, "enabled")));
	assert_null(json_object_get(doc, "id"));
	assert_null(json_object_get(doc, "_key"));
	assert_int_equal(json_integer_value(json_object_get(doc, "k")), 2);
	json_decref(doc);
}

static void test_refused(void **state)
{
	struct fault why;

	(void)state;
	assert_null(make("projects", "{}", &why));
	assert_null(make("projects", "{\"name\": \"\"}", &why));
	assert_null(make("projects", "{\"name\": 1}", &why));
	assert_null(make("users", "{\"name\": \"u\", \"enabled\": \"yes\"}", &why));
	assert_null(make("endpoints",
			 "{\"service_id\": \"s\", \"interface\": \"x\", \"url\": \"u\"}", &why));
	assert_null(resource_find(S("revocations")));
	assert_null(resource_find(S("assignments")));
}

static void test_change(void **state)
{
	struct fault why;
	const struct resource *r = resource_find(S("users"));
	json_t *old = json_pack("{s:s, s:s}", "name", "u", "domain_id", "d");
	json_t *given = json_pack("{s:s}", "domain_id", "e");

	(void)state;
	assert_null(resource_change(r, old, given, &why));
	json_object_set_new(given, "domain_id", json_string("d"));
	json_object_set_new(given, "name", json_string("v"));
	json_t *doc = resource_change(r, old, given, &why);

	assert_true(str_eq(json_str(doc, "name"), S("v")));
	assert_true(str_eq(json_str(old, "name"), S("u")));
	json_decref(doc);
	json_decref(old);
	json_decref(given);
}

static void test_filters(void **state)
{
	AUTO(arena) a = arena_new();
	struct request req = { .arena = a };
	json_t *doc = json_pack("{s:s, s:b, s:s}", "name", "Anna", "enabled", 1, "_password", "x");
	static const struct {
		const char *query;
		bool matches;
	} cases[] = {
		{ "name=Anna", true }, { "name=anna", false }, { "name=Anna&enabled=False", false },
		{ "enabled=true", true }, { "name__contains=nn", true },
		{ "name__icontains=AN", true }, { "name__contains=AN", false },
		{ "name__startswith=An", true }, { "name__endswith=na", true },
		{ "name__startswith=na", false }, { "domain_id=d", false }, { "unknown=1", true },
		{ "_password=y", true }, { "", true }, { "name=%41nna", true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		req.query = str_from(cases[i].query);
		if (resource_matches(&req, doc) != cases[i].matches)
			fail_msg("%s", cases[i].query);
	}
	json_decref(doc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_change),
		cmocka_unit_test(test_filters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
