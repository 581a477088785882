/* A client's manifest, entry by entry as it comes in: every check that Swift makes before it asks
 * for the segments, with its texts. */
#include "lib/base/encode.h"
#include "lib/swift/range.h"
#include "proxy/middleware/segments.h"
#include "proxy/middleware/slo_json.h"
#include "proxy/middleware/slo_manifest.h"

enum { NESTING_MAX = 32, OBJECTS_MAX = 100000, COMMAS_MAX = 800000, ERRORS_MAX = 16 * MIB,
       TEXT_MAX = 65 * MIB };

/* An entry that is looked at. */
struct input_run {
	struct slo_inputs *in;
	struct arena *arena;
	unsigned index;
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

	buf_addf(&r->in->errors, "Index %u: ", r->index);
	va_start(ap, fmt);
	buf_addfv(&r->in->errors, fmt, ap);
	va_end(ap);
	buf_add_char(&r->in->errors, '\n');
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
static int read_size(const json_t *v, struct slo_entry *e, bool *ret_negative)
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
	e->sized = true;
	*ret_negative = n < 0;
	e->size = n < 0 ? 0 : (uint64_t)n;
	return 0;
}

static bool is_false(const json_t *v)
{
	return !v || json_is_null(v) || json_is_false(v) ||
	       (json_is_string(v) && !slo_json_str(v).n) ||
	       (json_is_integer(v) && json_integer_value(v) == 0);
}

static int read_range(struct input_run *r, const json_t *v, struct slo_entry *e)
{
	struct range found[RANGES_MAX];
	struct str text = slo_json_str(v);

	if (is_false(v))
		return 0;
	if (json_is_integer(v))
		text = arena_printf(r->arena, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
	e->range = arena_printf(r->arena, "bytes=%.*s", STR(text));
	if (!text.p || !range_header_valid(e->range))
		return bad(r, "invalid range");
	if (str_chr(e->range, ',') >= 0)
		return bad(r, "multiple ranges (only one allowed)");
	if (e->sized && ranges_parse(e->range, e->size, found) != 1)
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

static int read_path(struct input_run *r, json_t *item, struct slo_entry *e)
{
	const json_t *path = json_object_get(item, "path"), *etag = json_object_get(item, "etag");
	const json_t *size = json_object_get(item, "size_bytes");
	struct str container, object;
	bool negative = false;

	if (!json_is_string(path))
		return bad(r, "\"path\" must be a string");
	if (etag && !json_is_null(etag) && !json_is_string(etag))
		return bad(r, "\"etag\" must be a string or null (if provided)");
	e->path = slo_json_str(path);
	e->etag = slo_json_str(etag);
	if (!is_object_path(e->path))
		return bad(r, "path does not refer to an object. Path must be of the form "
			      "/container/object.");
	if (size && !json_is_null(size) && read_size(size, e, &negative) < 0)
		return bad(r, "invalid size_bytes");
	if (e->sized && (negative || e->size < 1) && !r->in->last)
		return bad(r, "too small; each segment must be at least 1 byte.");
	if (segment_path_split(e->path, &container, &object) &&
	    str_eq(r->in->self, arena_printf(r->arena, "%.*s/%.*s", STR(container), STR(object))))
		return bad(r, "manifest must not include itself as a segment");
	return read_range(r, json_object_get(item, "range"), e);
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

static int read_data(struct input_run *r, json_t *item, struct slo_entry *e)
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
	e->data = arena_str(r->arena, buf_str(&raw));
	return 0;
}

static int read_input(struct input_run *r, json_t *item, struct slo_entry *e)
{
	bool data = json_object_get(item, "data") != NULL,
	     path = json_object_get(item, "path") != NULL;

	if (!json_is_object(item))
		return bad(r, "not a JSON object");
	if (!data && !path)
		return bad(r, "expected keys to include one of 'data' or 'path'");
	if (check_keys(r, item, data) < 0)
		return -EINVAL;
	return data ? read_data(r, item, e) : read_path(r, item, e);
}

/* ---- the text ---- */

void slo_inputs_init(struct slo_inputs *in, struct str self, uint64_t objects_max)
{
	*in = (struct slo_inputs){ .self = self,
				   .objects_max = objects_max,
				   .text = BUF(TEXT_MAX),
				   .errors = BUF(ERRORS_MAX) };
	slo_pack_init(&in->pack);
}

void slo_inputs_done(struct slo_inputs *in)
{
	slo_pack_done(&in->pack);
	buf_done(&in->text);
	buf_done(&in->errors);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_all_blank(struct str s)
{
	while (s.n && is_blank(s.p[0]))
		s = str_skip(s, 1);
	return s.n == 0;
}

static void take_item(struct slo_inputs *in, json_t *item)
{
	AUTO(arena) a = arena_new();
	struct input_run run = { .in = in, .arena = a, .index = in->n++ };
	struct slo_entry e = { 0 };
	int rc = read_input(&run, item, &e);

	in->data += json_object_get(item, "data") != NULL;
	in->objects += e.path.p != NULL;
	if (in->errors.n || in->objects > in->objects_max)
		slo_pack_done(&in->pack);
	else if (rc == 0)
		slo_pack_add(&in->pack, &e);
}

/* An entry is complete. */
static void take_text(struct slo_inputs *in, struct str text)
{
	json_error_t error;

	if (in->text.n) {
		buf_add_str(&in->text, text);
		text = buf_str(&in->text);
	}
	if (!(in->last && in->n == 0 && is_all_blank(text))) {
		AUTO(slo_json) item = json_loadb(text.p, text.n, JSON_DECODE_ANY | JSON_ALLOW_NUL,
						 &error);
		if (item)
			take_item(in, item);
		else
			in->state = SLO_INPUT_BAD;
	}
	buf_done(&in->text);
	in->text = BUF(TEXT_MAX);
}

/* A byte of the list, in or between its entries; whether it ends one. What would cost much more
 * memory than its text, or stack, is bad: deep nesting, and very many small things. */
static bool ends_entry(struct slo_inputs *in, char c)
{
	bool bad = false;

	if (in->escaped) {
		in->escaped = false;
	} else if (in->quoted) {
		in->escaped = c == '\\';
		in->quoted = c != '"';
	} else if (c == '"') {
		in->quoted = true;
	} else if (c == '[' || c == '{') {
		bad = ++in->depth > NESTING_MAX || (c == '{' && ++in->braces > OBJECTS_MAX);
	} else if (c == ',') {
		bad = ++in->commas > COMMAS_MAX;
		if (!bad && in->depth == 1)
			return true;
	} else if (c == ']' || c == '}') {
		in->last = --in->depth == 0;
		bad = in->last && c == '}';
		if (in->last && !bad)
			return true;
	}
	if (bad)
		in->state = SLO_INPUT_BAD;
	return false;
}

/* Bytes from the list's begin: how many of them are the list's. */
static size_t feed_list(struct slo_inputs *in, struct str bytes)
{
	size_t from = 0, i = 0;

	while (in->state == SLO_INPUT_LIST && !in->last && i < bytes.n) {
		if (!ends_entry(in, bytes.p[i++]))
			continue;
		take_text(in, str_head(str_skip(bytes, from), i - 1 - from));
		from = i;
	}
	if (in->state != SLO_INPUT_LIST)
		return bytes.n;
	if (in->last)
		in->state = SLO_INPUT_AFTER;
	else
		buf_add_str(&in->text, str_skip(bytes, from));
	if (buf_failed(&in->text))
		in->state = SLO_INPUT_BAD;
	return i;
}

void slo_inputs_feed(struct slo_inputs *in, struct str bytes)
{
	while (in->state == SLO_INPUT_BEFORE && bytes.n) {
		if (bytes.p[0] == '[') {
			in->state = SLO_INPUT_LIST;
			in->depth = 1;
		} else if (!is_blank(bytes.p[0])) {
			in->state = SLO_INPUT_OTHER;
			break;
		}
		bytes = str_skip(bytes, 1);
	}
	if (in->state == SLO_INPUT_LIST)
		bytes = str_skip(bytes, feed_list(in, bytes));
	if (in->state == SLO_INPUT_AFTER && !is_all_blank(bytes))
		in->state = SLO_INPUT_BAD;
	if (in->state == SLO_INPUT_OTHER)
		buf_add_str(&in->text, bytes);
}

int slo_inputs_end(struct slo_inputs *in, struct arena *a, struct str *ret_errors)
{
	AUTO(slo_json) other =
		in->state == SLO_INPUT_OTHER ? slo_json_load(buf_str(&in->text)) : NULL;

	if (in->state != SLO_INPUT_AFTER) {
		*ret_errors = other ? S("Manifest must be a list.\n")
				    : S("Manifest must be valid JSON.\n");
		return -EBADMSG;
	}
	if (in->n && in->data == in->n)
		buf_add_lit(&in->errors,
			    "Inline data segments require at least one object-backed segment.");
	if (in->n && in->data == in->n)
		buf_add_char(&in->errors, '\n');
	if (!in->errors.n)
		return 0;
	*ret_errors = arena_str(a, buf_str(&in->errors));
	return -EINVAL;
}
