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

static int read_entry(struct arena *a, const struct entry *e, struct slo_segment *s)
{
	*s = (struct slo_segment){ 0 };
	if (e->data.p)
		return read_data(a, e->data, s);
	if (!e->name.n || !e->hash.p || str_to_u64(e->bytes, &s->bytes) < 0)
		return -EBADMSG;
	s->name = arena_str(a, e->name);
	s->hash = arena_str(a, e->hash);
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
		if (m->n == max || !take_entry(&s, &e) || read_entry(m->arena, &e, &m->v[m->n]) < 0)
			return -EBADMSG;
		m->n++;
	} while (take(&s, ','));
	return take(&s, ']') && s.p == s.end ? 0 : -EBADMSG;
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
	for (unsigned i = 0; i < m->n; i++) {
		const json_t *o = json_array_get(root, i), *bytes = json_object_get(o, "bytes");
		const json_t *sub = json_object_get(o, "sub_slo");
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
			e.bytes =
				arena_printf(a, "%" JSON_INTEGER_FORMAT, json_integer_value(bytes));
		if (read_entry(a, &e, &m->v[i]) < 0)
			return -EBADMSG;
	}
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

uint64_t slo_manifest_offset(const struct slo_manifest *m, unsigned index)
{
	uint64_t offset = 0;

	for (unsigned i = 0; i < index; i++)
		offset += m->v[i].length;
	return offset;
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

void slo_manifest_etag(const struct slo_manifest *m, char *text)
{
	AUTO(digest) d = digest_new(DIGEST_MD5);
	unsigned char md5[MD5_SIZE];

	for (unsigned i = 0; i < m->n; i++)
		add_etag(d, &m->v[i]);
	digest_final(d, md5);
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
