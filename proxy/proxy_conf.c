/* The [proxy] section as a table; it also makes the page docs/operate/configuration.md. */
#include "proxy/proxy_conf.h"

struct proxy_conf proxy_conf;

#define T struct proxy_conf

static const char *const sorting_methods[] = { "shuffle", "affinity", NULL };

enum { HOUR_MS = 3600 * 1000, NUMBER_MAX = 1000000 };

static const struct conf_option options[] = {
	OPT_STR(T, bind_ip, "127.0.0.1", "Address to listen on; 0.0.0.0 or :: for all."),
	OPT_INT(T, bind_port, "8080", 1, 65535, "Port to listen on."),
	OPT_INT(T, workers, "2", 1, 256, "Processes that share the port; one per core is good."),
	OPT_STR(T, cert_file, NULL,
		"PEM file with the certificate chain; with key_file the port speaks TLS. "
		"Read again at reload."),
	OPT_STR(T, key_file, NULL, "PEM file with the certificate's key."),
	OPT_INT(T, max_clients, "20000", 1, NUMBER_MAX, "Connections of clients per worker."),
	OPT_INT(T, backlog, "4096", 1, 65535, "Connections waiting to be accepted."),
	OPT_DURATION(T, client_timeout, "60s", 1, HOUR_MS,
		     "A client that sends or takes nothing for so long in the middle of a request "
		     "is cut off."),
	OPT_DURATION(T, keepalive_timeout, "60s", 1, HOUR_MS, "How long a connection may be idle."),
	OPT_DURATION(T, header_timeout, "30s", 1, HOUR_MS,
		     "From a request's first byte to the end of its headers."),
	OPT_DURATION(T, conn_timeout, "500ms", 1, HOUR_MS, "To connect to a storage server."),
	OPT_DURATION(T, node_timeout, "10s", 1, HOUR_MS, "For an answer of a storage server."),
	OPT_DURATION(
		T, recoverable_node_timeout, "10s", 1, HOUR_MS,
		"The same where another server can be asked instead: GET and HEAD of objects."),
	OPT_DURATION(
		T, concurrency_timeout, "500ms", 1, HOUR_MS,
		"A read asks another server as well when one has not begun to answer after that."),
	OPT_DURATION(T, post_quorum_timeout, "500ms", 0, HOUR_MS,
		     "How long a write that has its quorum waits for the other replicas before it "
		     "is answered; "
		     "they go on by themselves afterwards."),
	OPT_DURATION(
		T, error_suppression_interval, "60s", 1, HOUR_MS,
		"A storage server with too many errors is left alone for so long after the last."),
	OPT_INT(T, error_suppression_limit, "10", 1, NUMBER_MAX, "So many errors are tolerated."),
	OPT_DURATION(T, recheck_account_existence, "60s", 0, HOUR_MS,
		     "How long it is believed that an account exists, and what its headers say. "
		     "Changes made "
		     "through this host are seen at once."),
	OPT_DURATION(T, recheck_container_existence, "60s", 0, HOUR_MS, "The same for containers."),
	OPT_INT(T, request_node_factor, "2", 1, 100,
		"A request asks up to that many times the ring's replicas of servers."),
	OPT_INT(T, rebalance_missing_suppression_count, "1", 0, 100,
		"So many primaries may answer 404 without being believed, since data may be on its "
		"way to them."),
	OPT_INT(T, pool_idle_max, "64", 0, 100000,
		"Idle connections kept per storage server and worker."),
	OPT_ENUM(
		T, sorting_method, "shuffle", sorting_methods,
		"Order in which the replicas are asked: shuffle, or affinity (see read_affinity)."),
	OPT_STR(T, read_affinity, NULL,
		"Which servers are asked first, lower numbers before higher: \"r1z1=100, "
		"r1=200\"."),
	OPT_STR(T, write_affinity, NULL,
		"Regions and zones that writes go to first, as \"r1, r2z1\"; replicators move them "
		"later."),
	OPT_BOOL(T, account_autocreate, "true",
		 "Accounts come into being with their first container."),
	OPT_BOOL(T, allow_account_management, "false",
		 "Whether PUT and DELETE of accounts are possible."),
	OPT_BOOL(T, allow_open_expired, "false",
		 "Whether X-Open-Expired opens objects that have expired but are still there."),
	OPT_INT(T, max_containers_per_account, "0", 0, INT64_MAX, "0: no limit."),
	OPT_LIST(T, max_containers_whitelist, NULL, "Accounts without that limit."),
	OPT_LIST(T, deny_host_headers, NULL, "Host headers that are answered 403."),
	OPT_LIST(T, cors_allow_origin, NULL, "Origins that are allowed for every container."),
	OPT_LIST(T, cors_expose_headers, NULL,
		 "Headers exposed to scripts besides the usual ones."),
	OPT_BOOL(T, strict_cors_mode, "true",
		 "Add CORS headers only for origins that a container allows."),
	OPT_BOOL(T, expose_info, "true", "Whether /info answers."),
	{ .key = "admin_key",
	  .type = CONF_STR,
	  .at = CONF_AT(T, admin_key, const char *),
	  .secret = true,
	  .help = "Key that signs requests for the whole of /info." },
	OPT_LIST(T, disallowed_sections,
		 "swift.auto_create_account_prefix, swift.valid_api_versions",
		 "What /info does not show."),
	OPT_LIST(T, enable, "",
		 "Middlewares that are off by default and shall be on: name_check, ratelimit, "
		 "etag_quoter, read_only."),
	OPT_LIST(T, disable, "",
		 "Middlewares that shall be off: tempurl, tempauth, copy, crossdomain, "
		 "container_quotas, account_quotas, domain_remap, healthcheck, proxy_logging …"),
	OPT_SIZE(T, info_cache_entries, "20000", 16, 100000000,
		 "Accounts and containers whose headers a worker remembers."),
	OPT_SIZE(T, max_file_size, "5368709122", 1, INT64_MAX, "Bytes of one object."),
	OPT_INT(T, max_meta_name_length, "128", 1, 65536, "Bytes of a metadata name."),
	OPT_INT(T, max_meta_value_length, "256", 1, 65536, "Bytes of a metadata value."),
	OPT_INT(T, max_meta_count, "90", 1, 10000, "Metadata items of one thing."),
	OPT_INT(T, max_meta_overall_size, "4096", 1, 1048576,
		"Bytes of all metadata of one thing."),
	OPT_INT(T, max_header_size, "8192", 1024, 65536, "Bytes of one header line."),
	OPT_INT(T, max_request_line, "8192", 1024, 65536, "Bytes of the request line."),
	OPT_INT(T, extra_header_count, "0", 0, 10000, "Headers accepted beyond (90 + 36) * 1.6."),
	OPT_INT(T, max_object_name_length, "1024", 1, 65536, "Bytes of an object's name."),
	OPT_INT(T, max_container_name_length, "256", 1, 65536, "Bytes of a container's name."),
	OPT_INT(T, max_account_name_length, "256", 1, 65536, "Bytes of an account's name."),
	OPT_INT(T, container_listing_limit, "10000", 1, NUMBER_MAX, "Items of one listing."),
	OPT_INT(T, account_listing_limit, "10000", 1, NUMBER_MAX, "Items of one listing."),
	OPT_END,
};

const struct conf_section proxy_conf_section = {
	.name = "proxy",
	.help = "The public endpoint.",
	.options = options,
	.into = &proxy_conf,
	.size = sizeof proxy_conf,
};

int proxy_conf_ready(struct fault *why)
{
	struct proxy_conf *c = &proxy_conf;

	if (!c->cert_file != !c->key_file)
		return fault_set(why, -EINVAL,
				 "[proxy] cert_file and key_file are needed together");
	c->limits = (struct swift_limits){
		.max_file_size = c->max_file_size,
		.max_meta_name_length = (unsigned)c->max_meta_name_length,
		.max_meta_value_length = (unsigned)c->max_meta_value_length,
		.max_meta_count = (unsigned)c->max_meta_count,
		.max_meta_overall_size = (unsigned)c->max_meta_overall_size,
		.max_header_size = (unsigned)c->max_header_size,
		.max_object_name_length = (unsigned)c->max_object_name_length,
		.max_container_name_length = (unsigned)c->max_container_name_length,
		.max_account_name_length = (unsigned)c->max_account_name_length,
		.container_listing_limit = (unsigned)c->container_listing_limit,
		.account_listing_limit = (unsigned)c->account_listing_limit,
	};
	return 0;
}
