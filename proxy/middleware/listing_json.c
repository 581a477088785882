/* Reads and writes listings whose rows middlewares change. */
#include "proxy/middleware/listing_json.h"
#include "lib/base/encode.h"

int listing_read(struct response *res, struct str *ret)
{
	CLEANUP(buf_done) struct buf text = BUF(LISTING_BODY_MAX);
	int rc = res->body ? body_read_all(res->body, &text) : 0;

	body_close(res->body);
	res->body = NULL;
	if (rc < 0)
		return rc;
	*ret = arena_str(res->headers.arena, buf_str(&text));
	return 0;
}

json_t *listing_parse(struct str text)
{
	json_t *rows = json_loadb(text.p, text.n, JSON_ALLOW_NUL, NULL);

	if (json_is_array(rows))
		return rows;
	json_decref(rows);
	return NULL;
}

static void take_body(struct response *res, struct str text)
{
	headers_remove(&res->headers, S("X-Needletail-Links"));
	res->content_length = (int64_t)text.n;
	res->body = body_bytes(res->headers.arena, text);
}

void listing_write(struct response *res, const json_t *rows)
{
	char *text = json_dumps(rows, JSON_ENSURE_ASCII);

	assert(text);
	take_body(res, arena_str(res->headers.arena, str_from(text)));
	free(text);
}

static void add_element(struct buf *to, const char *tag, struct str text)
{
	if (text.n == 0) {
		buf_addf(to, "<%s />", tag);
		return;
	}
	buf_addf(to, "<%s>", tag);
	xml_escape(to, text);
	buf_addf(to, "</%s>", tag);
}

static void add_row(struct buf *to, const json_t *row)
{
	struct str subdir = row_text(row, "subdir");

	if (subdir.p) {
		buf_add_lit(to, "<subdir name=\"");
		xml_escape(to, subdir);
		buf_add_lit(to, "\">");
		add_element(to, "name", subdir);
		buf_add_lit(to, "</subdir>");
		return;
	}
	buf_add_lit(to, "<object>");
	add_element(to, "name", row_text(row, "name"));
	add_element(to, "hash", row_text(row, "hash"));
	buf_addf(to, "<bytes>%" JSON_INTEGER_FORMAT "</bytes>",
		 json_integer_value(json_object_get(row, "bytes")));
	add_element(to, "content_type", row_text(row, "content_type"));
	add_element(to, "last_modified", row_text(row, "last_modified"));
	buf_add_lit(to, "</object>");
}

void listing_write_xml(struct response *res, const json_t *rows, struct str container)
{
	CLEANUP(buf_done) struct buf text = BUF(LISTING_BODY_MAX);
	const json_t *row;
	size_t i;

	buf_add_lit(&text, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<container name=\"");
	xml_escape(&text, container);
	buf_add_str(&text, json_array_size(rows) ? S("\">") : S("\" />"));
	json_array_foreach(rows, i, row)
		add_row(&text, row);
	if (json_array_size(rows))
		buf_add_lit(&text, "</container>");
	headers_set(&res->headers, S("Content-Type"), S("application/xml; charset=utf-8"));
	take_body(res, arena_str(res->headers.arena, buf_str(&text)));
}

static void add_container(struct buf *to, const json_t *row)
{
	static const char *const numbers[] = { "count", "bytes" };
	static const char *const texts[] = { "last_modified", "storage_policy" };
	struct str subdir = row_text(row, "subdir");

	if (subdir.p) {
		buf_add_lit(to, "<subdir name=\"");
		xml_escape(to, subdir);
		buf_add_lit(to, "\" />\n");
		return;
	}
	buf_add_lit(to, "<container>");
	add_element(to, "name", row_text(row, "name"));
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		buf_addf(to, "<%s>%" JSON_INTEGER_FORMAT "</%s>", numbers[i],
			 json_integer_value(json_object_get(row, numbers[i])), numbers[i]);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (row_text(row, texts[i]).p)
			add_element(to, texts[i], row_text(row, texts[i]));
	buf_add_lit(to, "</container>\n");
}

void listing_write_account_xml(struct response *res, const json_t *rows, struct str account)
{
	CLEANUP(buf_done) struct buf text = BUF(LISTING_BODY_MAX);
	const json_t *row;
	size_t i;

	buf_add_lit(&text, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<account name=\"");
	xml_escape(&text, account);
	buf_add_lit(&text, "\">\n");
	json_array_foreach(rows, i, row)
		add_container(&text, row);
	buf_add_lit(&text, "</account>");
	headers_set(&res->headers, S("Content-Type"), S("application/xml; charset=utf-8"));
	take_body(res, arena_str(res->headers.arena, buf_str(&text)));
}

struct str query_with(struct arena *a, struct str query, struct str name, struct str value)
{
	CLEANUP(buf_done) struct buf b = BUF(64 * KIB);
	struct str rest = query, part;

	while (query.n && (part = str_cut(&rest, '&')).p) {
		struct str old = part, key = str_cut(&old, '=');

		if (part.n && !str_eq(key, name))
			buf_addf(&b, "%s%.*s", b.n ? "&" : "", STR(part));
	}
	if (value.p) {
		buf_addf(&b, "%s%.*s=", b.n ? "&" : "", STR(name));
		percent_encode(&b, value, S(""));
	}
	return arena_str(a, buf_str(&b));
}

struct str row_text(const json_t *row, const char *key)
{
	const json_t *v = json_object_get(row, key);

	return json_is_string(v) ? str_of(json_string_value(v), json_string_length(v)) : STR_NONE;
}

void row_set(json_t *row, const char *key, struct str value)
{
	json_object_set_new(row, key, json_stringn(value.p, value.n));
}
