/* Fuzzes forms: however the bytes come in pieces, the parts and what is in them are the same, and
 * nothing that was read holds the delimiter. The first byte is the size of a piece. */
#include "lib/http/multipart_form.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct pieces {
	struct body body;
	struct str rest;
	size_t piece;
};

static int pieces_next(struct body *b, struct str *ret_chunk)
{
	struct pieces *p = container_of(b, struct pieces, body);

	if (p->rest.n == 0)
		return 0;
	*ret_chunk = str_head(p->rest, p->piece);
	p->rest = str_skip(p->rest, ret_chunk->n);
	return 1;
}

/* Everything that was read, one after another, and how it ended. */
task_asserted static int read_form(struct str bytes, size_t piece, struct buf *to)
{
	struct pieces p = { { .next = pieces_next, .left = -1 }, bytes, piece };
	struct form_part part;
	struct form f;
	struct str chunk;
	int rc = form_init(&f, &p.body, S("bnd"), 50);

	while (rc >= 0 && (rc = form_next(&f, &part)) > 0) {
		size_t from;

		buf_addf(to, "[%.*s|%.*s|%.*s]", STR(part.name), STR(part.filename),
			 STR(part.content_type));
		from = to->n;
		while ((rc = form_read(&f, &chunk)) > 0)
			buf_add_str(to, chunk);
		assert(str_find(str_skip(buf_str(to), from), S("\r\n--bnd\r\n")) < 0);
		assert(rc == 0 || rc == -EPIPE);
		assert(form_read(&f, &chunk) == rc);
	}
	assert(rc == 0 || rc == -EINVAL || rc == -E2BIG || rc == -EPIPE);
	form_done(&f);
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(buf_done) struct buf whole = BUF(SIZE_MAX / 2), cut = BUF(SIZE_MAX / 2);
	struct str bytes = str_of((const char *)data + 1, size - 1), boundary;

	if (size == 0)
		return 0;
	(void)form_type_parse(bytes, &boundary);
	int rc = read_form(bytes, SIZE_MAX, &whole);
	int rc_cut = read_form(bytes, (size_t)data[0] + 1, &cut);

	assert(rc == rc_cut && str_eq(buf_str(&whole), buf_str(&cut)));
	return 0;
}
