/* The settings of the identity service: [keystone], beside the keys of [identity] for tokens. */
#include "proxy/identity/identity.h"

struct identity_conf identity_conf;
unsigned identity_port;

#define T struct identity_conf

static const struct conf_option options[] = {
	OPT_INT(T, bind_port, "-1", -1, 65535,
		"A port of its own for the identity service, beside the proxy's; 0: none; -1: "
		"Keystone's, which is 5000, if nobody has it yet. Address and TLS are those of "
		"[proxy]."),
	OPT_STR(T, region, "RegionOne", "The region of the endpoints below."),
	OPT_STR(T, object_store_url, "$STORE/v1/AUTH_%(project_id)s",
		"Endpoint of the object store. $STORE is the proxy as the client reached it, $SELF "
		"the identity service, $HOST only the name of the host; %(project_id)s and "
		"%(user_id)s are filled in."),
	OPT_STR(T, identity_url, "$SELF/v3", "Endpoint of the identity service."),
	OPT_STR(T, image_url, NULL,
		"Endpoint of the image service, as http://$HOST:9292; unset: not in the catalog."),
	OPT_STR(T, compute_url, NULL,
		"Endpoint of the compute service, as http://$HOST:8774/v2.1; unset: not in the "
		"catalog."),
	OPT_LIST(T, reseller_prefix, "AUTH",
		 "Prefixes of the accounts of projects, '_' is added."),
	OPT_LIST(T, operator_roles, "admin, swiftoperator, member",
		 "Roles on a project that make an owner of its account."),
	OPT_STR(T, reseller_admin_role, "ResellerAdmin", "The role that owns every account."),
	OPT_PAIRS(T, service_roles, "service_roles_",
		  "service_roles_<PREFIX> = role: accounts of that prefix are open only with an "
		  "X-Service-Token that has the role."),
	OPT_PAIRS(T, users, "user",
		  "user… = <project> <name> <password> [role …]: more users of the domain Default, "
		  "each key any word that begins with \"user\". The users of [tempauth] are known "
		  "as well: account is project, .admin is the role member, .reseller_admin the "
		  "roles admin and ResellerAdmin."),
	OPT_INT(T, limit_per_user, "1000", 1, 1000000,
		"How many application credentials, access rules, trusts and credentials a user may "
		"make, of each; and revoked tokens that have not expired, beyond which he loses "
		"all his tokens. Every worker has them in memory."),
	OPT_DURATION(T, allow_expired_window, "48h", 0, 365LL * 24 * 3600 * 1000,
		     "How long after its end a token can still be validated by a service that asks "
		     "with allow_expired (a long job that began with it)."),
	OPT_LIST(T, system_reader_roles, "", "Roles that read every account."),
	OPT_LIST(T, project_reader_roles, "", "Roles on a project that read its account."),
	OPT_DURATION(T, token_life, "24h", 1000, 365LL * 24 * 3600 * 1000,
		     "How long a token is good."),
	OPT_END,
};
const struct conf_section identity_section = {
	.name = "keystone",
	.help = "Keystone's API (/v3, /v2.0) and its rules for the Swift API.",
	.options = options,
	.into = &identity_conf,
	.size = sizeof identity_conf,
};
