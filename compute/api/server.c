/* The port of a service: its HTTP server, access log and counters. */
#include "compute/api/api.h"
#include "lib/base/clock.h"
#include "lib/log/log.h"
#include "lib/metrics/metrics.h"

static const char *const methods[] = { "GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "other",
				       NULL };
static const char *const classes[] = { "1xx", "2xx", "3xx", "4xx", "5xx", NULL };
METRIC_COUNTER_BY2(requests, "needletail_compute_requests_total", "Requests by method and class.",
		   "method", methods, "class", classes);
METRIC_HISTOGRAM_BY(seconds, "needletail_compute_request_seconds", "Time per request.", 1e-6,
		    "method", methods);
METRIC_COUNTER(bytes_in_total, "needletail_compute_bytes_received_total", "Bytes of bodies.");
METRIC_COUNTER(bytes_out_total, "needletail_compute_bytes_sent_total", "Bytes of bodies.");

struct api_server {
	const struct api *api;
	struct compute *compute;
	void *state;
	struct http_server *http;
};

waits static void handle(void *arg, struct request *req, struct response *res)
{
	struct api_server *s = arg;

	api_handle(s->api, s->compute, s->state, req, res);
}

static unsigned method_index(const struct request *req)
{
	unsigned i = 0;

	while (methods[i + 1] && !str_eq(req->method_name, str_from(methods[i])))
		i++;
	return i;
}

static void count(const struct request *req, const struct response *res, int status,
		  uint64_t bytes_in, int64_t us)
{
	unsigned method = method_index(req);
	unsigned class = status >= 100 && status < 600 ? (unsigned)status / 100 - 1 : 4;

	metric_add_at2(&requests, method, class, 1);
	metric_observe_at(&seconds, method, (uint64_t)MAX(us, (int64_t)0));
	metric_add(&bytes_in_total, bytes_in);
	metric_add(&bytes_out_total, res->bytes_sent);
}

static void done(void *arg, struct request *req, struct response *res, int error, uint64_t bytes_in)
{
	int status = error < 0 ? 499 : res->status;
	int64_t now = clock_wall_us();

	(void)arg;
	count(req, res, status, bytes_in, now - req->started_us);
	if (!log_access_wanted())
		return;
	const struct log_access line = {
		.client_ip = req->peer_ip,
		.remote_addr = req->peer_ip,
		.method = req->method_name,
		.path = req->target,
		.protocol = req->minor ? S("HTTP/1.1") : S("HTTP/1.0"),
		.status = status,
		.referer = headers_get_lit(&req->headers, "Referer"),
		.user_agent = headers_get_lit(&req->headers, "User-Agent"),
		.auth_token = headers_get_lit(&req->headers, "X-Auth-Token"),
		.bytes_in = bytes_in,
		.bytes_out = res->bytes_sent,
		.trans_id = req->trans_id,
		.start_us = req->started_us,
		.end_us = now,
		.policy_index = -1,
	};
	log_access(&line);
}

int api_server_start(const struct api *api, struct compute *compute, void *state,
		     const struct daemon_address *at, struct api_server **ret, struct fault *why)
{
	const struct compute_conf *conf = &compute_conf;
	struct api_server *s = xcalloc(1, sizeof *s);
	struct http_server_options o = {
		.ip = at->ip,
		.port = at->port,
		.reuse_port = true,
		.backlog = 1024,
		.tls = compute->tls,
		.limits = http_limits_default,
		.handle = handle,
		.done = done,
		.arg = s,
	};

	o.limits.connections_max = (unsigned)conf->max_clients;
	o.limits.idle_timeout_ms = conf->keepalive_timeout;
	o.limits.body_timeout_ms = conf->client_timeout;
	o.limits.write_timeout_ms = conf->client_timeout;
	*s = (struct api_server){ .api = api, .compute = compute, .state = state };
	int rc = http_server_start(&o, &s->http, why);

	if (rc < 0) {
		free(s);
		return rc;
	}
	*ret = s;
	return 0;
}

void api_server_stop(struct api_server *s, uint64_t grace_ms)
{
	if (!s)
		return;
	http_server_stop(s->http, grace_ms);
	free(s);
}

unsigned api_server_port(const struct api_server *s)
{
	return http_server_port(s->http);
}
