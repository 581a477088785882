/* What the object verbs share: targets, checks, and the updates that travel with a write. */
#include "proxy/object/object.h"
#include "lib/crypto/digest.h"

const struct verb object_verbs[] = {
	{ HTTP_GET, VERB_LATE_DENIAL, object_get },
	{ HTTP_HEAD, VERB_LATE_DENIAL, object_get },
	{ HTTP_PUT, VERB_LATE_DENIAL, object_put },
	{ HTTP_POST, VERB_LATE_DENIAL, object_post },
	{ HTTP_DELETE, VERB_LATE_DENIAL, object_delete },
	{ HTTP_OPTIONS, 0, app_options },
	{ 0 },
};

enum { EXPIRER_DIVISOR_S = 86400, EXPIRER_SPREAD = 100 };

int object_target(struct request *req, struct response *res, struct target *ret)
{
	const struct proxy_request *p = proxy_request(req);

	if (target_object(req, &p->path, (unsigned)p->policy_index, ret) == 0)
		return 0;
	respond_text(res, 503, "Unknown Storage Policy");
	return -ENOENT;
}

int object_may_write(struct request *req, struct response *res)
{
	const struct proxy_request *p = proxy_request(req);
	const struct container_info *info =
		proxy_container_info(req, p->path.account, p->path.container);

	if (app_authorize(req, res, info->write_acl) < 0)
		return -EACCES;
	if (info->status == 200)
		return 0;
	respond_status(res, info->status == 404 ? 404 : 503);
	return -ENOENT;
}

void object_common_headers(struct request *req, struct timestamp ts, struct headers *to)
{
	const struct proxy_request *p = proxy_request(req);
	struct ring *ring = cluster_policy(p->proxy->cluster, (unsigned)p->policy_index)->ring;
	int next_power = ring_next_part_power(ring);

	app_add_timestamp(to, ts);
	headers_add_ref(to, S("X-Backend-Storage-Policy-Index"),
			arena_printf(to->arena, "%d", p->policy_index));
	if (next_power >= 0)
		headers_addf(to, S("X-Backend-Next-Part-Power"), "%d", next_power);
	for (unsigned i = 0; i < req->headers.n; i++) {
		const struct header *h = &req->headers.v[i];

		if (str_istarts(h->name, S("X-Backend-")) && !headers_has(to, h->name))
			headers_add(to, h->name, h->value);
	}
	for (unsigned i = 0; i < p->backend_headers.n; i++)
		headers_set(to, p->backend_headers.v[i].name, p->backend_headers.v[i].value);
}

static unsigned updates_needed(unsigned containers, unsigned objects)
{
	return MAX(quorum_size(containers) + objects - quorum_size(objects), containers);
}

void object_container_updates(struct request *req, struct headers *sets, unsigned n)
{
	const struct swift_path *path = &proxy_request(req)->path;
	const struct ring_dev *devs[RING_REPLICAS_MAX];
	struct target t;

	target_container(req, path->account, path->container, &t);
	unsigned containers = target_primaries(&t, devs, RING_REPLICAS_MAX);

	for (unsigned i = 0; containers && n && i < updates_needed(containers, n); i++)
		app_add_device(&sets[i % n], S("X-Container"), t.part, devs[i % containers]);
}

/* get_expirer_container: a hundred containers for each day. */
static struct str expirer_container(struct request *req, uint64_t delete_at)
{
	const struct proxy_request *p = proxy_request(req);
	const struct cluster *c = p->proxy->cluster;
	unsigned char md5[MD5_SIZE];
	unsigned rest = 0;

	ring_hash_path(c->hash_prefix, c->hash_suffix, p->path.account, p->path.container,
		       p->path.object, md5);
	for (size_t i = 0; i < sizeof md5; i++)
		rest = (rest * 256 + md5[i]) % EXPIRER_SPREAD;
	return arena_printf(req->arena, "%010" PRIu64,
			    delete_at / EXPIRER_DIVISOR_S * EXPIRER_DIVISOR_S - rest);
}

void object_expiry_updates(struct request *req, struct headers *sets, unsigned n)
{
	const struct ring_dev *devs[RING_REPLICAS_MAX], *containers[RING_REPLICAS_MAX];
	const struct swift_path *path = &proxy_request(req)->path;
	uint64_t delete_at;
	struct target t;

	if (str_to_u64(headers_get_lit(&req->headers, "X-Delete-At"), &delete_at) < 0 || n == 0)
		return;
	target_container(req, path->account, path->container, &t);
	unsigned updates = updates_needed(target_primaries(&t, containers, RING_REPLICAS_MAX), n);
	struct str container = expirer_container(req, delete_at);

	target_container(req, S(".expiring_objects"), container, &t);
	unsigned count = target_primaries(&t, devs, RING_REPLICAS_MAX);

	/* From the other end than the container updates, so that the work is spread. */
	for (unsigned i = 0; count && i < updates; i++) {
		struct headers *h = &sets[n - 1 - i % n];

		if (!headers_has(h, S("X-Delete-At-Container")))
			headers_add(h, S("X-Delete-At-Container"), container);
		app_add_device(h, S("X-Delete-At"), t.part, devs[i % count]);
	}
}

static bool is_stored(struct str name)
{
	return str_istarts(name, S("X-Object-Meta-")) ||
	       str_istarts(name, S("X-Object-Sysmeta-")) ||
	       str_istarts(name, S("X-Object-Transient-Sysmeta-")) ||
	       metadata_is_object_header(name);
}

void object_metadata_headers(const struct request *req, struct headers *to)
{
	for (unsigned i = 0; i < req->headers.n; i++) {
		const struct header *h = &req->headers.v[i];

		if (is_stored(h->name))
			headers_add_ref(to, header_title(to->arena, h->name),
					arena_str(to->arena, h->value));
	}
}
