/* Reads and applies the filters of an image listing.
 * Glance: api/v2/images.py RequestDeserializer.index, db/sqlalchemy/api.py */
#include "compute/image/filter.h"
#include "lib/base/clock.h"

/* ---- one test ---- */

static bool cut_operator(struct str test, struct str *ret_op, struct str *ret_value)
{
	static const char *const ops[] = { "in", "eq", "neq", "gt", "gte", "lt", "lte" };
	struct str rest = test, op = str_cut(&rest, ':');

	for (size_t i = 0; i < ARRAY_LEN(ops) && rest.p; i++)
		if (str_eq(op, str_from(ops[i]))) {
			*ret_op = op;
			*ret_value = rest;
			return true;
		}
	return false;
}

static bool holds(struct str op, int order)
{
	if (str_eq(op, S("eq")))
		return order == 0;
	if (str_eq(op, S("neq")))
		return order != 0;
	if (str_eq(op, S("gt")))
		return order > 0;
	if (str_eq(op, S("gte")))
		return order >= 0;
	if (str_eq(op, S("lt")))
		return order < 0;
	return order <= 0;
}

/* The next word of a list: plain up to a comma, or in double quotes with \" in it. */
static int next_word(struct arena *a, struct str *rest, struct str *ret)
{
	if (!str_starts(*rest, S("\""))) {
		*ret = str_cut(rest, ',');
		return memchr(ret->p, '"', ret->n) ? -EINVAL : 0;
	}
	char *to = arena_alloc(a, rest->n);
	size_t n = 0, i = 1;

	for (; i < rest->n && rest->p[i] != '"'; i++) {
		if (rest->p[i] == '\\' && i + 1 < rest->n)
			i++;
		to[n++] = rest->p[i];
	}
	if (i == rest->n)
		return -EINVAL;
	*ret = str_of(to, n);
	*rest = str_skip(*rest, i + 1);
	if (rest->n == 0)
		*rest = STR_NONE;
	else if (!str_starts(*rest, S(",")))
		return -EINVAL;
	else
		*rest = str_skip(*rest, 1);
	return 0;
}

int filter_test_text(struct arena *a, struct str test, struct str value, bool *ret)
{
	struct str op, rest, word;

	if (!cut_operator(test, &op, &rest)) {
		*ret = value.p && str_eq(test, value);
		return 0;
	}
	if (!str_eq(op, S("in"))) {
		*ret = value.p && holds(op, str_cmp(value, rest));
		return 0;
	}
	*ret = false;
	while (rest.p) {
		int rc = next_word(a, &rest, &word);

		if (rc < 0)
			return rc;
		*ret |= value.p && str_eq(word, value);
	}
	return 0;
}

int filter_test_time(struct str test, int64_t us, bool *ret)
{
	struct str op = S("eq"), text = test;
	int64_t want;

	(void)cut_operator(test, &op, &text);
	if (str_eq(op, S("in")) || clock_iso_parse(text, &want) < 0)
		return -EINVAL;
	/* What clients see has no fractions. */
	us -= us % 1000000;
	want -= want % 1000000;
	*ret = holds(op, us < want ? -1 : us > want);
	return 0;
}

static int test_number(struct str test, const json_t *value, bool *ret)
{
	struct str op = S("eq"), text = test;
	json_int_t have = json_integer_value(value);
	int64_t want;

	(void)cut_operator(test, &op, &text);
	if (str_eq(op, S("in")) || str_to_i64(text, &want) < 0)
		return -EINVAL;
	*ret = json_is_integer(value) && holds(op, have < want ? -1 : have > want);
	return 0;
}

static int test_bool(struct str test, const json_t *value, bool *ret)
{
	if (!str_ieq(test, S("true")) && !str_ieq(test, S("false")))
		return -EINVAL;
	*ret = json_is_true(value) == str_ieq(test, S("true"));
	return 0;
}

static bool has_tag(const json_t *doc, struct str tag)
{
	const json_t *item;
	size_t i;

	json_array_foreach(json_object_get(doc, "tags"), i, item)
		if (str_eq(tag, str_of(json_string_value(item), json_string_length(item))))
			return true;
	return false;
}

static int test_size(const struct api_pair *t, const json_t *doc, bool *ret)
{
	const json_t *size = json_object_get(doc, "size");
	uint64_t bound;

	if (str_to_u64(t->value, &bound) < 0)
		return -EINVAL;
	uint64_t have = (uint64_t)json_integer_value(size);

	*ret = json_is_integer(size) &&
	       (str_eq(t->key, S("size_min")) ? have >= bound : have <= bound);
	return 0;
}

static int run_test(struct arena *a, const struct api_pair *t, const json_t *doc, bool *ret)
{
	const struct image_field *f = image_field(t->key);
	char key[IMAGE_NAME_MAX + 1];

	if (t->key.n > IMAGE_NAME_MAX)
		return -EINVAL;
	snprintf(key, sizeof key, "%.*s", STR(t->key));
	if (str_eq(t->key, S("tag"))) {
		*ret = has_tag(doc, t->value);
		return 0;
	}
	if (str_eq(t->key, S("size_min")) || str_eq(t->key, S("size_max")))
		return test_size(t, doc, ret);
	if (str_eq(t->key, S("created_at")) || str_eq(t->key, S("updated_at")))
		return filter_test_time(t->value,
					image_number(doc, t->key.p[0] == 'c' ? "_created_us" :
									       "_updated_us"),
					ret);
	const json_t *value = f ? json_object_get(doc, key) :
				  json_object_get(json_object_get(doc, "properties"), key);

	if (f && f->kind == IMAGE_NUMBER)
		return test_number(t->value, value, ret);
	if (f && f->kind == IMAGE_BOOL)
		return test_bool(t->value, value, ret);
	return filter_test_text(a, t->value,
				json_is_string(value) ? str_of(json_string_value(value),
							       json_string_length(value)) :
							STR_NONE,
				ret);
}

/* ---- who sees what ---- */

/* The caller's membership with the status that is asked for. */
static bool is_member(const struct image_filter *f, const struct caller *who, const json_t *doc)
{
	struct str want = f->member_status.p ? f->member_status : S("accepted");
	const json_t *m;
	size_t i;

	json_array_foreach(json_object_get(doc, "_members"), i, m)
		if (who->project_id.n && str_eq(json_str(m, "member_id"), who->project_id) &&
		    (str_eq(want, S("all")) || str_eq(want, json_str(m, "status"))))
			return true;
	return false;
}

static bool is_listed(const struct image_filter *f, const struct caller *who, const json_t *doc)
{
	struct str visibility = json_str(doc, "visibility");
	bool mine = who->project_id.n && str_eq(json_str(doc, "owner"), who->project_id);
	bool wanted = !f->visibility.p || str_eq(f->visibility, S("all")) ||
		      str_eq(f->visibility, visibility);

	if (!wanted)
		return false;
	if (str_eq(visibility, S("public")) || mine)
		return true;
	if (str_eq(visibility, S("community")))
		return f->visibility.p || who->admin;
	if (str_eq(visibility, S("shared")) && is_member(f, who, doc))
		return true;
	return who->admin && !f->member_status.p;
}

bool filter_matches(const struct image_filter *f, const struct caller *who, const json_t *doc)
{
	AUTO(arena) a = arena_new();

	if (image_has_status(doc, "deleted") || !is_listed(f, who, doc) ||
	    json_is_true(json_object_get(doc, "os_hidden")) != f->hidden)
		return false;
	for (unsigned i = 0; i < f->n; i++) {
		bool yes = false;

		if (run_test(a, &f->tests[i], doc, &yes) < 0 || !yes)
			return false;
	}
	return true;
}

/* ---- order ---- */

static int compare_values(const json_t *a, const json_t *b)
{
	if (json_is_integer(a) && json_is_integer(b))
		return json_integer_value(a) < json_integer_value(b) ? -1 :
		       json_integer_value(a) > json_integer_value(b);
	if (json_is_string(a) && json_is_string(b))
		return str_cmp(str_of(json_string_value(a), json_string_length(a)),
			       str_of(json_string_value(b), json_string_length(b)));
	/* Nothing sorts before something. */
	return (a && !json_is_null(a)) - (b && !json_is_null(b));
}

static const char *sort_member(struct str key)
{
	static const char *const keys[] = { "id", "name", "status", "container_format",
					    "disk_format", "size", "virtual_size", "visibility",
					    "owner", "min_ram", "min_disk", "checksum" };

	if (str_eq(key, S("created_at")))
		return "_created_us";
	if (str_eq(key, S("updated_at")))
		return "_updated_us";
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (str_eq(key, str_from(keys[i])))
			return keys[i];
	return NULL;
}

struct sort_item filter_sort_item(const struct image_filter *f, json_t *doc)
{
	struct sort_item item = { .doc = doc };

	for (unsigned i = 0; i < f->sorts; i++)
		item.keys[i] = json_object_get(doc, sort_member(f->sort[i].key));
	item.keys[f->sorts] = json_object_get(doc, "id");
	return item;
}

int filter_compare(const struct image_filter *f, const struct sort_item *a,
		   const struct sort_item *b)
{
	bool down = false;

	for (unsigned i = 0; i <= f->sorts; i++) {
		int order = compare_values(a->keys[i], b->keys[i]);

		/* Ids go the way of what stands before them. */
		down = i < f->sorts ? f->sort[i].descending : down;
		if (order != 0)
			return down ? -order : order;
	}
	return 0;
}

/* ---- reading the query ---- */

static int add_sort(struct image_filter *f, struct str key, struct str direction, struct fault *why)
{
	bool known = str_eq(direction, S("asc")) || str_eq(direction, S("desc"));

	if (!sort_member(key) || !known)
		return fault_set(why, -EINVAL, "Unable to sort by '%.*s' '%.*s'.", STR(key),
				 STR(direction));
	if (f->sorts == SORT_KEYS_MAX)
		return fault_set(why, -EINVAL, "There are more than %d sort keys.", SORT_KEYS_MAX);
	f->sort[f->sorts].key = key;
	f->sort[f->sorts++].descending = str_eq(direction, S("desc"));
	return 0;
}

/* sort=name:asc,size */
static int read_sort(struct image_filter *f, struct str text, struct fault *why)
{
	struct str part;

	while ((part = str_cut(&text, ',')).p) {
		struct str direction = str_trim(part), key = str_cut(&direction, ':');
		int rc = add_sort(f, str_trim(key), direction.p ? direction : S("desc"), why);

		if (rc < 0)
			return rc;
	}
	return 0;
}

/* sort_key=name&sort_dir=asc, each perhaps several times: as many directions as keys, or one. */
static int read_sort_keys(struct api_call *c, struct image_filter *f, struct fault *why)
{
	struct str keys[SORT_KEYS_MAX], dirs[SORT_KEYS_MAX];
	unsigned nkeys = 0, ndirs = 0;

	for (unsigned i = 0; i < c->queries; i++) {
		const struct api_pair *q = &c->query[i];
		bool key = str_eq(q->key, S("sort_key")), dir = str_eq(q->key, S("sort_dir"));

		if ((key && nkeys == SORT_KEYS_MAX) || (dir && ndirs == SORT_KEYS_MAX))
			return fault_set(why, -EINVAL, "There are more than %d sort keys.",
					 SORT_KEYS_MAX);
		if (key)
			keys[nkeys++] = q->value;
		else if (dir)
			dirs[ndirs++] = q->value;
	}
	if (ndirs > 1 && ndirs != nkeys)
		return fault_set(why, -EINVAL,
				 "Number of sort dirs does not match the number of sort keys");
	if (nkeys == 0 && ndirs > 0)
		keys[nkeys++] = S("created_at");
	for (unsigned i = 0; i < nkeys; i++) {
		struct str dir = ndirs == 0 ? S("desc") : ndirs == 1 ? dirs[0] : dirs[i];
		int rc = add_sort(f, keys[i], dir, why);

		if (rc < 0)
			return rc;
	}
	return 0;
}

static bool one_of(struct str word, const char *const *list)
{
	for (; *list; list++)
		if (str_eq(word, str_from(*list)))
			return true;
	return false;
}

/* A document with a value of every kind, to find out whether a test can be understood. */
static int try_test(struct api_call *c, const struct api_pair *t, struct fault *why)
{
	AUTO(json_text) probe = json_pack("{s:i, s:i, s:i, s:i, s:b, s:b, s:{}}", "size", 1,
					  "virtual_size", 1, "min_ram", 1, "min_disk", 1,
					  "protected", 0, "os_hidden", 0, "properties");
	bool yes;

	if (str_is_utf8(t->value) && str_is_utf8(t->key) &&
	    run_test(c->arena, t, probe, &yes) == 0)
		return 0;
	return fault_set(why, -EINVAL, "Invalid filter %.*s=%.*s.", STR(t->key), STR(t->value));
}

static int read_view(struct image_filter *f, const struct api_pair *q, struct fault *why)
{
	static const char *const visibilities[] = { "public", "private", "shared", "community",
						    "all", NULL };
	static const char *const statuses[] = { "accepted", "pending", "rejected", "all", NULL };

	if (str_eq(q->key, S("visibility"))) {
		f->visibility = q->value;
		return one_of(q->value, visibilities) ?
			       0 : fault_set(why, -EINVAL, "Invalid visibility value: %.*s",
					     STR(q->value));
	}
	f->member_status = q->value;
	return one_of(q->value, statuses) ?
		       0 : fault_set(why, -EINVAL, "Invalid status: %.*s", STR(q->value));
}

static int read_limit(struct api_call *c, struct image_filter *f, struct fault *why)
{
	int64_t limit = image_conf.limit_default;
	struct str text = api_query(c, "limit");

	if (text.p && (str_to_i64(text, &limit) < 0 || limit < 0))
		return fault_set(why, -EINVAL, "limit param must be a number that is not negative");
	f->limit = (uint64_t)MIN(limit, image_conf.limit_max);
	f->marker = api_query(c, "marker");
	return 0;
}

int filter_parse(struct api_call *c, struct image_filter *ret, struct fault *why)
{
	static const char *const others[] = { "limit", "marker", "sort", "sort_key", "sort_dir",
					      NULL };
	struct api_pair *tests = arena_alloc(c->arena, (c->queries + 1) * sizeof *tests);
	struct image_filter f = { .tests = tests };
	struct str sort = api_query(c, "sort");
	int rc = read_limit(c, &f, why);

	for (unsigned i = 0; i < c->queries && rc == 0; i++) {
		const struct api_pair *q = &c->query[i];

		if (one_of(q->key, others))
			continue;
		if (str_eq(q->key, S("visibility")) || str_eq(q->key, S("member_status"))) {
			rc = read_view(&f, q, why);
			continue;
		}
		rc = try_test(c, q, why);
		if (str_eq(q->key, S("os_hidden")))
			f.hidden = str_ieq(q->value, S("true"));
		else
			tests[f.n++] = *q;
	}
	if (rc == 0 && sort.p && (api_query(c, "sort_key").p || api_query(c, "sort_dir").p))
		rc = fault_set(why, -EINVAL, "Old and new sorting syntax cannot be combined");
	if (rc == 0)
		rc = sort.p ? read_sort(&f, sort, why) : read_sort_keys(c, &f, why);
	if (rc == 0 && f.sorts == 0)
		rc = add_sort(&f, S("created_at"), S("desc"), why);
	if (rc == 0)
		*ret = f;
	return rc;
}
