/* Version 1 ACLs: cleaning and evaluating. */
#include "lib/swift/acl.h"
#include "lib/base/encode.h"

static bool is_referrer_word(struct str s)
{
	return str_eq(s, S(".r")) || str_eq(s, S(".ref")) || str_eq(s, S(".referer")) ||
	       str_eq(s, S(".referrer"));
}

static int clean_referrer(struct buf *to, struct str raw, struct str host, bool write,
			  struct fault *why)
{
	if (write)
		return fault_set(why, -EINVAL, "Referrers not allowed in write ACL: '%.*s'",
				 STR(raw));
	bool negate = str_starts(host, S("-"));

	if (negate)
		host = str_trim(str_skip(host, 1));
	if (!str_eq(host, S("*")) && str_starts(host, S("*")))
		host = str_trim(str_skip(host, 1));
	if (host.n == 0 || str_eq(host, S(".")))
		return fault_set(why, -EINVAL,
				 "No host/domain value after referrer designation in ACL: '%.*s'",
				 STR(raw));
	buf_add_str(to, negate ? S(".r:-") : S(".r:"));
	buf_add_str(to, host);
	return 0;
}

static int clean_item(struct buf *to, struct str raw, bool write, struct fault *why)
{
	ssize_t colon = str_chr(raw, ':');
	struct str first = colon < 0 ? raw : str_trim(str_head(raw, (size_t)colon));

	if (to->n)
		buf_add_char(to, ',');
	if (colon < 0 || first.n == 0 || first.p[0] != '.') {
		buf_add_str(to, raw);
		return 0;
	}
	if (!is_referrer_word(first))
		return fault_set(why, -EINVAL, "Unknown designator '%.*s' in ACL: '%.*s'",
				 STR(first), STR(raw));
	return clean_referrer(to, raw, str_trim(str_skip(raw, (size_t)colon + 1)), write, why);
}

int acl_clean(struct arena *a, struct str value, bool write, struct str *ret, struct fault *why)
{
	CLEANUP(buf_done) struct buf out = BUF(value.n * 2 + 64);
	struct str item;

	while ((item = str_cut(&value, ',')).p) {
		item = str_trim(item);
		int rc = item.n ? clean_item(&out, item, write, why) : 0;

		if (rc < 0)
			return rc;
	}
	assert(!buf_failed(&out));
	*ret = arena_str(a, buf_str(&out));
	return 0;
}

/* The host of a Referer, as urlparse(...).hostname: lower case, without user and port. */
static struct str referer_host(struct arena *a, struct str referer)
{
	ssize_t at = str_find(referer, S("//"));

	if (!referer.p || at < 0)
		return S("unknown");
	struct str host = str_skip(referer, (size_t)at + 2);

	for (size_t i = 0; i < host.n; i++)
		if (strchr("/?#", host.p[i])) {
			host.n = i;
			break;
		}
	if ((at = str_rchr(host, '@')) >= 0)
		host = str_skip(host, (size_t)at + 1);
	if (host.n && host.p[0] == '[') {
		at = str_chr(host, ']');
		host = at < 0 ? host : str_skip(str_head(host, (size_t)at), 1);
	} else if ((at = str_chr(host, ':')) >= 0) {
		host = str_head(host, (size_t)at);
	}
	if (host.n == 0)
		return S("unknown");
	host = arena_str(a, host);
	for (size_t i = 0; i < host.n; i++)
		if (host.p[i] >= 'A' && host.p[i] <= 'Z')
			((char *)host.p)[i] |= 32;
	return host;
}

static bool host_matches(struct str pattern, struct str host)
{
	return str_eq(pattern, host) || (str_starts(pattern, S(".")) && str_ends(host, pattern));
}

bool acl_referrer_allowed(struct arena *a, struct str acl, struct str referer)
{
	struct str host = STR_NONE, item;
	bool allow = false;

	while ((item = str_cut(&acl, ',')).p) {
		if (!str_starts(item, S(".r:")))
			continue;
		if (!host.p)
			host = referer_host(a, referer);
		item = str_skip(item, 3);
		if (str_starts(item, S("-")))
			allow = allow && !host_matches(str_skip(item, 1), host);
		else if (str_eq(item, S("*")) || host_matches(item, host))
			allow = true;
	}
	return allow;
}

bool acl_group_allowed(struct arena *a, struct str acl, struct str groups)
{
	struct str item;

	while ((item = str_cut(&acl, ',')).p) {
		struct str rest = groups, group;

		if (str_starts(item, S(".r:")))
			continue;
		item = percent_decode(a, item);
		while (item.n && (group = str_cut(&rest, ',')).p)
			if (str_eq(group, item))
				return true;
	}
	return false;
}

bool acl_name_allowed(struct arena *a, struct str acl, struct str name)
{
	struct str item;

	while ((item = str_cut(&acl, ',')).p)
		if (!str_starts(item, S(".r:")) && str_eq(percent_decode(a, item), name))
			return true;
	return false;
}

bool acl_has(struct str acl, struct str item)
{
	struct str part;

	while ((part = str_cut(&acl, ',')).p)
		if (str_eq(part, item))
			return true;
	return false;
}
