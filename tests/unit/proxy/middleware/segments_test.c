/* Bodies made of pieces: order, lookahead, promises that are not kept, and ends that come early.
 * What stands behind the middleware is a fake that answers from an array. */
#include "tests/unit/cmocka.h"
#include "lib/swift/range.h"
#include "proxy/middleware/segments.h"
#include "tests/unit/lib/http/wire.h"

enum { OBJECTS = 4, SLOW_MS = 20 };

static const char *const content[OBJECTS] = { "0123456789", "abcdef", "X", "last" };

static struct {
	int status[OBJECTS];
	const char *etag[OBJECTS];
	bool slow;
	unsigned opened, open, open_max;
	struct piece pieces[8];
	unsigned n, at, closed;
	int end; /* what the source says behind the last piece */
} F;

/* ---- the fakes ---- */

struct counted {
	struct body body, *inner;
};

waits static int counted_next(struct body *b, struct str *ret_chunk)
{
	struct counted *c = container_of(b, struct counted, body);

	task_yield();           /* as a socket does */
	return c->inner->next(c->inner, ret_chunk);
}

static void counted_close(struct body *b)
{
	(void)b;
	F.open--;
}

waits static void answer(struct middleware *mw, struct request *req, struct response *res)
{
	unsigned i = (unsigned)(proxy_request(req)->path.object.p[0] - '0');
	struct str all = str_from(content[i]);
	struct range r[RANGES_MAX];
	int rc = ranges_parse(headers_get_lit(&req->headers, "Range"), all.n, r);

	(void)mw;
	assert(str_eq(req->query, S("multipart-manifest=get")));
	if (F.slow && task_sleep(SLOW_MS) < 0)
		return respond_status(res, 499);
	F.opened++;
	if (F.status[i])
		return respond_status(res, F.status[i]);
	if (rc == 1)
		all = str_head(str_skip(all, r[0].first), r[0].last - r[0].first + 1);
	struct counted *c = arena_zalloc(req->arena, sizeof *c);

	c->inner = body_bytes(req->arena, all);
	c->body = (struct body){ .next = counted_next, .close = counted_close, .left = -1 };
	res->status = rc == 1 ? 206 : 200;
	res->content_length = (int64_t)all.n;
	res->body = &c->body;
	headers_setf(&res->headers, S("ETag"), "\"%s\"", F.etag[i] ? F.etag[i] : content[i]);
	F.open++;
	F.open_max = MAX(F.open_max, F.open);
}

static int source_next(struct piece_source *s, struct piece *ret)
{
	(void)s;
	if (F.at == F.n)
		return F.end;
	*ret = F.pieces[F.at++];
	return 1;
}

static void source_close(struct piece_source *s)
{
	(void)s;
	F.closed++;
}

static void fresh(void)
{
	memset(&F, 0, sizeof F);
}

static void piece(unsigned object, uint64_t first, uint64_t length)
{
	static const char *const names[OBJECTS] = { "0", "1", "2", "3" };

	F.pieces[F.n++] = (struct piece){ .container = S("c"),
					  .object = str_from(names[object]),
					  .etag = str_from(content[object]),
					  .size = strlen(content[object]),
					  .first = first,
					  .length = length };
}

static void whole(unsigned object)
{
	piece(object, 0, strlen(content[object]));
}

/* Opens what F has, promises `length` bytes and reads up to `max` of them. */
waits static int read_some(uint64_t length, size_t max, struct buf *to)
{
	static const struct middleware_kind kind = { .name = "fake", .handle = answer };
	AUTO(arena) a = arena_new();
	struct proxy_request p = { .magic = PROXY_REQUEST_MAGIC, .arena = a };
	struct request req = { .magic = REQUEST_MAGIC, .arena = a, .user = &p };
	struct middleware behind = { .kind = &kind }, mw = { .kind = &kind, .next = &behind };
	struct piece_source source = { .next = source_next, .close = source_close };
	struct segments s = {
		.mw = &mw, .req = &req, .source = &source, .tag = S("T"), .length = length
	};
	struct body *b;
	struct str chunk;

	headers_init(&req.headers, a);
	int rc = segments_open(&s, &b);

	if (rc < 0)
		return rc;
	while (to->n < max && (rc = body_next(b, &chunk)) > 0)
		buf_add_str(to, chunk);
	body_close(b);
	assert(F.closed == 1 && F.open == 0);
	return rc;
}

waits static void expect(uint64_t length, int rc, const char *text)
{
	CLEANUP(buf_done) struct buf b = BUF(1024);
	int got = read_some(length, SIZE_MAX, &b);

	if (got != rc || strcmp(b.p, text) != 0) {
		fprintf(stderr, "%d with \"%s\", not %d with \"%s\"\n", got, b.p, rc, text);
		abort();
	}
	assert(F.closed == 1 && F.open == 0);
}

/* ---- the tests ---- */

waits static void joins(void)
{
	fresh();
	whole(0);
	piece(1, 2, 3);
	F.pieces[F.n++] = (struct piece){ .data = S("+data+"), .length = 6 };
	whole(2);
	expect(10 + 3 + 6 + 1, 0, "0123456789cde+data+X");
	assert(F.open_max == 2);
	fresh();
	expect(0, 0, "");
}

waits static void refuses_the_first(void)
{
	fresh();
	whole(0);
	F.status[0] = 404;
	expect(10, -ESTALE, "");
	F.at = F.closed = 0;
	F.status[0] = 503;
	expect(10, -EHOSTDOWN, "");
	F.at = F.closed = 0;
	F.status[0] = 0;
	F.etag[0] = "changed";
	expect(10, -ESTALE, "");
	fresh();
	whole(0);
	F.pieces[0].size = F.pieces[0].length = 9;
	expect(9, -ESTALE, "");
	assert(segments_status(-ESTALE) == 409 && segments_status(-EHOSTDOWN) == 503);
}

waits static void breaks_off_later(void)
{
	fresh();
	whole(0);
	whole(1);
	F.status[1] = 404;
	expect(16, -EIO, "0123456789");
	fresh();
	whole(0);
	F.end = -ESTALE;
	expect(16, -EIO, "0123456789");
}

waits static void keeps_its_promise(void)
{
	fresh();
	whole(0);
	expect(12, -EIO, "0123456789");
	fresh();
	whole(0);
	expect(4, 0, "0123");
}

waits static void ends_while_opening(void)
{
	CLEANUP(buf_done) struct buf b = BUF(1024);

	fresh();
	F.slow = true;
	for (unsigned i = 0; i < OBJECTS; i++)
		whole(i);
	assert(read_some(21, 1, &b) > 0);
	assert(b.n == 10 && F.opened == 1);
}

#define IN_TASK(name)                         \
	static void name##_test(void **state) \
	{                                     \
		(void)state;                  \
		run_in_task(name);            \
	}
IN_TASK(joins)
IN_TASK(refuses_the_first)
IN_TASK(breaks_off_later)
IN_TASK(keeps_its_promise)
IN_TASK(ends_while_opening)

static void splits_paths(void **state)
{
	struct str c, o;

	(void)state;
	assert_true(segment_path_split(S("//c/o/p"), &c, &o));
	assert_true(str_eq(c, S("c")) && str_eq(o, S("o/p")));
	assert_false(segment_path_split(S("/c"), &c, &o));
	assert_false(segment_path_split(S("c/"), &c, &o));
	assert_false(segment_path_split(S(""), &c, &o));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(joins_test),
		cmocka_unit_test(refuses_the_first_test),
		cmocka_unit_test(breaks_off_later_test),
		cmocka_unit_test(keeps_its_promise_test),
		cmocka_unit_test(ends_while_opening_test),
		cmocka_unit_test(splits_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
