/* The pipeline: one table says which middlewares there are and in which order. A request goes down the
 * table, its answer comes back up. The order is that of Swift's sample configuration. */
#include "proxy/pipeline.h"
#include "proxy/middleware/kinds.h"


static const struct middleware_kind *const order[] = {
	&middleware_catch_errors,
	&middleware_gatekeeper,
	&middleware_healthcheck,
	&proxy_metrics,
	&middleware_proxy_logging,
	/* Sub-requests that have to be authorised begin here. */
	&middleware_listing_formats,
	&middleware_domain_remap,
	&middleware_crossdomain,
	&middleware_name_check,
	&middleware_tempurl,
	&middleware_ratelimit,
	&middleware_tempauth,
	&middleware_read_only,
	&middleware_etag_quoter,
	&middleware_copy,
	&middleware_container_quotas,
	&middleware_account_quotas,
	&proxy_app,
};
static const struct middleware_kind *const inner = &middleware_listing_formats;

void pipeline_add_conf(struct conf_spec *spec)
{
	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		if (order[i]->section)
			conf_add(spec, order[i]->section);
}

int pipeline_start(struct proxy *p, struct fault *why)
{
	struct middleware *links = xcalloc(ARRAY_LEN(order), sizeof *links);

	p->pipeline = links;
	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		links[i] = (struct middleware){ .kind = order[i], .proxy = p };
		if (i + 1 < ARRAY_LEN(order))
			links[i].next = &links[i + 1];
		int rc = order[i]->start ? order[i]->start(&links[i], p, why) : 0;

		if (rc < 0) {
			/* Only those in front of it were started. */
			links[i].kind = NULL;
			pipeline_stop(p);
			return rc;
		}
	}
	return 0;
}

void pipeline_stop(struct proxy *p)
{
	for (size_t i = 0; i < ARRAY_LEN(order) && p->pipeline[i].kind; i++)
		if (p->pipeline[i].kind->stop)
			p->pipeline[i].kind->stop(&p->pipeline[i]);
	free(p->pipeline);
	p->pipeline = NULL;
}

void pipeline_handle(struct proxy *p, struct request *req, struct response *res)
{
	p->pipeline->kind->handle(p->pipeline, req, res);
}

void pipeline_call(struct proxy *p, struct request *sub, struct response *res)
{
	struct middleware *mw = p->pipeline;

	while (mw->kind != inner)
		mw = mw->next;
	response_init(res, sub->arena);
	mw->kind->handle(mw, sub, res);
}
