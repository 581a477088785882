/* Makes and splits the names of old versions. */
#include "proxy/middleware/version_names.h"
#include "lib/base/encode.h"

#define PREFIX str_of("\0versions", 10)

/* What a time and its inverse make together, in units of 10 microseconds. */
static const uint64_t whole = 999999999999999;

static struct str join(struct arena *a, struct str first, struct str second)
{
	char *p = arena_alloc(a, first.n + second.n + 3);

	p[0] = 0;
	memcpy(p + 1, first.p, first.n);
	p[1 + first.n] = 0;
	memcpy(p + 2 + first.n, second.p, second.n);
	p[2 + first.n + second.n] = 0;
	return str_of(p, first.n + second.n + 2);
}

struct str versions_container_name(struct arena *a, struct str container)
{
	return join(a, S("versions"), container);
}

struct str versions_container_of(struct str name)
{
	return str_starts(name, PREFIX) ? str_skip(name, PREFIX.n) : name;
}

struct str version_name(struct arena *a, struct str object, struct timestamp ts)
{
	struct timestamp inverse = { .t = whole - MIN(ts.t, whole) };
	char text[TIMESTAMP_SIZE];

	timestamp_normal(inverse, text);
	return join(a, object, str_from(text));
}

bool version_name_split(struct str name, struct str *ret_object, struct timestamp *ret_ts)
{
	struct timestamp ts;

	if (name.n == 0 || name.p[0] != 0)
		return false;
	struct str time = str_skip(name, 1), object = str_cut(&time, 0);

	if (!time.p || timestamp_parse(time, &ts) < 0 || ts.offset || ts.t > whole)
		return false;
	*ret_object = object;
	*ret_ts = (struct timestamp){ .t = whole - ts.t };
	return true;
}

int version_id_parse(struct str id, struct timestamp *ret)
{
	struct timestamp ts;

	if (timestamp_parse(id, &ts) < 0 || ts.offset || ts.t > whole)
		return -EINVAL;
	*ret = ts;
	return 0;
}

struct str legacy_version_prefix(struct arena *a, struct str object)
{
	return arena_printf(a, "%03zx%.*s/", object.n, STR(object));
}

struct str legacy_version_name(struct arena *a, struct str object, struct timestamp ts)
{
	char text[TIMESTAMP_SIZE];

	timestamp_internal(ts, text);
	return arena_printf(a, "%03zx%.*s/%s", object.n, STR(object), text);
}

struct str legacy_location(struct arena *a, struct str value)
{
	struct str rest = percent_decode(a, value), name = str_cut(&rest, '/');

	return str_chr(name, 0) < 0 ? name : S("");
}
