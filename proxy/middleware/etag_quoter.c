/* Quoted ETags for accounts and containers that ask for them: X-Account-Rfc-Compliant-Etags,
 * X-Container-Rfc-Compliant-Etags. Swift: common/middleware/etag_quoter.py */
#include "proxy/middleware/kinds.h"

#include <jansson.h>

struct etag_quoter_conf {
	bool enable_by_default;
};

static struct etag_quoter_conf conf;
static const struct conf_option options[] = {
	OPT_BOOL(struct etag_quoter_conf, enable_by_default, "false",
		 "Quote the ETags of all objects."),
	OPT_END,
};
static const struct conf_section section = {
	.name = "etag_quoter",
	.help = "Quoted ETags.",
	.options = options,
	.into = &conf,
	.size = sizeof conf,
};

static void rename_header(struct headers *h, struct str from, struct str to)
{
	for (unsigned i = 0; i < h->n; i++)
		if (str_ieq(h->v[i].name, from))
			h->v[i].name = to;
}

/* An account or container request: the public header is stored as system metadata. */
waits static void handle_flag(struct middleware *mw, struct request *req, struct response *res,
			      bool container)
{
	struct str public = container ? S("X-Container-Rfc-Compliant-Etags")
				      : S("X-Account-Rfc-Compliant-Etags");
	struct str stored = container ? S("X-Container-Sysmeta-Rfc-Compliant-Etags") :
					S("X-Account-Sysmeta-Rfc-Compliant-Etags");
	struct str removal = container ? S("X-Remove-Container-Rfc-Compliant-Etags") :
					 S("X-Remove-Account-Rfc-Compliant-Etags");
	struct str value = headers_get(&req->headers, public);

	if (headers_get(&req->headers, removal).n)
		headers_set(&req->headers, stored, S(""));
	else if (value.p)
		headers_set(&req->headers, stored,
			    value.n == 0         ? S("")
			    : str_is_true(value) ? S("True")
						 : S("False"));
	middleware_next(mw, req, res);
	rename_header(&res->headers, stored, public);
}

waits static bool wants_quotes(struct request *req)
{
	const struct swift_path *p = &proxy_request(req)->path;
	const struct container_info *info = proxy_container_info(req, p->account, p->container);
	struct str flag = headers_get_lit(&info->sysmeta, "rfc-compliant-etags");

	if (!flag.n)
		flag = headers_get_lit(&proxy_account_info(req, p->account)->sysmeta,
				       "rfc-compliant-etags");
	return flag.n ? str_is_true(flag) : conf.enable_by_default;
}

waits static void handle(struct middleware *mw, struct request *req, struct response *res)
{
	const struct swift_path *p = &proxy_request(req)->path;

	if (!p->account.n) {
		middleware_next(mw, req, res);
		return;
	}
	if (!p->object.p) {
		handle_flag(mw, req, res, p->container.p);
		return;
	}
	middleware_next(mw, req, res);
	struct str etag = headers_get_lit(&res->headers, "ETag");

	if (!etag.n || str_starts(etag, S("\"")) || str_starts(etag, S("W/\"")) ||
	    !wants_quotes(req))
		return;
	headers_setf(&res->headers, S("Etag"), "\"%.*s\"", STR(etag));
}

static int start(struct middleware *mw, struct proxy *proxy, struct fault *why)
{
	json_t *info = json_object();

	(void)mw, (void)why;
	json_object_set_new(info, "enable_by_default", json_boolean(conf.enable_by_default));
	json_object_set_new(proxy->info, "etag_quoter", info);
	return 0;
}

const struct middleware_kind middleware_etag_quoter = {
	.name = "etag_quoter",
	.section = &section,
	.start = start,
	.handle = handle,
	.optional = true,
};
