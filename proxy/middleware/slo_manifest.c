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

static bool is_true(const json_t *v)
{
	return json_is_true(v) || (json_is_string(v) && str_is_true(slo_json_str(v)));
}

/* A number, or the digits of one (Swift takes both). */
static int json_u64(const json_t *v, uint64_t *ret)
{
	if (json_is_string(v))
		return str_to_u64(slo_json_str(v), ret);
	if (!json_is_integer(v) || json_integer_value(v) < 0)
		return -EINVAL;
	*ret = (uint64_t)json_integer_value(v);
	return 0;
}

/* Manifests of old Swift clusters say how big a sub-manifest's content is in its content type. */
static void override_bytes(const json_t *item, uint64_t *bytes)
{
	struct str type = slo_json_str(json_object_get(item, "content_type")), part;

	while ((part = str_cut(&type, ';')).p)
		if (str_starts(str_trim(part), S("swift_bytes=")))
			(void)!str_to_u64(str_skip(str_trim(part), strlen("swift_bytes=")), bytes);
}

static int read_data(struct arena *a, const json_t *value, struct slo_segment *s)
{
	struct str text = slo_json_str(value);
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

static int read_segment(struct arena *a, const json_t *item, struct slo_segment *s)
{
	const json_t *range = json_object_get(item, "range"), *data = json_object_get(item, "data");

	if (!json_is_object(item))
		return -EBADMSG;
	if (data)
		return read_data(a, data, s);
	struct str name = slo_json_str(json_object_get(item, "name"));
	struct str hash = slo_json_str(json_object_get(item, "hash"));

	if (!name.n || !hash.p || json_u64(json_object_get(item, "bytes"), &s->bytes) < 0)
		return -EBADMSG;
	s->name = arena_str(a, name);
	s->hash = arena_str(a, hash);
	s->sub_slo = is_true(json_object_get(item, "sub_slo"));
	if (s->sub_slo)
		override_bytes(item, &s->bytes);
	if (s->bytes > INT64_MAX)
		return -EBADMSG;
	s->length = s->bytes;
	return slo_json_str(range).n ? read_range(slo_json_str(range), s) : 0;
}

int slo_manifest_parse(struct str json, struct slo_manifest **ret)
{
	AUTO(slo_json) root = slo_json_load(json);

	if (!json_is_array(root) || json_array_size(root) > UINT_MAX)
		return -EBADMSG;
	struct arena *a = arena_new();
	AUTO(slo_manifest) m = arena_zalloc(a, sizeof *m);
	uint64_t size;

	m->arena = a;
	m->n = (unsigned)json_array_size(root);
	m->v = arena_zalloc(a, (m->n + 1) * sizeof *m->v);
	for (unsigned i = 0; i < m->n; i++)
		if (read_segment(a, json_array_get(root, i), &m->v[i]) < 0)
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
