/* Asks the devices that a ring names, for jobs that act on accounts, containers and objects as a
 * proxy would. */
#include "objectd/direct.h"

#include "objectd/objectd_conf.h"

int direct_init(struct direct *d, struct objectd *o, struct str account, struct str container,
		struct str object, unsigned policy)
{
	const struct cluster *c = o->cluster;
	const struct policy *p = cluster_policy(c, policy);
	struct ring *ring = object.p	? (p ? p->ring : NULL) :
			    container.p ? c->container_ring :
					  c->account_ring;

	if (!ring)
		return -ENOENT;
	*d = (struct direct){ .o = o, .ring = ring_ref(ring), .account = account,
			      .container = container, .object = object, .policy = policy };
	d->part = ring_part_of(ring, c->hash_prefix, c->hash_suffix, account, container, object);
	d->n = MIN(ring_primaries(ring, d->part, d->devs, RING_REPLICAS_MAX),
		   (unsigned)RING_REPLICAS_MAX);
	return 0;
}

void direct_done(struct direct *d)
{
	ring_unref(d->ring);
	d->ring = NULL;
}

int direct_own_place(const struct direct *d)
{
	for (unsigned i = 0; i < d->n; i++)
		if (d->devs[i]->port == d->o->port &&
		    strcmp(d->devs[i]->device, d->o->device) == 0 &&
		    strcmp(d->devs[i]->ip, d->o->ip) == 0)
			return (int)i;
	return -1;
}

void direct_add_rows(const struct direct *to, unsigned i, const struct direct *rows,
		     const char *kind, struct headers *h)
{
	struct str hosts = S(""), devices = S("");
	struct arena *a = h->arena;

	for (unsigned k = i; k < rows->n; k += to->n) {
		const struct ring_dev *dev = rows->devs[k];
		const char *comma = k == i ? "" : ",";

		hosts = arena_printf(a, strchr(dev->ip, ':') ? "%.*s%s[%s]:%u" : "%.*s%s%s:%u",
				     STR(hosts), comma, dev->ip, dev->port);
		devices = arena_printf(a, "%.*s%s%s", STR(devices), comma, dev->device);
	}
	if (hosts.n == 0)
		return;
	headers_add(h, arena_printf(a, "X-%s-Host", kind), hosts);
	headers_add(h, arena_printf(a, "X-%s-Device", kind), devices);
	headers_addf(h, arena_printf(a, "X-%s-Partition", kind), "%" PRIu32, rows->part);
}

struct str direct_path(const struct direct *d, unsigned i, struct arena *a, struct str query)
{
	struct str path = backend_path_quote(a, str_from(d->devs[i]->device), d->part, d->account,
					     d->container, d->object);

	return query.n ? arena_printf(a, "%.*s?%.*s", STR(path), STR(query)) : path;
}

void direct_add_ts(struct headers *h, struct timestamp ts)
{
	char text[TIMESTAMP_SIZE];

	timestamp_internal(ts, text);
	headers_set(h, S("X-Timestamp"), str_from(text));
}

int direct_ask(const struct direct *d, unsigned i, struct arena *a, struct str method,
	       struct str query, const struct headers *h, struct response *res,
	       struct buf *ret_body)
{
	struct http_address to = { .port = d->devs[i]->port };
	AUTO(exchange) x = NULL;
	struct headers all;
	int rc;

	snprintf(to.ip, sizeof to.ip, "%.63s", d->devs[i]->ip);
	headers_init(&all, a);
	headers_copy(&all, h);
	if (d->object.p)
		headers_setf(&all, S("X-Backend-Storage-Policy-Index"), "%u", d->policy);
	rc = exchange_start(d->o->client, &to, &x);
	if (rc < 0)
		return rc;
	exchange_set_timeouts(x, replicator_conf.node_timeout, 0);
	rc = exchange_send(x, method, direct_path(d, i, a, query), &all, 0, STR_NONE);
	if (rc == 0)
		rc = exchange_receive(x, a, str_eq(method, S("HEAD")), res);
	if (rc < 0)
		return rc;
	rc = ret_body ? body_read_all(res->body, ret_body) : body_drain(res->body, 64 * KIB);
	body_close(res->body);
	return rc < 0 ? rc : res->status;
}

struct ask_job {
	const struct direct *d;
	unsigned i;
	struct arena *a;
	struct str method;
	const struct headers *h;
	struct direct_answer *ret;
};

task_asserted static void ask_run(void *arg)
{
	struct ask_job *j = arg;

	j->ret->status = direct_ask(j->d, j->i, j->a, j->method, STR_NONE, j->h, &j->ret->res,
				    NULL);
}

struct direct_answer *direct_ask_all(const struct direct *d, struct arena *a, struct str method,
				     const struct headers *h)
{
	struct direct_answer *ret = arena_zalloc(a, (d->n + 1) * sizeof *ret);
	struct ask_job *jobs = arena_alloc(a, (d->n + 1) * sizeof *jobs);
	TASK_GROUP(g);

	for (unsigned i = 0; i < d->n; i++) {
		jobs[i] = (struct ask_job){ d, i, a, method, &h[i], &ret[i] };
		task_spawn(&g, "direct", ask_run, &jobs[i]);
	}
	if (task_group_join(&g) < 0)
		for (unsigned i = 0; i < d->n; i++)
			ret[i].status = -ECANCELED;
	return ret;
}

struct headers *direct_headers(const struct direct *d, struct arena *a, struct timestamp ts,
			       struct str agent)
{
	struct headers *h = arena_alloc(a, (d->n + 1) * sizeof *h);

	for (unsigned i = 0; i < d->n; i++) {
		headers_init(&h[i], a);
		direct_add_ts(&h[i], ts);
		headers_add_ref(&h[i], S("User-Agent"), agent);
	}
	return h;
}
