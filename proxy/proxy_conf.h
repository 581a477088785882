/* [proxy]: what the proxy is told. Defaults and names are Swift's (proxy-server.conf) where it has
 * the setting. */
#pragma once
#include "lib/conf/conf.h"
#include "lib/swift/metadata.h"

enum sorting_method { SORT_SHUFFLE, SORT_AFFINITY };

struct proxy_conf {
	const char *bind_ip;
	int64_t bind_port, workers;
	const char *cert_file, *key_file;       /* TLS; NULL: plain */
	int64_t max_clients, backlog;

	/* ms */
	uint64_t client_timeout, keepalive_timeout, header_timeout;
	uint64_t conn_timeout, node_timeout, recoverable_node_timeout;
	uint64_t concurrency_timeout, post_quorum_timeout;
	uint64_t error_suppression_interval;
	uint64_t recheck_account_existence, recheck_container_existence;

	int64_t error_suppression_limit;
	int64_t request_node_factor; /* nodes asked per request: that times the replicas */
	int64_t rebalance_missing_suppression_count;
	int64_t pool_idle_max;
	int sorting_method;                     /* enum sorting_method */
	const char *read_affinity, *write_affinity;

	bool account_autocreate, allow_account_management, allow_open_expired;
	int64_t max_containers_per_account;
	struct conf_list max_containers_whitelist;
	struct conf_list deny_host_headers;

	struct conf_list cors_allow_origin, cors_expose_headers;
	bool strict_cors_mode;

	bool expose_info;
	const char *admin_key;
	struct conf_list disallowed_sections;
	struct conf_list enable, disable;       /* middlewares */

	uint64_t info_cache_entries;

	/* Swift's constraints, as unsigned numbers in limits. */
	uint64_t max_file_size;
	int64_t max_meta_name_length, max_meta_value_length, max_meta_count, max_meta_overall_size;
	int64_t max_header_size, max_object_name_length, max_container_name_length;
	int64_t max_account_name_length, container_listing_limit, account_listing_limit;
	int64_t extra_header_count, max_request_line;

	struct swift_limits limits;             /* filled by proxy_conf_ready */
};

extern struct proxy_conf proxy_conf;
extern const struct conf_section proxy_conf_section;

/* After reading: checks what the table cannot (TLS needs both files) and fills what is derived. 0
 * or -EINVAL with the reason. */
int proxy_conf_ready(struct fault *why) must_check;
