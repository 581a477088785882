/* Where things are: partition and path of accounts, containers and objects. */
#include "lib/base/encode.h"
#include "proxy/backend/backend.h"

static void fill(struct request *req, struct str account, struct str container, struct str object,
		 struct target *t)
{
	const struct cluster *c = proxy_request(req)->proxy->cluster;
	CLEANUP(buf_done) struct buf path =
		BUF(3 * (account.n + container.n + object.n) + 32);

	proxy_hold_ring(req, t->ring);
	t->part = ring_part_of(t->ring, c->hash_prefix, c->hash_suffix, account, container, object);
	buf_add_char(&path, '/');
	buf_add_u64(&path, t->part);
	buf_add_char(&path, '/');
	percent_encode(&path, account, S("/"));
	if (container.p) {
		buf_add_char(&path, '/');
		percent_encode(&path, container, S("/"));
	}
	if (object.p) {
		buf_add_char(&path, '/');
		percent_encode(&path, object, S("/"));
	}
	assert(!buf_failed(&path));
	t->path = arena_str(req->arena, buf_str(&path));
}

void target_account(struct request *req, struct str account, struct target *ret)
{
	*ret = (struct target){
		.kind = SWIFT_ACCOUNT,
		.ring = proxy_request(req)->proxy->cluster->account_ring,
		.policy_index = -1,
	};
	fill(req, account, STR_NONE, STR_NONE, ret);
}

void target_container(struct request *req, struct str account, struct str container,
		      struct target *ret)
{
	*ret = (struct target){
		.kind = SWIFT_CONTAINER,
		.ring = proxy_request(req)->proxy->cluster->container_ring,
		.policy_index = -1,
	};
	fill(req, account, container, STR_NONE, ret);
}

int target_object(struct request *req, const struct swift_path *path, unsigned policy_index,
		  struct target *ret)
{
	const struct policy *policy =
		cluster_policy(proxy_request(req)->proxy->cluster, policy_index);

	if (!policy || !policy->ring)
		return -ENOENT;
	*ret = (struct target){
		.kind = SWIFT_OBJECT,
		.ring = policy->ring,
		.policy_index = (int)policy_index,
	};
	fill(req, path->account, path->container, path->object, ret);
	return 0;
}

unsigned target_primaries(const struct target *t, const struct ring_dev *out[], unsigned max)
{
	return ring_primaries(t->ring, t->part, out, max);
}

unsigned target_previous(const struct target *t, const struct ring_dev *out[], unsigned max)
{
	return ring_previous(t->ring, t->part, out, max);
}
