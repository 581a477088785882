/* /metrics: what this program counts, in Prometheus' text format. */
#include "lib/metrics/metrics.h"
#include "proxy/key_uses.h"
#include "proxy/backend/backend.h"
#include "proxy/pipeline.h"

enum { PAGE_MAX = 16 * MIB };

waits static void handle(struct middleware *mw, struct request *req, struct response *res)
{
	CLEANUP(buf_done) struct buf page = BUF(PAGE_MAX);

	if (!str_eq(req->path, S("/metrics"))) {
		middleware_next(mw, req, res);
		return;
	}
	if (req->method != HTTP_GET && req->method != HTTP_HEAD) {
		respond_status(res, 405);
		headers_set(&res->headers, S("Allow"), S("GET, HEAD"));
		return;
	}
	metrics_format(&page);
	servers_format(&page);
	key_uses_format(&page);
	respond(res, 200, S("text/plain; version=0.0.4; charset=utf-8"),
		arena_str(req->arena, buf_str(&page)));
}

const struct middleware_kind proxy_metrics = { .name = "metrics", .handle = handle };
