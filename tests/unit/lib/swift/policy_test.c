/* lib/swift/policy: which sets of policies are good, and rings that are replaced. */
#include "lib/swift/policy.h"
#include "lib/conf/conf.h"
#include "lib/ring/ring_write.h"

#include <fcntl.h>
#include <setjmp.h>
#include <cmocka.h>
#include <unistd.h>

static struct cluster cluster;

static int configure(const char *text, struct fault *why)
{
	struct conf_spec spec = { .count = 0 };
	int rc;

	cluster_add_conf(&spec);
	rc = conf_parse(&spec, str_from(text), "n.conf", why);
	return rc < 0 ? rc : cluster_configure(&cluster, "/rings", NULL, why);
}

static void refused(const char *text, const char *reason)
{
	struct fault why = { "" };

	assert_int_equal(configure(text, &why), -EINVAL);
	assert_string_equal(why.text, reason);
}

#define HASH "[swift-hash]\nswift_hash_path_suffix = s\n"

static void good(void **state)
{
	struct fault why;

	(void)state;
	assert_int_equal(configure(HASH
				   "swift_hash_path_prefix = p\n[storage-policy:5]\nname = silver\n"
				   "aliases = Agi, plata\n[storage-policy:0]\nname = gold\n"
				   "default = yes\npolicy_type = replication\n",
				   &why),
			 0);
	assert_true(str_eq(cluster.hash_prefix, S("p")) && str_eq(cluster.hash_suffix, S("s")));
	assert_int_equal(cluster.policy_count, 2);
	assert_int_equal(cluster.policies[0].index, 0);
	assert_ptr_equal(cluster_default_policy(&cluster), cluster_policy(&cluster, 0));
	assert_int_equal(cluster_policy_named(&cluster, S("AGI"))->index, 5);
	assert_int_equal(cluster_policy_named(&cluster, S("Silver"))->index, 5);
	assert_true(str_eq(cluster_policy(&cluster, 5)->aliases, S("silver, Agi, plata")));
	assert_null(cluster_policy(&cluster, 1));
	assert_null(cluster_policy_named(&cluster, S("bronze")));
	assert_string_equal(cluster.ring_dir, "/rings");
	cluster_done(&cluster);
}

static void none(void **state)
{
	struct fault why;

	(void)state;
	assert_int_equal(configure(HASH, &why), 0);
	assert_true(str_eq(cluster_default_policy(&cluster)->name, S("Policy-0")));
	cluster_done(&cluster);
}

static void bad(void **state)
{
	(void)state;
	refused("", "[swift-hash] needs swift_hash_path_suffix: a secret of this cluster, the same "
		    "on every "
		    "host");
	refused(HASH "[storage-policy:x]\nname = a\n",
		"n.conf:3: [storage-policy:x]: the index of a policy is a number up to 9999");
	refused(HASH "[storage-policy:1]\nname = a\n",
		"[storage-policy:0] is missing: containers that were made before there were "
		"policies have it");
	refused(HASH "[storage-policy:0]\nname = a\n[storage-policy:1]\nname = A\n",
		"the name A belongs to two storage policies, 0 and another");
	refused(HASH "[storage-policy:0]\nname = a b\n",
		"\"a b\" is no name of a storage policy: letters, digits and \"-\" are allowed");
	refused(HASH "[storage-policy:0]\nname = a\n[storage-policy:1]\nname = b\n",
		"one storage policy must say default = yes");
	refused(HASH "[storage-policy:0]\nname = a\ndefault=yes\n[storage-policy:1]\nname = "
		     "b\ndefault=1\n",
		"more than one storage policy says default = yes");
	refused(HASH "[storage-policy:0]\nname = a\n[storage-policy:00]\nname = b\n",
		"there are two storage policies 0");
	refused(HASH "[storage-policy:0]\nname = a\ndeprecated = yes\n",
		"the only storage policy cannot be deprecated");
	refused(HASH "[storage-policy:0]\nname = a\npolicy_type = erasure_coding\n",
		"n.conf:3: [storage-policy:0]: policy_type = erasure_coding is not there yet");
	assert_int_equal(cluster.policy_count, 0);
}

static void swift_conf(void **state)
{
	char path[] = "/tmp/needletail-policy-XXXXXX";
	const char *text = "[swift-hash]\nswift_hash_path_suffix = changeme\n[storage-policy:0]\n"
			   "name = Policy-zero\n[swift-constraints]\nmax_file_size = 1\n";
	struct fault why = { "" };
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0 && write(fd, text, strlen(text)) > 0);
	close(fd);
	assert_int_equal(cluster_configure(&cluster, "/rings", path, &why), 0);
	assert_true(str_eq(cluster.hash_suffix, S("changeme")));
	unlink(path);
	assert_int_equal(cluster_configure(&cluster, "/rings", path, &why), -ENOENT);
	assert_true(str_eq(cluster_default_policy(&cluster)->name, S("Policy-zero")));
	cluster_done(&cluster);
}

static void write_ring(const char *dir, const char *name, unsigned part_power)
{
	uint32_t table[4] = { 0 };
	char meta[] = "", path[128];
	struct ring_dev dev = { .region = 1, .zone = 1, .ip = "127.0.0.1", .port = 6200,
				.replication_ip = "127.0.0.1", .replication_port = 6200,
				.device = "d1", .weight = 1, .meta = meta };
	struct ring_dev *devs[] = { &dev };
	struct ring_image image = { .part_power = part_power, .next_part_power = -1, .version = 1,
				    .cells = 1u << part_power, .table = table, .devs_n = 1,
				    .devs = devs };
	struct fault why = { "" };

	snprintf(path, sizeof path, "%s/%s.ring.gz", dir, name);
	if (ring_write(path, &image, 1, 0, &why) < 0)
		fail_msg("%s", why.text);
}

static void rings(void **state)
{
	char dir[] = "/tmp/needletail-policy-XXXXXX", expected[128], path[128];
	struct fault why = { "" };

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(configure(HASH, &why), 0);
	assert_int_equal(cluster_configure(&cluster, dir, NULL, &why), 0);
	write_ring(dir, "account", 1);
	write_ring(dir, "container", 1);
	assert_int_equal(cluster_load_rings(&cluster, &why), -ENOENT);
	snprintf(expected, sizeof expected, "%s/object.ring.gz: No such file or directory", dir);
	assert_string_equal(why.text, expected);
	assert_null(cluster.account_ring);
	write_ring(dir, "object", 1);
	assert_int_equal(cluster_load_rings(&cluster, &why), 0);
	assert_int_equal(cluster_reload_rings(&cluster, &why), 0);
	struct ring *before = cluster.policies[0].ring;

	write_ring(dir, "object", 2);
	assert_int_equal(cluster_reload_rings(&cluster, &why), 1);
	assert_int_equal(ring_part_power(cluster.policies[0].ring), 2);
	assert_int_equal(ring_part_power(before), 1);   /* still there for who found it */
	assert_int_equal(cluster_configure(&cluster, dir, NULL, &why), 0);
	assert_int_equal(cluster_reload_rings(&cluster, &why), 0);
	assert_int_equal(ring_part_power(cluster.policies[0].ring), 2);
	cluster_done(&cluster);
	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof path, "%s/%s.ring.gz", dir,
			 (const char *[]){ "account", "container", "object" }[i]);
		unlink(path);
	}
	assert_int_equal(rmdir(dir), 0);
}

static void names(void **state)
{
	char name[16];

	(void)state;
	policy_ring_name(0, name);
	assert_string_equal(name, "object");
	policy_ring_name(12, name);
	assert_string_equal(name, "object-12");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good), cmocka_unit_test(none), cmocka_unit_test(bad),
		cmocka_unit_test(swift_conf), cmocka_unit_test(rings), cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
