/* Stored manifests, and the arithmetic of their segments. */
#include "lib/base/encode.h"
#include "lib/crypto/digest.h"
#include "proxy/middleware/slo_json.h"
#include "proxy/middleware/slo_manifest.h"

void slo_manifest_free(struct slo_manifest *m)
{
	if (m)
		arena_free(m->arena);
}

/* ---- reading ---- */

/* The members of an entry that matter; absent ones are not there. */
struct entry {
	struct str name, hash, data, range, type;
	struct str bytes; /* digits */
	bool sub_slo;
};

/* Manifests of old Swift clusters say how big a sub-manifest's content is in its content type. */
static void override_bytes(struct str type, uint64_t *bytes)
{
	struct str part;

	while ((part = str_cut(&type, ';')).p)
		if (str_starts(str_trim(part), S("swift_bytes=")))
			(void)!str_to_u64(str_skip(str_trim(part), strlen("swift_bytes=")), bytes);
}

static int read_data(struct arena *a, struct str text, struct slo_segment *s)
{
	CLEANUP(buf_done) struct buf raw = BUF(text.n + 1);

	if (!text.n || base64_decode(&raw, text) < 0 || raw.n == 0)
		return -EBADMSG;
	s->data = arena_str(a, buf_str(&raw));
	s->bytes = s->length = raw.n;
	return 0;
}

/* "N-M": we wrote it, but trust nothing. */
static int read_range(struct str range, struct slo_segment *s)
{
	struct str rest = range, first = str_cut(&rest, '-');
	uint64_t last;

	if (str_to_u64(first, &s->first) < 0 || str_to_u64(rest, &last) < 0 || last < s->first ||
	    last >= s->bytes)
		return -EBADMSG;
	s->length = last - s->first + 1;
	s->ranged = true;
	return 0;
}

/* Without copy, texts stay where the entry has them, except for data. */
static int read_entry(struct arena *a, const struct entry *e, bool copy, struct slo_segment *s)
{
	*s = (struct slo_segment){ 0 };
	if (e->data.p)
		return read_data(a, e->data, s);
	if (!e->name.n || !e->hash.p || str_to_u64(e->bytes, &s->bytes) < 0)
		return -EBADMSG;
	s->name = copy ? arena_str(a, e->name) : e->name;
	s->hash = copy ? arena_str(a, e->hash) : e->hash;
	s->sub_slo = e->sub_slo;
	if (s->sub_slo)
		override_bytes(e->type, &s->bytes);
	if (s->bytes > INT64_MAX)
		return -EBADMSG;
	s->length = s->bytes;
	return e->range.n ? read_range(e->range, s) : 0;
}

/* ---- the form that we write ourselves ---- */

/* Reads it in a tenth of the time that a JSON library takes, which is time before the first byte.
 * What is anything but plain (escapes, nested values, white space elsewhere) is left to the
 * library. */
enum { PLAIN_MAX = 100000 };    /* entries */

struct scan {
	const char *p, *end;
};

static bool take(struct scan *s, char c)
{
	while (s->p < s->end && *s->p == ' ')
		s->p++;
	if (s->p == s->end || *s->p != c)
		return false;
	s->p++;
	return true;
}

/* A string of printable ASCII, without escapes. */
static bool take_string(struct scan *s, struct str *ret)
{
	if (!take(s, '"'))
		return false;
	const char *from = s->p;

	while (s->p < s->end && *s->p != '"') {
		if (*s->p < 0x20 || *s->p == '\\')
			return false;
		s->p++;
	}
	*ret = str_of(from, (size_t)(s->p - from));
	return take(s, '"');
}

/* A string, digits, or a word. */
static bool take_value(struct scan *s, struct str *ret)
{
	while (s->p < s->end && *s->p == ' ')
		s->p++;
	if (s->p < s->end && *s->p == '"')
		return take_string(s, ret);
	const char *from = s->p;

	while (s->p < s->end && ((*s->p >= '0' && *s->p <= '9') || (*s->p >= 'a' && *s->p <= 'z')))
		s->p++;
	*ret = str_of(from, (size_t)(s->p - from));
	return ret->n > 0;
}

static bool take_entry(struct scan *s, struct entry *e)
{
	struct str key, value;

	*e = (struct entry){ 0 };
	if (!take(s, '{'))
		return false;
	do {
		if (!take_string(s, &key) || !take(s, ':') || !take_value(s, &value))
			return false;
		if (str_eq(key, S("name")))
			e->name = value;
		else if (str_eq(key, S("hash")))
			e->hash = value;
		else if (str_eq(key, S("bytes")))
			e->bytes = value;
		else if (str_eq(key, S("range")))
			e->range = value;
		else if (str_eq(key, S("data")))
			e->data = value;
		else if (str_eq(key, S("content_type")))
			e->type = value;
		else if (str_eq(key, S("sub_slo")))
			e->sub_slo = str_is_true(value);
	} while (take(s, ','));
	return take(s, '}');
}

static unsigned count_entries(struct str text)
{
	unsigned n = 0;

	for (const char *p = text.p; (p = memchr(p, '{', (size_t)(text.p + text.n - p))); p++)
		n++;
	return n;
}

/* 0, or -EBADMSG where it is not plain. */
static int read_plain(struct slo_manifest *m, struct str text)
{
	struct scan s = { text.p, text.p + text.n };
	unsigned max = text.n ? count_entries(text) : 0;
	struct entry e;

	if (max > PLAIN_MAX || !take(&s, '['))
		return -EBADMSG;
	m->v = arena_alloc(m->arena, ((size_t)max + 1) * sizeof *m->v);
	m->n = 0;
	do {
		if (m->n == max || !take_entry(&s, &e) ||
		    read_entry(m->arena, &e, true, &m->v[m->n]) < 0)
			return -EBADMSG;
		m->n++;
	} while (take(&s, ','));
	return take(&s, ']') && s.p == s.end ? 0 : -EBADMSG;
}

static int read_item(struct arena *a, const json_t *o, struct slo_segment *s)
{
	const json_t *bytes = json_object_get(o, "bytes"), *sub = json_object_get(o, "sub_slo");
	struct entry e = {
		.name = slo_json_str(json_object_get(o, "name")),
		.hash = slo_json_str(json_object_get(o, "hash")),
		.data = slo_json_str(json_object_get(o, "data")),
		.range = slo_json_str(json_object_get(o, "range")),
		.type = slo_json_str(json_object_get(o, "content_type")),
		.bytes = slo_json_str(bytes),
		.sub_slo = json_is_true(sub) || str_is_true(slo_json_str(sub)),
	};

	if (json_is_integer(bytes))
		e.bytes = arena_printf(a, "%" JSON_INTEGER_FORMAT, json_integer_value(bytes));
	return read_entry(a, &e, true, s);
}

/* Any JSON, by the library. */
static int read_json(struct slo_manifest *m, struct str text)
{
	AUTO(slo_json) root = slo_json_load(text);
	struct arena *a = m->arena;

	if (!json_is_array(root) || json_array_size(root) > UINT_MAX - 1)
		return -EBADMSG;
	m->n = (unsigned)json_array_size(root);
	m->v = arena_alloc(a, (m->n + 1) * sizeof *m->v);
	for (unsigned i = 0; i < m->n; i++)
		if (read_item(a, json_array_get(root, i), &m->v[i]) < 0)
			return -EBADMSG;
	return 0;
}

int slo_manifest_parse(struct str json, struct slo_manifest **ret)
{
	struct arena *a = arena_new();
	AUTO(slo_manifest) m = arena_zalloc(a, sizeof *m);
	uint64_t size;

	m->arena = a;
	if (read_plain(m, json) < 0 && read_json(m, json) < 0)
		return -EBADMSG;
	if (slo_manifest_size(m, &size) < 0)
		return -EBADMSG;
	*ret = TAKE(m);
	return 0;
}

/* ---- a piece at a time ---- */

enum { ENTRY_MAX = 65 * MIB, ENTRY_DEPTH_MAX = 32 };

void slo_reader_init(struct slo_reader *r, uint64_t offset)
{
	*r = (struct slo_reader){
		.text = BUF(ENTRY_MAX), .offset = offset, .begun = offset > 0
	};
}

void slo_reader_done(struct slo_reader *r)
{
	buf_done(&r->text);
	arena_free(r->scratch);
	r->scratch = NULL;
}

/* A byte between entries: 1 when it begins one. */
static int between(struct slo_reader *r, char c)
{
	if (c == '{' && r->begun && !r->ended) {
		r->depth = 1;
		return 1;
	}
	if (c == '[' && !r->begun)
		r->begun = true;
	else if (c == ']' && r->begun && !r->ended)
		r->ended = true;
	else if (!(c == ',' && r->begun && !r->ended) && c != ' ' && c != '\n' && c != '\r' &&
		 c != '\t')
		return -EBADMSG;
	return 0;
}

/* A byte of an entry. */
static int inside(struct slo_reader *r, char c)
{
	if (r->escaped) {
		r->escaped = false;
	} else if (r->quoted) {
		r->escaped = c == '\\';
		r->quoted = c != '"';
	} else if (c == '"') {
		r->quoted = true;
	} else if (c == '{' || c == '[') {
		if (++r->depth > ENTRY_DEPTH_MAX)
			return -EBADMSG;
	} else if (c == '}' || c == ']') {
		r->depth--;
	}
	return 0;
}

/* Whether an entry is complete: 1 with its text, 0 when more bytes are needed. */
static int take_text(struct slo_reader *r, struct str *bytes, struct str *ret)
{
	size_t from = 0, i = 0;
	int rc = 0;

	while (rc == 0 && r->depth == 0 && i < bytes->n) {
		from = i;
		rc = between(r, bytes->p[i++]);
	}
	while (rc >= 0 && r->depth > 0 && i < bytes->n)
		rc = inside(r, bytes->p[i++]);
	if (rc < 0)
		return rc;
	struct str part = str_head(str_skip(*bytes, from), i - from);
	bool entry = part.n > 0 && (r->text.n > 0 || part.p[0] == '{'), whole = r->depth == 0;

	*bytes = str_skip(*bytes, i);
	r->offset += i;
	*ret = part;
	if (entry && (!whole || r->text.n > 0)) {
		buf_add_str(&r->text, part);
		*ret = buf_str(&r->text);
	}
	return buf_failed(&r->text) ? -EBADMSG : entry && whole;
}

static int read_text(struct arena *a, struct str text, bool copy, struct slo_segment *ret)
{
	struct scan s = { text.p, text.p + text.n };
	struct entry e;

	if (take_entry(&s, &e) && s.p == s.end)
		return read_entry(a, &e, copy, ret);
	AUTO(slo_json) item = slo_json_load(text);

	return item ? read_item(a, item, ret) : -EBADMSG;
}

int slo_reader_next(struct slo_reader *r, struct str *bytes, struct arena *a,
		    struct slo_segment *ret)
{
	struct str text;

	if (r->depth == 0)
		buf_clear(&r->text);
	int rc = take_text(r, bytes, &text);

	if (rc <= 0)
		return rc;
	if (!a) {
		arena_free(r->scratch);
		r->scratch = arena_new();
	}
	rc = read_text(a ? a : r->scratch, text, a != NULL, ret);
	return rc < 0 ? rc : 1;
}

/* ---- arithmetic ---- */

int slo_manifest_size(const struct slo_manifest *m, uint64_t *ret)
{
	uint64_t size = 0;

	for (unsigned i = 0; i < m->n; i++)
		if (__builtin_add_overflow(size, m->v[i].length, &size) || size > INT64_MAX)
			return -EOVERFLOW;
	*ret = size;
	return 0;
}

/* What a segment adds to the text whose MD5 is the ETag. */
static void add_etag(struct digest *d, const struct slo_segment *s)
{
	char text[64];
	struct str range;

	if (s->data.p) {
		md5_hex(s->data, text);
		digest_add(d, text, MD5_HEX_SIZE - 1);
		return;
	}
	digest_add(d, s->hash.p, s->hash.n);
	if (!s->ranged)
		return;
	range.n = (size_t)snprintf(text, sizeof text, ":%" PRIu64 "-%" PRIu64 ";", s->first,
				   s->first + s->length - 1);
	digest_add(d, text, range.n);
}

void slo_sum_init(struct slo_sum *sum, uint64_t part)
{
	*sum = (struct slo_sum){ .md5 = digest_new(DIGEST_MD5), .part = part };
}

void slo_sum_done(struct slo_sum *sum)
{
	digest_free(sum->md5);
	sum->md5 = NULL;
}

int slo_sum_add(struct slo_sum *sum, const struct slo_segment *s)
{
	if (++sum->n == sum->part) {
		sum->part_first = sum->size;
		sum->part_length = s->length;
	}
	add_etag(sum->md5, s);
	if (__builtin_add_overflow(sum->size, s->length, &sum->size) || sum->size > INT64_MAX)
		return -EOVERFLOW;
	return 0;
}

void slo_sum_etag(struct slo_sum *sum, char *text)
{
	unsigned char md5[MD5_SIZE];

	digest_final(sum->md5, md5);
	hex_encode(md5, sizeof md5, text);
}

int slo_walk_next(struct slo_walk *w, const struct slo_segment **ret, uint64_t *ret_first,
		  uint64_t *ret_length)
{
	for (; w->left && w->at < w->m->n; w->at++) {
		const struct slo_segment *s = &w->m->v[w->at];

		if (w->skip >= s->length) {
			w->skip -= s->length;
			continue;
		}
		*ret = s;
		*ret_first = s->first + w->skip;
		*ret_length = MIN(s->length - w->skip, w->left);
		w->left -= *ret_length;
		w->skip = 0;
		w->at++;
		return 1;
	}
	return w->left ? -EIO : 0;
}

/* ---- writing ---- */

void slo_manifest_raw(const struct slo_manifest *m, struct buf *to)
{
	buf_add_char(to, '[');
	for (unsigned i = 0; i < m->n; i++) {
		const struct slo_segment *s = &m->v[i];

		buf_add_str(to, i ? S(", {") : S("{"));
		if (s->data.p) {
			buf_add_lit(to, "\"data\": \"");
			base64_encode(to, s->data.p, s->data.n);
			buf_add_lit(to, "\"}");
			continue;
		}
		buf_add_lit(to, "\"etag\": ");
		json_escape(to, s->hash);
		buf_add_lit(to, ", \"path\": ");
		json_escape(to, s->name);
		if (s->ranged)
			buf_addf(to, ", \"range\": \"%" PRIu64 "-%" PRIu64 "\"", s->first,
				 s->first + s->length - 1);
		buf_addf(to, ", \"size_bytes\": %" PRIu64 "}", s->bytes);
	}
	buf_add_char(to, ']');
}
