/* Rows: their encoding, and the merge that makes replicas agree. */
#include "objectd/db/row.h"
#include "lib/base/encode.h"
#include "lib/crypto/digest.h"
#include "objectd/db/varint.h"

/* The first byte of an encoded row says which parts follow. */
enum row_flag {
	ROW_DELETED = 1,
	ROW_CTYPE_TS = 2,
	ROW_META_TS = 4,
	ROW_OFFSETS = 8,
	ROW_MD5 = 16,
	ROW_BYTES = 32,
	ROW_POLICY = 64,
};

/* ---- parts ---- */

void row_etag_set(struct row_etag *e, struct str text)
{
	*e = (struct row_etag){ .text = text };
	if (text.n != 32)
		return;
	for (unsigned i = 0; i < 32; i++) {
		char c = text.p[i];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			return;
	}
	if (hex_decode(text, e->raw, sizeof e->raw) < 0)
		return;
	e->is_md5 = true;
	e->text = STR_NONE;
}

struct str row_etag_text(const struct row_etag *e, char room[33])
{
	if (!e->is_md5)
		return e->text;
	hex_encode(e->raw, sizeof e->raw, room);
	return str_of(room, 32);
}

static int etag_cmp(const struct row_etag *a, const struct row_etag *b)
{
	if (a->is_md5 != b->is_md5)
		return a->is_md5 ? 1 : -1;
	return a->is_md5 ? memcmp(a->raw, b->raw, sizeof a->raw) : str_cmp(a->text, b->text);
}

void row_normalise(struct row *r)
{
	if (r->swift_bytes.n == 0)
		r->swift_bytes = STR_NONE;
	if (!r->deleted)
		return;
	r->size = 0;
	r->etag = (struct row_etag){ .text = S("") };
	r->swift_bytes = STR_NONE;
	if (str_eq(r->content_type, S("application/deleted")))
		r->content_type = S("");
}

static bool is_token(char c)
{
	return (unsigned char)c > 0x20 && c != 0x7f && !strchr("()<>@,;:\"/\\[]?={}", c);
}

static size_t skip_token(struct str s, size_t i)
{
	while (i < s.n && is_token(s.p[i]))
		i++;
	return i;
}

static size_t skip_blanks(struct str s, size_t i)
{
	while (i < s.n && (s.p[i] == ' ' || (s.p[i] >= '\t' && s.p[i] <= '\r')))
		i++;
	return i;
}

/* The end of a quoted string that begins at i, or i when it has no end. */
static size_t skip_quoted(struct str s, size_t i)
{
	for (size_t j = i + 1; j < s.n; j++) {
		if (s.p[j] == '"')
			return j + 1;
		if (s.p[j] == '\\')
			j++;
	}
	return i;
}

/* One ";name[=value]" at position i (behind the semicolon): the position after it, or 0 when there
 * is none. As _rfc_extension_pattern: what does not match is passed over. */
static size_t take_parameter(struct str s, size_t i, struct str *ret_name, struct str *ret_value)
{
	size_t begin = skip_blanks(s, i), end = skip_token(s, begin);

	if (end == begin)
		return 0;
	*ret_name = str_of(s.p + begin, end - begin);
	*ret_value = S("");
	size_t eq = skip_blanks(s, end);

	if (eq >= s.n || s.p[eq] != '=')
		return end;
	begin = skip_blanks(s, eq + 1);
	i = begin < s.n && s.p[begin] == '"' ? skip_quoted(s, begin) : skip_token(s, begin);
	if (i == begin)
		return end;
	*ret_value = str_of(s.p + begin, i - begin);
	return i;
}

void row_split_content_type(struct str text, struct buf *content_type, struct str *ret_swift_bytes)
{
	ssize_t semicolon = str_chr(text, ';');

	*ret_swift_bytes = STR_NONE;
	buf_add_str(content_type, semicolon < 0 ? text : str_head(text, (size_t)semicolon));
	if (semicolon < 0)
		return;
	for (size_t i = (size_t)semicolon; i < text.n;) {
		struct str name, value;
		size_t next = text.p[i] == ';' ? take_parameter(text, i + 1, &name, &value) : 0;

		if (!next) {
			i++;
			continue;
		}
		i = next;
		if (str_eq(name, S("swift_bytes"))) {
			*ret_swift_bytes = value;
			continue;
		}
		buf_add_char(content_type, ';');
		buf_add_str(content_type, name);
		buf_add_char(content_type, '=');
		buf_add_str(content_type, value);
	}
}

/* ---- object rows ---- */

void row_encode(struct buf *to, const struct row *r)
{
	bool offsets = r->data_ts.offset || r->ctype_ts.offset || r->meta_ts.offset;
	int64_t ctype = (int64_t)(r->ctype_ts.t - r->data_ts.t);
	int64_t meta = (int64_t)(r->meta_ts.t - r->data_ts.t);

	buf_add_char(to, (char)((r->deleted ? ROW_DELETED : 0) | (ctype ? ROW_CTYPE_TS : 0) |
				(meta ? ROW_META_TS : 0) | (offsets ? ROW_OFFSETS : 0) |
				(r->etag.is_md5 ? ROW_MD5 : 0) |
				(r->swift_bytes.p ? ROW_BYTES : 0) | (r->policy ? ROW_POLICY : 0)));
	if (r->policy)
		varint_add(to, r->policy);
	varint_add(to, r->data_ts.t);
	if (ctype)
		varint_add_signed(to, ctype);
	if (meta)
		varint_add_signed(to, meta);
	if (offsets) {
		varint_add(to, r->data_ts.offset);
		varint_add(to, r->ctype_ts.offset);
		varint_add(to, r->meta_ts.offset);
	}
	varint_add(to, r->size);
	if (r->etag.is_md5)
		buf_add(to, r->etag.raw, sizeof r->etag.raw);
	else
		varint_add_str(to, r->etag.text);
	varint_add_str(to, r->content_type);
	if (r->swift_bytes.p)
		varint_add_str(to, r->swift_bytes);
}

static int take_row_times(struct str *rest, unsigned flags, struct row *r)
{
	int64_t ctype = 0, meta = 0;

	if (varint_take(rest, &r->data_ts.t) < 0)
		return -EBADMSG;
	if ((flags & ROW_CTYPE_TS) && varint_take_signed(rest, &ctype) < 0)
		return -EBADMSG;
	if ((flags & ROW_META_TS) && varint_take_signed(rest, &meta) < 0)
		return -EBADMSG;
	r->ctype_ts.t = r->data_ts.t + (uint64_t)ctype;
	r->meta_ts.t = r->data_ts.t + (uint64_t)meta;
	if (!(flags & ROW_OFFSETS))
		return 0;
	if (varint_take(rest, &r->data_ts.offset) < 0 ||
	    varint_take(rest, &r->ctype_ts.offset) < 0 || varint_take(rest, &r->meta_ts.offset) < 0)
		return -EBADMSG;
	return 0;
}

int row_decode(struct str *rest, struct row *ret)
{
	struct row r = { .swift_bytes = STR_NONE };
	uint64_t policy = 0;
	struct str raw;

	if (rest->n == 0)
		return -EBADMSG;
	unsigned flags = (unsigned char)rest->p[0];

	*rest = str_skip(*rest, 1);
	if (flags & ROW_POLICY && (varint_take(rest, &policy) < 0 || policy > INT_MAX))
		return -EBADMSG;
	if (take_row_times(rest, flags, &r) < 0 || varint_take(rest, &r.size) < 0)
		return -EBADMSG;
	if (flags & ROW_MD5) {
		if (varint_take_bytes(rest, sizeof r.etag.raw, &raw) < 0)
			return -EBADMSG;
		memcpy(r.etag.raw, raw.p, raw.n);
		r.etag.is_md5 = true;
	} else if (varint_take_str(rest, &r.etag.text) < 0) {
		return -EBADMSG;
	}
	if (varint_take_str(rest, &r.content_type) < 0)
		return -EBADMSG;
	if (flags & ROW_BYTES && varint_take_str(rest, &r.swift_bytes) < 0)
		return -EBADMSG;
	r.policy = (unsigned)policy;
	r.deleted = flags & ROW_DELETED;
	*ret = r;
	return 0;
}

/* Which data wins: the later; at the same moment a deletion, then the larger in an order that
 * only has to be the same everywhere. */
static int data_cmp(const struct row *a, const struct row *b)
{
	int c = timestamp_cmp(a->data_ts, b->data_ts);

	if (c == 0)
		c = (int)a->deleted - (int)b->deleted;
	if (c == 0)
		c = a->size < b->size ? -1 : a->size > b->size;
	if (c == 0)
		c = etag_cmp(&a->etag, &b->etag);
	return c ? c : str_cmp(a->swift_bytes, b->swift_bytes);
}

static void join(struct row *into, const struct row *other)
{
	struct row r = data_cmp(into, other) >= 0 ? *into : *other;
	int c = timestamp_cmp(into->ctype_ts, other->ctype_ts);

	if (c == 0)
		c = str_cmp(into->content_type, other->content_type);
	r.ctype_ts = c >= 0 ? into->ctype_ts : other->ctype_ts;
	r.content_type = c >= 0 ? into->content_type : other->content_type;
	r.meta_ts =
		timestamp_cmp(into->meta_ts, other->meta_ts) >= 0 ? into->meta_ts : other->meta_ts;
	*into = r;
}

/* Values hold a row per policy, ordered by policy. */
static void merge_container(struct str a, struct str b, struct buf *ret)
{
	struct row ra, rb;

	while (a.n || b.n) {
		struct str a_next = a, b_next = b;
		int rc = a.n ? row_decode(&a_next, &ra) : 0;

		if (rc == 0 && b.n)
			rc = row_decode(&b_next, &rb);
		assert(rc == 0);
		bool take_a = a.n && (!b.n || ra.policy <= rb.policy);
		bool take_b = b.n && (!a.n || rb.policy <= ra.policy);

		if (take_a && take_b)
			join(&ra, &rb);
		row_encode(ret, take_a ? &ra : &rb);
		if (take_a)
			a = a_next;
		if (take_b)
			b = b_next;
	}
}

/* ---- rows of accounts ---- */

enum { ACCOUNT_ROW_OFFSETS = 1 };

void account_row_encode(struct buf *to, const struct account_row *r)
{
	bool offsets = r->put_ts.offset || r->delete_ts.offset || r->stats_ts.offset;

	buf_add_char(to, offsets ? ACCOUNT_ROW_OFFSETS : 0);
	varint_add(to, r->put_ts.t);
	varint_add(to, r->delete_ts.t);
	varint_add(to, r->stats_ts.t);
	if (offsets) {
		varint_add(to, r->put_ts.offset);
		varint_add(to, r->delete_ts.offset);
		varint_add(to, r->stats_ts.offset);
	}
	varint_add(to, r->policy);
	varint_add(to, r->objects);
	varint_add(to, r->bytes);
}

int account_row_decode(struct str value, struct account_row *ret)
{
	struct account_row r = { .policy = 0 };
	uint64_t policy;

	if (value.n == 0)
		return -EBADMSG;
	unsigned flags = (unsigned char)value.p[0];

	value = str_skip(value, 1);
	if (varint_take(&value, &r.put_ts.t) < 0 || varint_take(&value, &r.delete_ts.t) < 0 ||
	    varint_take(&value, &r.stats_ts.t) < 0)
		return -EBADMSG;
	if (flags & ACCOUNT_ROW_OFFSETS && (varint_take(&value, &r.put_ts.offset) < 0 ||
					    varint_take(&value, &r.delete_ts.offset) < 0 ||
					    varint_take(&value, &r.stats_ts.offset) < 0))
		return -EBADMSG;
	if (varint_take(&value, &policy) < 0 || policy > INT_MAX ||
	    varint_take(&value, &r.objects) < 0 || varint_take(&value, &r.bytes) < 0 || value.n)
		return -EBADMSG;
	r.policy = (unsigned)policy;
	*ret = r;
	return 0;
}

bool account_row_deleted(const struct account_row *r)
{
	return r->objects == 0 && timestamp_cmp(r->delete_ts, r->put_ts) > 0;
}

static int stats_cmp(const struct account_row *a, const struct account_row *b)
{
	int c = timestamp_cmp(a->stats_ts, b->stats_ts);

	if (c == 0)
		c = a->objects < b->objects ? -1 : a->objects > b->objects;
	if (c == 0)
		c = a->bytes < b->bytes ? -1 : a->bytes > b->bytes;
	return c ? c : (a->policy < b->policy ? -1 : a->policy > b->policy);
}

static struct timestamp later(struct timestamp a, struct timestamp b)
{
	return timestamp_cmp(a, b) >= 0 ? a : b;
}

static void merge_account(struct str a, struct str b, struct buf *ret)
{
	struct account_row ra, rb;

	if (!a.n || !b.n) {
		buf_add_str(ret, a.n ? a : b);
		return;
	}
	int rc = account_row_decode(a, &ra);

	if (rc == 0)
		rc = account_row_decode(b, &rb);
	assert(rc == 0);
	struct account_row r = stats_cmp(&ra, &rb) >= 0 ? ra : rb;

	r.put_ts = later(ra.put_ts, rb.put_ts);
	r.delete_ts = later(ra.delete_ts, rb.delete_ts);
	account_row_encode(ret, &r);
}

/* ---- values of either kind ---- */

void row_value_merge(enum db_kind kind, struct str a, struct str b, struct buf *ret)
{
	buf_clear(ret);
	if (kind == DB_CONTAINER)
		merge_container(a, b, ret);
	else
		merge_account(a, b, ret);
}

static bool row_is_sound(const struct row *r)
{
	return str_is_utf8(r->content_type) && r->content_type.n <= ROW_TEXT_MAX &&
	       (r->etag.is_md5 || (str_is_utf8(r->etag.text) && r->etag.text.n <= ROW_TEXT_MAX)) &&
	       (!r->swift_bytes.p ||
		(r->swift_bytes.n <= ROW_TEXT_MAX && str_is_utf8(r->swift_bytes)));
}

/* Canonical means that encoding again what was decoded gives the same bytes. */
static int check_container(struct str value)
{
	CLEANUP(buf_done) struct buf again = BUF(ROW_VALUE_MAX);
	struct str rest = value;
	int64_t last_policy = -1;

	while (rest.n) {
		struct row r;

		if (row_decode(&rest, &r) < 0 || (int64_t)r.policy <= last_policy ||
		    !row_is_sound(&r))
			return -EBADMSG;
		last_policy = r.policy;
		if (!r.etag.is_md5)
			row_etag_set(&r.etag, r.etag.text);
		row_normalise(&r);
		row_encode(&again, &r);
	}
	return !buf_failed(&again) && str_eq(buf_str(&again), value) ? 0 : -EBADMSG;
}

static int check_account(struct str value)
{
	CLEANUP(buf_done) struct buf again = BUF(ROW_VALUE_MAX);
	struct account_row r;

	if (account_row_decode(value, &r) < 0)
		return -EBADMSG;
	account_row_encode(&again, &r);
	return str_eq(buf_str(&again), value) ? 0 : -EBADMSG;
}

int row_value_check(enum db_kind kind, struct str value)
{
	if (value.n == 0 || value.n > ROW_VALUE_MAX)
		return -EBADMSG;
	return kind == DB_CONTAINER ? check_container(value) : check_account(value);
}

bool row_value_live(enum db_kind kind, struct str value)
{
	struct account_row ar;
	struct row r;

	if (kind == DB_ACCOUNT)
		return account_row_decode(value, &ar) == 0 && !account_row_deleted(&ar);
	while (value.n && row_decode(&value, &r) == 0)
		if (!r.deleted)
			return true;
	return false;
}

struct timestamp row_value_newest(enum db_kind kind, struct str value)
{
	struct timestamp newest = { .t = 0 };
	struct account_row ar;
	struct row r;

	if (kind == DB_ACCOUNT)
		return account_row_decode(value, &ar) == 0 ? later(ar.delete_ts, ar.put_ts)
							   : newest;
	while (value.n && row_decode(&value, &r) == 0)
		newest = later(newest, later(r.data_ts, later(r.ctype_ts, r.meta_ts)));
	return newest;
}

/* When an account's container was counted does not matter: equal counts are equal. */
void row_value_digest(enum db_kind kind, struct str name, struct str value,
		      unsigned char digest[16])
{
	CLEANUP(buf_done) struct buf b = BUF(SIZE_MAX / 2);
	unsigned char md5[MD5_SIZE];
	struct account_row r;

	varint_add_str(&b, name);
	if (kind == DB_ACCOUNT && account_row_decode(value, &r) == 0) {
		r.stats_ts = (struct timestamp){ .t = 0 };
		account_row_encode(&b, &r);
	} else {
		buf_add_str(&b, value);
	}
	digest_of(DIGEST_MD5, b.p, b.n, md5);
	for (unsigned i = 0; i < sizeof md5; i++)
		digest[i] ^= md5[i];
}
