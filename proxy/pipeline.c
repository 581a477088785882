/* The pipeline: one table says which middlewares there are and in which order. A request goes down
 * the table, its answer comes back up. The order is that of Swift's sample configuration. */
#include "proxy/pipeline.h"
#include "proxy/middleware/kinds.h"
#include "proxy/proxy_conf.h"


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
	&middleware_bulk,
	&middleware_recursive_delete,
	&middleware_name_check,
	&middleware_tempurl,
	&middleware_formpost,
	&middleware_ratelimit,
	&middleware_keystone,
	&middleware_tempauth,
	&middleware_staticweb,
	&middleware_read_only,
	&middleware_etag_quoter,
	&middleware_copy,
	&middleware_container_quotas,
	&middleware_account_quotas,
	&middleware_slo,
	&middleware_dlo,
	&middleware_versioned_writes,
	&middleware_object_versioning,
	&middleware_symlink,
	&proxy_app,
};
static const struct middleware_kind *const inner = &middleware_listing_formats;

void pipeline_add_conf(struct conf_spec *spec)
{
	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		if (order[i]->section)
			conf_add(spec, order[i]->section);
}

static bool names(const struct conf_list *list, const char *name)
{
	for (unsigned i = 0; i < list->count; i++)
		if (str_eq(list->items[i], str_from(name)))
			return true;
	return false;
}

static bool is_wanted(const struct proxy *p, const struct middleware_kind *kind)
{
	if (kind->required || kind == inner || kind == &proxy_app)
		return true;
	return kind->optional ? names(&p->conf->enable, kind->name)
			      : !names(&p->conf->disable, kind->name);
}

/* Every word of [proxy] enable and disable must be a middleware that it can have an effect on. */
static int check_names(const struct conf_list *list, const char *option, bool optional,
		       struct fault *why)
{
	for (unsigned i = 0; i < list->count; i++) {
		bool found = false;

		for (size_t j = 0; j < ARRAY_LEN(order); j++)
			found |= str_eq(list->items[i], str_from(order[j]->name)) &&
				 order[j]->optional == optional && !order[j]->required &&
				 order[j] != inner && order[j] != &proxy_app;
		if (!found)
			return fault_set(why, -EINVAL,
					 "[proxy] %s: \"%.*s\" is not a middleware that can be %sd",
					 option, STR(list->items[i]), option);
	}
	return 0;
}

int pipeline_start(struct proxy *p, struct fault *why)
{
	struct middleware *links = xcalloc(ARRAY_LEN(order) + 1, sizeof *links);
	size_t n = 0;

	p->pipeline = links;
	int rc = check_names(&p->conf->enable, "enable", true, why);
	if (rc == 0)
		rc = check_names(&p->conf->disable, "disable", false, why);
	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(order); i++) {
		if (!is_wanted(p, order[i]))
			continue;
		links[n] =
			(struct middleware){ .kind = order[i], .next = &links[n + 1], .proxy = p };
		if (order[i]->start)
			rc = order[i]->start(&links[n], p, why);
		if (rc < 0)
			links[n].kind = NULL;   /* only those in front of it were started */
		n++;
	}
	if (rc < 0)
		pipeline_stop(p);
	return rc;
}

void pipeline_stop(struct proxy *p)
{
	for (size_t i = 0; p->pipeline[i].kind; i++)
		if (p->pipeline[i].kind->stop)
			p->pipeline[i].kind->stop(&p->pipeline[i]);
	free(p->pipeline);
	p->pipeline = NULL;
}

int pipeline_reload(struct proxy *p, struct fault *why)
{
	int rc = 0;

	for (size_t i = 0; rc >= 0 && p->pipeline[i].kind; i++)
		if (p->pipeline[i].kind->reload)
			rc = p->pipeline[i].kind->reload(&p->pipeline[i], why);
	return rc;
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
