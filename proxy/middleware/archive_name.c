/* Names in archives and in the store. */
#include "proxy/middleware/archive_name.h"

struct str archive_base(struct arena *a, struct str container, struct str object)
{
	struct str base = container.n ? container : S("");

	if (object.n)
		base = arena_printf(a, "%.*s/%.*s", STR(container), STR(object));
	while (str_ends(base, S("/")))
		base.n--;
	return base;
}

bool archive_target(struct arena *a, struct str base, struct str name, struct str *ret)
{
	if (str_starts(name, S("./")))
		name = str_skip(name, 2);
	while (str_starts(name, S("/")))
		name = str_skip(name, 1);
	struct str path = base.n ? arena_printf(a, "%.*s/%.*s", STR(base), STR(name)) :
				   arena_str(a, name);
	ssize_t slash = str_chr(path, '/');

	if (slash <= 0 || (size_t)slash + 1 == path.n)
		return false;
	*ret = path;
	return true;
}

struct str archive_attribute_header(struct arena *a, struct str name)
{
	if (str_eq(name, S("user.mime_type")))
		return S("Content-Type");
	if (!str_starts(name, S("user.meta.")))
		return STR_NONE;
	return arena_printf(a, "X-Object-Meta-%.*s", STR(str_skip(name, 10)));
}
