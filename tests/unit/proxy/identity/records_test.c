/* Tests of proxy/identity/records.c. */
#include "proxy/identity/records.h"
#include "tests/unit/cmocka.h"

static json_t *user(const char *id, const char *name, const char *domain)
{
	return json_pack("{s:s, s:s, s:s}", "id", id, "name", name, "domain_id", domain);
}

static void test_names(void **state)
{
	struct records *r = records_new();

	(void)state;
	records_put(r, RECORD_USER, S("1"), user("1", "ann", "d"));
	records_put(r, RECORD_USER, S("2"), user("2", "ann", "e"));
	assert_true(records_named(r, RECORD_USER, S("e"), S("ann")) ==
		    records_get(r, RECORD_USER, S("2")));
	records_put(r, RECORD_USER, S("2"), user("2", "bob", "e"));
	assert_null(records_named(r, RECORD_USER, S("e"), S("ann")));
	assert_non_null(records_named(r, RECORD_USER, S("e"), S("bob")));
	records_put(r, RECORD_USER, S("2"), NULL);
	assert_null(records_get(r, RECORD_USER, S("2")));
	assert_null(records_named(r, RECORD_USER, S("e"), S("bob")));
	assert_null(records_get(r, RECORD_USER, S("")));
	records_free(r);
}

static void test_base_is_hidden_and_comes_back(void **state)
{
	struct records *r = records_new();
	json_t *all;

	(void)state;
	records_put_base(r, RECORD_USER, user("1", "ann", "d"));
	records_put(r, RECORD_USER, S("1"), user("1", "eve", "d"));
	assert_null(records_named(r, RECORD_USER, S("d"), S("ann")));
	assert_non_null(records_named(r, RECORD_USER, S("d"), S("eve")));
	records_put(r, RECORD_USER, S("1"), json_pack("{s:b}", "_deleted", 1));
	assert_null(records_get(r, RECORD_USER, S("1")));
	assert_non_null(records_base(r, RECORD_USER, S("1")));
	all = records_all(r, RECORD_USER);
	assert_int_equal(json_array_size(all), 0);
	json_decref(all);
	records_put(r, RECORD_USER, S("1"), NULL);
	assert_non_null(records_named(r, RECORD_USER, S("d"), S("ann")));
	records_free(r);
}

static json_t *grant(const char *actor, const char *target, const char *role)
{
	return json_pack("{s:s, s:s, s:s, s:s}", "id", role, "actor", actor, "target", target,
			 "role_id", role);
}

static void test_grants(void **state)
{
	struct records *r = records_new();

	(void)state;
	records_put(r, RECORD_ASSIGNMENT, S("a"), grant("u", "project/p", "a"));
	records_put(r, RECORD_ASSIGNMENT, S("b"), grant("u", "project/p", "b"));
	records_put(r, RECORD_ASSIGNMENT, S("c"), grant("u", "domain/d", "c"));
	assert_int_equal(json_array_size(records_roles(r, S("u"), S("project/p"))), 2);
	assert_int_equal(json_array_size(records_targets(r, S("u"))), 3);
	records_put(r, RECORD_ASSIGNMENT, S("a"), NULL);
	assert_int_equal(json_array_size(records_roles(r, S("u"), S("project/p"))), 1);
	records_put(r, RECORD_ASSIGNMENT, S("b"), NULL);
	assert_null(records_roles(r, S("u"), S("project/p")));
	assert_null(records_roles(r, S("v"), S("domain/d")));
	records_free(r);
}

static void test_inherited_grants_are_others(void **state)
{
	struct records *r = records_new();
	json_t *doc = grant("u", "project/p", "a");

	(void)state;
	json_object_set_new(doc, "inherited", json_true());
	records_put(r, RECORD_ASSIGNMENT, S("a"), doc);
	assert_null(records_roles(r, S("u"), S("project/p")));
	assert_null(records_targets(r, S("u")));
	assert_int_equal(json_array_size(records_inherited_roles(r, S("u"), S("project/p"))), 1);
	assert_int_equal(json_array_size(records_inherited_targets(r, S("u"))), 1);
	records_put(r, RECORD_ASSIGNMENT, S("a"), NULL);
	assert_null(records_inherited_roles(r, S("u"), S("project/p")));
	assert_null(records_inherited_targets(r, S("u")));
	records_free(r);
}

static json_t *owned(const char *id, const char *member, const char *owner)
{
	return json_pack("{s:s, s:s}", "id", id, member, owner);
}

static void test_what_belongs_to_projects(void **state)
{
	struct records *r = records_new();

	(void)state;
	records_put(r, RECORD_PROJECT, S("b"), owned("b", "parent_id", "a"));
	records_put(r, RECORD_LIMIT, S("l"), owned("l", "project_id", "b"));
	records_put(r, RECORD_LIMIT, S("m"), owned("m", "domain_id", "d"));
	records_put(r, RECORD_ENDPOINT_LINK, S("e"), owned("e", "project_id", "b"));
	assert_int_equal(json_array_size(records_children(r, S("a"))), 1);
	assert_int_equal(json_array_size(records_limits(r, S("b"))), 1);
	assert_int_equal(json_array_size(records_limits(r, S("d"))), 1);
	assert_int_equal(json_array_size(records_endpoint_links(r, S("b"))), 1);
	assert_int_equal(records_count(r, RECORD_LIMIT), 2);
	records_put(r, RECORD_PROJECT, S("b"), owned("b", "parent_id", "c"));
	assert_null(records_children(r, S("a")));
	assert_int_equal(json_array_size(records_children(r, S("c"))), 1);
	records_put(r, RECORD_LIMIT, S("l"), NULL);
	assert_null(records_limits(r, S("b")));
	assert_int_equal(records_count(r, RECORD_LIMIT), 1);
	records_free(r);
}

static void test_base_is_made_anew(void **state)
{
	struct records *r = records_new();

	(void)state;
	records_put_base(r, RECORD_USER, user("1", "ann", "d"));
	records_put_base(r, RECORD_USER, user("2", "bob", "d"));
	records_put(r, RECORD_USER, S("2"), user("2", "rob", "d"));
	records_forget_base(r);
	assert_null(records_get(r, RECORD_USER, S("1")));
	assert_null(records_named(r, RECORD_USER, S("d"), S("ann")));
	assert_null(records_base(r, RECORD_USER, S("2")));
	assert_non_null(records_named(r, RECORD_USER, S("d"), S("rob")));
	records_put_base(r, RECORD_USER, user("1", "eve", "d"));
	assert_non_null(records_named(r, RECORD_USER, S("d"), S("eve")));
	records_put(r, RECORD_USER, S("2"), NULL);
	assert_null(records_named(r, RECORD_USER, S("d"), S("bob")));
	assert_int_equal(records_count(r, RECORD_USER), 1);
	records_free(r);
}

static void test_groups(void **state)
{
	struct records *r = records_new();

	(void)state;
	records_put(r, RECORD_MEMBERSHIP, S("x"),
		    json_pack("{s:s, s:s, s:s}", "id", "x", "user_id", "u", "group_id", "g"));
	assert_int_equal(json_array_size(records_groups(r, S("u"))), 1);
	assert_int_equal(json_array_size(records_members(r, S("g"))), 1);
	records_put(r, RECORD_MEMBERSHIP, S("x"), NULL);
	assert_null(records_groups(r, S("u")));
	assert_null(records_members(r, S("g")));
	records_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_base_is_hidden_and_comes_back),
		cmocka_unit_test(test_grants),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_inherited_grants_are_others),
		cmocka_unit_test(test_what_belongs_to_projects),
		cmocka_unit_test(test_base_is_made_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
