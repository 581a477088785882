/* Metadata headers as compact bytes. */
#include "objectd/store/meta.h"
#include "lib/base/encode.h"
#include "objectd/store/record.h"

/* One header is: a byte (0: the name follows as length and bytes; else one more than the index of a
 * known name; +PACKED: the value is lower-case hex, stored as half as many bytes), the value's
 * length, the value. The order of known names is part of the format: only append. */
static const struct str known[] = {
	STR_INIT("Content-Type"),
	STR_INIT("Content-Length"),
	STR_INIT("ETag"),
	STR_INIT("X-Timestamp"),
	STR_INIT("Content-Encoding"),
	STR_INIT("Content-Disposition"),
	STR_INIT("Cache-Control"),
	STR_INIT("Content-Language"),
	STR_INIT("Expires"),
	STR_INIT("X-Delete-At"),
	STR_INIT("X-Static-Large-Object"),
	STR_INIT("X-Object-Manifest"),
	STR_INIT("X-Object-Meta-Mtime"),
	STR_INIT("X-Robots-Tag"),
	STR_INIT("name"),
	STR_INIT("Etag"),
	STR_INIT("content-type"),
	STR_INIT("content-length"),
	STR_INIT("etag"),
	STR_INIT("x-timestamp"),
	STR_INIT("x-object-meta-mtime"),
	STR_INIT("X-Object-Meta-Orig-Filename"),
	STR_INIT("x-delete-at"),
};
enum { PACKED = 0x80, NAMES_MAX = 0x7f };
_Static_assert(ARRAY_LEN(known) < NAMES_MAX, "a name's number must fit");

static unsigned known_number(struct str name)
{
	for (unsigned i = 0; i < ARRAY_LEN(known); i++)
		if (str_eq(known[i], name))
			return i + 1;
	return 0;
}

/* Only what unpacks to the same text. */
static bool is_packable(struct str v)
{
	if (v.n == 0 || v.n % 2)
		return false;
	for (size_t i = 0; i < v.n; i++)
		if (!((v.p[i] >= '0' && v.p[i] <= '9') || (v.p[i] >= 'a' && v.p[i] <= 'f')))
			return false;
	return true;
}

static void add_counted(struct buf *to, uint64_t count, struct str s)
{
	char n[VARINT_MAX];

	buf_add(to, n, (size_t)(varint_write(n, count) - n));
	buf_add_str(to, s);
}

void meta_encode(const struct headers *h, struct buf *to)
{
	for (unsigned i = 0; i < h->n; i++) {
		struct str name = h->v[i].name, value = h->v[i].value;
		unsigned number = known_number(name);
		bool packed = is_packable(value);

		buf_add_char(to, (char)(number | (packed ? PACKED : 0)));
		if (number == 0)
			add_counted(to, name.n, name);
		if (!packed) {
			add_counted(to, value.n, value);
			continue;
		}
		add_counted(to, value.n / 2, STR_NONE);
		char *p = buf_reserve(to, value.n / 2);
		if (p && hex_decode(value, p, value.n / 2) == 0)
			to->n += value.n / 2;
	}
}

static int cut_counted(struct str *rest, struct str *ret)
{
	uint64_t n;

	if (varint_read(rest, &n) < 0 || n > rest->n)
		return -EBADMSG;
	*ret = str_head(*rest, (size_t)n);
	*rest = str_skip(*rest, (size_t)n);
	return 0;
}

int meta_decode(struct str rest, struct headers *ret)
{
	while (rest.n > 0) {
		unsigned char tag = (unsigned char)rest.p[0];
		unsigned number = tag & ~(unsigned)PACKED;
		struct str name, value;

		rest = str_skip(rest, 1);
		if (number > ARRAY_LEN(known))
			return -EBADMSG;
		if (number > 0)
			name = known[number - 1];
		else if (cut_counted(&rest, &name) < 0)
			return -EBADMSG;
		if (cut_counted(&rest, &value) < 0)
			return -EBADMSG;
		if (tag & PACKED) {
			char *text = arena_alloc(ret->arena, 2 * value.n + 1);

			hex_encode(value.p, value.n, text);
			value = str_of(text, 2 * value.n);
		}
		headers_add_ref(ret, name, value);
	}
	return 0;
}
