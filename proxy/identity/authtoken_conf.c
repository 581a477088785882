/* The settings of [authtoken], named as keystonemiddleware names them. */
#include "proxy/identity/authtoken_internal.h"

struct authtoken_conf authtoken_conf, authtoken_now;

#define T struct authtoken_conf

static const struct conf_option options[] = {
	OPT_STR(T, auth_url, NULL,
		"The Keystone that is trusted, as http://keystone:5000. Unset: this proxy's own. "
		"When it is set, /v3 and /v2.0 are not served here; v1 authentication still is."),
	OPT_STR(T, www_authenticate_uri, NULL,
		"What clients are told in WWW-Authenticate; unset: auth_url."),
	OPT_STR(T, username, NULL, "The user that may validate tokens there."),
	{ .key = "password",
	  .type = CONF_STR,
	  .at = CONF_AT(T, password, const char *),
	  .secret = true,
	  .help = "Its password." },
	OPT_STR(T, project_name, "service", "Its project."),
	OPT_STR(T, user_domain_name, "Default", "The domain of the user."),
	OPT_STR(T, project_domain_name, "Default", "The domain of the project."),
	OPT_DURATION(T, token_cache_time, "5s", 0, 24 * 3600 * 1000,
		     "How long an answer is believed: so long a revoked token is still good here."),
	OPT_INT(T, token_cache_size, "10000", 1, 10000000, "Answers that a worker remembers."),
	OPT_LIST(T, service_token_roles, "service",
		 "A service whose X-Service-Token has one of these roles may go on with a user's "
		 "token that has expired."),
	OPT_BOOL(T, service_token_roles_required, "no",
		 "Refuse an X-Service-Token that has none of them."),
	OPT_STR(T, cafile, NULL,
		"Certificates (PEM) that https is checked by; unset: the system's."),
	OPT_DURATION(T, http_connect_timeout, "3s", 1, 3600 * 1000, "For a connection."),
	OPT_DURATION(T, http_request_timeout, "10s", 1, 3600 * 1000, "For an answer."),
	OPT_INT(T, http_request_max_retries, "3", 0, 100,
		"How often a question is asked again after an error."),
	OPT_INT(T, concurrency, "64", 1, 10000,
		"Questions of a worker at the same time; others wait, and after "
		"http_request_timeout get 503."),
	OPT_END,
};

static int check(void *section, struct fault *why)
{
	const struct authtoken_conf *c = section;
	struct str url = str_from(c->auth_url);

	if (!c->auth_url)
		return 0;
	if (!str_starts(url, S("http://")) && !str_starts(url, S("https://")))
		return fault_set(why, -EINVAL, "[authtoken] auth_url is neither http:// nor "
					       "https://");
	if (!c->username || !c->password)
		return fault_set(why, -EINVAL, "[authtoken] needs username and password");
	return 0;
}

const struct conf_section authtoken_section = {
	.name = "authtoken",
	.help = "Trust another Keystone instead of being one. A change here takes a restart.",
	.options = options,
	.into = &authtoken_conf,
	.size = sizeof authtoken_conf,
	.check = check,
};

bool authtoken_configured(void)
{
	return authtoken_conf.auth_url != NULL;
}
