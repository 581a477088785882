/* The middlewares in their order, ending with the application. */
#pragma once
#include "proxy/middleware/middleware.h"

/* The two links that are not in proxy/middleware: the application, and /metrics. */
extern const struct middleware_kind proxy_app, proxy_metrics;

/* Adds every middleware's section to what the program reads. */
void pipeline_add_conf(struct conf_spec *spec);
/* Makes the pipeline and starts its links; on failure those that were started are stopped. 0, or an
 * error with the reason. */
int pipeline_start(struct proxy *p, struct fault *why) must_check;
/* After the configuration was read again: 0, or an error with the reason when one of the links
 * keeps its old settings. */
int pipeline_reload(struct proxy *p, struct fault *why) must_check;
void pipeline_stop(struct proxy *p);
/* A client's request, from the front. */
waits void pipeline_handle(struct proxy *p, struct request *req, struct response *res);
