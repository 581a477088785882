/* X-Container-Sync-To: where a container would be copied to. Swift: common/utils
 * validate_sync_to */
#include "objectd/container/container_server.h"

/* Swift's default for allowed_sync_hosts; realms are not configured, so none has a key. */
static const struct str allowed_host = STR_INIT("127.0.0.1");

static int refuse(struct db_request *r, const char *before, struct str value, const char *behind)
{
	respond_html(r->res, 400, "%s%.*s%s", before, STR(value), behind);
	return -EINVAL;
}

static struct str host_of(struct str authority)
{
	ssize_t at = str_rchr(authority, '@');
	struct str host = at < 0 ? authority : str_skip(authority, (size_t)at + 1);
	ssize_t colon = str_chr(host, ':');

	return colon < 0 ? host : str_head(host, (size_t)colon);
}

static int check_url(struct db_request *r, struct str value)
{
	ssize_t colon = str_chr(value, ':');
	struct str scheme = colon < 0 ? S("") : str_head(value, (size_t)colon);

	if (!str_ieq(scheme, S("http")) && !str_ieq(scheme, S("https")))
		return refuse(r, "Invalid scheme '", scheme,
			      "' in X-Container-Sync-To, must be \"//\", "
			      "\"http\", or \"https\".");
	struct str rest = str_skip(value, (size_t)colon + 1);

	if (str_starts(rest, S("//")))
		rest = str_skip(rest, 2);
	ssize_t slash = str_chr(rest, '/');

	if (slash < 0)
		return refuse(r, "Path required in X-Container-Sync-To", S(""), "");
	if (str_chr(rest, '?') >= 0 || str_chr(rest, '#') >= 0 || str_chr(rest, ';') >= 0)
		return refuse(r,
			      "Params, queries, and fragments not allowed in X-Container-Sync-To",
			      S(""), "");
	struct str host = host_of(str_head(rest, (size_t)slash));

	if (!str_ieq(host, allowed_host))
		return refuse(r, "Invalid host '", host, "' in X-Container-Sync-To");
	return 0;
}

int container_check_sync_to(struct db_request *r)
{
	struct str given = db_header(r, "X-Container-Sync-To"), value = given;
	unsigned parts = 0;

	while (str_ends(value, S("/")))
		value.n--;
	if (value.n == 0)
		return 0;
	if (!str_starts(value, S("//")))
		return check_url(r, value);
	struct str rest = str_skip(value, 2), realm = str_cut(&rest, '/');

	for (parts = 1; rest.p; parts++)
		(void)str_cut(&rest, '/');
	if (parts != 4)
		return refuse(r, "Invalid X-Container-Sync-To format '", given, "'");
	return refuse(r, "No realm key for '", realm, "'");
}
