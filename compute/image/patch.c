/* Reads JSON patches.
 * Glance: api/v2/images.py RequestDeserializer._get_change_operation_d4, _d10 */
#include "compute/image/patch.h"

static const char *const op_names[] = { "add", "replace", "remove" };

int patch_dialect_parse(struct str content_type, enum patch_dialect *ret)
{
	struct str rest = content_type, type = str_trim(str_cut(&rest, ';'));

	if (str_ieq(type, S("application/openstack-images-v2.1-json-patch")))
		*ret = PATCH_V21;
	else if (str_ieq(type, S("application/openstack-images-v2.0-json-patch")))
		*ret = PATCH_V20;
	else
		return -EINVAL;
	return 0;
}

/* ~1 is a slash, ~0 a tilde: RFC 6901. -EINVAL for another escape. */
static int unescape(struct arena *a, struct str s, struct str *ret)
{
	char *to = arena_alloc(a, s.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '~') {
			i++;
			if (i == s.n || (s.p[i] != '0' && s.p[i] != '1'))
				return -EINVAL;
			c = s.p[i] == '0' ? '~' : '/';
		}
		to[n++] = c;
	}
	to[n] = 0;
	*ret = str_of(to, n);
	return 0;
}

/* Only the members of the image itself can be named. */
static int read_path(struct arena *a, struct str path, struct str *ret, struct fault *why)
{
	struct str name = str_skip(path, 1);

	if (!str_starts(path, S("/")))
		return fault_set(why, -EINVAL, "Pointer `%.*s` does not start with \"/\".",
				 STR(path));
	if (name.n == 0 || memchr(name.p, '/', name.n) || memchr(name.p, 0, name.n) ||
	    unescape(a, name, ret) < 0)
		return fault_set(why, -EINVAL, "Invalid JSON pointer for this resource: '%.*s'",
				 STR(path));
	return 0;
}

/* The operation and the path as they stand in the step. */
static int read_op(const json_t *step, enum patch_dialect dialect, enum patch_op *ret,
		   struct str *ret_path, struct fault *why)
{
	unsigned found = 0;

	for (unsigned i = 0; i < ARRAY_LEN(op_names); i++) {
		bool is = dialect == PATCH_V21 ?
				  str_eq(json_str(step, "op"), str_from(op_names[i])) :
				  json_object_get(step, op_names[i]) != NULL;

		if (!is)
			continue;
		found++;
		*ret = (enum patch_op)i;
		*ret_path = json_str(step, dialect == PATCH_V21 ? "path" : op_names[i]);
	}
	if (found != 1)
		return fault_set(why, -EINVAL,
				 "Operation objects must contain exactly one of add, replace and "
				 "remove.");
	if (!ret_path->p)
		return fault_set(why, -EINVAL, "Operation objects must contain a path.");
	return 0;
}

int patch_parse(struct arena *a, const json_t *doc, enum patch_dialect dialect,
		struct patch_step **ret, size_t *ret_n, struct fault *why)
{
	size_t n = json_array_size(doc);

	if (!json_is_array(doc))
		return fault_set(why, -EINVAL, "Request body must be a JSON array of operation "
					       "objects.");
	if (n > PATCH_STEPS_MAX)
		return fault_set(why, -EINVAL, "There are more than %d operations.",
				 PATCH_STEPS_MAX);
	struct patch_step *steps = arena_zalloc(a, (n + 1) * sizeof *steps);

	for (size_t i = 0; i < n; i++) {
		const json_t *step = json_array_get(doc, i);
		struct patch_step *s = &steps[i];
		struct str path = STR_NONE;

		if (!json_is_object(step))
			return fault_set(why, -EINVAL, "Operations must be JSON objects.");
		int rc = read_op(step, dialect, &s->op, &path, why);

		if (rc == 0)
			rc = read_path(a, path, &s->name, why);
		if (rc < 0)
			return rc;
		s->value = s->op == PATCH_REMOVE ? NULL : json_object_get(step, "value");
		if (s->op != PATCH_REMOVE && !s->value)
			return fault_set(why, -EINVAL, "Operation \"%s\" requires a member named "
						       "\"value\".", op_names[s->op]);
	}
	*ret = steps;
	*ret_n = n;
	return 0;
}
