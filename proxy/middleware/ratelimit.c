/* Rate limits per account and container: a request that comes too early waits, one that would wait
 * too long gets 498. Each worker counts for itself and allows its share of the rate, so nothing is
 * shared. Swift: common/middleware/ratelimit.py */
#include "lib/base/clock.h"
#include "lib/log/log.h"
#include "proxy/middleware/kinds.h"
#include "proxy/proxy_conf.h"

#include <jansson.h>

enum { LIMITS_MAX = 32, BUCKETS_MAX = 100000, BLACK_LIST_SLEEP_MS = 1000 };

struct ratelimit_conf {
	double account_ratelimit;
	uint64_t max_sleep_time, log_sleep_time, rate_buffer;
	struct conf_list account_whitelist, account_blacklist;
	struct conf_pairs container_limits, listing_limits;
};

static struct ratelimit_conf conf;
static const struct conf_option options[] = {
	OPT_DOUBLE(struct ratelimit_conf, account_ratelimit, "0", 0, 1000000,
		   "Container PUTs and DELETEs per second and account; 0: no limit."),
	OPT_DURATION(struct ratelimit_conf, max_sleep_time, "60s", 0, 3600 * 1000,
		     "A request that would wait longer gets 498."),
	OPT_DURATION(struct ratelimit_conf, log_sleep_time, "0s", 0, 3600 * 1000,
		     "Log requests that wait longer than this; 0: never."),
	OPT_DURATION(struct ratelimit_conf, rate_buffer, "5s", 0, 3600 * 1000,
		     "How much unused rate may be caught up."),
	OPT_LIST(struct ratelimit_conf, account_whitelist, "", "Accounts without limits."),
	OPT_LIST(struct ratelimit_conf, account_blacklist, "", "Accounts whose requests get 497."),
	OPT_PAIRS(struct ratelimit_conf, container_limits, "container_ratelimit_",
		  "container_ratelimit_<objects> = writes per second into a container of that "
		  "size; in between it is "
		  "interpolated."),
	OPT_PAIRS(struct ratelimit_conf, listing_limits, "container_listing_ratelimit_",
		  "container_listing_ratelimit_<objects> = listings per second of a container of "
		  "that size."),
	OPT_END,
};
static const struct conf_section section = {
	.name = "ratelimit",
	.help = "Rate limits per account and container.",
	.options = options,
	.into = &conf,
	.size = sizeof conf,
};

/* Rate at given container sizes, ascending. */
struct limits {
	struct limit {
		uint64_t size;
		double rate;
	} v[LIMITS_MAX];
	unsigned n;
};

struct ratelimit {
	struct limits writes, listings;
	struct map *buckets;            /* key to int64_t: when the next request may run, us */
	double share;                   /* of the rate that is this worker's */
};

static int limits_read(struct limits *l, const struct conf_pairs *pairs, size_t prefix,
		       struct fault *why)
{
	for (unsigned i = 0; i < pairs->count; i++) {
		const struct conf_pair *p = &pairs->items[i];
		struct limit new = { 0 };
		unsigned at = l->n;

		if (l->n == LIMITS_MAX)
			return fault_set(why, -EINVAL, "[ratelimit] has more than %d sizes",
					 LIMITS_MAX);
		if (str_to_u64(str_skip(p->key, prefix), &new.size) < 0 ||
		    str_to_double(p->value, &new.rate) < 0 || new.rate < 0)
			return fault_set(why, -EINVAL,
					 "line %u: \"%.*s = %.*s\" is not <objects> = <rate>",
					 p->line, STR(p->key), STR(p->value));
		for (; at > 0 && l->v[at - 1].size > new.size; at--)
			l->v[at] = l->v[at - 1];
		l->v[at] = new;
		l->n++;
	}
	return 0;
}

/* Requests per second for a container of that size; 0: no limit. */
static double limits_rate(const struct limits *l, uint64_t size)
{
	unsigned i = 0;

	while (i < l->n && l->v[i].size <= size)
		i++;
	if (i == 0 || size == 0)
		return 0;
	const struct limit *low = &l->v[i - 1], *high = i < l->n ? &l->v[i] : NULL;

	if (!high)
		return low->rate;
	return low->rate + (high->rate - low->rate) * (double)(size - low->size) /
				   (double)(high->size - low->size);
}

/* Takes the next turn of a key: microseconds to wait, or -EBUSY when that is too long. */
static int64_t take_turn(struct ratelimit *self, struct str key, double rate)
{
	int64_t now = (int64_t)(clock_mono_ns() / 1000),
		step = (int64_t)(1e6 / (rate * self->share));
	int64_t *next = map_get(self->buckets, key);

	if (!next) {
		if (map_count(self->buckets) >= BUCKETS_MAX)
			free(map_evict(self->buckets));
		next = xmalloc(sizeof *next);
		*next = now;
		map_put(self->buckets, key, next);
	}
	if (now - *next > (int64_t)conf.rate_buffer * 1000)
		*next = now;
	int64_t wait = *next - now;

	if (wait > (int64_t)conf.max_sleep_time * 1000)
		return -EBUSY;
	*next += step;
	return MAX(wait, (int64_t)0);
}

waits static bool wait_turn(struct ratelimit *self, struct request *req, struct response *res,
			    struct str key, double rate)
{
	int64_t us = rate > 0 ? take_turn(self, key, rate) : 0;

	if (us < 0) {
		log_info("498 for %.*s %.*s: rate limit", STR(req->method_name), STR(req->path));
		respond_text(res, 498, "Slow down");
		res->reason = S("Rate Limited");
		return false;
	}
	if (conf.log_sleep_time && us > (int64_t)conf.log_sleep_time * 1000)
		log_warn("rate limit: %.*s %.*s waits %" PRId64 " ms", STR(req->method_name),
			 STR(req->path), us / 1000);
	return us < 1000 || task_sleep((uint64_t)us / 1000) == 0 || !task_cancelled();
}

static bool lists(const struct conf_list *list, struct str account)
{
	for (unsigned i = 0; i < list->count; i++)
		if (str_eq(list->items[i], account))
			return true;
	return false;
}

static bool is_write(const struct request *req)
{
	return req->method == HTTP_PUT || req->method == HTTP_DELETE || req->method == HTTP_POST ||
	       req->method == HTTP_COPY;
}

waits static bool may_pass(struct ratelimit *self, struct request *req, struct response *res)
{
	const struct swift_path *p = &proxy_request(req)->path;
	struct str global = headers_get_lit(&proxy_account_info(req, p->account)->sysmeta,
					    "global-write-ratelimit");
	double rate = 0;

	if (lists(&conf.account_whitelist, p->account) || str_eq(global, S("WHITELIST")))
		return true;
	if (lists(&conf.account_blacklist, p->account) || str_eq(global, S("BLACKLIST"))) {
		if (task_sleep(BLACK_LIST_SLEEP_MS) == -ECANCELED)
			return false;
		respond_text(res, 497, "Your account has been blacklisted");
		res->reason = S("Blacklisted");
		return false;
	}
	struct str container =
		arena_printf(req->arena, "%.*s/%.*s", STR(p->account), STR(p->container));

	if (p->container.n && !p->object.p &&
	    (req->method == HTTP_PUT || req->method == HTTP_DELETE) &&
	    !wait_turn(self, req, res, p->account, conf.account_ratelimit))
		return false;
	if (p->object.p && is_write(req) && self->writes.n) {
		rate = limits_rate(
			&self->writes,
			proxy_container_info(req, p->account, p->container)->object_count);
		if (!wait_turn(self, req, res, container, rate))
			return false;
	}
	if (p->container.n && !p->object.p && req->method == HTTP_GET && self->listings.n) {
		rate = limits_rate(
			&self->listings,
			proxy_container_info(req, p->account, p->container)->object_count);
		if (!wait_turn(self, req, res,
			       arena_printf(req->arena, "list %.*s", STR(container)), rate))
			return false;
	}
	if (!is_write(req) || str_to_double(global, &rate) < 0)
		rate = 0;
	return wait_turn(self, req, res, arena_printf(req->arena, "all %.*s", STR(p->account)),
			 rate);
}

waits static void handle(struct middleware *mw, struct request *req, struct response *res)
{
	const struct proxy_request *p = proxy_request(req);

	if (!p->path.account.n || p->subrequest || may_pass(mw->state, req, res))
		middleware_next(mw, req, res);
}

static json_t *limits_json(const struct limits *l)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < l->n; i++)
		json_array_append_new(list,
				      json_pack("[I,f]", (json_int_t)l->v[i].size, l->v[i].rate));
	return list;
}

static int start(struct middleware *mw, struct proxy *proxy, struct fault *why)
{
	struct ratelimit *self = xcalloc(1, sizeof *self);
	int rc = limits_read(&self->writes, &conf.container_limits,
			     sizeof "container_ratelimit_" - 1, why);

	if (rc == 0)
		rc = limits_read(&self->listings, &conf.listing_limits,
				 sizeof "container_listing_ratelimit_" - 1, why);
	if (rc < 0) {
		free(self);
		return rc;
	}
	self->buckets = map_new();
	self->share = 1.0 / (double)MAX(proxy->conf->workers, (int64_t)1);
	mw->state = self;
	json_t *info = json_object();
	json_object_set_new(info, "account_ratelimit", json_real(conf.account_ratelimit));
	json_object_set_new(info, "max_sleep_time_seconds",
			    json_real((double)conf.max_sleep_time / 1000));
	json_object_set_new(info, "container_ratelimits", limits_json(&self->writes));
	json_object_set_new(info, "container_listing_ratelimits", limits_json(&self->listings));
	json_object_set_new(proxy->info, "ratelimit", info);
	return 0;
}

static void stop(struct middleware *mw)
{
	struct ratelimit *self = mw->state;

	map_free(self->buckets, free);
	free(self);
}

const struct middleware_kind middleware_ratelimit = {
	.name = "ratelimit",
	.section = &section,
	.start = start,
	.stop = stop,
	.handle = handle,
	.optional = true,
};
