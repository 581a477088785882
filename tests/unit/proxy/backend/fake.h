/* Storage servers that do what a test says, and a proxy that knows them: five devices d0 to d4, of
 * which partition 0 has d0, d1, d2 as primaries and d3, d4 as handoffs. For one test program each
 * (all static). Failures abort. */
#pragma once
#include "lib/base/clock.h"
#include "lib/base/encode.h"
#include "lib/crypto/digest.h"
#include "lib/log/log.h"
#include "lib/ring/ring_write.h"
#include "proxy/info.h"
#include "proxy/backend/internal.h"
#include "tests/unit/lib/http/wire.h"

enum { FAKES = 5 };

static struct fake {
	/* What it does. */
	int status;                     /* 0: closes the connection without a word */
	const char *header[4][2];
	const char *body;
	const char *multipart; /* the answer to a GET, status 206; then the server is gone */
	size_t break_after;             /* closes after so many bytes of the body; 0: does not */
	unsigned wait_ms;
	int early;                      /* answers that before it reads the body; 0: 100 Continue */
	bool is_swift;                  /* knows no X-Needletail */
	bool off;                       /* does not listen */
	bool hangs;                     /* does not answer probes either */
	unsigned stall_after;           /* reads so many bytes of the body and then no more */
	/* What it saw of the last request. */
	unsigned requests, probes;
	char method[16], target[256], seen_body[64], trailer[64], range[64], container[256];
	uint64_t body_bytes;
	int body_error;
	char body_md5[MD5_HEX_SIZE];
	struct http_server *server;
	unsigned port;
} fakes[FAKES];

static struct {
	struct proxy proxy;
	struct cluster cluster;
	struct proxy_conf conf;
	struct arena *arena;
	struct request req;
	struct target target;
	struct headers headers;
	struct response res;
} F;

/* ---- the servers ---- */

static void note(char *to, size_t room, struct str s)
{
	snprintf(to, room, "%.*s", STR(s));
}

waits static void read_body(struct fake *f, struct request *req)
{
	AUTO(digest) md5 = digest_new(DIGEST_MD5);
	unsigned char sum[MD5_SIZE];
	struct str chunk;
	int rc;

	while ((rc = body_next(req->body, &chunk)) > 0) {
		if (f->body_bytes == 0)
			note(f->seen_body, sizeof f->seen_body, str_head(chunk, 60));
		f->body_bytes += chunk.n;
		digest_add(md5, chunk.p, chunk.n);
		if (f->stall_after && f->body_bytes >= f->stall_after && task_sleep(60000) < 0)
			break;
	}
	f->body_error = rc;
	digest_final(md5, sum);
	hex_encode(sum, sizeof sum, f->body_md5);
	if (rc == 0 && req->body->trailers)
		note(f->trailer, sizeof f->trailer,
		     headers_get_lit(req->body->trailers, "X-Needletail-Etag"));
}

struct breaking {
	struct body body;
	struct str rest;
};

static int breaking_next(struct body *b, struct str *ret_chunk)
{
	struct breaking *k = container_of(b, struct breaking, body);

	if (!k->rest.n)
		return -EIO;
	*ret_chunk = k->rest;
	k->rest = STR_NONE;
	return 1;
}

static void answer_body(struct fake *f, struct request *req, struct response *res)
{
	struct str body = str_from(f->body), range = headers_get_lit(&req->headers, "Range");
	uint64_t first = 0, last = body.n - 1;

	res->status = f->status;
	if (f->multipart) {
		body = str_from(f->multipart);
		res->status = 206;
	} else if (range.n && f->status == 200) {
		struct str rest = str_skip(range, 6), a = str_cut(&rest, '-');

		if (str_to_u64(a, &first) < 0 || (rest.n && str_to_u64(rest, &last) < 0))
			unreachable("a range that the fake does not know");
		res->status = 206;
		headers_addf(&res->headers, S("Content-Range"), "bytes %" PRIu64 "-%" PRIu64 "/%zu",
			     first, last, body.n);
		body = str_of(body.p + first, last - first + 1);
	}
	res->content_length = (int64_t)body.n;
	if (req->method == HTTP_HEAD)
		return;
	struct breaking *k = arena_zalloc(req->arena, sizeof *k);

	res->body = body_bytes(req->arena, body);
	if (f->break_after) {
		k->rest = str_head(body, f->break_after);
		k->body = (struct body){ .next = breaking_next, .left = (int64_t)body.n };
		res->body = &k->body;
	}
}

waits static void fake_handle(void *arg, struct request *req, struct response *res)
{
	struct fake *f = arg;

	if (req->method == HTTP_OPTIONS) {      /* whether somebody is there */
		f->probes++;
		if (f->hangs && task_sleep(60000) < 0)
			return;
		respond_status(res, 200);
		return;
	}
	f->requests++;
	f->body_bytes = 0;
	f->trailer[0] = 0;
	note(f->method, sizeof f->method, req->method_name);
	note(f->target, sizeof f->target, req->target);
	note(f->range, sizeof f->range, headers_get_lit(&req->headers, "Range"));
	note(f->container, sizeof f->container, headers_get_lit(&req->headers, "X-Container-Host"));
	if (f->wait_ms && task_sleep(f->wait_ms) < 0)
		return;
	if (f->early) {
		respond_status(res, f->early);
		return;
	}
	if (!f->is_swift)
		req->continue_fields = S("X-Needletail: 1\r\n");
	if (req->method == HTTP_PUT || req->method == HTTP_POST)
		read_body(f, req);
	for (size_t i = 0; i < ARRAY_LEN(f->header) && f->header[i][0]; i++)
		headers_add(&res->headers, str_from(f->header[i][0]), str_from(f->header[i][1]));
	if (f->multipart && f->requests > 1)
		respond_status(res, 500);
	else if ((f->body || f->multipart) && (req->method == HTTP_GET || req->method == HTTP_HEAD))
		answer_body(f, req, res);
	else
		respond_status(res, f->status);
}

static void fake_start(struct fake *f)
{
	struct http_server_options o = {
		.ip = "127.0.0.1",
		.port = f->port,
		.backlog = 16,
		.limits = http_limits_default,
		.handle = fake_handle,
		.arg = f,
	};
	struct fault why;

	if (http_server_start(&o, &f->server, &why) < 0)
		unreachable("a fake server could not start");
	f->port = http_server_port(f->server);
}

waits static void fake_stop(struct fake *f)
{
	if (f->server)
		http_server_stop(f->server, 0);
	f->server = NULL;
}

/* ---- the proxy ---- */

static struct ring *make_ring(void)
{
	/* Partition 0 and 1; the rows of partition 1 make d3 and d4 holders of something. */
	static const uint32_t table[] = { 0, 3, 1, 4, 2, 0 };
	static struct ring_dev devs[FAKES];
	struct ring_dev *list[FAKES];
	CLEANUP(buf_done) struct buf bytes = BUF(MIB);
	struct ring *ring;
	struct fault why;

	for (int i = 0; i < FAKES; i++) {
		devs[i] = (struct ring_dev){
			.id = i,
			.region = 1,
			.zone = (unsigned)i + 1,
			.port = fakes[i].port,
			.replication_port = fakes[i].port,
			.weight = 100,
			.meta = (char *)"",
		};
		snprintf(devs[i].ip, sizeof devs[i].ip, "127.0.0.1");
		snprintf(devs[i].replication_ip, sizeof devs[i].replication_ip, "127.0.0.1");
		snprintf(devs[i].device, sizeof devs[i].device, "d%d", i);
		list[i] = &devs[i];
	}
	struct ring_image image = {
		.part_power = 1,
		.next_part_power = -1,
		.version = 1,
		.cells = ARRAY_LEN(table),
		.table = table,
		.devs_n = FAKES,
		.devs = list,
	};

	if (ring_pack(&image, 1, 0, &bytes, &why) < 0 ||
	    ring_parse(buf_str(&bytes), &ring, &why) < 0)
		unreachable("the ring of a test");
	return ring;
}

static void make_request(void)
{
	struct request *r = &F.req;

	F.arena = arena_new();
	*r = (struct request){
		.magic = REQUEST_MAGIC,
		.method = HTTP_GET,
		.method_name = S("GET"),
		.path = S("/v1/a/c/o"),
		.arena = F.arena,
		.trans_id = S("tx1"),
	};
	headers_init(&r->headers, F.arena);
	r->body = body_empty(F.arena);
	response_init(&F.res, F.arena);
	proxy_request_new(&F.proxy, r)->policy_index = 0;
	F.target = (struct target){
		.kind = SWIFT_OBJECT,
		.ring = F.cluster.policies[0].ring,
		.part = 0,
		.path = S("/0/a/c/o"),
	};
	headers_init(&F.headers, F.arena);
	headers_add_ref(&F.headers, S("X-Trans-Id"), r->trans_id);
}

/* Fresh servers, which answer 200, a fresh proxy and request. Change fakes[] afterwards. */
static void set_up_fakes(void)
{
	struct http_client_options o = http_client_options_default;

	log_set_level(LOG_LEVEL_ERROR);
	memset(&F, 0, sizeof F);
	memset(fakes, 0, sizeof fakes);
	for (unsigned i = 0; i < FAKES; i++) {
		fakes[i].status = 200;
		fake_start(&fakes[i]);
	}
	F.conf = (struct proxy_conf){
		.conn_timeout = 500,
		.node_timeout = 400,
		.recoverable_node_timeout = 400,
		.concurrency_timeout = 150,
		.post_quorum_timeout = 100,
		.error_suppression_interval = 60000,
		.error_suppression_limit = 10,
		.request_node_factor = 2,
		.rebalance_missing_suppression_count = 1,
		.info_cache_entries = 100,
		.recheck_account_existence = 60000,
		.recheck_container_existence = 60000,
	};
	F.cluster.policies[0] =
		(struct policy){ .name = S("gold"), .is_default = true, .ring = make_ring() };
	F.cluster.policy_count = 1;
	F.cluster.account_ring = ring_ref(F.cluster.policies[0].ring);
	F.cluster.container_ring = ring_ref(F.cluster.policies[0].ring);
	o.response_timeout_ms = o.write_timeout_ms = 400;
	F.proxy = (struct proxy){ .conf = &F.conf, .cluster = &F.cluster };
	F.proxy.client = http_client_new(&o);
	F.proxy.backend = backend_new(&F.proxy);
	infos_start(&F.proxy);
	make_request();
}

waits static void tear_down_fakes(void)
{
	proxy_request_done(&F.req);
	backend_stop(F.proxy.backend, 2000);
	http_client_free(F.proxy.client);
	infos_stop(&F.proxy);
	for (unsigned i = 0; i < FAKES; i++)
		fake_stop(&fakes[i]);
	ring_unref(F.cluster.account_ring);
	ring_unref(F.cluster.container_ring);
	ring_unref(F.cluster.policies[0].ring);
	arena_free(F.arena);
}

/* All three primaries alike. */
#define PRIMARIES(member, value) \
	(fakes[0].member = (value), fakes[1].member = (value), fakes[2].member = (value))

static inline unsigned requests_of_all(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < FAKES; i++)
		n += fakes[i].requests;
	return n;
}
