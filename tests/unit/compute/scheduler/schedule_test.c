/* Tests compute/scheduler/schedule.c and filter.c: each filter alone; the order of what fits. */
#include "compute/scheduler/scheduler.h"

#include <setjmp.h>
#include <cmocka.h>

static struct sched_host host(const char *name)
{
	return (struct sched_host){ .name = str_from(name), .arch = S("x86_64"),
				    .zone = S("nova"), .up = true, .vcpus = 4, .ram_mib = 8192,
				    .disk_gib = 100 };
}

static int setup(void **state)
{
	(void)state;
	scheduler_conf = (struct scheduler_conf){ .cpu_ratio = 4, .ram_ratio = 1,
						  .disk_ratio = 1.5 };
	return 0;
}

/* The names of the hosts that fit, best first, in one text; or the reason. */
static struct str run(struct arena *a, const struct sched_host *hosts, unsigned n,
		      const struct sched_wish *w)
{
	const struct sched_host *found[8];
	struct str reason, text = S("");
	unsigned left = schedule(a, hosts, n, w, found, &reason);

	for (unsigned i = 0; i < left; i++)
		text = arena_printf(a, "%.*s%.*s", STR(text), STR(found[i]->name));
	return left ? text : reason;
}

#define assert_str(got, want) assert_string_equal(arena_cstr(a, got), want)

static void test_capacity(void **state)
{
	AUTO(arena) a = arena_new();
	struct sched_host h[2] = { host("a"), host("b") };
	struct sched_wish w = { .vcpus = 1, .ram_mib = 512, .disk_gib = 1 };

	(void)state;
	assert_str(run(a, h, 2, &w), "ab");
	h[0].vcpus_used = 15;
	assert_str(run(a, h, 2, &w), "ba");
	h[0].vcpus_used = 16;
	assert_str(run(a, h, 2, &w), "b");
	h[1].ram_used = 8192 - 512;
	assert_str(run(a, h, 2, &w), "b");
	h[1].ram_used++;
	struct str why = run(a, h, 2, &w);
	assert_true(str_starts(why, S("No valid host was found. ")));
	assert_true(str_find(why, S("CoreFilter (enough vCPUs) left 1 of 2")) > 0);
	assert_true(str_find(why, S("RamFilter (enough memory) left 0 of 1")) > 0);
	h[1].ram_used = 0;
	h[1].disk_used = 149;
	assert_str(run(a, h, 2, &w), "b");
	w.disk_gib = 2;
	assert_true(str_find(run(a, h, 2, &w), S("DiskFilter (enough disk) left 0 of 1")) > 0);
	/* More than a host has never fits, whatever the ratio. */
	w = (struct sched_wish){ .vcpus = 5 };
	assert_true(str_find(run(a, h, 1, &w), S("CoreFilter")) > 0);
	assert_str(run(a, h, 0, &w), "No valid host was found. Hosts: 0");
}

static void test_which(void **state)
{
	AUTO(arena) a = arena_new();
	struct sched_host h[3] = { host("a"), host("b"), host("c") };
	AUTO(json_text) refused = json_pack("[s]", "a");
	struct sched_wish w = { .vcpus = 1, .refused = refused };

	(void)state;
	assert_str(run(a, h, 3, &w), "bc");
	h[1].up = false;
	assert_str(run(a, h, 3, &w), "c");
	h[2].disabled = true;
	assert_true(str_find(run(a, h, 3, &w), S("RetryFilter")) > 0);
	w = (struct sched_wish){ .vcpus = 1, .arch = S("aarch64") };
	assert_true(str_find(run(a, h, 3, &w), S("ImagePropertiesFilter")) > 0);
	h[0].arch = S("aarch64");
	assert_str(run(a, h, 3, &w), "a");
	w = (struct sched_wish){ .vcpus = 1, .zone = S("east") };
	assert_true(str_find(run(a, h, 3, &w), S("AvailabilityZoneFilter")) > 0);
	h[0].zone = S("east");
	assert_str(run(a, h, 3, &w), "a");
	w.host = S("b");
	assert_true(str_find(run(a, h, 3, &w), S("AvailabilityZoneFilter")) > 0);
}

static void test_aggregates(void **state)
{
	AUTO(arena) a = arena_new();
	struct sched_host h[2] = { host("a"), host("b") };
	AUTO(json_text) specs = json_pack("{s:[s,s]}", "disk", "slow", "ssd");
	AUTO(json_text) wanted = json_pack("{s:s, s:s}", "hw:cpu_policy", "dedicated",
					   "aggregate_instance_extra_specs:disk", "ssd");
	struct sched_wish w = { .vcpus = 1, .extra_specs = wanted };

	(void)state;
	assert_true(str_find(run(a, h, 2, &w), S("AggregateInstanceExtraSpecsFilter")) > 0);
	h[1].specs = specs;
	assert_str(run(a, h, 2, &w), "b");
	json_object_set_new(wanted, "disk", json_string("<or> fast <or> slow"));
	assert_str(run(a, h, 2, &w), "b");
	json_object_set_new(wanted, "disk", json_string("fast"));
	assert_true(str_find(run(a, h, 2, &w), S("AggregateInstanceExtraSpecsFilter")) > 0);
}

static void test_groups(void **state)
{
	AUTO(arena) a = arena_new();
	struct sched_host h[2] = { host("a"), host("b") };
	AUTO(json_text) members = json_pack("[s]", "b");
	AUTO(json_text) nobody = json_array();
	struct sched_wish w = { .vcpus = 1, .policy = SCHED_AFFINITY, .members = nobody };

	(void)state;
	assert_str(run(a, h, 2, &w), "ab");
	w.members = members;
	assert_str(run(a, h, 2, &w), "b");
	w.policy = SCHED_ANTI_AFFINITY;
	assert_str(run(a, h, 2, &w), "a");
	w.per_host = 2;
	assert_str(run(a, h, 2, &w), "ab");
	w.per_host = 0;
	assert_true(str_find(run(a, h + 1, 1, &w), S("ServerGroupFilter")) > 0);
	w.policy = SCHED_SOFT_AFFINITY;
	h[1].ram_used = 4000;
	assert_str(run(a, h, 2, &w), "ba");
	w.policy = SCHED_SOFT_ANTI_AFFINITY;
	assert_str(run(a, h + 1, 1, &w), "b");
	assert_int_equal(sched_policy_parse(S("soft-affinity")), SCHED_SOFT_AFFINITY);
	assert_int_equal(sched_policy_parse(S("legacy")), SCHED_NONE);
}

static void test_stack(void **state)
{
	AUTO(arena) a = arena_new();
	struct sched_host h[3] = { host("a"), host("b"), host("c") };
	struct sched_wish w = { .vcpus = 1 };

	(void)state;
	h[1].ram_used = 1024;
	h[2].vcpus_used = 8;
	assert_str(run(a, h, 3, &w), "abc");
	scheduler_conf.placement = SCHED_STACK;
	assert_str(run(a, h, 3, &w), "cba");
}

static void test_specs(void **state)
{
	(void)state;
	assert_true(sched_spec_matches(S("x"), S("x")));
	assert_false(sched_spec_matches(S("x"), S("")));
	assert_true(sched_spec_matches(S("abc"), S("<in> b")));
	assert_true(sched_spec_matches(S("x"), S("s== x")));
	assert_true(sched_spec_matches(S("x"), S("s!= y")));
	assert_true(sched_spec_matches(S("5"), S("= 4")));
	assert_true(sched_spec_matches(S("5"), S(">= 5")));
	assert_false(sched_spec_matches(S("5"), S("<= 4")));
	assert_false(sched_spec_matches(S("5"), S("== 4")));
	assert_true(sched_spec_matches(S("5"), S("!= 4")));
	assert_false(sched_spec_matches(S("many"), S(">= 4")));
	assert_false(sched_spec_matches(S("b"), S("<or>")));
	assert_true(sched_spec_matches(S("b"), S("<or> a <or> b")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_capacity, setup),
		cmocka_unit_test_setup(test_which, setup),
		cmocka_unit_test_setup(test_aggregates, setup),
		cmocka_unit_test_setup(test_groups, setup),
		cmocka_unit_test_setup(test_stack, setup),
		cmocka_unit_test_setup(test_specs, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
