/* What an object change does to listings: rows for the container's devices, and for the queue of a
 * Swift expirer. Swift: obj/server.py container_update,
 * delete_at_update, _check_container_override */
#include "objectd/object/object.h"
#include "objectd/updater/updater.h"

#include "lib/base/encode.h"
#include "lib/log/log.h"

enum { TARGETS_MAX_HERE = 16 };

static void override(struct object_change *c, const struct headers *h, struct str prefix)
{
	for (unsigned i = 0; i < h->n; i++) {
		struct str name = h->v[i].name, value = h->v[i].value;

		if (!str_istarts(name, prefix))
			continue;
		name = str_skip(name, prefix.n);
		if (str_ieq(name, S("Etag")))
			c->row.etag = value;
		else if (str_ieq(name, S("Content-Type")))
			c->row.content_type = value;
		else if (str_ieq(name, S("Size")))
			(void)!str_to_u64(value, &c->row.size);
	}
}

void object_change_override(struct object_change *c, const struct headers *h)
{
	override(c, h, S("X-Backend-Container-Update-Override-"));
	override(c, h, S("X-Object-Sysmeta-Container-Update-Override-"));
}

/* The container whose listing gets the row: the object's, or a shard's that the proxy names. */
static void name_row(struct object_request *r, struct container_row_update *row)
{
	const struct headers *h = &r->req->headers;
	struct str other = headers_get(h, S("X-Backend-Quoted-Container-Path")), account, container;

	row->account = r->path->account;
	row->container = r->path->container;
	row->object = r->path->object;
	row->policy_index = r->policy_index;
	other = other.n ? percent_decode(r->req->arena, other)
			: headers_get(h, S("X-Backend-Container-Path"));
	if (other.n == 0)
		return;
	container = other;
	account = str_cut(&container, '/');
	if (account.n && container.n && str_chr(container, '/') < 0) {
		row->account = account;
		row->container = container;
	} else {
		log_error("Invalid X-Backend-Container-Path, should be of the form "
			  "'account/container' "
			  "but got %.*s.",
			  STR(str_head(other, 200)));
	}
}

/* Two parallel comma-separated lists. How many, 0 when they do not match. */
static unsigned read_targets(struct object_request *r, struct str hosts, struct str devices,
			     struct row_target **ret)
{
	struct row_target *v = arena_alloc(r->req->arena, TARGETS_MAX_HERE * sizeof *v);
	unsigned n = 0;

	while (hosts.p && devices.p && n < TARGETS_MAX_HERE) {
		struct str host = str_cut(&hosts, ','), device = str_cut(&devices, ',');

		if (row_target_parse(host, device, &v[n]) < 0)
			return 0;
		n++;
	}
	if (hosts.p || devices.p)
		return 0;
	*ret = v;
	return n;
}

static struct store_txn *txn_of(struct object_request *r, struct store_txn **txn)
{
	if (!*txn)
		*txn = store_txn_new(r->req->arena);
	return *txn;
}

void object_change_prepare(struct object_request *r, struct object_change *c,
			   struct store_txn **txn)
{
	const struct headers *h = &r->req->headers;
	struct str hosts = headers_get(h, S("X-Container-Host"));
	struct str devices = headers_get(h, S("X-Container-Device"));
	struct str partition = headers_get(h, S("X-Container-Partition"));
	struct row_target *targets = NULL;
	uint64_t part;
	unsigned n;

	c->target_n = 0;
	c->pended = 0;
	if (partition.n == 0 || str_to_u64(partition, &part) < 0 || part > UINT32_MAX)
		return;
	name_row(r, &c->row);
	c->row.partition = (uint32_t)part;
	c->row.auto_create = c->row.account.p[0] == '.';
	n = read_targets(r, hosts, devices, &targets);
	if (n == 0) {
		log_error("Container update failed: different numbers of hosts and devices in "
			  "request: "
			  "\"%.*s\" vs \"%.*s\"",
			  STR(hosts), STR(devices));
		return;
	}
	c->targets = targets;
	for (unsigned i = 0; i < n; i++) {
		if (updater_target_down(r->o->updater, &targets[i])) {
			updater_pend(txn_of(r, txn), &targets[i], &c->row);
			c->pended++;
		} else {
			targets[c->target_n++] = targets[i];
		}
	}
}

/* "1402464677-account/container/object" (obj/expirer.py build_task_obj). */
static struct str queue_object(struct object_request *r, int64_t at)
{
	return arena_printf(r->req->arena, "%010" PRId64 "-%.*s/%.*s/%.*s", at,
			    STR(r->path->account), STR(r->path->container), STR(r->path->object));
}

/* The container of the expirer's queue for a time (common/utils.py get_expirer_container). */
static struct str queue_container(struct object_request *r, int64_t at)
{
	int64_t divisor = objectd_conf.expiring_objects_container_divisor;
	unsigned shard = 0;

	for (size_t i = 0; i < sizeof r->id.hash; i++)
		shard = (shard * 256 + r->id.hash[i]) % 100;
	return arena_printf(r->req->arena, "%010" PRId64,
			    MAX(at / divisor * divisor - (int64_t)shard, (int64_t)0));
}

/* The proxy names devices of the queue's container to the object servers that are to tell them. */
waits static int queue_add(struct object_request *r, int64_t at)
{
	const struct headers *h = &r->req->headers;
	struct str hosts = headers_get(h, S("X-Delete-At-Host"));
	struct str container = headers_get(h, S("X-Delete-At-Container"));
	struct row_target *targets;
	uint64_t part;
	unsigned n;

	if (!hosts.p)
		return 0;
	struct container_row_update row = {
		.account = str_from(objectd_conf.expiring_objects_account),
		.container = container.n ? container : queue_container(r, at),
		.object = queue_object(r, at),
		.auto_create = true,
		.ts = r->ts,
		.content_type = S("text/plain"),
		.etag = S("d41d8cd98f00b204e9800998ecf8427e"),
	};

	n = read_targets(r, hosts, headers_get(h, S("X-Delete-At-Device")), &targets);
	if (n == 0 || str_to_u64(headers_get(h, S("X-Delete-At-Partition")), &part) < 0 ||
	    part > UINT32_MAX)
		return updater_send_by_ring(r->o->updater, &row);
	row.partition = (uint32_t)part;
	return updater_send(r->o->updater, targets, n, &row, objectd_conf.container_update_timeout);
}

waits static int queue_remove(struct object_request *r, int64_t at)
{
	struct str clean =
		headers_get(&r->req->headers, S("X-Backend-Clean-Expiring-Object-Queue"));
	struct container_row_update row = {
		.account = str_from(objectd_conf.expiring_objects_account),
		.container = queue_container(r, at), .object = queue_object(r, at), .deleted = true,
		.auto_create = true, .ts = r->ts,
	};

	if (clean.p && !str_is_true(clean))
		return 0;
	return updater_send_by_ring(r->o->updater, &row);
}

int object_change_deliver(struct object_request *r, struct object_change *c,
			  const struct store_txn *txn)
{
	int rc = 0, queued = 0, removed = 0;

	if (txn)
		updater_note_pending(r->o->updater, c->pended);
	if (c->target_n)
		rc = updater_send(r->o->updater, c->targets, c->target_n, &c->row,
				  objectd_conf.container_update_timeout);
	if (c->delete_at_new != c->delete_at_old && !r->replication) {
		if (c->delete_at_new)
			queued = queue_add(r, c->delete_at_new);
		if (c->delete_at_old)
			removed = queue_remove(r, c->delete_at_old);
	}
	return rc < 0 ? rc : queued < 0 ? queued : removed;
}
