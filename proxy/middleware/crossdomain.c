/* /crossdomain.xml, the policy file of Flash-style plug-ins. Swift:
 * common/middleware/crossdomain.py */
#include "proxy/middleware/kinds.h"

#include <jansson.h>

struct crossdomain_conf {
	const char *cross_domain_policy;
};

static struct crossdomain_conf conf;
static const struct conf_option options[] = {
	OPT_STR(struct crossdomain_conf, cross_domain_policy,
		"<allow-access-from domain=\"*\" secure=\"false\" />",
		"What stands in the policy file."),
	OPT_END,
};
static const struct conf_section section = {
	.name = "crossdomain",
	.help = "The policy file for plug-ins.",
	.options = options,
	.into = &conf,
	.size = sizeof conf,
};

waits static void handle(struct middleware *mw, struct request *req, struct response *res)
{
	if (!str_eq(req->path, S("/crossdomain.xml")) || req->method != HTTP_GET) {
		middleware_next(mw, req, res);
		return;
	}
	respond(res, 200, S("application/xml"),
		arena_printf(req->arena,
			     "<?xml version=\"1.0\"?>\n"
			     "<!DOCTYPE cross-domain-policy SYSTEM "
			     "\"http://www.adobe.com/xml/dtds/cross-domain-policy.dtd\" >\n"
			     "<cross-domain-policy>\n%s\n</cross-domain-policy>",
			     conf.cross_domain_policy));
}

static int start(struct middleware *mw, struct proxy *proxy, struct fault *why)
{
	(void)mw, (void)why;
	json_object_set_new(proxy->info, "crossdomain", json_object());
	return 0;
}

const struct middleware_kind middleware_crossdomain = {
	.name = "crossdomain", .section = &section, .start = start, .handle = handle,
};
