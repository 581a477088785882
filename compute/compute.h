/* What every service of this daemon is given, and what it gives: docs/compute.md. */
#pragma once
#include "lib/conf/conf.h"
#include "lib/daemon/daemon.h"
#include "lib/http/client.h"

struct compute_conf {           /* [compute] */
	const char *host;
	const char *auth_url, *username, *password, *project_name;
	const char *user_domain_name, *project_domain_name, *region;
	const char *admin_role;
	struct conf_list member_roles;
	uint64_t token_cache_time;
	int64_t token_cache_entries;
	int store_auth;                 /* enum store_auth */
	const char *store_auth_url, *store_user, *store_key, *store_url;
	const char *ca_file, *cert_file, *key_file;
	uint64_t store_timeout, record_cache_size;
	int64_t max_clients;
	uint64_t client_timeout, keepalive_timeout;
};
enum store_auth { STORE_AUTH_KEYSTONE, STORE_AUTH_V1 };
extern struct compute_conf compute_conf;
extern const struct conf_section compute_section;
/* Checks what the table cannot. */
int compute_conf_ready(struct fault *why);

struct identity;                        /* compute/identity/identity.h */
struct store;                           /* compute/store/store.h */

/* One per process; it outlives all requests and background tasks. */
struct compute {
	const char *host;               /* this host's name among the hosts */
	struct http_client *http;       /* to identity, store and whomever else */
	struct tls_server *tls;         /* of all ports; NULL: plain HTTP */
	struct identity *identity;
	struct store *store;
	struct task_group background;   /* cancelled and joined when the daemon stops */
};

/* A service of the daemon: an API on a port of its own, or only background tasks. Each is one line
 * in the table of compute/main.c. */
struct service {
	const char *name;
	const struct conf_section *const *sections;     /* ended by NULL */
	/* After the configuration was read, not in a task: checks it. May be NULL. */
	int (*ready)(struct fault *why);
	/* Where its API listens; false: the service is off. May be NULL: it has no port. */
	bool (*address)(struct daemon_address *ret);
	const struct api *api;          /* compute/api/api.h; NULL: none */
	/* Before the port is opened: makes what *ret_state then is (api_call.state), spawns tasks
	 * into c->background. It must not depend on identity or store answering: they may come
	 * later. May be NULL. (It waits.) */
	int (*start)(struct compute *c, void **ret_state, struct fault *why);
	/* After the requests and background tasks have ended: frees. May be NULL. (It waits.) */
	void (*stop)(void *state);
};

extern const struct service image_service;
extern const struct service server_service;
