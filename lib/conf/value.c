/* Values of options: numbers with units, words of a list, one of several names. */
#include "lib/conf/internal.h"

#include <math.h>

struct unit {
	const char *name;
	double factor;
};

static const struct unit size_units[] = {
	{ "B", 1 },
	{ "KiB", KIB },
	{ "MiB", MIB },
	{ "GiB", 1073741824.0 },
	{ "TiB", 1099511627776.0 },
	{ "k", 1e3 },
	{ "M", 1e6 },
	{ "G", 1e9 },
	{ "T", 1e12 },
	{ NULL, 1 },
};
static const struct unit duration_units[] = {
	{ "s", 1e3 }, { "ms", 1 }, { "m", 60e3 }, { "h", 3600e3 }, { "d", 86400e3 }, { NULL, 1e3 },
};

/* A number with an optional unit; the nameless last unit is what a bare number means. -ENOENT: the
 * unit is not one of them. */
static int parse_with_unit(struct str s, const struct unit *units, uint64_t *ret)
{
	size_t digits = 0;
	double v;

	while (digits < s.n && ((s.p[digits] >= '0' && s.p[digits] <= '9') || s.p[digits] == '.'))
		digits++;
	if (digits == 0 || str_to_double(str_head(s, digits), &v) < 0)
		return -EINVAL;
	struct str name = str_trim(str_skip(s, digits));
	const struct unit *u = units;

	for (; u->name; u++)
		if (str_eq(name, str_from(u->name)))
			break;
	if (!u->name && name.n)
		return -ENOENT;
	v = round(v * u->factor);
	if (v >= 9e18)
		return -ERANGE;
	*ret = (uint64_t)v;
	return 0;
}

int conf_size_parse(struct str s, uint64_t *ret_bytes)
{
	int rc = parse_with_unit(s, size_units, ret_bytes);

	return rc == -ENOENT ? -EINVAL : rc;
}

int conf_duration_parse(struct str s, uint64_t *ret_ms)
{
	int rc = parse_with_unit(s, duration_units, ret_ms);

	return rc == -ENOENT ? -EINVAL : rc;
}

static void add_size(struct buf *to, uint64_t n)
{
	static const char *const names[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	unsigned i = 0;

	while (n && n % 1024 == 0 && i + 1 < ARRAY_LEN(names)) {
		n /= 1024;
		i++;
	}
	buf_addf(to, "%" PRIu64 " %s", n, names[i]);
}

static void add_duration(struct buf *to, uint64_t ms)
{
	if (ms % 86400000 == 0 && ms)
		buf_addf(to, "%" PRIu64 " d", ms / 86400000);
	else if (ms % 3600000 == 0 && ms)
		buf_addf(to, "%" PRIu64 " h", ms / 3600000);
	else if (ms % 1000 == 0)
		buf_addf(to, "%" PRIu64 " s", ms / 1000);
	else
		buf_addf(to, "%" PRIu64 " ms", ms);
}

static void add_bound(const struct conf_option *o, int64_t v, struct buf *to)
{
	if (o->type == CONF_SIZE)
		add_size(to, (uint64_t)v);
	else if (o->type == CONF_DURATION)
		add_duration(to, (uint64_t)v);
	else
		buf_addf(to, "%" PRId64, v);
}

void conf_value_range(const struct conf_option *o, struct buf *to)
{
	if (o->type == CONF_ENUM) {
		for (unsigned i = 0; o->names[i]; i++)
			buf_addf(to, "%s%s",
				 i == 0            ? ""
				 : o->names[i + 1] ? ", "
						   : " or ",
				 o->names[i]);
		return;
	}
	add_bound(o, o->min, to);
	if (o->max == INT64_MAX) {
		buf_add_lit(to, " or more");
		return;
	}
	buf_add_lit(to, " to ");
	add_bound(o, o->max, to);
}

static int out_of_range(const struct conf_option *o, struct str value, struct fault *why)
{
	CLEANUP(buf_done) struct buf range = BUF(256);

	conf_value_range(o, &range);
	return fault_set(why, -EINVAL, "%s = %.*s is out of range: %.*s", o->key, STR(value),
			 STR(buf_str(&range)));
}

static int bad(const struct conf_option *o, struct str value, const char *wanted, struct fault *why)
{
	return fault_set(why, -EINVAL, "bad value \"%.*s\" for %s: %s is wanted", STR(value),
			 o->key, wanted);
}

static int set_number(const struct conf_option *o, struct str value, char *field, struct fault *why)
{
	bool size = o->type == CONF_SIZE;
	uint64_t v = 0;
	int64_t i = 0;
	int rc = o->type == CONF_INT
			 ? str_to_i64(value, &i)
			 : parse_with_unit(value, size ? size_units : duration_units, &v);

	if (rc == -ENOENT)
		return fault_set(why, -EINVAL, "bad unit in %s = %.*s: use %s", o->key, STR(value),
				 size ? "B, KiB, MiB, GiB, TiB (1024s) or k, M, G, T (1000s)" :
					"ms, s, m, h or d");
	if (rc == -EINVAL)
		return bad(o, value,
			   o->type == CONF_INT ? "a whole number"
			   : size              ? "a size such as 64KiB"
					       : "a duration such as 500ms",
			   why);
	if (o->type != CONF_INT)
		i = (int64_t)v;
	if (rc == -ERANGE || i < o->min || i > o->max)
		return out_of_range(o, value, why);
	if (o->type == CONF_INT)
		*(int64_t *)(void *)field = i;
	else
		*(uint64_t *)(void *)field = v;
	return 0;
}

static bool is_false(struct str s)
{
	static const struct str no[] = { STR_INIT("false"), STR_INIT("0"), STR_INIT("no"),
					 STR_INIT("off"), STR_INIT("f"), STR_INIT("n") };

	for (size_t i = 0; i < ARRAY_LEN(no); i++)
		if (str_ieq(s, no[i]))
			return true;
	return false;
}

static void set_list(struct arena *a, struct str value, struct conf_list *list)
{
	struct str *items = arena_alloc(a, (value.n / 2 + 1) * sizeof *items);
	unsigned n = 0;

	for (size_t i = 0; i < value.n;) {
		size_t end = i;

		while (end < value.n && !strchr(", \t\n", value.p[end]))
			end++;
		if (end > i)
			items[n++] = arena_str(a, str_of(value.p + i, end - i));
		i = end + 1;
	}
	*list = (struct conf_list){ .items = items, .count = n };
}

static int set_enum(const struct conf_option *o, struct str value, int *field, struct fault *why)
{
	CLEANUP(buf_done) struct buf names = BUF(256);

	for (int i = 0; o->names[i]; i++)
		if (str_ieq(value, str_from(o->names[i]))) {
			*field = i;
			return 0;
		}
	conf_value_range(o, &names);
	return bad(o, value, names.p, why);
}

static int set_double(const struct conf_option *o, struct str value, double *field,
		      struct fault *why)
{
	double v;

	if (str_to_double(value, &v) < 0)
		return bad(o, value, "a number", why);
	if (v < (double)o->min || v > (double)o->max)
		return out_of_range(o, value, why);
	*field = v;
	return 0;
}

int conf_value_set(struct arena *a, const struct conf_option *o, struct str value, void *into,
		   struct fault *why)
{
	void *field = (char *)into + o->at;

	switch (o->type) {
	case CONF_STR:
		*(const char **)field = arena_str(a, value).p;
		return 0;
	case CONF_BOOL:
		if (!str_is_true(value) && !is_false(value))
			return bad(o, value, "yes or no", why);
		*(bool *)field = str_is_true(value);
		return 0;
	case CONF_INT:
	case CONF_SIZE:
	case CONF_DURATION:
		return set_number(o, value, field, why);
	case CONF_DOUBLE:
		return set_double(o, value, field, why);
	case CONF_LIST:
		set_list(a, value, field);
		return 0;
	case CONF_ENUM:
		return set_enum(o, value, field, why);
	case CONF_PAIRS:
		break;
	}
	unreachable("pairs are collected by the reader");
}

void conf_value_none(const struct conf_option *o, void *into)
{
	static const size_t sizes[] = {
		[CONF_STR] = sizeof(char *),
		[CONF_BOOL] = sizeof(bool),
		[CONF_INT] = sizeof(int64_t),
		[CONF_DOUBLE] = sizeof(double),
		[CONF_SIZE] = sizeof(uint64_t),
		[CONF_DURATION] = sizeof(uint64_t),
		[CONF_LIST] = sizeof(struct conf_list),
		[CONF_ENUM] = sizeof(int),
		[CONF_PAIRS] = sizeof(struct conf_pairs),
	};

	memset((char *)into + o->at, 0, sizes[o->type]);
}
