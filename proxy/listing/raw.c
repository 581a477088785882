/* Raw rows: reading a line, and joining what two replicas know. */
#include "proxy/listing/raw.h"

#include <ctype.h>

/* A line that is being read: at is the next byte. */
struct reader {
	char *at, *end;
};

static void skip_blanks(struct reader *r)
{
	while (r->at < r->end && (*r->at == ' ' || *r->at == '\t'))
		r->at++;
}

static bool take(struct reader *r, char c)
{
	skip_blanks(r);
	if (r->at == r->end || *r->at != c)
		return false;
	r->at++;
	return true;
}

static int take_hex4(struct reader *r, uint32_t *ret)
{
	uint32_t v = 0;

	if (r->end - r->at < 4)
		return -EBADMSG;
	for (unsigned i = 0; i < 4; i++) {
		unsigned char c = (unsigned char)*r->at++;

		if (!isxdigit(c))
			return -EBADMSG;
		v = v * 16 + (c <= '9' ? c - 0u - '0' : (c | 32u) - 'a' + 10);
	}
	*ret = v;
	return 0;
}

static char *put_utf8(char *to, uint32_t c)
{
	if (c < 0x80) {
		*to++ = (char)c;
	} else if (c < 0x800) {
		*to++ = (char)(0xc0 | c >> 6);
		*to++ = (char)(0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		*to++ = (char)(0xe0 | c >> 12);
		*to++ = (char)(0x80 | (c >> 6 & 0x3f));
		*to++ = (char)(0x80 | (c & 0x3f));
	} else {
		*to++ = (char)(0xf0 | c >> 18);
		*to++ = (char)(0x80 | (c >> 12 & 0x3f));
		*to++ = (char)(0x80 | (c >> 6 & 0x3f));
		*to++ = (char)(0x80 | (c & 0x3f));
	}
	return to;
}

/* Behind "\u"; a pair of surrogates is one character. An escape is never shorter than its UTF-8. */
static int take_unicode(struct reader *r, char **to)
{
	uint32_t c, low;

	if (take_hex4(r, &c) < 0)
		return -EBADMSG;
	if (c >= 0xd800 && c < 0xdc00) {
		if (r->end - r->at < 6 || r->at[0] != '\\' || r->at[1] != 'u')
			return -EBADMSG;
		r->at += 2;
		if (take_hex4(r, &low) < 0 || low < 0xdc00 || low > 0xdfff)
			return -EBADMSG;
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	} else if (c >= 0xdc00 && c < 0xe000) {
		return -EBADMSG;
	}
	*to = put_utf8(*to, c);
	return 0;
}

static int take_escape(struct reader *r, char **to)
{
	static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";

	if (r->at == r->end)
		return -EBADMSG;
	char c = *r->at++;

	if (c == 'u')
		return take_unicode(r, to);
	const char *which = c ? strchr(from, c) : NULL;

	if (!which)
		return -EBADMSG;
	*(*to)++ = into[which - from];
	return 0;
}

static int take_text(struct reader *r, struct str *ret)
{
	if (!take(r, '"'))
		return -EBADMSG;
	char *start = r->at, *to = r->at;

	while (r->at < r->end && *r->at != '"') {
		char c = *r->at++;

		if ((unsigned char)c < 0x20)
			return -EBADMSG;
		if (c != '\\')
			*to++ = c;
		else if (take_escape(r, &to) < 0)
			return -EBADMSG;
	}
	if (r->at == r->end)
		return -EBADMSG;
	r->at++;
	*ret = str_of(start, (size_t)(to - start));
	return 0;
}

static int take_number(struct reader *r, uint64_t *ret)
{
	skip_blanks(r);
	char *start = r->at;

	while (r->at < r->end && isdigit((unsigned char)*r->at))
		r->at++;
	return str_to_u64(str_of(start, (size_t)(r->at - start)), ret) < 0 ? -EBADMSG : 0;
}

/* What a key's value is read into. */
static const struct field {
	struct str key;
	enum { TEXT, NUMBER, TIME, FLAG, INDEX } type;
	size_t at;
} fields[] = {
#define F(key, type, member) { STR_INIT(key), type, offsetof(struct raw_row, member) }
	F("name", TEXT, name),
	F("data_ts", TIME, data_ts),
	F("ctype_ts", TIME, ctype_ts),
	F("meta_ts", TIME, meta_ts),
	F("deleted", FLAG, deleted),
	F("policy", INDEX, policy),
	F("bytes", NUMBER, bytes),
	F("hash", TEXT, hash),
	F("content_type", TEXT, content_type),
	F("swift_bytes", TEXT, swift_bytes),
	F("put_ts", TIME, put_ts),
	F("delete_ts", TIME, delete_ts),
	F("stats_ts", TIME, stats_ts),
	F("count", NUMBER, count),
#undef F
};

static const struct field *find_field(struct str key)
{
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (str_eq(fields[i].key, key))
			return &fields[i];
	return NULL;
}

static int take_value(struct reader *r, const struct field *f, struct raw_row *row)
{
	void *to = f ? (char *)row + f->at : NULL;
	bool is_text = !f || f->type == TEXT || f->type == TIME;
	struct str text = STR_NONE;
	uint64_t number = 0;

	skip_blanks(r);
	if (!f)
		is_text = r->at < r->end && *r->at == '"';
	if ((is_text ? take_text(r, &text) : take_number(r, &number)) < 0)
		return -EBADMSG;
	if (!f)
		return 0;
	switch (f->type) {
	case TEXT:
		*(struct str *)to = text;
		return 0;
	case TIME:
		return timestamp_parse(text, to) < 0 ? -EBADMSG : 0;
	case NUMBER:
		*(uint64_t *)to = number;
		return 0;
	case FLAG:
		*(bool *)to = number != 0;
		return 0;
	case INDEX:
		*(unsigned *)to = (unsigned)MIN(number, (uint64_t)UINT_MAX);
		return 0;
	}
	unreachable("a type of field that nobody has");
}

int raw_row_parse(char *line, size_t n, struct raw_row *ret)
{
	struct reader r = { line, line + n };
	struct raw_row row = { .name = STR_NONE };
	struct str key;

	if (!take(&r, '{'))
		return -EBADMSG;
	do {
		if (take_text(&r, &key) < 0 || !take(&r, ':') ||
		    take_value(&r, find_field(key), &row) < 0)
			return -EBADMSG;
	} while (take(&r, ','));
	if (!take(&r, '}') || !row.name.p)
		return -EBADMSG;
	*ret = row;
	return 0;
}

static struct timestamp later(struct timestamp a, struct timestamp b)
{
	return timestamp_cmp(a, b) >= 0 ? a : b;
}

static int number_cmp(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int data_cmp(const struct raw_row *a, const struct raw_row *b)
{
	int c = timestamp_cmp(a->data_ts, b->data_ts);

	if (c == 0)
		c = (int)a->deleted - (int)b->deleted;
	if (c == 0)
		c = number_cmp(a->bytes, b->bytes);
	if (c == 0)
		c = str_cmp(a->hash, b->hash);
	return c ? c : str_cmp(a->swift_bytes, b->swift_bytes);
}

static void join_object(struct raw_row *into, const struct raw_row *other)
{
	struct raw_row r = data_cmp(into, other) >= 0 ? *into : *other;
	int c = timestamp_cmp(into->ctype_ts, other->ctype_ts);

	if (c == 0)
		c = str_cmp(into->content_type, other->content_type);
	r.ctype_ts = c >= 0 ? into->ctype_ts : other->ctype_ts;
	r.content_type = c >= 0 ? into->content_type : other->content_type;
	r.meta_ts = later(into->meta_ts, other->meta_ts);
	*into = r;
}

static void join_container(struct raw_row *into, const struct raw_row *other)
{
	int c = timestamp_cmp(into->stats_ts, other->stats_ts);

	if (c == 0)
		c = number_cmp(into->count, other->count);
	if (c == 0)
		c = number_cmp(into->bytes, other->bytes);
	struct raw_row r = c >= 0 ? *into : *other;

	r.put_ts = later(into->put_ts, other->put_ts);
	r.delete_ts = later(into->delete_ts, other->delete_ts);
	r.deleted = r.count == 0 && timestamp_cmp(r.delete_ts, r.put_ts) > 0;
	*into = r;
}

void raw_row_join(enum swift_kind kind, struct raw_row *into, const struct raw_row *other)
{
	if (kind == SWIFT_CONTAINER)
		join_object(into, other);
	else
		join_container(into, other);
}

uint64_t raw_row_bytes(const struct raw_row *r)
{
	uint64_t v;

	return r->swift_bytes.p && str_to_u64(r->swift_bytes, &v) == 0 ? v : r->bytes;
}
