/* Splits a body into MIME documents, and reads footers. */
#include "objectd/object/footer.h"

#include "lib/crypto/digest.h"

#include <jansson.h>

enum { HEAD_MAX = 16 * KIB, FOOTER_MAX = 256 * KIB, WINDOW_MAX = 4 * MIB };

struct mime {
	struct body body;               /* of the current document */
	struct body *from;
	struct arena *arena;
	struct str needle;              /* "\r\n--boundary" */
	struct buf window;              /* bytes read and not handed out yet, behind `used` */
	size_t used;
	bool in_document, ended;        /* ended: the last boundary was passed */
};

void mime_close(struct mime *m)
{
	if (m)
		buf_done(&m->window);
}

struct mime *mime_open(struct arena *a, struct body *from, struct str boundary)
{
	struct mime *m = arena_zalloc(a, sizeof *m);

	m->from = from;
	m->arena = a;
	m->needle = arena_printf(a, "\r\n--%.*s", STR(boundary));
	m->window = BUF(WINDOW_MAX);
	/* So that the first boundary, which begins the body, looks like the others. */
	buf_add_lit(&m->window, "\r\n");
	return m;
}

/* More bytes into the window: 1, 0 at the end, or an error. */
waits static int more(struct mime *m)
{
	struct str chunk;
	int rc;

	buf_consume(&m->window, m->used);
	m->used = 0;
	rc = body_next(m->from, &chunk);
	if (rc > 0) {
		buf_add_str(&m->window, chunk);
		if (buf_failed(&m->window))
			return -EBADMSG;
	}
	return rc;
}

static struct str rest(const struct mime *m)
{
	return str_skip(buf_str(&m->window), m->used);
}

task_asserted static int document_next(struct body *b, struct str *ret_chunk)
{
	struct mime *m = container_of(b, struct mime, body);

	while (m->in_document) {
		struct str data = rest(m);
		ssize_t end = str_find(data, m->needle);
		size_t n = end >= 0                ? (size_t)end
			   : data.n >= m->needle.n ? data.n - m->needle.n + 1
						   : 0;

		if (end >= 0)
			m->in_document = false;
		if (n > 0) {
			m->used += n;
			*ret_chunk = str_head(data, n);
			return 1;
		}
		if (end >= 0)
			break;
		int rc = more(m);

		if (rc <= 0)
			return rc < 0 ? rc : -EPIPE;
	}
	return 0;
}

/* At least n bytes in the window: 1, 0 when the body ends before, or an error. */
waits static int want(struct mime *m, size_t n)
{
	while (rest(m).n < n) {
		int rc = more(m);

		if (rc <= 0)
			return rc;
	}
	return 1;
}

/* Reads header lines up to the empty one. 1, or an error. */
waits static int read_head(struct mime *m, struct headers *ret)
{
	for (;;) {
		struct str data = rest(m);
		ssize_t end = str_find(data, S("\r\n"));

		if (end < 0) {
			if (data.n > HEAD_MAX)
				return -EBADMSG;
			int rc = more(m);

			if (rc <= 0)
				return rc < 0 ? rc : -EPIPE;
			continue;
		}
		struct str line = str_head(data, (size_t)end), value = line;

		m->used += (size_t)end + 2;
		if (line.n == 0)
			return 1;
		struct str name = str_cut(&value, ':');

		if (!value.p || ret->n > 100)
			return -EBADMSG;
		headers_add(ret, str_trim(name), str_trim(value));
	}
}

int mime_next(struct mime *m, struct headers *ret_headers, struct body **ret_body)
{
	struct str data;
	int rc;

	assert(!m->in_document);
	if (m->ended)
		return 0;
	rc = want(m, m->needle.n + 2);
	if (rc <= 0)
		return rc;
	data = rest(m);
	if (!str_starts(data, m->needle))
		return -EBADMSG;
	m->used += m->needle.n + 2;
	data = str_head(str_skip(data, m->needle.n), 2);
	if (str_eq(data, S("--"))) {
		m->ended = true;
		return 0;
	}
	if (!str_eq(data, S("\r\n")))
		return -EBADMSG;
	headers_init(ret_headers, m->arena);
	rc = read_head(m, ret_headers);
	if (rc < 0)
		return rc;
	m->in_document = true;
	m->body.next = document_next;
	m->body.left = -1;
	*ret_body = &m->body;
	return 1;
}

static int read_json(struct arena *a, struct str text, struct headers *ret)
{
	json_t *root = json_loadb(text.p, text.n, 0, NULL), *value;
	const char *name;
	int rc = json_is_object(root) ? 0 : -EBADMSG;

	headers_init(ret, a);
	json_object_foreach(root, name, value) {
		struct str n = str_from(name), v = STR_NONE;

		if (json_is_string(value))
			v = str_of(json_string_value(value), json_string_length(value));
		else if (json_is_integer(value))
			v = arena_printf(a, "%lld", (long long)json_integer_value(value));
		if (!v.p || !header_name_valid(n) || !header_value_valid(v))
			rc = -EBADMSG;
		else
			headers_set(ret, n, v);
	}
	json_decref(root);
	return rc;
}

int footer_read(struct mime *m, struct arena *a, struct headers *ret)
{
	CLEANUP(buf_done) struct buf text = BUF(FOOTER_MAX);
	char md5[MD5_HEX_SIZE];
	struct headers head;
	struct body *body;
	int rc = mime_next(m, &head, &body);

	if (rc == 0)
		return -EBADMSG;
	if (rc > 0)
		rc = body_read_all(body, &text);
	if (rc < 0)
		return rc == -EFBIG ? -EBADMSG : rc;
	struct str want_md5 = headers_get(&head, S("Content-MD5"));

	if (!want_md5.p)
		return -EBADMSG;
	md5_hex(buf_str(&text), md5);
	if (!str_eq(want_md5, str_from(md5)))
		return -EILSEQ;
	return read_json(a, buf_str(&text), ret);
}
