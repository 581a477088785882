/* Copies an object from a device of the wrong policy to those of the right one, piece by piece. */
#include "objectd/reconciler/internal.h"

#include "objectd/object/metadata.h"

waits static int start(const struct direct *d, unsigned i, struct exchange **ret)
{
	struct http_address to = { .port = d->devs[i]->port };

	snprintf(to.ip, sizeof to.ip, "%.63s", d->devs[i]->ip);
	int rc = exchange_start(d->o->client, &to, ret);

	if (rc == 0)
		exchange_set_timeouts(*ret, replicator_conf.node_timeout, 0);
	return rc;
}

waits static int open_source(const struct direct *from, unsigned at, struct arena *a,
			     struct exchange **ret, struct response *res)
{
	struct headers h;
	int rc = start(from, at, ret);

	if (rc < 0)
		return rc;
	headers_init(&h, a);
	direct_add_ts(&h, timestamp_now());
	headers_addf(&h, S("X-Backend-Storage-Policy-Index"), "%u", from->policy);
	headers_add_ref(&h, S("X-Backend-Replication"), S("true"));
	rc = exchange_send(*ret, S("GET"), direct_path(from, at, a, STR_NONE), &h, 0, STR_NONE);
	if (rc == 0)
		rc = exchange_receive(*ret, a, false, res);
	if (rc < 0)
		return rc;
	return res->status == 200 && res->content_length >= 0 ? 0 : -EREMOTEIO;
}

static void make_headers(const struct misplaced *m, const struct direct *to, unsigned i,
			 struct timestamp ts, const struct headers *source, struct headers *ret)
{
	direct_add_ts(ret, ts);
	headers_addf(ret, S("X-Backend-Storage-Policy-Index"), "%u", to->policy);
	headers_add_ref(ret, S("User-Agent"), RECONCILER_AGENT);
	direct_add_rows(to, i, m->container, "Container", ret);
	for (unsigned k = 0; k < source->n; k++) {
		const struct header *h = &source->v[k];

		if (str_ieq(h->name, S("Content-Type")) || str_ieq(h->name, S("ETag")) ||
		    meta_is_shown(h->name))
			headers_add_ref(ret, h->name, h->value);
	}
}

waits static int send_all(struct exchange *x, struct body *body)
{
	struct str chunk;
	int rc;

	while ((rc = body_next(body, &chunk)) > 0) {
		rc = exchange_send_body(x, chunk);
		if (rc < 0)
			return rc;
		if (exchange_answered(x))
			break;
	}
	return rc < 0 ? rc : 0;
}

/* To one device: 0 when it has it, or something newer. */
waits static int copy_to(const struct misplaced *m, const struct direct *from, unsigned at,
			 const struct direct *to, unsigned i, struct timestamp ts)
{
	AUTO(arena) a = arena_new();
	AUTO(exchange) in = NULL;
	AUTO(exchange) out = NULL;
	struct response source = { 0 }, res = { 0 };
	struct headers h;
	int rc = open_source(from, at, a, &in, &source);

	if (rc == 0)
		rc = start(to, i, &out);
	headers_init(&h, a);
	if (rc == 0) {
		make_headers(m, to, i, ts, &source.headers, &h);
		rc = exchange_send(out, S("PUT"), direct_path(to, i, a, STR_NONE), &h,
				   source.content_length, STR_NONE);
	}
	if (rc == 0)
		rc = send_all(out, source.body);
	if (source.body)
		body_close(source.body);
	if (rc == 0)
		rc = exchange_receive(out, a, false, &res);
	if (rc < 0)
		return rc;
	(void)!body_drain(res.body, 64 * KIB);
	body_close(res.body);
	return (res.status >= 200 && res.status < 300) || res.status == 409 ? 0 : -EREMOTEIO;
}

int misplaced_copy(const struct misplaced *m, const struct direct *from, unsigned at,
		   const struct direct *to, struct timestamp ts)
{
	unsigned good = 0;
	int failed = -EREMOTEIO;

	for (unsigned i = 0; i < to->n; i++) {
		int rc = copy_to(m, from, at, to, i, ts);

		if (rc == -ECANCELED)
			return rc;
		if (rc == 0)
			good++;
		else
			failed = rc;
	}
	return good > to->n / 2 ? 0 : failed;
}
