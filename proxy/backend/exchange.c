/* One request to one storage server. */
#include "lib/base/clock.h"
#include "proxy/backend/internal.h"

enum { WATCH_MS = 100 };                /* how soon a verdict on a late server is noticed */

struct str node_path(struct arena *a, const struct ring_dev *dev, struct str target_path,
		     struct str query)
{
	size_t device = strlen(dev->device);
	char *p = arena_alloc(a, device + target_path.n + query.n + 3), *at = p;

	/* Rings only have devices whose names need no escapes. */
	*at++ = '/';
	at = mempcpy(at, dev->device, device);
	at = mempcpy(at, target_path.p, target_path.n);
	if (query.n) {
		*at++ = '?';
		at = mempcpy(at, query.p, query.n);
	}
	*at = 0;
	return str_of(p, (size_t)(at - p));
}

int node_address(const struct ring_dev *dev, struct http_address *ret)
{
	size_t n = strlen(dev->ip);

	if (n >= sizeof ret->ip)
		return -EINVAL;
	*ret = (struct http_address){ .port = dev->port };
	memcpy(ret->ip, dev->ip, n + 1);
	return 0;
}

/* So that a server with a newer ring can tell that this one is old. */
/* Our storage servers expire objects by their own index: what Swift's keep for that, a queue, they
 * need not fill or clean. */
static void without_queue(struct headers *h)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < h->n; i++)
		if (!str_istarts(h->v[i].name, S("X-Delete-At-")))
			h->v[kept++] = h->v[i];
	h->n = kept;
	headers_add_ref(h, S("X-Backend-Clean-Expiring-Object-Queue"), S("false"));
}

/* What depends on who is asked. The caller frees the fields' array: a request that is sent has no
 * use for it, but its arena would keep it for each server. */
static void own_headers(const struct headers *h, const struct node *node, struct str method,
			struct headers *ret)
{
	const struct ring_dev *dev = node->dev;
	bool changes = !str_eq(method, S("GET")) && !str_eq(method, S("HEAD"));

	*ret = (struct headers){ .arena = h->arena, .n = h->n, .cap = h->n + 2 };
	ret->v = xcalloc(ret->cap, sizeof *ret->v);
	if (h->n)
		memcpy(ret->v, h->v, h->n * sizeof *h->v);
	if (dev->ring_version >= 0)
		headers_addf(ret, S(RING_VERSION_HEADER), "%" PRId64, dev->ring_version);
	if (changes && server_is_ours(dev))
		without_queue(ret);
}

int node_send(struct backend *b, const struct node *node, struct str method, struct str target_path,
	      struct str query, const struct headers *h, int64_t length, struct str first_bytes,
	      struct exchange **ret)
{
	AUTO(exchange) x = NULL;
	struct http_address to;
	struct headers all;
	int rc = node_address(node->dev, &to);

	if (rc == 0)
		rc = exchange_start(b->proxy->client, &to, &x);
	if (rc >= 0) {
		struct str path = node_path(h->arena, node->dev, target_path, query);

		own_headers(h, node, method, &all);
		rc = exchange_send(x, method, path, &all, length, first_bytes);
		free(all.v);
	}
	if (rc < 0) {
		node_failed(b, node->dev, rc, "sending a request");
		return rc;
	}
	node_connected(b, node->dev);
	*ret = TAKE(x);
	return 0;
}

int node_receive(struct backend *b, const struct node *node, struct exchange *x, struct arena *a,
		 bool head, uint64_t timeout_ms, struct response *res)
{
	uint64_t patience = b->proxy->conf->concurrency_timeout;
	uint64_t now = clock_mono_ms(), until = now + timeout_ms, sent = clock_mono_ns();
	bool suspected = false;
	int rc;

	for (;;) {
		uint64_t began = now, step = suspected ? (uint64_t)WATCH_MS : patience;

		step = MIN(step, until > now ? until - now : 1);
		exchange_set_timeouts(x, step, 0);
		rc = exchange_receive(x, a, head, res);
		now = clock_mono_ms();
		/* Sooner than asked for: that was the task's deadline. */
		if (rc != -ETIMEDOUT || now >= until || now - began + 2 < step)
			break;
		if (!suspected)
			node_suspect(b, node->dev);
		else if (node_limited(b, node->dev))
			break;
		suspected = true;
	}
	if (rc >= 0)
		server_answered(node->dev, (clock_mono_ns() - sent) / 1000, &res->headers);
	exchange_set_timeouts(x, timeout_ms, 0);
	return rc;
}

static bool belongs_to_connection(struct str name)
{
	static const struct str names[] = {
		STR_INIT("connection"), STR_INIT("keep-alive"), STR_INIT("transfer-encoding"),
		STR_INIT("content-length"), STR_INIT("date"), STR_INIT("server"),
		STR_INIT("x-put-timestamp"), STR_INIT("x-delete-after"), STR_INIT("x-trans-id"),
		STR_INIT("x-openstack-request-id"),
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (name.n == names[i].n && str_ieq(name, names[i]))
			return true;
	return false;
}

/* Swift shows ETags without quotes. */
static struct str unquoted(struct str etag)
{
	if (etag.n >= 2 && etag.p[0] == '"' && etag.p[etag.n - 1] == '"')
		return str_of(etag.p + 1, etag.n - 2);
	return etag;
}

void backend_clean_headers(struct headers *h)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < h->n; i++) {
		struct header f = h->v[i];

		if (belongs_to_connection(f.name))
			continue;
		if (f.name.n == 4 && str_ieq(f.name, S("etag")))
			f.value = unquoted(f.value);
		h->v[kept++] = f;
	}
	h->n = kept;
}
