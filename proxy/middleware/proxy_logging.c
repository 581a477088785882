/* The access log, one line per request in Swift's format, and what /metrics counts per request. It
 * does its work in the server's done hook: only there it is known when the last byte left. Swift:
 * common/middleware/proxy_logging.py */
#include "lib/base/clock.h"
#include "lib/base/encode.h"
#include "lib/conf/conf.h"
#include "lib/log/log.h"
#include "lib/metrics/metrics.h"
#include "proxy/middleware/kinds.h"

struct proxy_logging_conf {
	bool log_headers;
	int64_t reveal_sensitive_prefix;
};

static struct proxy_logging_conf conf;
static const struct conf_option options[] = {
	OPT_BOOL(struct proxy_logging_conf, log_headers, "no",
		 "Put the request's headers into the access log."),
	OPT_INT(struct proxy_logging_conf, reveal_sensitive_prefix, "16", 0, 64,
		"How many characters of a temporary URL's signature are logged."),
	OPT_END,
};
static const struct conf_section section = {
	.name = "proxy_logging",
	.help = "The access log, in the format of Swift's proxy-logging.",
	.options = options,
	.into = &conf,
	.size = sizeof conf,
};

static const char *const verbs[] = { "GET",  "HEAD",    "PUT",   "POST", "DELETE",
				     "COPY", "OPTIONS", "other", NULL };
static const char *const kinds[] = { "account", "container", "object", "other", NULL };
static const char *const classes[] = { "1xx", "2xx", "3xx", "4xx", "5xx", NULL };
METRIC_COUNTER_BY2(requests, "needletail_proxy_requests_total",
		   "Requests by verb and class of status.", "method", verbs, "status", classes);
METRIC_HISTOGRAM_BY(seconds, "needletail_proxy_request_seconds",
		    "Time from a request's first byte to its answer's last.", 1e-6, "method",
		    verbs);
METRIC_COUNTER_BY(bytes_received, "needletail_proxy_received_bytes_total",
		  "Bytes of request bodies.", "type", kinds);
METRIC_COUNTER_BY(bytes_sent, "needletail_proxy_sent_bytes_total", "Bytes of response bodies.",
		  "type", kinds);

static unsigned verb_index(const struct request *req)
{
	unsigned i = 0;

	while (verbs[i + 1] && !str_eq(str_from(verbs[i]), req->method_name))
		i++;
	return i;
}

static unsigned kind_index(const struct proxy_request *p)
{
	if (!p || !p->path.account.n)
		return 3;
	return p->path.object.p ? 2 : p->path.container.p ? 1 : 0;
}

static bool is_signature(struct str name)
{
	return str_eq(name, S("temp_url_sig")) || str_eq(name, S("swiftinfo_sig"));
}

/* A URL with the values of signatures cut, so that a log does not hold working links. */
static struct str obscure(struct arena *a, struct str url)
{
	struct str rest = url, part;
	CLEANUP(buf_done) struct buf b = BUF(64 * KIB);
	const char *separator = "?";
	size_t keep = (size_t)conf.reveal_sensitive_prefix;

	if (str_find(url, S("sig")) < 0 && str_chr(url, '%') < 0)
		return url;
	buf_add_str(&b, str_cut(&rest, '?'));
	while ((part = str_cut(&rest, '&')).p) {
		struct str value = part, name = str_cut(&value, '=');
		bool cut = value.n > keep && is_signature(query_decode(a, name));

		buf_addf(&b, "%s%.*s", separator,
			 STR(cut ? str_head(part, name.n + 1 + keep) : part));
		if (cut)
			buf_add_lit(&b, "...");
		separator = "&";
	}
	return buf_failed(&b) ? STR_NONE : arena_str(a, buf_str(&b));
}

static struct str client_ip(const struct request *req)
{
	struct str cluster = headers_get_lit(&req->headers, "X-Cluster-Client-Ip");
	struct str forwarded = headers_get_lit(&req->headers, "X-Forwarded-For");

	if (cluster.n)
		return cluster;
	return forwarded.n ? str_trim(str_cut(&forwarded, ',')) : req->peer_ip;
}

static bool is_secret(struct str name)
{
	static const struct str names[] = {
		STR_INIT("X-Auth-Token"),	 STR_INIT("X-Storage-Token"),
		STR_INIT("X-Auth-Key"),		 STR_INIT("X-Storage-Pass"),
		STR_INIT("X-Service-Token"),	 STR_INIT("X-Subject-Token"),
		STR_INIT("X-Container-Sync-Key"), STR_INIT("X-Container-Sync-Auth"),
		STR_INIT("Cookie"),
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_ieq(name, names[i]))
			return true;
	return str_istarts(name, S("Authorization")) ||
	       str_istarts(name, S("X-Account-Meta-Temp-Url-Key")) ||
	       str_istarts(name, S("X-Container-Meta-Temp-Url-Key"));
}

static struct str all_headers(const struct request *req)
{
	CLEANUP(buf_done) struct buf b = BUF(32 * KIB);

	for (unsigned i = 0; i < req->headers.n; i++) {
		const struct header *h = &req->headers.v[i];
		struct str value = is_secret(h->name) ? S("...") : h->value;

		if (str_ieq(h->name, S("Referer")))
			value = obscure(req->arena, value);
		buf_addf(&b, "%s%.*s: %.*s", b.n ? "\n" : "", STR(h->name), STR(value));
	}
	return arena_str(req->arena, buf_str(&b));
}

static void count(const struct request *req, const struct proxy_request *p,
		  const struct response *res, int status, uint64_t bytes_in, int64_t us)
{
	unsigned verb = verb_index(req),
		 class = status >= 100 && status < 600 ? (unsigned)status / 100 - 1 : 4;

	metric_add_at2(&requests, verb, class, 1);
	metric_observe_at(&seconds, verb, (uint64_t)MAX(us, (int64_t)0));
	metric_add_at(&bytes_received, kind_index(p), bytes_in);
	metric_add_at(&bytes_sent, kind_index(p), res->bytes_sent);
}

static void done(void *arg, struct request *req, struct response *res, int error, uint64_t bytes_in)
{
	(void)arg;
	const struct proxy_request *p = req->user ? proxy_request(req) : NULL;
	int status = error < 0 ? 499 : res->status;
	int64_t now = clock_wall_us();

	count(req, p, res, status, bytes_in, now - req->started_us);
	if (!log_access_wanted())
		return;
	struct log_access line = {
		.client_ip = client_ip(req),
		.remote_addr = req->peer_ip,
		.method = req->method_name,
		.path = obscure(req->arena, req->target),
		.protocol = req->minor ? S("HTTP/1.1") : S("HTTP/1.0"),
		.status = status,
		.referer = obscure(req->arena, headers_get_lit(&req->headers, "Referer")),
		.user_agent = headers_get_lit(&req->headers, "User-Agent"),
		.auth_token = headers_get_lit(&req->headers, "X-Auth-Token"),
		.bytes_in = bytes_in,
		.bytes_out = res->bytes_sent,
		.client_etag = headers_get_lit(&req->headers, "ETag"),
		.trans_id = req->trans_id,
		.headers = conf.log_headers ? all_headers(req) : STR_NONE,
		.source = p ? p->source : STR_NONE,
		.log_info = p ? p->log_info : STR_NONE,
		.start_us = req->started_us,
		.end_us = now,
		.policy_index = p ? p->policy_index : -1,
		.access_user_id = STR_NONE,
	};
	log_access(&line);
}

static int start(struct middleware *mw, struct proxy *proxy, struct fault *why)
{
	(void)mw, (void)why;
	proxy->done = done;
	return 0;
}

waits static void handle(struct middleware *mw, struct request *req, struct response *res)
{
	middleware_next(mw, req, res);
}

const struct middleware_kind middleware_proxy_logging = {
	.name = "proxy_logging", .section = &section, .start = start, .handle = handle,
};
