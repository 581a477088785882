/* Gives every request its transaction id and the response the headers that carry it; what nobody
 * answered becomes a 500. Swift: common/middleware/catch_errors.py */
#include "lib/base/clock.h"
#include "lib/base/encode.h"
#include "lib/crypto/digest.h"
#include "lib/log/log.h"
#include "proxy/middleware/kinds.h"

struct catch_errors_conf {
	const char *trans_id_suffix;
};

static struct catch_errors_conf conf;
static const struct conf_option options[] = {
	OPT_STR(struct catch_errors_conf, trans_id_suffix, "",
		"Appended to every transaction id, to tell clusters apart."),
	OPT_END,
};
static const struct conf_section section = {
	.name = "catch_errors",
	.help = "Transaction ids and the last resort for errors.",
	.options = options,
	.into = &conf,
	.size = sizeof conf,
};

enum { RANDOM_HEX = 21, RANDOM_BYTES = 11, SECONDS_HEX = 10, EXTRA_MAX = 32,
       POOL_IDS = 256, HEAD = 2 + RANDOM_HEX + 1 + SECONDS_HEX };

/* Random bytes for one id. Asking for many at once costs little more than asking for one; only
 * workers answer requests, so no two processes share a pool. */
static const unsigned char *random_id(void)
{
	static unsigned char pool[POOL_IDS][RANDOM_BYTES];
	static unsigned left;

	if (left == 0) {
		random_bytes(pool, sizeof pool);
		left = POOL_IDS;
	}
	return pool[--left];
}

/* "tx" + 21 hex digits + "-" + the time in 10 hex digits + suffix
 * (common/utils generate_trans_id). */
static struct str new_trans_id(struct request *req)
{
	static const char digits[] = "0123456789abcdef";
	struct str extra = str_head(headers_get_lit(&req->headers, "X-Trans-Id-Extra"), EXTRA_MAX);
	struct str suffix = str_from(conf.trans_id_suffix);
	size_t n = HEAD + suffix.n + (extra.n ? 1 + extra.n : 0);
	char hex[2 * RANDOM_BYTES + 1], *id = arena_alloc(req->arena, n + 1), *p = id + HEAD;
	uint64_t seconds = (uint64_t)clock_wall_s();

	hex_encode(random_id(), RANDOM_BYTES, hex);
	memcpy(id, "tx", 2);
	memcpy(id + 2, hex, RANDOM_HEX);
	id[2 + RANDOM_HEX] = '-';
	for (int i = 1; i <= SECONDS_HEX; i++, seconds >>= 4)
		id[HEAD - i] = digits[seconds & 15];
	if (suffix.n)
		p = mempcpy(p, suffix.p, suffix.n);
	if (extra.n) {
		*p++ = '-';
		p = mempcpy(p, extra.p, extra.n);
	}
	*p = 0;
	return str_of(id, n);
}

static void add_headers(const struct request *req, struct response *res)
{
	headers_add_ref(&res->headers, S("X-Trans-Id"), req->trans_id);
	headers_add_ref(&res->headers, S("X-Openstack-Request-Id"), req->trans_id);
}

void catch_errors_identify(struct request *req, struct response *res)
{
	req->trans_id = new_trans_id(req);
	add_headers(req, res);
}

waits static void handle(struct middleware *mw, struct request *req, struct response *res)
{
	req->trans_id = new_trans_id(req);
	task_set_trans_id(req->trans_id);
	middleware_next(mw, req, res);
	if (res->status == 0) {
		log_error("%s %.*s was not answered", http_method_name(req->method),
			  STR(req->path));
		respond_text(res, 500, "An error occurred");
	}
	add_headers(req, res);
}

const struct middleware_kind middleware_catch_errors = {
	.name = "catch_errors", .section = &section, .handle = handle, .required = true
};
