/* /healthcheck for load balancers: 200 OK, or 503 while the configured file exists.
 * Swift: common/middleware/healthcheck.py */
#include "proxy/middleware/kinds.h"

#include <unistd.h>

struct healthcheck_conf {
	const char *disable_path;
};

static struct healthcheck_conf conf;
static const struct conf_option options[] = {
	OPT_STR(struct healthcheck_conf, disable_path, NULL,
		"While this file exists, /healthcheck answers 503 DISABLED BY FILE."),
	OPT_END,
};
static const struct conf_section section = {
	.name = "healthcheck",
	.help = "Liveness for load balancers.",
	.options = options,
	.into = &conf,
	.size = sizeof conf,
};

static void look(void *arg)
{
	bool *there = arg;

	*there = access(conf.disable_path, F_OK) == 0;
}

waits static void handle(struct middleware *mw, struct request *req, struct response *res)
{
	bool disabled = false;

	if (!str_eq(req->path, S("/healthcheck"))) {
		middleware_next(mw, req, res);
		return;
	}
	if (conf.disable_path)
		task_run_blocking("healthcheck", look, &disabled);
	respond(res, disabled ? 503 : 200, S("text/plain"),
		disabled ? S("DISABLED BY FILE") : S("OK"));
}

const struct middleware_kind middleware_healthcheck = { .name = "healthcheck",
							.section = &section,
							.handle = handle };
