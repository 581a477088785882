/* The [compute] section: who this daemon is, and how it reaches identity and store. */
#include "compute/compute.h"
#include "lib/http/url.h"

#include <unistd.h>

struct compute_conf compute_conf;

#define T struct compute_conf

enum { HOUR_MS = 3600 * 1000 };

static const char *const store_auths[] = { "keystone", "v1", NULL };

static const struct conf_option options[] = {
	OPT_STR(T, host, NULL, "This host's name among the hosts; unset: the system's host name."),
	OPT_STR(T, auth_url, "http://127.0.0.1:8080/v3",
		"Keystone's v3 API, which checks the tokens of requests."),
	OPT_STR(T, username, "compute", "The user that this daemon is towards identity and store."),
	{ .key = "password",
	  .type = CONF_STR,
	  .at = CONF_AT(T, password, const char *),
	  .secret = true,
	  .help = "Its password." },
	OPT_STR(T, project_name, "service",
		"Its project. Everything is kept in the account of this project, so nobody else "
		"should have a role on it. The user needs the role admin there, to check tokens "
		"of others."),
	OPT_STR(T, user_domain_name, "Default", "The domain of the user."),
	OPT_STR(T, project_domain_name, "Default", "The domain of the project."),
	OPT_STR(T, region, "RegionOne", "The region whose endpoints are taken of the catalog."),
	OPT_STR(T, admin_role, "admin", "Who has this role may do everything."),
	OPT_LIST(T, member_roles, "member",
		 "Who has none of these roles, and is no admin, may only look at things."),
	OPT_DURATION(T, token_cache_time, "30s", 0, HOUR_MS,
		     "For so long a token is believed after identity was asked: a revoked one may "
		     "go on for that time."),
	OPT_INT(T, token_cache_entries, "10000", 1, 10000000, "So many tokens are remembered."),
	OPT_ENUM(T, store_auth, "keystone", store_auths,
		 "How to log in to the store: keystone, with the user above; or v1, as TempAuth "
		 "does it, with store_user and store_key."),
	OPT_STR(T, store_auth_url, NULL, "For v1, as http://127.0.0.1:8080/auth/v1.0"),
	OPT_STR(T, store_user, NULL, "For v1: account:user."),
	{ .key = "store_key",
	  .type = CONF_STR,
	  .at = CONF_AT(T, store_key, const char *),
	  .secret = true,
	  .help = "For v1: the user's key." },
	OPT_STR(T, store_url, NULL,
		"The account's URL, as http://127.0.0.1:8080/v1/AUTH_service; unset: what the "
		"login says."),
	OPT_STR(T, ca_file, NULL,
		"Certificates that are trusted behind https; unset: the system's."),
	OPT_STR(T, cert_file, NULL,
		"PEM file with the certificate chain; with key_file the ports of all services "
		"speak TLS. Read again at reload."),
	OPT_STR(T, key_file, NULL, "PEM file with the certificate's key."),
	OPT_DURATION(T, store_timeout, "60s", 1, HOUR_MS,
		     "For an answer of identity or store, and between two pieces of it."),
	OPT_SIZE(T, record_cache_size, "64MiB", 0, 1LL << 40,
		 "Bytes of records of the store (images, servers) kept in memory."),
	OPT_INT(T, max_clients, "2000", 1, 1000000, "Connections of clients to each service."),
	OPT_DURATION(T, client_timeout, "60s", 1, HOUR_MS,
		     "A client that sends or takes nothing for so long in the middle of a request "
		     "is cut off."),
	OPT_DURATION(T, keepalive_timeout, "60s", 1, HOUR_MS, "How long a connection may be idle."),
	OPT_END,
};

const struct conf_section compute_section = {
	.name = "compute",
	.help = "needletail-compute: images and machines, a client of identity and store.",
	.options = options,
	.into = &compute_conf,
	.size = sizeof compute_conf,
};

static int need_url(const char *key, const char *text, struct fault *why)
{
	struct url u;

	if (!text || url_parse(str_from(text), &u) < 0)
		return fault_set(why, -EINVAL, "[compute] %s is not a URL: \"%s\"", key,
				 text ? text : "");
	return 0;
}

int compute_conf_ready(struct fault *why)
{
	struct compute_conf *c = &compute_conf;
	int rc = need_url("auth_url", c->auth_url, why);

	if (rc == 0 && !c->cert_file != !c->key_file)
		rc = fault_set(why, -EINVAL, "[compute] cert_file and key_file go together");
	if (rc == 0 && !c->password)
		rc = fault_set(why, -EINVAL, "[compute] password is not set");
	if (rc == 0 && c->store_auth == STORE_AUTH_V1) {
		rc = need_url("store_auth_url", c->store_auth_url, why);
		if (rc == 0 && (!c->store_user || !c->store_key))
			rc = fault_set(why, -EINVAL,
				       "[compute] store_user and store_key are needed for v1");
	}
	if (rc == 0 && c->store_url)
		rc = need_url("store_url", c->store_url, why);
	return rc;
}
