/* The whole cluster, or single accounts (X-Account-Sysmeta-Read-Only), closed for writing: 405.
 * Swift: common/middleware/read_only.py */
#include "lib/base/encode.h"
#include "proxy/middleware/kinds.h"

#include <jansson.h>

struct read_only_conf {
	bool read_only, allow_deletes;
};

static struct read_only_conf conf;
static const struct conf_option options[] = {
	OPT_BOOL(struct read_only_conf, read_only, "false", "Close the whole cluster for writing."),
	OPT_BOOL(struct read_only_conf, allow_deletes, "false", "Let DELETE through nevertheless."),
	OPT_END,
};
static const struct conf_section section = {
	.name = "read_only",
	.help = "Closing the cluster or accounts for writing.",
	.options = options,
	.into = &conf,
	.size = sizeof conf,
};

static bool is_write(const struct request *req)
{
	return req->method == HTTP_PUT || req->method == HTTP_POST || req->method == HTTP_COPY ||
	       (req->method == HTTP_DELETE && !conf.allow_deletes);
}

waits static bool is_closed(struct request *req)
{
	struct str account = proxy_request(req)->path.account;
	struct str other = headers_get_lit(&req->headers, "Destination-Account");

	if (req->method == HTTP_COPY && other.n)
		account = percent_decode(req->arena, other);
	struct str flag = headers_get_lit(&proxy_account_info(req, account)->sysmeta, "read-only");

	return flag.n ? str_is_true(flag) : conf.read_only;
}

waits static void handle(struct middleware *mw, struct request *req, struct response *res)
{
	if (is_write(req) && proxy_request(req)->path.account.n && is_closed(req)) {
		respond_text(res, 405, "Writes are disabled for this account.");
		headers_set(&res->headers, S("Allow"), S("GET, HEAD, OPTIONS"));
		return;
	}
	middleware_next(mw, req, res);
}

static int start(struct middleware *mw, struct proxy *proxy, struct fault *why)
{
	(void)mw, (void)why;
	if (conf.read_only)
		json_object_set_new(proxy->info, "read_only", json_object());
	return 0;
}

const struct middleware_kind middleware_read_only = {
	.name = "read_only",
	.section = &section,
	.start = start,
	.handle = handle,
	.optional = true,
};
