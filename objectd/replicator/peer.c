/* The other storage devices, and requests to them. */
#include "objectd/replicator/internal.h"

#include "lib/log/log.h"

static bool is_self(const struct objectd *o, const struct ring_dev *dev)
{
	return dev->port == o->port && strcmp(dev->ip, o->ip) == 0 &&
	       strcmp(dev->device, o->device) == 0;
}

struct peer *peer_of(struct replicator *r, const struct ring_dev *dev)
{
	char key[2 * RING_HOST_SIZE];
	struct peer *p;

	if (is_self(r->o, dev))
		return NULL;
	snprintf(key, sizeof key, "%s:%u/%s", dev->replication_ip, dev->replication_port,
		 dev->device);
	p = map_get(r->peers, str_from(key));
	if (p)
		return p;
	p = xcalloc(1, sizeof *p);
	snprintf(p->address.ip, sizeof p->address.ip, "%.63s", dev->replication_ip);
	p->address.port = dev->replication_port;
	snprintf(p->device, sizeof p->device, "%s", dev->device);
	map_put(r->peers, str_from(key), p);
	return p;
}

void peer_failed(struct replicator *r, struct peer *p, int error)
{
	if (error == -ECANCELED || p->down)
		return;
	log_debug("replicator: %s:%u/%s: %s", p->address.ip, p->address.port, p->device,
		  strerror(-error));
	p->down = true;
	r->unreachable++;
}

waits static int ask(struct replicator *r, struct peer *p, struct str path, struct str body,
		     struct buf *ret, int *ret_status, bool *ret_ours)
{
	AUTO(arena) a = arena_new();
	AUTO(exchange) x = NULL;
	struct headers h;
	struct response res = { 0 };
	int rc = exchange_start(r->o->client, &p->address, &x);

	if (rc < 0)
		return rc;
	headers_init(&h, a);
	headers_add_ref(&h, S("Content-Type"), S("application/x-needletail"));
	headers_add_ref(&h, S("X-Backend-Replication"), S("true"));
	exchange_set_timeouts(x, replicator_conf.node_timeout, 0);
	rc = exchange_send(x, S("POST"), path, &h, (int64_t)body.n, body);
	if (rc == 0)
		rc = exchange_receive(x, a, false, &res);
	if (rc < 0)
		return rc;
	buf_clear(ret);
	rc = body_read_all(res.body, ret);
	body_close(res.body);
	*ret_status = res.status;
	*ret_ours = headers_has(&res.headers, S("X-Backend-Needletail"));
	return rc;
}

int peer_ask(struct replicator *r, struct peer *p, uint32_t part, struct str what, struct str body,
	     struct buf *ret)
{
	AUTO(arena) a = arena_new();
	struct str path =
		backend_path_quote(a, str_from(p->device), part, S(".needletail"), what, STR_NONE);
	int status = 0, rc = ask(r, p, path, body, ret, &status, &p->foreign);

	if (rc < 0) {
		peer_failed(r, p, rc);
		return rc;
	}
	p->foreign = !p->foreign;
	if (status == 200)
		return 0;
	if (p->foreign)
		return -EOPNOTSUPP;
	if (status == 507 || status == 503)
		peer_failed(r, p, -ENODEV);
	return -EREMOTEIO;
}
