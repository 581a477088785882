/* Compares a path with the table of routes, part by part. */
#include "compute/api/route.h"
#include "lib/base/encode.h"

static bool is_name(struct str part)
{
	return part.n > 2 && part.p[0] == '{' && part.p[part.n - 1] == '}';
}

enum fit { FIT_NO, FIT_YES, FIT_NAMELESS };

/* Whether the path is of that form; what its names stand for go to m. */
static enum fit fits(const char *pattern, struct arena *a, struct str path, struct api_match *m)
{
	struct str want = str_from(pattern), wanted, part;

	m->args = 0;
	for (;;) {
		wanted = str_cut(&want, '/');
		part = str_cut(&path, '/');
		if (!wanted.p || !part.p)
			return !wanted.p && !part.p ? FIT_YES : FIT_NO;
		if (!is_name(wanted)) {
			if (!str_eq(wanted, part))
				return FIT_NO;
			continue;
		}
		if (part.n == 0)
			return !path.p && !want.p ? FIT_NAMELESS : FIT_NO;
		assert(m->args < API_ARGS_MAX);
		m->arg[m->args++] = percent_decode(a, part);
	}
}

/* GET before HEAD, which it covers. */
static void allow(struct api_match *m, struct arena *a, enum http_method method)
{
	struct str name = str_from(http_method_name(method));

	if (m->allowed.n)
		name = arena_printf(a, "%.*s, %.*s", STR(m->allowed), STR(name));
	m->allowed = name;
}

static bool answers(const struct api_route *r, enum http_method method)
{
	return r->method == method || (r->method == HTTP_GET && method == HTTP_HEAD);
}

/* Whether anything fits, with a name missing included: then nothing else is tried. */
static bool look(const struct api_route *routes, struct arena *a, enum http_method method,
		 struct str path, struct api_match *m)
{
	bool nameless = false;

	m->allowed = STR_NONE;
	for (const struct api_route *r = routes; r->path; r++) {
		enum fit fit = fits(r->path, a, path, m);

		nameless |= fit == FIT_NAMELESS && answers(r, method);
		if (fit != FIT_YES)
			continue;
		if (answers(r, method)) {
			m->route = r;
			return true;
		}
		allow(m, a, r->method);
	}
	return m->allowed.n > 0 || nameless;
}

void route_find(const struct api_route *routes, struct arena *a, enum http_method method,
		struct str path, struct api_match *ret)
{
	*ret = (struct api_match){ .route = NULL };
	if (look(routes, a, method, path, ret))
		return;
	if (path.n > 1 && str_ends(path, S("/")))
		(void)look(routes, a, method, str_head(path, path.n - 1), ret);
}
