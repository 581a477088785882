/* Prints reports byte for byte as Swift does. */
#include "proxy/middleware/bulk_report.h"
#include "lib/base/encode.h"
#include "lib/http/request.h"
#include "lib/swift/accept.h"

void bulk_report_init(struct bulk_report *r, struct arena *a)
{
	*r = (struct bulk_report){ .arena = a };
}

static void add_field(struct bulk_report *r, struct bulk_field f)
{
	assert(r->n < ARRAY_LEN(r->fields));
	r->fields[r->n++] = f;
}

void bulk_report_text(struct bulk_report *r, struct str key, struct str text)
{
	add_field(r, (struct bulk_field){ .key = key, .text = text });
}

void bulk_report_number(struct bulk_report *r, struct str key, uint64_t v)
{
	add_field(r, (struct bulk_field){ .key = key,
					  .text = arena_printf(r->arena, "%" PRIu64, v),
					  .number = true });
}

void bulk_report_error(struct bulk_report *r, struct str name, struct str status)
{
	if (r->error_n == r->error_cap) {
		unsigned cap = r->error_cap ? 2 * r->error_cap : 16;
		struct bulk_error *v = arena_alloc(r->arena, cap * sizeof *v);

		if (r->error_n)
			memcpy(v, r->errors, r->error_n * sizeof *v);
		r->errors = v;
		r->error_cap = cap;
	}
	r->errors[r->error_n++] =
		(struct bulk_error){ arena_str(r->arena, name), arena_str(r->arena, status) };
}

static void print_json(const struct bulk_report *r, struct buf *to)
{
	buf_add_char(to, '{');
	for (unsigned i = 0; i < r->n; i++) {
		json_escape(to, r->fields[i].key);
		buf_add_lit(to, ": ");
		if (r->fields[i].number)
			buf_add_str(to, r->fields[i].text);
		else
			json_escape(to, r->fields[i].text);
		buf_add_lit(to, ", ");
	}
	buf_add_lit(to, "\"Errors\": [");
	for (unsigned i = 0; i < r->error_n; i++) {
		buf_add_str(to, i ? S(", [") : S("["));
		json_escape(to, r->errors[i].name);
		buf_add_lit(to, ", ");
		json_escape(to, r->errors[i].status);
		buf_add_char(to, ']');
	}
	buf_add_lit(to, "]}");
}

/* saxutils.escape, which leaves quotes alone. */
static void add_xml(struct buf *to, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '&')
			buf_add_lit(to, "&amp;");
		else if (s.p[i] == '<')
			buf_add_lit(to, "&lt;");
		else if (s.p[i] == '>')
			buf_add_lit(to, "&gt;");
		else
			buf_add_char(to, s.p[i]);
	}
}

static void add_tag(struct buf *to, struct str key)
{
	for (size_t i = 0; i < key.n; i++) {
		char c = key.p[i];

		buf_add_char(to, c == ' ' ? '_' : (char)(c >= 'A' && c <= 'Z' ? c | 32 : c));
	}
}

/* The fields sorted by key, for text and XML. */
static void sort_fields(const struct bulk_report *r, const struct bulk_field *ret[])
{
	for (unsigned i = 0; i < r->n; i++) {
		unsigned at = i;

		for (; at > 0 && str_cmp(ret[at - 1]->key, r->fields[i].key) > 0; at--)
			ret[at] = ret[at - 1];
		ret[at] = &r->fields[i];
	}
}

static void print_xml(const struct bulk_report *r, const char *root, struct buf *to)
{
	const struct bulk_field *f[ARRAY_LEN(r->fields)];

	sort_fields(r, f);
	buf_addf(to, "<%s>\n", root);
	for (unsigned i = 0; i < r->n; i++) {
		buf_add_char(to, '<');
		add_tag(to, f[i]->key);
		buf_add_char(to, '>');
		add_xml(to, f[i]->text);
		buf_add_lit(to, "</");
		add_tag(to, f[i]->key);
		buf_add_lit(to, ">\n");
	}
	buf_add_lit(to, "<errors>\n");
	for (unsigned i = 0; i < r->error_n; i++) {
		buf_add_lit(to, "<object><name>");
		add_xml(to, r->errors[i].name);
		buf_add_lit(to, "</name><status>");
		add_xml(to, r->errors[i].status);
		buf_add_lit(to, "</status></object>\n");
	}
	buf_addf(to, "</errors>\n</%s>\n", root);
}

static void print_text(const struct bulk_report *r, struct buf *to)
{
	const struct bulk_field *f[ARRAY_LEN(r->fields)];

	sort_fields(r, f);
	for (unsigned i = 0; i < r->n; i++)
		buf_addf(to, "%.*s: %.*s\n", STR(f[i]->key), STR(f[i]->text));
	buf_add_lit(to, "Errors:\n");
	for (unsigned i = 0; i < r->error_n; i++)
		buf_addf(to, "%.*s, %.*s\n", STR(r->errors[i].name), STR(r->errors[i].status));
}

void bulk_report_print(const struct bulk_report *r, struct str type, const char *root,
		       struct buf *to)
{
	if (str_eq(type, S("application/json")))
		print_json(r, to);
	else if (str_ends(type, S("/xml")))
		print_xml(r, root, to);
	else
		print_text(r, to);
}

int bulk_report_type(struct str accept, struct str *ret)
{
	static const struct str types[] = { STR_INIT("text/plain"), STR_INIT("application/json"),
					    STR_INIT("application/xml"), STR_INIT("text/xml") };

	return accept_best_match(accept, types, ARRAY_LEN(types), ret);
}

struct str bulk_status(struct arena *a, int status)
{
	return arena_printf(a, "%d %.*s", status, STR(http_reason(status)));
}
