/* Prints a merged listing byte for byte as storage servers do
 * (common/middleware/listing_formats.py). */
#include "lib/base/encode.h"
#include "lib/swift/listed_etag.h"
#include "lib/swift/policy.h"
#include "proxy/listing/item.h"
#include "proxy/listing/rollup.h"

/* ElementTree's escapes: texts know & < >, attributes also quotes and white space. */
static void add_xml(struct buf *to, struct str s, bool attribute)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '&')
			buf_add_lit(to, "&amp;");
		else if (c == '<')
			buf_add_lit(to, "&lt;");
		else if (c == '>')
			buf_add_lit(to, "&gt;");
		else if (attribute && c == '"')
			buf_add_lit(to, "&quot;");
		else if (attribute && c == '\r')
			buf_add_lit(to, "&#13;");
		else if (attribute && c == '\n')
			buf_add_lit(to, "&#10;");
		else if (attribute && c == '\t')
			buf_add_lit(to, "&#09;");
		else
			buf_add_char(to, c);
	}
}

static void add_element(struct buf *to, const char *tag, struct str text)
{
	if (text.n == 0) {
		buf_addf(to, "<%s />", tag);
		return;
	}
	buf_addf(to, "<%s>", tag);
	add_xml(to, text, false);
	buf_addf(to, "</%s>", tag);
}

static void add_number(struct buf *to, const char *tag, uint64_t v)
{
	buf_addf(to, "<%s>%" PRIu64 "</%s>", tag, v, tag);
}

/* The name of a container's policy; absent when it is not known. */
static struct str policy_name(const struct rollup *u, const struct raw_row *r)
{
	const struct policy *p = NULL;

	if (u->kind != SWIFT_CONTAINER && u->cluster)
		p = cluster_policy(u->cluster, r->policy);
	return p ? p->name : STR_NONE;
}

static void print_json(const struct rollup *u, const struct item *i, struct buf *to)
{
	const struct raw_row *r = &i->row;
	struct str hash = r->hash, slo = STR_NONE, policy = policy_name(u, r);
	char date[27], room[LISTED_ETAG_MAX], quoted[LISTED_ETAG_MAX + 3];

	if (i->subdir) {
		buf_add_lit(to, "{\"subdir\": ");
		json_escape(to, r->name);
		buf_add_char(to, '}');
		return;
	}
	timestamp_iso(u->kind == SWIFT_CONTAINER ? r->meta_ts : r->put_ts, date);
	if (u->kind == SWIFT_CONTAINER) {
		slo = listed_etag_take(&hash, S("slo_etag"), room);
		buf_addf(to, "{\"bytes\": %" PRIu64 ", \"hash\": ", raw_row_bytes(r));
		json_escape(to, hash);
		buf_add_lit(to, ", \"name\": ");
		json_escape(to, r->name);
		buf_add_lit(to, ", \"content_type\": ");
		json_escape(to, r->content_type);
	} else {
		buf_add_lit(to, "{\"name\": ");
		json_escape(to, r->name);
		buf_addf(to, ", \"count\": %" PRIu64 ", \"bytes\": %" PRIu64, r->count, r->bytes);
	}
	buf_addf(to, ", \"last_modified\": \"%s\"", date);
	if (policy.p) {
		buf_add_lit(to, ", \"storage_policy\": ");
		json_escape(to, policy);
	}
	if (slo.p) {
		snprintf(quoted, sizeof quoted, "\"%.*s\"", STR(slo));
		buf_add_lit(to, ", \"slo_etag\": ");
		json_escape(to, str_from(quoted));
	}
	buf_add_char(to, '}');
}

static void print_xml_subdir(const struct rollup *u, const struct item *i, struct buf *to)
{
	buf_add_lit(to, "<subdir name=\"");
	add_xml(to, i->row.name, true);
	if (u->kind != SWIFT_CONTAINER) {
		buf_add_lit(to, "\" />\n");
		return;
	}
	buf_add_lit(to, "\">");
	add_element(to, "name", i->row.name);
	buf_add_lit(to, "</subdir>");
}

static void print_xml(const struct rollup *u, const struct item *i, struct buf *to)
{
	const struct raw_row *r = &i->row;
	struct str hash = r->hash;
	char date[27], room[LISTED_ETAG_MAX];

	if (i->subdir) {
		print_xml_subdir(u, i, to);
		return;
	}
	timestamp_iso(u->kind == SWIFT_CONTAINER ? r->meta_ts : r->put_ts, date);
	buf_addf(to, "<%s>", u->kind == SWIFT_CONTAINER ? "object" : "container");
	add_element(to, "name", r->name);
	if (u->kind == SWIFT_CONTAINER) {
		(void)listed_etag_take(&hash, S("slo_etag"), room);
		add_element(to, "hash", hash);
		add_number(to, "bytes", raw_row_bytes(r));
		add_element(to, "content_type", r->content_type);
	} else {
		add_number(to, "count", r->count);
		add_number(to, "bytes", r->bytes);
	}
	add_element(to, "last_modified", str_from(date));
	if (policy_name(u, r).p)
		add_element(to, "storage_policy", policy_name(u, r));
	buf_add_str(to, u->kind == SWIFT_CONTAINER ? S("</object>") : S("</container>\n"));
}

static void print_item(const struct rollup *u, const struct item *i, bool first, struct buf *to)
{
	switch (u->q.format) {
	case LISTING_JSON:
		if (!first)
			buf_add_lit(to, ", ");
		print_json(u, i, to);
		return;
	case LISTING_XML:
		print_xml(u, i, to);
		return;
	case LISTING_TEXT:
		buf_add_str(to, i->row.name);
		buf_add_char(to, '\n');
		return;
	}
}

static void print_begin(const struct rollup *u, struct str name, struct buf *to)
{
	bool container = u->kind == SWIFT_CONTAINER;

	if (u->q.format == LISTING_JSON)
		buf_add_char(to, '[');
	if (u->q.format != LISTING_XML)
		return;
	buf_addf(to, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<%s name=\"",
		 container ? "container" : "account");
	add_xml(to, name, true);
	buf_add_str(to, !container ? S("\">\n") : u->count ? S("\">") : S("\" />"));
}

static void print_end(const struct rollup *u, struct buf *to)
{
	if (u->q.format == LISTING_JSON)
		buf_add_char(to, ']');
	else if (u->q.format == LISTING_XML && u->kind != SWIFT_CONTAINER)
		buf_add_lit(to, "</account>");
	else if (u->q.format == LISTING_XML && u->count)
		buf_add_lit(to, "</container>");
}

void rollup_print(const struct rollup *u, struct str name, struct buf *to)
{
	print_begin(u, name, to);
	for (size_t i = 0; i < u->count; i++) {
		size_t at = u->q.reverse ? u->count - 1 - i : i;

		print_item(u, u->items[(u->first + at) % u->cap], i == 0, to);
	}
	print_end(u, to);
}
