/* Fuzzes bodies of MIME documents with footers: they end, and give no more bytes than went in. The
 * first byte says how large the pieces are that the body comes in. */
#include "objectd/object/footer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct pieces {
	struct body body;
	struct str rest;
	size_t size;
};

static int pieces_next(struct body *b, struct str *ret_chunk)
{
	struct pieces *p = container_of(b, struct pieces, body);

	if (p->rest.n == 0)
		return 0;
	*ret_chunk = str_head(p->rest, p->size);
	p->rest = str_skip(p->rest, p->size);
	return 1;
}

task_asserted int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(buf_done) struct buf out = BUF(MIB);
	AUTO(arena) a = arena_new();
	struct pieces p = { .body.next = pieces_next };
	struct headers head;
	struct body *body;

	if (size == 0 || size > MIB)
		return 0;
	p.size = (size_t)data[0] + 1;
	p.rest = str_of((const char *)data + 1, size - 1);
	struct mime *m = mime_open(a, &p.body, S("b"));
	int rc = mime_next(m, &head, &body);

	if (rc > 0)
		rc = body_read_all(body, &out);
	assert(out.n <= size);
	if (rc == 0 && out.n)
		(void)!footer_read(m, a, &head);
	mime_close(m);
	return 0;
}
