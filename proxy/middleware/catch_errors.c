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

enum { RANDOM_HEX = 21, EXTRA_MAX = 32 };

/* "tx" + 21 hex digits + "-" + the time in 10 hex digits + suffix
 * (common/utils generate_trans_id). */
static struct str new_trans_id(struct request *req)
{
	struct str extra = str_head(headers_get_lit(&req->headers, "X-Trans-Id-Extra"), EXTRA_MAX);
	unsigned char bytes[11];
	char hex[23];

	random_bytes(bytes, sizeof bytes);
	hex_encode(bytes, sizeof bytes, hex);
	return arena_printf(req->arena, "tx%.*s-%010" PRIx64 "%s%s%.*s", RANDOM_HEX, hex,
			    (uint64_t)clock_wall_s(),
			    conf.trans_id_suffix ? conf.trans_id_suffix : "", extra.n ? "-" : "",
			    STR(extra));
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
	headers_add_ref(&res->headers, S("X-Trans-Id"), req->trans_id);
	headers_add_ref(&res->headers, S("X-Openstack-Request-Id"), req->trans_id);
}

const struct middleware_kind middleware_catch_errors = {
	.name = "catch_errors", .section = &section, .handle = handle, .required = true
};
