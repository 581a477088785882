/* Takes an absolute URL apart. */
#include "lib/http/url.h"

static bool host_valid(struct str host, bool bracketed)
{
	for (size_t i = 0; i < host.n; i++) {
		unsigned char c = (unsigned char)host.p[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			     (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';

		if (!plain && !(bracketed && c == ':'))
			return false;
	}
	return host.n > 0;
}

static bool path_valid(struct str path)
{
	for (size_t i = 0; i < path.n; i++)
		if ((unsigned char)path.p[i] <= ' ' || path.p[i] == 0x7f || path.p[i] == '#')
			return false;
	return true;
}

int url_parse(struct str text, struct url *ret)
{
	struct url u = { .port = 80 };

	if (str_istarts(text, S("https://"))) {
		u.tls = true;
		u.port = 443;
	} else if (!str_istarts(text, S("http://"))) {
		return -EINVAL;
	}
	struct str rest = str_skip(text, u.tls ? 8 : 7);
	size_t end = 0;

	while (end < rest.n && rest.p[end] != '/' && rest.p[end] != '?')
		end++;
	struct str authority = str_head(rest, end), port = STR_NONE;
	ssize_t close = str_rchr(authority, ']'), colon = str_rchr(authority, ':');
	bool bracketed = str_starts(authority, S("["));

	if (bracketed && close < 0)
		return -EINVAL;
	if (colon > close) {
		port = str_skip(authority, (size_t)colon + 1);
		authority = str_head(authority, (size_t)colon);
	}
	if (bracketed && (size_t)close + 1 != authority.n)
		return -EINVAL;
	u.host = bracketed ? str_of(authority.p + 1, authority.n - 2) : authority;
	u.path = str_skip(rest, end);
	uint64_t number = u.port;

	if (port.p && (str_to_u64(port, &number) < 0 || number < 1 || number > 65535))
		return -EINVAL;
	u.port = (unsigned)number;
	if (!host_valid(u.host, bracketed) || !path_valid(u.path))
		return -EINVAL;
	*ret = u;
	return 0;
}
