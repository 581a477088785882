/* Walks the index of expiry times. Swift's expirer (obj/expirer.py) works through a queue of containers
 * instead and deletes through the proxy; here each device sees to its own copies. */
#include "objectd/expirer/expirer.h"

#include "lib/base/clock.h"
#include "lib/log/log.h"
#include "objectd/locks.h"
#include "objectd/object/object.h"
#include "objectd/objectd_conf.h"
#include "objectd/replicator/replicator.h"
#include "objectd/updater/updater.h"

enum { BATCH = 256 };

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

/* 1 when it was deleted, 0 when it need not be any more. */
waits static int expire(struct expirer *x, const struct object_id *id)
{
	AUTO(arena) a = arena_new();
	AUTO(store_object) object = NULL;
	AUTO(lock) lock = NULL;
	struct object_request r = { .o = x->o, .id = *id };
	struct container_row_update row = { .deleted = true, .policy_index = id->policy };
	const struct object_entry *e;
	int rc = object_lock(&r, &lock);

	if (rc == 0)
		rc = store_object_open(x->o->store, id, a, &object);
	if (rc < 0)
		return rc == -ENOENT || rc == -EIO ? 0 : rc;
	e = store_object_entry(object);
	if (e->state != OBJECT_DATA || e->delete_at == 0 || e->delete_at > clock_wall_s())
		return 0;
	/* What was PUT after the time at which it was to expire goes at the time of the PUT. */
	row.ts = timestamp_of_us(e->delete_at * 1000000);
	if (timestamp_cmp(row.ts, e->data_ts) <= 0) {
		row.ts = e->data_ts;
		row.ts.offset++;
	}
	struct str name = store_object_name(object);

	rc = split_name(name, &row);
	if (rc == 0)
		rc = store_delete(x->o->store, id, name, row.ts, NULL, NULL);
	replicator_touch(x->o->replicator, id);
	lock_give(TAKE(lock));
	if (rc == 0)
		rc = updater_send_by_ring(x->o->updater, &row);
	return rc < 0 ? (rc == -EALREADY ? 0 : rc) : 1;
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
