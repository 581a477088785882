/* The [server] section. */
#include "compute/server/server.h"

struct server_conf server_conf;

#define T struct server_conf

static const struct conf_option options[] = {
	OPT_BOOL(T, enabled, "yes", "Whether this host answers for servers."),
	OPT_STR(T, bind_ip, "127.0.0.1", "Address to listen on; 0.0.0.0 or :: for all."),
	OPT_INT(T, bind_port, "8774", 1, 65535, "Port to listen on."),
	OPT_STR(T, container, "servers",
		"The container of the servers' records; flavors, keypairs and the like are in "
		"containers whose names begin so."),
	OPT_STR(T, default_zone, "nova", "The availability zone of hosts without an aggregate."),
	OPT_INT(T, quota_instances, "10", -1, INT32_MAX, "Servers of a project; -1: no limit."),
	OPT_INT(T, quota_cores, "20", -1, INT32_MAX, "Virtual processors of a project."),
	OPT_INT(T, quota_ram, "51200", -1, INT32_MAX, "MiB of memory of a project."),
	OPT_INT(T, quota_metadata, "128", -1, 10000, "Metadata items of one server."),
	OPT_INT(T, quota_key_pairs, "100", -1, 100000, "Key pairs of a user."),
	OPT_INT(T, quota_groups, "10", -1, 100000, "Server groups of a project."),
	OPT_INT(T, quota_group_members, "10", -1, 100000, "Servers of a group."),
	OPT_INT(T, limit_max, "1000", 1, 100000, "Items of any listing's page."),
	OPT_DURATION(T, poll_interval, "1s", 50, 3600000,
		     "How often a host looks for what other hosts have asked of it."),
	OPT_DURATION(T, stop_timeout, "60s", 0, 3600000,
		     "How long a guest may take to shut down before its power is cut."),
	OPT_END,
};

const struct conf_section server_section = {
	.name = "server",
	.help = "The compute service (Nova v2.1) of needletail-compute.",
	.options = options,
	.into = &server_conf,
	.size = sizeof server_conf,
};

int server_conf_ready(struct fault *why)
{
	if (strchr(server_conf.container, '/') || !server_conf.container[0] ||
	    strlen(server_conf.container) > 200)
		return fault_set(why, -EINVAL, "[server] container is not a container's name");
	return 0;
}
