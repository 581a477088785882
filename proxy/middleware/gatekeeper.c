/* Keeps internal headers inside: what clients must not send is dropped on the way in, what they
 * must not see on the way out. Swift: common/middleware/gatekeeper.py */
#include "lib/swift/metadata.h"
#include "proxy/middleware/kinds.h"

struct gatekeeper_conf {
	bool shunt_inbound_x_timestamp;
};

static struct gatekeeper_conf conf;
static const struct conf_option options[] = {
	OPT_BOOL(struct gatekeeper_conf, shunt_inbound_x_timestamp, "true",
		 "Drop X-Timestamp that a client sends (false lets clients choose timestamps)."),
	OPT_END,
};
static const struct conf_section section = {
	.name = "gatekeeper",
	.help = "The edge: internal headers neither enter nor leave.",
	.options = options,
	.into = &conf,
	.size = sizeof conf,
};

static void remove_internal(struct headers *h)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < h->n; i++)
		if (!metadata_is_internal(h->v[i].name))
			h->v[kept++] = h->v[i];
	h->n = kept;
}

waits static void handle(struct middleware *mw, struct request *req, struct response *res)
{
	remove_internal(&req->headers);
	if (conf.shunt_inbound_x_timestamp)
		headers_remove(&req->headers, S("X-Timestamp"));
	middleware_next(mw, req, res);
	remove_internal(&res->headers);
}

const struct middleware_kind middleware_gatekeeper = {
	.name = "gatekeeper", .section = &section, .handle = handle, .required = true
};
