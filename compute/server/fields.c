/* Bodies of requests: which members they may have, and of what kind. Nova: api/validation. */
#include "compute/server/server.h"

#include <math.h>

/* Characters, not bytes. */
static int64_t length(struct str s)
{
	int64_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
	return n;
}

static const char *text_wrong(const json_t *v, const struct field *f)
{
	struct str s = str_of(json_string_value(v), json_string_length(v));

	if (!json_is_string(v))
		return "is not of type 'string'";
	if (length(s) < f->min)
		return "is too short";
	if (length(s) > f->max)
		return "is too long";
	if (f->kind == F_TEXT)
		return NULL;
	if (str_trim(s).n != s.n && (f->min > 0 || s.n))
		return "has blanks at an end";
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return "has characters that cannot be printed";
	return NULL;
}

static bool int_of(const json_t *v, int64_t *ret)
{
	if (json_is_integer(v)) {
		*ret = json_integer_value(v);
		return true;
	}
	return json_is_string(v) && str_to_i64(str_from(json_string_value(v)), ret) == 0;
}

static const char *int_wrong(const json_t *v, const struct field *f)
{
	int64_t n;

	if (!int_of(v, &n))
		return "is not of type 'integer'";
	return n < f->min || n > f->max ? "is out of range" : NULL;
}

static const char *number_wrong(const json_t *v, const struct field *f)
{
	double n = json_number_value(v);

	if (json_is_string(v) && str_to_double(str_from(json_string_value(v)), &n) < 0)
		return "is not a number";
	if (!json_is_number(v) && !json_is_string(v))
		return "is not a number";
	return !isfinite(n) || n < (double)f->min || n > (double)f->max ? "is out of range" : NULL;
}

/* Nova's words of truth: 1 and 0 for true and false, -1 for none. */
static int truth_of(const json_t *v)
{
	static const char *const yes[] = { "1", "t", "true", "on", "y", "yes" };
	static const char *const no[] = { "0", "f", "false", "off", "n", "no" };

	if (json_is_boolean(v))
		return json_is_true(v);
	if (!json_is_string(v))
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
		if (str_ieq(str_from(json_string_value(v)), str_from(yes[i])))
			return 1;
		if (str_ieq(str_from(json_string_value(v)), str_from(no[i])))
			return 0;
	}
	return -1;
}

static const char *value_wrong(const json_t *v, const struct field *f)
{
	if (json_is_null(v))
		return f->nullable || f->kind == F_ANY ? NULL : "is null";
	switch (f->kind) {
	case F_TEXT:
	case F_NAME:
		return text_wrong(v, f);
	case F_INT:
		return int_wrong(v, f);
	case F_NUMBER:
		return number_wrong(v, f);
	case F_BOOL:
		return truth_of(v) < 0 ? "is not of type 'boolean'" : NULL;
	case F_OBJECT:
		return json_is_object(v) ? NULL : "is not of type 'object'";
	case F_LIST:
		return json_is_array(v) ? NULL : "is not of type 'array'";
	case F_ANY:
		return NULL;
	}
	unreachable("kinds of fields");
}

static const struct field *find(const struct field *fields, const char *name)
{
	for (; fields->name; fields++)
		if (strcmp(fields->name, name) == 0)
			return fields;
	return NULL;
}

bool fields_check(struct api_call *c, const json_t *object, const struct field *fields)
{
	const char *key;
	json_t *v;

	if (!json_is_object(object)) {
		api_error(c, 400, "Invalid input: it is not of type 'object'");
		return false;
	}
	json_object_foreach((json_t *)object, key, v) {
		const struct field *f = find(fields, key);
		const char *wrong = f ? value_wrong(v, f) : NULL;

		if (!f) {
			api_error(c, 400, "Additional properties are not allowed ('%s' was "
					  "unexpected)", key);
			return false;
		}
		if (wrong) {
			AUTO(chars) value = json_dumps(v, JSON_ENCODE_ANY);

			api_error(c, 400, "Invalid input for field/attribute %s. Value: %.300s. It "
					  "%s", key, value, wrong);
			return false;
		}
	}
	for (; fields->name; fields++)
		if (fields->required && !json_object_get(object, fields->name)) {
			api_error(c, 400, "Invalid input: '%s' is a required property",
				  fields->name);
			return false;
		}
	return true;
}

json_t *fields_body(struct api_call *c, const char *key, const struct field *fields,
		    json_t **ret_body)
{
	json_t *body = api_body(c, SERVER_BODY_MAX), *inner;

	if (!body)
		return NULL;
	*ret_body = body;
	inner = json_object_get(body, key);
	if (!json_is_object(inner)) {
		api_error(c, 400, "Invalid input: '%s' is a required property, an object", key);
		return NULL;
	}
	return fields_check(c, inner, fields) ? inner : NULL;
}

int64_t field_int(const json_t *object, const char *key, int64_t missing)
{
	int64_t n;

	return int_of(json_object_get(object, key), &n) ? n : missing;
}

bool field_bool(const json_t *object, const char *key, bool missing)
{
	int truth = truth_of(json_object_get(object, key));

	return truth < 0 ? missing : truth > 0;
}
