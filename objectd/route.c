/* Sends requests to the handlers of objects, containers, accounts and operators. */
#include "objectd/route.h"

#include "lib/base/clock.h"
#include "lib/base/encode.h"
#include "lib/log/log.h"
#include "lib/metrics/metrics.h"
#include "objectd/account/account_server.h"
#include "objectd/container/container_server.h"
#include "objectd/explain.h"
#include "objectd/jobs.h"
#include "objectd/object/object.h"
#include "objectd/recon.h"
#include "objectd/replicator/replicator.h"
#include "objectd/updater/updater.h"

enum { NOTED_BYTES_MAX = 256 * KIB }; /* larger ones take as long as their clients like */

static const char *const verbs[] = { "GET",    "HEAD",      "PUT",   "POST",
				     "DELETE", "REPLICATE", "other", NULL };
static const char *const classes[] = { "other", "1xx", "2xx", "3xx", "4xx", "5xx", NULL };

METRIC_COUNTER_BY2(requests, "needletail_objectd_requests_total", "Requests answered.", "method",
		   verbs, "status", classes);
METRIC_HISTOGRAM_BY(took, "needletail_objectd_request_seconds", "Time per request.", 1e-6, "method",
		    verbs);

static unsigned verb_index(enum http_method m)
{
	switch (m) {
	case HTTP_GET:
		return 0;
	case HTTP_HEAD:
		return 1;
	case HTTP_PUT:
		return 2;
	case HTTP_POST:
		return 3;
	case HTTP_DELETE:
		return 4;
	case HTTP_REPLICATE:
		return 5;
	default:
		return 6;
	}
}

int objectd_timestamp(const struct request *req, struct response *res, struct timestamp *ret)
{
	struct str text = headers_get(&req->headers, S("X-Timestamp"));
	struct timestamp ts;

	if (text.p && timestamp_parse(str_trim(text), &ts) == 0 && timestamp_is_set(ts)) {
		*ret = ts;
		return 0;
	}
	if (text.p)
		respond_text(res, 400,
			     "X-Timestamp should be a UNIX timestamp float value; was '%.*s'",
			     STR(str_head(text, 64)));
	else
		respond_text(res, 400, "Missing X-Timestamp header");
	return -EINVAL;
}

void objectd_respond_error(struct response *res, int error)
{
	switch (error) {
	case -ENOSPC:
	case -EROFS:
	case -EIO:
		return respond_status(res, 507);
	case -ECANCELED:
		return respond_status(res, 503);
	case -ETIMEDOUT:
		return respond_status(res, 408);
	case -EPIPE:
	case -ECONNRESET:
		return respond_status(res, 499);
	case -EBADMSG:
		return respond_status(res, 400);
	case -EFBIG:
		return respond_status(res, 413);
	default:
		log_error("request failed: %s", strerror(-error));
		respond_status(res, 500);
	}
}

/* ---- whose path it is ---- */

static bool from_object_server(const struct request *req)
{
	struct str agent = headers_get(&req->headers, S("User-Agent"));

	return str_starts(agent, S("object-server ")) || str_starts(agent, S("object-updater "));
}

/* Whether the partition in the path can only be the container's. */
static bool partition_is_containers(const struct objectd *o, const struct request *req,
				    const struct backend_path *p)
{
	const struct cluster *c = o->cluster;
	struct str index = headers_get(&req->headers, S("X-Backend-Storage-Policy-Index"));
	const struct policy *policy;
	uint64_t i = 0;

	if (index.n && str_to_u64(index, &i) < 0)
		return false;
	policy = cluster_policy(c, (unsigned)i);
	if (!policy || !policy->ring || !c->container_ring)
		return false;
	return p->partition == ring_part_of(c->container_ring, c->hash_prefix, c->hash_suffix,
					    p->account, p->container, STR_NONE) &&
	       p->partition != ring_part_of(policy->ring, c->hash_prefix, c->hash_suffix,
					    p->account, p->container, p->object);
}

bool route_is_container_row(const struct objectd *o, const struct request *req,
			    const struct backend_path *p)
{
	if (req->method == HTTP_PUT)
		return headers_has(&req->headers, S("X-Size"));
	if (req->method != HTTP_DELETE || headers_has(&req->headers, S("X-Container-Host")))
		return false;
	return from_object_server(req) || partition_is_containers(o, req, p);
}

bool route_is_account_row(const struct request *req)
{
	return req->method == HTTP_PUT && (headers_has(&req->headers, S("X-Put-Timestamp")) ||
					   headers_has(&req->headers, S("X-Delete-Timestamp")));
}

/* ---- proxies with other rings ---- */

enum { STALE_LOG_MS = 10000 };

METRIC_COUNTER(stale_rings, "needletail_objectd_stale_ring_requests_total",
	       "Requests refused because the proxy's ring is older and names this device wrongly.");

static struct ring *ring_for(const struct objectd *o, const struct request *req,
			     const struct backend_path *p)
{
	const struct cluster *c = o->cluster;
	struct str index = headers_get(&req->headers, S("X-Backend-Storage-Policy-Index"));
	const struct policy *policy;
	uint64_t i = 0;

	if (!p->container.p)
		return c->account_ring;
	if (!p->object.p)
		return c->container_ring;
	if (index.n && str_to_u64(index, &i) < 0)
		return NULL;
	policy = cluster_policy(c, (unsigned)i);
	return policy ? policy->ring : NULL;
}

static bool is_owner(const struct objectd *o, const struct ring *ring,
		     const struct backend_path *p)
{
	const struct ring_dev *devs[RING_REPLICAS_MAX];
	const struct cluster *c = o->cluster;
	uint32_t part = ring_part_of(ring, c->hash_prefix, c->hash_suffix, p->account,
				     p->container, p->object);
	unsigned n = ring_primaries(ring, part, devs, RING_REPLICAS_MAX);

	for (unsigned i = 0; i < n; i++)
		if (devs[i]->port == o->port && strcmp(devs[i]->device, o->device) == 0 &&
		    strcmp(devs[i]->ip, o->ip) == 0)
			return true;
	return false;
}

/* Whether it was answered that the proxy's ring is too old. What a proxy with newer rings sends is
 * taken: it knows better; and this device looks for new rings itself. */
static bool refuse_stale_ring(struct objectd *o, const struct request *req,
			      const struct backend_path *p, struct response *res)
{
	static uint64_t said_ms;
	struct str text = headers_get(&req->headers, S(RING_VERSION_HEADER));
	const struct ring *ring;
	uint64_t theirs;

	if (!text.p || str_to_u64(text, &theirs) < 0)
		return false;
	ring = ring_for(o, req, p);
	if (!ring || ring_version(ring) < 0 || theirs == (uint64_t)ring_version(ring))
		return false;
	if (theirs > (uint64_t)ring_version(ring)) {
		if (o->rings_task)
			task_wake(o->rings_task);
		return false;
	}
	if (is_owner(o, ring, p))
		return false;
	if (said_ms == 0 || clock_mono_ms() - said_ms > STALE_LOG_MS) {
		said_ms = clock_mono_ms();
		log_warn("%.*s has version %" PRIu64 " of a ring of which version %" PRId64
			 " is here: refused what it sent to the wrong device",
			 STR(req->peer_ip), theirs, ring_version(ring));
	}
	metric_add(&stale_rings, 1);
	respond_text(res, RING_STALE_STATUS, "The ring is older than version %" PRId64 ".\n",
		     ring_version(ring));
	headers_setf(&res->headers, S(RING_VERSION_HEADER), "%" PRId64, ring_version(ring));
	return true;
}

/* ---- objectds among themselves ---- */

waits static void handle_internal(struct objectd *o, struct request *req, struct response *res,
				  const struct backend_path *p)
{
	if (req->method != HTTP_POST)
		return respond_status(res, 405);
	if (str_eq(p->container, S("rows")))
		updater_handle_rows(o, req, res);
	else if (str_eq(p->container, S("explain")))
		explain_handle(o, req, res);
	else if (!jobs_handle(o, req, res, p->container))
		replicator_handle(o, req, res, p);
}

/* REPLICATE /device/partition[/…]: a Swift replicator's question. Databases (a hash follows) are
 * not replicated that way. */
static void handle_replicate(struct objectd *o, struct request *req, struct response *res)
{
	struct str rest = str_skip(req->path, 1), device = str_cut(&rest, '/');

	(void)str_cut(&rest, '/');
	if (!str_eq(device, str_from(o->device)))
		return respond_status(res, 507);
	if (rest.n == 32)
		return respond_status(res, 501);
	object_replicate(req, res);
}

static void handle_options(struct response *res)
{
	respond(res, 200, S("text/html; charset=UTF-8"), STR_NONE);
	headers_set(&res->headers, S("Allow"),
		    S("DELETE, GET, HEAD, OPTIONS, POST, PUT, REPLICATE"));
}

waits static void handle_path(struct objectd *o, struct request *req, struct response *res)
{
	struct backend_path p;
	int rc = backend_path_parse(req->arena, req->path, &p);

	if (rc == -EILSEQ)
		return respond_text(res, 412, "Invalid UTF8 or contains NULL");
	if (rc < 0)
		return respond_text(res, 400, "Invalid path: %.*s", STR(str_head(req->path, 500)));
	if (!str_eq(p.device, str_from(o->device)))
		return respond_status(res, 507);        /* as when Swift finds it not mounted */
	if (str_eq(p.account, S(".needletail")))
		handle_internal(o, req, res, &p);
	else if (refuse_stale_ring(o, req, &p, res))
		return;
	else if (!p.container.p)
		account_handle(o, req, res, &p);
	else if (!p.object.p && route_is_account_row(req))
		account_handle(o, req, res, &p);
	else if (!p.object.p || route_is_container_row(o, req, &p))
		container_handle(o, req, res, &p);
	else
		object_handle(o, req, res, &p);
}

task_asserted void route_handle(void *arg, struct request *req, struct response *res)
{
	struct objectd *o = arg;
	struct str trans_id = headers_get(&req->headers, S("X-Trans-Id"));

	objectd_check(o);
	if (trans_id.n)
		task_set_trans_id(trans_id);
	if (req->path.n == 0 || req->path.p[0] != '/')
		respond_status(res, 400);
	else if (recon_handle(o, req, res))
		return;
	else if (req->method == HTTP_OPTIONS)
		handle_options(res);
	else if (req->method == HTTP_REPLICATE)
		handle_replicate(o, req, res);
	else if (req->method == HTTP_OTHER || req->method == HTTP_COPY || req->method == HTTP_PATCH)
		respond_status(res, 405);
	else
		handle_path(o, req, res);
	/* For our own kind; Swift's proxies do not show X-Backend-* to clients. */
	headers_add_ref(&res->headers, S("X-Backend-Needletail"), S("1"));
}

static void log_request(const struct request *req, const struct response *res)
{
	const struct headers *h = &req->headers;
	struct str index = headers_get(h, S("X-Backend-Storage-Policy-Index"));
	char length[24];
	uint64_t policy;

	snprintf(length, sizeof length, "%" PRId64, res->content_length);
	log_storage(&(struct log_storage){
		.remote_addr = req->peer_ip,
		.method = req->method_name,
		.path = req->path,
		.status = res->status,
		.content_length = str_from(res->content_length < 0 ? "-" : length),
		.referer = headers_get(h, S("Referer")),
		.trans_id = headers_get(h, S("X-Trans-Id")),
		.user_agent = headers_get(h, S("User-Agent")),
		.start_us = req->started_us,
		.end_us = clock_wall_us(),
		.policy_index = index.n && str_to_u64(index, &policy) == 0 ? (int)policy : -1,
	});
}

/* A request that somebody waits for. */
static bool is_clients(const struct request *req)
{
	return !headers_has(&req->headers, S("X-Backend-Replication")) &&
	       !str_starts(req->path, S("/recon/")) && !str_eq(req->path, S("/metrics")) &&
	       !str_eq(req->path, S("/healthcheck"));
}

void route_done(void *arg, struct request *req, struct response *res, int error, uint64_t bytes_in)
{
	unsigned verb = verb_index(req->method);
	int64_t us = clock_wall_us() - req->started_us;

	(void)error;
	metric_add_at2(&requests, verb,
		       res->status >= 100 && res->status < 600 ? (unsigned)res->status / 100 : 0,
		       1);
	metric_observe_at(&took, verb, us > 0 ? (uint64_t)us : 0);
	if (us > 0 && is_clients(req) && bytes_in + res->bytes_sent <= NOTED_BYTES_MAX)
		replicator_note_client(((struct objectd *)arg)->replicator, (uint64_t)us);
	if (objectd_conf.log_requests)
		log_request(req, res);
}
