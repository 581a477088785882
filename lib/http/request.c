/* Method names and query parameters. */
#include "lib/http/request.h"
#include "lib/base/encode.h"

static const struct str method_names[] = {
	[HTTP_OTHER] = STR_INIT(""),
	[HTTP_GET] = STR_INIT("GET"),
	[HTTP_HEAD] = STR_INIT("HEAD"),
	[HTTP_PUT] = STR_INIT("PUT"),
	[HTTP_POST] = STR_INIT("POST"),
	[HTTP_DELETE] = STR_INIT("DELETE"),
	[HTTP_OPTIONS] = STR_INIT("OPTIONS"),
	[HTTP_COPY] = STR_INIT("COPY"),
	[HTTP_PATCH] = STR_INIT("PATCH"),
	[HTTP_REPLICATE] = STR_INIT("REPLICATE"),
	[HTTP_UPDATE] = STR_INIT("UPDATE"),
};

enum http_method http_method_parse(struct str s)
{
	for (size_t i = 1; i < ARRAY_LEN(method_names); i++)
		if (str_eq(s, method_names[i]))
			return (enum http_method)i;
	return HTTP_OTHER;
}

const char *http_method_name(enum http_method m)
{
	assert((size_t)m < ARRAY_LEN(method_names));
	return method_names[m].p;
}

/* Finds the last parameter of that name: whether there is one, with its raw value. */
static bool find_parameter(const struct request *req, struct str name, struct str *ret_raw)
{
	struct str rest = req->query, part;
	bool found = false;

	while ((part = str_cut(&rest, '&')).p) {
		struct str value = part, key = str_cut(&value, '=');

		if (part.n == 0 || !str_eq(query_decode(req->arena, key), name))
			continue;
		*ret_raw = value.p ? value : S("");
		found = true;
	}
	return found;
}

struct str request_query(const struct request *req, struct str name)
{
	struct str raw;

	if (!req->query.p || !find_parameter(req, name, &raw))
		return STR_NONE;
	raw = query_decode(req->arena, raw);
	return raw.p ? raw : S("");
}

bool request_has_query(const struct request *req, struct str name)
{
	return request_query(req, name).p != NULL;
}

bool request_next_query(struct arena *a, struct str *rest, struct str *ret_name,
			struct str *ret_value)
{
	struct str part;

	while ((part = str_cut(rest, '&')).p) {
		struct str value = part, key = str_cut(&value, '=');

		if (part.n == 0)
			continue;
		value = query_decode(a, value);
		*ret_name = query_decode(a, key);
		*ret_value = value.p ? value : S("");
		return true;
	}
	return false;
}
