/* Prints listings byte for byte as Swift does: Python's json.dumps and ElementTree, written by hand
 * because this is where a listing's time goes. */
#include "objectd/db/internal.h"
#include "lib/swift/listed_etag.h"
#include "lib/swift/policy.h"

/* A byte may become "\u0000"; the rest of a row's JSON fits in this. */
enum { ESCAPE_FACTOR = 6, ROW_FIXED = 256 };

/* ---- pieces; each returns the position behind what it wrote ---- */

static char *put(char *p, const void *from, size_t n)
{
	memcpy(p, from, n);
	return p + n;
}

#define PUT_LIT(p, literal) put(p, "" literal, sizeof(literal) - 1)

static char *put_u64(char *p, uint64_t v)
{
	char digits[20];
	unsigned n = 0;

	do {
		digits[n++] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	while (n)
		*p++ = digits[--n];
	return p;
}

static char *put_digits(char *p, uint64_t v, unsigned n)
{
	for (unsigned i = n; i--; v /= 10)
		p[i] = (char)('0' + v % 10);
	return p + n;
}

static bool is_plain_byte(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* Whether JSON shows all bytes as they are; eight at a time. */
static bool is_plain(struct str s)
{
	const uint64_t ones = 0x0101010101010101ULL, high = 0x80 * ones;
	size_t i = 0;

	for (; i + 8 <= s.n; i += 8) {
		uint64_t w, bad;

		memcpy(&w, s.p + i, 8);
		bad = w | (w + ones) | ((w - 0x20 * ones) & ~w);
		uint64_t quote = w ^ ('"' * ones), slash = w ^ ('\\' * ones);

		bad |= ((quote - ones) & ~quote) | ((slash - ones) & ~slash);
		if (bad & high)
			return false;
	}
	for (; i < s.n; i++)
		if (!is_plain_byte((unsigned char)s.p[i]))
			return false;
	return true;
}

static char *put_u16(char *p, unsigned v)
{
	static const char hex[] = "0123456789abcdef";

	p = PUT_LIT(p, "\\u");
	for (int shift = 12; shift >= 0; shift -= 4)
		*p++ = hex[v >> shift & 15];
	return p;
}

/* The code point at s, which is valid UTF-8 (rows are checked when they come in). */
static size_t code_point(struct str s, uint32_t *ret)
{
	unsigned char c = (unsigned char)s.p[0];
	size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	uint32_t v = n == 1 ? c : c & (0x7fu >> n);

	if (n > s.n) {
		*ret = 0xfffd;
		return s.n;
	}
	for (size_t i = 1; i < n; i++)
		v = v << 6 | ((unsigned char)s.p[i] & 0x3f);
	*ret = v;
	return n;
}

static char *put_json_special(char *p, uint32_t c)
{
	switch (c) {
	case '"': return PUT_LIT(p, "\\\"");
	case '\\': return PUT_LIT(p, "\\\\");
	case '\n': return PUT_LIT(p, "\\n");
	case '\r': return PUT_LIT(p, "\\r");
	case '\t': return PUT_LIT(p, "\\t");
	case '\b': return PUT_LIT(p, "\\b");
	case '\f': return PUT_LIT(p, "\\f");
	}
	if (c < 0x10000)
		return put_u16(p, c);
	c -= 0x10000;
	return put_u16(put_u16(p, 0xd800 + (c >> 10)), 0xdc00 + (c & 0x3ff));
}

static char *put_json(char *p, struct str s)
{
	*p++ = '"';
	if (is_plain(s)) {
		p = put(p, s.p, s.n);
	} else {
		while (s.n) {
			uint32_t c;
			size_t n = code_point(s, &c);

			if (c < 0x7f && is_plain_byte((unsigned char)c))
				*p++ = (char)c;
			else
				p = put_json_special(p, c);
			s = str_skip(s, n);
		}
	}
	*p++ = '"';
	return p;
}

/* ElementTree's escapes: texts know & < >, attributes also quotes and white space. */
static char *put_xml(char *p, struct str s, bool attribute)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '&')
			p = PUT_LIT(p, "&amp;");
		else if (c == '<')
			p = PUT_LIT(p, "&lt;");
		else if (c == '>')
			p = PUT_LIT(p, "&gt;");
		else if (attribute && c == '"')
			p = PUT_LIT(p, "&quot;");
		else if (attribute && c == '\r')
			p = PUT_LIT(p, "&#13;");
		else if (attribute && c == '\n')
			p = PUT_LIT(p, "&#10;");
		else if (attribute && c == '\t')
			p = PUT_LIT(p, "&#09;");
		else
			*p++ = c;
	}
	return p;
}

/* <tag>text</tag>, or <tag /> when there is no text. */
static char *put_element(char *p, struct str tag, struct str text)
{
	*p++ = '<';
	p = put(p, tag.p, tag.n);
	if (text.n == 0)
		return PUT_LIT(p, " />");
	*p++ = '>';
	p = put_xml(p, text, false);
	p = PUT_LIT(p, "</");
	p = put(p, tag.p, tag.n);
	*p++ = '>';
	return p;
}

static char *put_number_element(char *p, struct str tag, uint64_t v)
{
	char digits[20];

	return put_element(p, tag, str_of(digits, (size_t)(put_u64(digits, v) - digits)));
}

/* "2026-11-22T09:19:12.075580"; rows of one second share all but the fraction. */
static char *put_time(struct listing *l, char *p, struct timestamp ts)
{
	uint64_t second = ts.t / 100000;
	unsigned fraction = (unsigned)(ts.t % 100000);

	if (second != l->second || !l->second_text[0]) {
		char text[27];

		timestamp_iso(ts, text);
		memcpy(l->second_text, text, 19);
		l->second = second;
	}
	p = put(p, l->second_text, 19);
	*p++ = '.';
	p = put_digits(p, fraction, 5);
	*p++ = '0';
	return p;
}

/* ---- rows ---- */

static char *reserve(struct listing *l, size_t text)
{
	char *p = buf_reserve(&l->out, ESCAPE_FACTOR * text + ROW_FIXED);

	assert(p);
	return p;
}

static void written(struct listing *l, const char *end)
{
	l->out.n = (size_t)(end - l->out.p);
	l->out.p[l->out.n] = 0;
	l->count++;
}

static char *put_separator(const struct listing *l, char *p)
{
	return l->count ? PUT_LIT(p, ", ") : p;
}

/* *ret_slo: the large object's ETag, which is a key of its own; absent for other objects. */
static char *put_hash(char *p, const struct row_etag *e, bool json, struct str *ret_slo)
{
	static const char hex[] = "0123456789abcdef";
	char room[LISTED_ETAG_MAX];

	*ret_slo = STR_NONE;
	if (!e->is_md5) {
		struct str text = e->text;

		*ret_slo = listed_etag_take(&text, S("slo_etag"), room);
		return json ? put_json(p, text) : put_element(p, S("hash"), text);
	}
	p = json ? PUT_LIT(p, "\"") : PUT_LIT(p, "<hash>");
	for (unsigned i = 0; i < sizeof e->raw; i++) {
		*p++ = hex[e->raw[i] >> 4];
		*p++ = hex[e->raw[i] & 15];
	}
	return json ? PUT_LIT(p, "\"") : PUT_LIT(p, "</hash>");
}

static char *put_slo_etag(char *p, struct str etag)
{
	char quoted[LISTED_ETAG_MAX + 2], *q = quoted;

	*q++ = '"';
	q = put(q, etag.p, etag.n);
	*q++ = '"';
	p = PUT_LIT(p, ", \"slo_etag\": ");
	return put_json(p, str_of(quoted, (size_t)(q - quoted)));
}

/* Large objects count as what they hold. */
static uint64_t bytes_of(const struct row *r)
{
	uint64_t v;

	return r->swift_bytes.p && str_to_u64(r->swift_bytes, &v) == 0 ? v : r->size;
}

void listing_add_row(struct listing *l, struct str name, const struct row *r)
{
	char *p = reserve(l, name.n + r->content_type.n + r->etag.text.n);
	struct str slo;

	if (!r->etag.is_md5 && str_find(r->etag.text, S("symlink_target")) >= 0)
		l->links = true;
	if (l->q.format == LISTING_JSON) {
		p = put_separator(l, p);
		p = PUT_LIT(p, "{\"bytes\": ");
		p = put_u64(p, bytes_of(r));
		p = PUT_LIT(p, ", \"hash\": ");
		p = put_hash(p, &r->etag, true, &slo);
		p = PUT_LIT(p, ", \"name\": ");
		p = put_json(p, name);
		p = PUT_LIT(p, ", \"content_type\": ");
		p = put_json(p, r->content_type);
		p = PUT_LIT(p, ", \"last_modified\": \"");
		p = put_time(l, p, r->meta_ts);
		*p++ = '"';
		if (slo.p)
			p = put_slo_etag(p, slo);
		*p++ = '}';
	} else if (l->q.format == LISTING_XML) {
		p = PUT_LIT(p, "<object>");
		p = put_element(p, S("name"), name);
		p = put_hash(p, &r->etag, false, &slo);
		p = put_number_element(p, S("bytes"), bytes_of(r));
		p = put_element(p, S("content_type"), r->content_type);
		p = PUT_LIT(p, "<last_modified>");
		p = put_time(l, p, r->meta_ts);
		p = PUT_LIT(p, "</last_modified></object>");
	} else {
		p = put(p, name.p, name.n);
		*p++ = '\n';
	}
	written(l, p);
}

void listing_add_account_row(struct listing *l, struct str name, const struct account_row *r)
{
	const struct policy *known = l->q.cluster ? cluster_policy(l->q.cluster, r->policy) : NULL;
	struct str policy = known ? known->name : STR_NONE;
	char *p = reserve(l, name.n + policy.n);

	if (l->q.format == LISTING_JSON) {
		p = put_separator(l, p);
		p = PUT_LIT(p, "{\"name\": ");
		p = put_json(p, name);
		p = PUT_LIT(p, ", \"count\": ");
		p = put_u64(p, r->objects);
		p = PUT_LIT(p, ", \"bytes\": ");
		p = put_u64(p, r->bytes);
		p = PUT_LIT(p, ", \"last_modified\": \"");
		p = put_time(l, p, r->put_ts);
		*p++ = '"';
		if (policy.p) {
			p = PUT_LIT(p, ", \"storage_policy\": ");
			p = put_json(p, policy);
		}
		*p++ = '}';
	} else if (l->q.format == LISTING_XML) {
		p = PUT_LIT(p, "<container>");
		p = put_element(p, S("name"), name);
		p = put_number_element(p, S("count"), r->objects);
		p = put_number_element(p, S("bytes"), r->bytes);
		p = PUT_LIT(p, "<last_modified>");
		p = put_time(l, p, r->put_ts);
		p = PUT_LIT(p, "</last_modified>");
		if (policy.p)
			p = put_element(p, S("storage_policy"), policy);
		p = PUT_LIT(p, "</container>\n");
	} else {
		p = put(p, name.p, name.n);
		*p++ = '\n';
	}
	written(l, p);
}

void listing_add_subdir(struct listing *l, struct str name)
{
	char *p = reserve(l, 2 * name.n);

	if (l->q.format == LISTING_JSON) {
		p = put_separator(l, p);
		p = PUT_LIT(p, "{\"subdir\": ");
		p = put_json(p, name);
		*p++ = '}';
	} else if (l->q.format == LISTING_XML) {
		p = PUT_LIT(p, "<subdir name=\"");
		p = put_xml(p, name, true);
		if (l->id.kind == DB_CONTAINER) {
			p = PUT_LIT(p, "\">");
			p = put_element(p, S("name"), name);
			p = PUT_LIT(p, "</subdir>");
		} else {
			p = PUT_LIT(p, "\" />\n");
		}
	} else {
		p = put(p, name.p, name.n);
		*p++ = '\n';
	}
	written(l, p);
}

/* ---- raw rows ---- */

/* As timestamp_internal prints it. */
static char *put_raw_time(char *p, const char *key, struct timestamp ts)
{
	p = put(p, key, strlen(key));
	*p++ = '"';
	p = put_digits(p, ts.t / 100000, 10);
	*p++ = '.';
	p = put_digits(p, ts.t % 100000, 5);
	if (ts.offset)
		p += snprintf(p, 18, "_%016" PRIx64, ts.offset);
	*p++ = '"';
	return p;
}

static char *put_raw_object(char *p, const struct row *r)
{
	char room[33];

	p = put_raw_time(p, ", \"data_ts\": ", r->data_ts);
	p = put_raw_time(p, ", \"ctype_ts\": ", r->ctype_ts);
	p = put_raw_time(p, ", \"meta_ts\": ", r->meta_ts);
	p = PUT_LIT(p, ", \"deleted\": ");
	*p++ = r->deleted ? '1' : '0';
	p = PUT_LIT(p, ", \"policy\": ");
	p = put_u64(p, r->policy);
	p = PUT_LIT(p, ", \"bytes\": ");
	p = put_u64(p, r->size);
	p = PUT_LIT(p, ", \"hash\": ");
	p = put_json(p, row_etag_text(&r->etag, room));
	p = PUT_LIT(p, ", \"content_type\": ");
	p = put_json(p, r->content_type);
	if (r->swift_bytes.p) {
		p = PUT_LIT(p, ", \"swift_bytes\": ");
		p = put_json(p, r->swift_bytes);
	}
	return p;
}

static char *put_raw_container(char *p, const struct account_row *r)
{
	p = put_raw_time(p, ", \"put_ts\": ", r->put_ts);
	p = put_raw_time(p, ", \"delete_ts\": ", r->delete_ts);
	p = put_raw_time(p, ", \"stats_ts\": ", r->stats_ts);
	p = PUT_LIT(p, ", \"deleted\": ");
	*p++ = account_row_deleted(r) ? '1' : '0';
	p = PUT_LIT(p, ", \"policy\": ");
	p = put_u64(p, r->policy);
	p = PUT_LIT(p, ", \"count\": ");
	p = put_u64(p, r->objects);
	p = PUT_LIT(p, ", \"bytes\": ");
	return put_u64(p, r->bytes);
}

/* A line per row; a name that has rows in several policies has several lines, and counts once. */
void listing_add_raw(struct listing *l, struct str name, struct str value)
{
	while (value.n) {
		char *p = reserve(l, 2 * ROW_FIXED + name.n + value.n);
		struct account_row ar;
		struct row r;

		p = PUT_LIT(p, "{\"name\": ");
		p = put_json(p, name);
		if (l->id.kind == DB_CONTAINER && row_decode(&value, &r) == 0)
			p = put_raw_object(p, &r);
		else if (l->id.kind == DB_ACCOUNT && account_row_decode(value, &ar) == 0)
			p = put_raw_container(p, &ar);
		else
			return;
		p = PUT_LIT(p, "}\n");
		written(l, p);
		if (l->id.kind == DB_ACCOUNT)
			break;
		l->count -= value.n > 0;
	}
}

/* ---- around the rows ---- */

void listing_begin(struct listing *l)
{
	char *p = reserve(l, l->name.n);

	if (l->q.format == LISTING_JSON) {
		p = PUT_LIT(p, "[");
	} else if (l->q.format == LISTING_XML) {
		p = PUT_LIT(p, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
		p = l->id.kind == DB_CONTAINER ? PUT_LIT(p, "<container name=\"") :
						 PUT_LIT(p, "<account name=\"");
		p = put_xml(p, l->name, true);
		/* An account's element begins with a text; a container's, when empty, has no end
		 * tag. */
		p = l->id.kind == DB_CONTAINER ? PUT_LIT(p, "\">") : PUT_LIT(p, "\">\n");
	}
	written(l, p);
	l->count = 0;
}

void listing_end(struct listing *l)
{
	if (l->q.format == LISTING_JSON) {
		buf_add_lit(&l->out, "]");
	} else if (l->q.format == LISTING_XML && l->id.kind == DB_ACCOUNT) {
		buf_add_lit(&l->out, "</account>");
	} else if (l->q.format == LISTING_XML && l->count) {
		buf_add_lit(&l->out, "</container>");
	} else if (l->q.format == LISTING_XML) {
		l->out.n--;
		buf_add_lit(&l->out, " />");
	}
}
