/* Walks the index of expiry times. Swift's expirer (obj/expirer.py) works through a queue of
 * containers instead and deletes through the proxy; here each device sees to its own copies. */
#include "objectd/expirer/expirer.h"

#include "lib/base/clock.h"
#include "lib/log/log.h"
#include "objectd/locks.h"
#include "objectd/object/object.h"
#include "objectd/objectd_conf.h"
#include "objectd/replicator/replicator.h"
#include "objectd/updater/updater.h"

enum { BATCH = 256, GIVE_UP_S = 86400 };

struct expirer {
	struct objectd *o;
	struct expirer_stats stats;
};

struct expirer *expirer_new(struct objectd *o)
{
	struct expirer *e = xcalloc(1, sizeof *e);

	e->o = o;
	return e;
}

void expirer_free(struct expirer *e)
{
	free(e);
}

void expirer_stats(const struct expirer *e, struct expirer_stats *ret)
{
	*ret = e->stats;
}

/* The names in "/a/c/o". */
static int split_name(struct str name, struct container_row_update *row)
{
	struct str rest = str_skip(name, 1);

	row->account = str_cut(&rest, '/');
	row->container = str_cut(&rest, '/');
	row->object = rest;
	return row->account.n && row->container.n && row->object.n ? 0 : -EBADMSG;
}

/* An object that has expired here. */
struct candidate {
	struct object_id id;
	struct object_entry entry;
	struct str name;
	struct container_row_update row;
};

/* 1, or 0 when it need not be deleted (any more). */
waits static int look(struct expirer *x, struct candidate *c, struct arena *a)
{
	AUTO(store_object) object = NULL;
	int rc = store_object_open(x->o->store, &c->id, a, &object);

	if (rc < 0)
		return rc == -ENOENT || rc == -EIO ? 0 : rc;
	c->entry = *store_object_entry(object);
	if (c->entry.state != OBJECT_DATA || c->entry.delete_at == 0 ||
	    c->entry.delete_at > clock_wall_s())
		return 0;
	c->name = arena_str(a, store_object_name(object));
	c->row = (struct container_row_update){ .deleted = true, .policy_index = c->id.policy };
	/* What was PUT after the time at which it was to expire goes at the time of the PUT. */
	c->row.ts = timestamp_of_us(c->entry.delete_at * 1000000);
	if (timestamp_cmp(c->row.ts, c->entry.data_ts) <= 0) {
		c->row.ts = c->entry.data_ts;
		c->row.ts.offset++;
	}
	return split_name(c->name, &c->row) < 0 ? 0 : 1;
}

/* What one device knows of it: 0 when it has nothing newer, -ESTALE when it has, others when it
 * does not answer. */
waits static int ask_peer(struct expirer *x, const struct candidate *c, const struct ring_dev *dev,
			  uint32_t part, struct arena *a)
{
	struct http_address to = { .port = dev->port };
	AUTO(exchange) e = NULL;
	struct headers h;
	struct response res = { 0 };
	struct timestamp ts;
	char now[TIMESTAMP_SIZE];

	snprintf(to.ip, sizeof to.ip, "%.63s", dev->ip);
	timestamp_normal(timestamp_now(), now);
	headers_init(&h, a);
	headers_add(&h, S("X-Timestamp"), str_from(now));
	headers_add_ref(&h, S("X-Backend-Replication"), S("true"));
	headers_addf(&h, S("X-Backend-Storage-Policy-Index"), "%u", c->id.policy);
	struct str path = backend_path_quote(a, str_from(dev->device), part, c->row.account,
					     c->row.container, c->row.object);
	int rc = exchange_start(x->o->client, &to, &e);

	if (rc == 0)
		rc = exchange_send(e, S("HEAD"), path, &h, 0, STR_NONE);
	if (rc == 0)
		rc = exchange_receive(e, a, true, &res);
	if (rc < 0)
		return rc;
	body_close(res.body);
	if (res.status != 200)
		return res.status == 404 ? 0 : -EREMOTEIO;
	if (timestamp_parse(headers_get(&res.headers, S("X-Backend-Timestamp")), &ts) < 0)
		return -EREMOTEIO;
	return timestamp_cmp(ts, c->entry.meta_ts) > 0 ? -ESTALE : 0;
}

/* A POST may have given the object a longer life while this device was away: it is only deleted
 * when no primary knows better. While one does not answer it waits, which nobody notices, because
 * what has expired is not found anyway; but not for ever. */
waits static bool nobody_knows_better(struct expirer *x, const struct candidate *c, struct arena *a)
{
	const struct policy *policy = cluster_policy(x->o->cluster, c->id.policy);
	const struct ring_dev *devs[RING_REPLICAS_MAX];
	uint32_t part;
	unsigned n;

	if (!policy || !policy->ring)
		return true;
	AUTO(ring) ring = ring_ref(policy->ring);

	part = ring_part_of_hash(ring, c->id.hash);
	n = ring_primaries(ring, part, devs, RING_REPLICAS_MAX);
	for (unsigned i = 0; i < n; i++) {
		if (devs[i]->port == x->o->port && strcmp(devs[i]->device, x->o->device) == 0 &&
		    strcmp(devs[i]->ip, x->o->ip) == 0)
			continue;
		int rc = ask_peer(x, c, devs[i], part, a);

		if (rc == -ESTALE || rc == -ECANCELED)
			return false;
		if (rc < 0 && clock_wall_s() < c->entry.delete_at + GIVE_UP_S)
			return false;
	}
	return true;
}

/* 1 when it was deleted, 0 when it need not or cannot be. */
waits static int expire(struct expirer *x, const struct object_id *id)
{
	AUTO(arena) a = arena_new();
	AUTO(lock) lock = NULL;
	struct candidate c = { .id = *id };
	struct object_request r = { .o = x->o, .id = *id };
	struct object_entry now;
	int rc = look(x, &c, a);

	if (rc <= 0 || !nobody_knows_better(x, &c, a))
		return rc < 0 ? rc : 0;
	rc = object_lock(&r, &lock);
	if (rc == 0)
		rc = store_lookup(x->o->store, id, &now);
	if (rc == 0 && timestamp_cmp(now.meta_ts, c.entry.meta_ts) != 0)
		return 0;
	if (rc == 0)
		rc = store_delete(x->o->store, id, c.name, c.row.ts, NULL, NULL);
	replicator_touch(x->o->replicator, id);
	lock_give(TAKE(lock));
	if (rc == 0)
		rc = updater_send_by_ring(x->o->updater, &c.row);
	return rc == 0 ? 1 : rc == -EALREADY || rc == -ENOENT ? 0 : rc;
}

/* How many were deleted, or negative. */
waits static int pass(struct expirer *x)
{
	AUTO(free) room = xcalloc(BATCH, sizeof(struct object_id));
	struct object_id *ids = room;
	int total = 0, n, rc = 0, done;

	do {
		done = 0;
		n = store_list_expired(x->o->store, clock_wall_s(), ids, BATCH);
		for (int i = 0; i < n && rc >= 0 && !task_cancelled(); i++) {
			rc = expire(x, &ids[i]);
			done += rc > 0;
		}
		total += done;
		x->stats.expired += (uint64_t)done;
	} while (n == BATCH && rc >= 0 && done && !task_cancelled());
	return n < 0 ? n : rc < 0 ? rc : total;
}

task_asserted static void expirer_run(void *arg)
{
	struct expirer *x = arg;

	while (task_sleep(expirer_conf.interval) != -ECANCELED) {
		uint64_t start = clock_mono_ms();
		int n = pass(x);

		x->stats.pass_ms = clock_mono_ms() - start;
		if (n >= 0)
			x->stats.expired_last_pass = (uint64_t)n;
		else if (n != -ECANCELED)
			log_error("expirer: %s, trying again later", strerror(-n));
	}
}

void expirer_start(struct expirer *e)
{
	if (expirer_conf.enabled)
		task_spawn(e->o->background, "expirer", expirer_run, e);
}
