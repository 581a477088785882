/* Fuzzes whole archives through the job that unpacks them: it always ends with a report, and every
 * file goes below the path that was asked for, with no more bytes than were announced. The first
 * byte says how the archive is packed and in which pieces it comes. */
#include "proxy/middleware/bulk.h"
#include "proxy/proxy_conf.h"

#include <jansson.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 1 << 20 };

/* The request's body. */
struct feed {
	struct body body;
	struct str rest;
	size_t piece;
};

struct run {
	struct middleware *mw;
	struct str bytes;
	unsigned choice, stored;
	bool ended;
};

static struct run *current;

waits static int feed_next(struct body *b, struct str *ret_chunk)
{
	struct feed *f = container_of(b, struct feed, body);

	*ret_chunk = str_head(f->rest, f->piece);
	f->rest = str_skip(f->rest, ret_chunk->n);
	return ret_chunk->n > 0;
}

/* What stands behind: takes every object, and knows no container. */
waits static void store(struct middleware *mw, struct request *req, struct response *res)
{
	const struct swift_path *p = &proxy_request(req)->path;
	struct str chunk;
	uint64_t n = 0;
	int rc;

	(void)mw;
	assert(str_eq(p->account, S("AUTH_a")) && p->container.n);
	assert(str_chr(p->container, '/') < 0);
	if (req->method == HTTP_HEAD) {
		respond_status(res, 404);
		return;
	}
	assert(req->method == HTTP_PUT);
	if (p->object.p)
		assert(str_eq(p->container, S("c")) && str_starts(p->object, S("pre/")));
	while ((rc = body_next(req->body, &chunk)) > 0)
		n += chunk.n;
	assert(!p->object.p || n <= (uint64_t)req->content_length);
	if (p->object.p && rc == 0 && n == (uint64_t)req->content_length) {
		current->stored++;
		respond_status(res, 201);
	} else {
		respond_status(res, p->object.p ? 499 : 201);
	}
}

static void check_report(struct str text)
{
	json_t *report = json_loadb(text.p, text.n, 0, NULL);
	const json_t *n = json_object_get(report, "Number Files Created");

	assert(json_is_string(json_object_get(report, "Response Status")));
	assert((unsigned)json_integer_value(n) == current->stored);
	json_decref(report);
}

waits static void unpack(void *arg)
{
	static const struct str formats[] = { STR_INIT("tar"), STR_INIT("tar.gz"),
					      STR_INIT("tar.bz2") };
	struct run *run = arg;
	CLEANUP(buf_done) struct buf report = BUF(64 * MIB);
	AUTO(arena) a = arena_new();
	struct feed feed = { { .next = feed_next, .left = -1 }, run->bytes,
			     run->choice & 4 ? 700 : 65536 };
	struct request *req = arena_zalloc(a, sizeof *req);
	struct response res;

	*req = (struct request){ .magic = REQUEST_MAGIC, .arena = a, .method = HTTP_PUT,
				 .path = S("/v1/AUTH_a/c/pre"), .body = &feed.body,
				 .content_length = (int64_t)run->bytes.n };
	headers_init(&req->headers, a);
	headers_add(&req->headers, S("Content-Length"), S("1"));
	headers_add(&req->headers, S("Accept"), S("application/json"));
	response_init(&res, a);
	(void)proxy_request_new(run->mw->proxy, req);
	bulk_upload(run->mw, req, &res, formats[run->choice % ARRAY_LEN(formats)]);
	assert(res.status == 200 && body_read_all(res.body, &report) == 0);
	body_close(res.body);
	check_report(buf_str(&report));
	proxy_request_done(req);
	run->ended = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct middleware_kind kind = { .name = "store", .handle = store };
	static struct proxy_conf conf;
	static struct proxy proxy = { .conf = &conf };
	static struct middleware last = { .kind = &kind, .proxy = &proxy };
	static struct middleware mw = { .kind = &kind, .proxy = &proxy, .next = &last };
	static bool started;

	if (!started) {
		conf.limits = swift_limits_default;
		bulk_conf.max_containers_per_extraction = bulk_conf.max_failed_extractions = 10;
		bulk_conf.yield_frequency = 3600 * 1000;
		tasks_start(uv_default_loop());
		started = true;
	}
	if (size == 0 || size > INPUT_MAX)
		return 0;
	struct run run = { .mw = &mw, .bytes = str_of((const char *)data + 1, size - 1),
			   .choice = data[0] };

	current = &run;
	task_spawn(NULL, "unpack", unpack, &run);
	while (!run.ended)
		uv_run(uv_default_loop(), UV_RUN_ONCE);
	return 0;
}
