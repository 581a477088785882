/* A client's manifest: every check that Swift makes before it asks for the segments, with its
 * texts. */
#include "lib/base/encode.h"
#include "lib/swift/range.h"
#include "proxy/middleware/segments.h"
#include "proxy/middleware/slo_json.h"
#include "proxy/middleware/slo_manifest.h"

enum { NESTING_MAX = 32, OBJECTS_MAX = 100000, COMMAS_MAX = 800000, ERRORS_MAX = 16 * MIB };

struct input_run {
	struct arena *arena;
	struct str self;
	struct buf errors;
	unsigned index, count;
};

/* What would cost much more memory than its text, or stack: deep nesting, and very many small
 * things. */
static bool is_too_complex(struct str text)
{
	unsigned depth = 0, objects = 0, commas = 0;
	bool quoted = false;

	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (quoted && c == '\\')
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (!quoted && (c == '[' || c == '{') && ++depth > NESTING_MAX)
			return true;
		else if (!quoted && ((c == '{' && ++objects > OBJECTS_MAX) ||
				     (c == ',' && ++commas > COMMAS_MAX)))
			return true;
		else if (!quoted && (c == ']' || c == '}') && depth > 0)
			depth--;
	}
	return false;
}

json_t *slo_json_load(struct str text)
{
	json_error_t error;

	if (is_too_complex(text))
		return NULL;
	return json_loadb(text.p ? text.p : "", text.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
}

printf_like(2, 3) static int bad(struct input_run *r, const char *fmt, ...)
{
	va_list ap;

	buf_addf(&r->errors, "Index %u: ", r->index);
	va_start(ap, fmt);
	buf_addfv(&r->errors, fmt, ap);
	va_end(ap);
	buf_add_char(&r->errors, '\n');
	return -EINVAL;
}

static int compare_keys(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Keys that do not belong there, sorted, as JSON strings. */
static int check_keys(struct input_run *r, json_t *item, bool data)
{
	static const char *const known[] = { "path", "range", "etag", "size_bytes" };
	size_t n = 0, total = json_object_size(item);
	AUTO(free) room = xcalloc(total, sizeof(const char *));
	const char **extra = room, *key;
	json_t *value;

	json_object_foreach(item, key, value)
	{
		bool fine = data && strcmp(key, "data") == 0;

		for (size_t i = 0; !data && i < ARRAY_LEN(known); i++)
			fine |= strcmp(key, known[i]) == 0;
		if (!fine)
			extra[n++] = key;
	}
	if (n == 0)
		return 0;
	qsort(extra, n, sizeof *extra, compare_keys);
	CLEANUP(buf_done) struct buf list = BUF(ERRORS_MAX);

	for (size_t i = 0; i < n; i++) {
		if (i)
			buf_add_lit(&list, ", ");
		json_escape(&list, str_from(extra[i]));
	}
	return bad(r, "extraneous keys %.*s", STR(buf_str(&list)));
}

/* Python's int(): numbers, and strings of digits with blanks around. */
static int read_size(const json_t *v, struct slo_input *in, bool *ret_negative)
{
	int64_t n;

	*ret_negative = false;
	if (json_is_integer(v))
		n = json_integer_value(v);
	else if (json_is_boolean(v))
		n = json_is_true(v);
	else if (json_is_real(v) && json_real_value(v) > -9e15 && json_real_value(v) < 9e15)
		n = (int64_t)json_real_value(v);
	else if (!json_is_string(v) || str_to_i64(str_trim(slo_json_str(v)), &n) < 0)
		return -EINVAL;
	in->sized = true;
	*ret_negative = n < 0;
	in->size_bytes = n < 0 ? 0 : (uint64_t)n;
	return 0;
}

static bool is_false(const json_t *v)
{
	return !v || json_is_null(v) || json_is_false(v) ||
	       (json_is_string(v) && !slo_json_str(v).n) ||
	       (json_is_integer(v) && json_integer_value(v) == 0);
}

static int read_range(struct input_run *r, const json_t *v, struct slo_input *in)
{
	struct range found[RANGES_MAX];
	struct str text = slo_json_str(v);

	if (is_false(v))
		return 0;
	if (json_is_integer(v))
		text = arena_printf(r->arena, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
	in->range = arena_printf(r->arena, "bytes=%.*s", STR(text));
	if (!text.p || !range_header_valid(in->range))
		return bad(r, "invalid range");
	if (str_chr(in->range, ',') >= 0)
		return bad(r, "multiple ranges (only one allowed)");
	if (in->sized && ranges_parse(in->range, in->size_bytes, found) != 1)
		return bad(r, "unsatisfiable range");
	return 0;
}

static bool is_object_path(struct str path)
{
	while (str_starts(path, S("/")))
		path = str_skip(path, 1);
	while (str_ends(path, S("/")))
		path.n--;
	return str_chr(path, '/') >= 0;
}

static int read_path(struct input_run *r, json_t *item, struct slo_input *in)
{
	const json_t *path = json_object_get(item, "path"), *etag = json_object_get(item, "etag");
	const json_t *size = json_object_get(item, "size_bytes");
	struct str container, object;
	bool negative = false;

	if (!json_is_string(path))
		return bad(r, "\"path\" must be a string");
	if (etag && !json_is_null(etag) && !json_is_string(etag))
		return bad(r, "\"etag\" must be a string or null (if provided)");
	in->path = arena_str(r->arena, slo_json_str(path));
	if (slo_json_str(etag).p)
		in->etag = arena_str(r->arena, slo_json_str(etag));
	if (!is_object_path(in->path))
		return bad(r, "path does not refer to an object. Path must be of the form "
			      "/container/object.");
	if (size && !json_is_null(size) && read_size(size, in, &negative) < 0)
		return bad(r, "invalid size_bytes");
	if (in->sized && (negative || in->size_bytes < 1) && r->index + 1 != r->count)
		return bad(r, "too small; each segment must be at least 1 byte.");
	if (segment_path_split(in->path, &container, &object) &&
	    str_eq(r->self, arena_printf(r->arena, "%.*s/%.*s", STR(container), STR(object))))
		return bad(r, "manifest must not include itself as a segment");
	return read_range(r, json_object_get(item, "range"), in);
}

/* As strict_b64decode: the standard alphabet, and at least the padding that is due. */
static bool is_base64(struct str s)
{
	static const unsigned char due[] = { 0, 3, 2, 1 };
	struct str core = s;

	while (str_ends(core, S("=")))
		core.n--;
	assert(core.p || core.n == 0);
	for (size_t i = 0; i < core.n; i++)
		if (!(core.p[i] >= '0' && core.p[i] <= '9') &&
		    !((core.p[i] | 32) >= 'a' && (core.p[i] | 32) <= 'z') && core.p[i] != '+' &&
		    core.p[i] != '/')
			return false;
	return core.n % 4 != 1 && s.n - core.n >= due[core.n % 4];
}

static int read_data(struct input_run *r, json_t *item, struct slo_input *in)
{
	struct str text = slo_json_str(json_object_get(item, "data"));

	while (str_starts(text, S("=")))
		text = str_skip(text, 1);
	CLEANUP(buf_done) struct buf raw = BUF(text.n + 4);

	if (!json_is_string(json_object_get(item, "data")) || !is_base64(text))
		return bad(r, "data must be valid base64");
	while (str_ends(text, S("=")))
		text.n--;
	if (base64_decode(&raw, text) < 0)
		return bad(r, "data must be valid base64");
	if (raw.n == 0)
		return bad(r, "too small; each segment must be at least 1 byte.");
	in->data = arena_str(r->arena, buf_str(&raw));
	return 0;
}

static int read_input(struct input_run *r, json_t *item, struct slo_input *in)
{
	bool data = json_object_get(item, "data") != NULL,
	     path = json_object_get(item, "path") != NULL;

	if (!json_is_object(item))
		return bad(r, "not a JSON object");
	if (!data && !path)
		return bad(r, "expected keys to include one of 'data' or 'path'");
	if (check_keys(r, item, data) < 0)
		return -EINVAL;
	return data ? read_data(r, item, in) : read_path(r, item, in);
}

static int refuse(struct input_run *r, struct str *ret_errors)
{
	if (!r->errors.n)
		return 0;
	*ret_errors = arena_str(r->arena, buf_str(&r->errors));
	return -EINVAL;
}

int slo_inputs_parse(struct arena *a, struct str json, struct str self, struct slo_inputs *ret,
		     struct str *ret_errors)
{
	AUTO(slo_json) root = slo_json_load(json);
	struct slo_inputs in = { 0 };
	unsigned data = 0;

	if (!root || !json_is_array(root) || json_array_size(root) > UINT_MAX - 1) {
		*ret_errors = root ? S("Manifest must be a list.\n")
				   : S("Manifest must be valid JSON.\n");
		return -EBADMSG;
	}
	in.n = (unsigned)json_array_size(root);
	in.v = arena_zalloc(a, (in.n + 1) * sizeof *in.v);
	struct input_run run = {
		.arena = a, .self = self, .errors = BUF(ERRORS_MAX), .count = in.n
	};

	for (unsigned i = 0; i < in.n; i++) {
		run.index = i;
		data += json_object_get(json_array_get(root, i), "data") != NULL;
		(void)!read_input(&run, json_array_get(root, i), &in.v[i]);
		in.objects += in.v[i].path.p != NULL;
	}
	if (in.n && data == in.n)
		buf_add_lit(&run.errors,
			    "Inline data segments require at least one object-backed segment.");
	if (in.n && data == in.n)
		buf_add_char(&run.errors, '\n');
	int rc = refuse(&run, ret_errors);

	buf_done(&run.errors);
	if (rc == 0)
		*ret = in;
	return rc;
}
