/* Looks for containers with rows of other policies than their own, and goes through these rows. */
#include "objectd/reconciler/internal.h"

#include "lib/base/clock.h"
#include "lib/log/log.h"
#include "lib/metrics/metrics.h"

enum { LIST_STEP = 256, ROWS_STEP = 256, NAME_BYTES = 16 * KIB, SETTLED_MAX = 65536 };

METRIC_COUNTER(moved_total, "needletail_reconciler_moved_total",
	       "Objects and deletions that were brought to their container's policy.");

struct reconciler *reconciler_new(struct objectd *o)
{
	struct reconciler *r = xcalloc(1, sizeof *r);

	r->o = o;
	r->settled = map_new();
	task_sem_init(&r->one, 1);
	return r;
}

void reconciler_free(struct reconciler *r)
{
	if (!r)
		return;
	map_free(r->settled, free);
	free(r);
}

void reconciler_stats(const struct reconciler *r, struct reconciler_stats *ret)
{
	*ret = r->stats;
}

/* Counters of another policy are there as soon as there was a row of it. */
static bool has_others(const struct db_info *info)
{
	for (unsigned i = 0; i < info->stat_n; i++)
		if (info->stats[i].policy != info->policy)
			return true;
	return false;
}

static struct str hash_str(const struct db_id *id)
{
	return str_of((const char *)id->hash, sizeof id->hash);
}

static bool is_settled(const struct reconciler *r, const struct db_listed *l)
{
	const unsigned char *digest = map_peek(r->settled, hash_str(&l->id));

	return digest && memcmp(digest, l->digest, DB_DIGEST_SIZE) == 0;
}

static void settle(struct reconciler *r, const struct db_listed *l)
{
	unsigned char *digest = xmalloc(DB_DIGEST_SIZE);

	memcpy(digest, l->digest, DB_DIGEST_SIZE);
	free(map_put(r->settled, hash_str(&l->id), digest));
	if (map_count(r->settled) > SETTLED_MAX)
		free(map_evict(r->settled));
}

/* Nothing is moved before the container's devices agree where to. */
waits static bool all_agree(const struct direct *d, unsigned policy)
{
	AUTO(arena) a = arena_new();
	const struct headers *h = direct_headers(d, a, timestamp_now(), RECONCILER_AGENT);
	const struct direct_answer *answers = direct_ask_all(d, a, S("HEAD"), h);
	unsigned good = 0;

	for (unsigned i = 0; i < d->n; i++) {
		struct str index = headers_get(&answers[i].res.headers,
					       S("X-Backend-Storage-Policy-Index"));
		uint64_t theirs;

		if (answers[i].status < 200 || answers[i].status >= 300)
			continue;
		if (str_to_u64(index, &theirs) < 0 || theirs != policy)
			return false;
		good++;
	}
	return good > d->n / 2;
}

/* The parts of one row that are of other policies. */
waits static int look_at_row(struct reconciler *r, const struct direct *container,
			     const struct db_item *item, unsigned policy)
{
	struct str rest = item->value;
	struct row row;

	while (rest.n && row_decode(&rest, &row) == 0) {
		AUTO(arena) a = arena_new();
		struct misplaced m = { .o = r->o, .container = container, .object = item->name,
				       .row = &row, .policy = policy };

		if (row.policy == policy)
			continue;
		int rc = misplaced_settle(&m, a);

		if (rc == -ECANCELED)
			return rc;
		if (rc < 0) {
			r->now.left++;
			log_debug("reconciler: %.*s/%.*s/%.*s: %s, trying again later",
				  STR(container->account), STR(container->container),
				  STR(item->name), strerror(-rc));
		} else if (row.deleted) {
			r->now.deleted += (uint64_t)rc;
		} else {
			r->now.moved += (uint64_t)rc;
		}
	}
	return 0;
}

waits static int look_at_rows(struct reconciler *r, const struct db_id *id,
			      const struct direct *container, unsigned policy)
{
	CLEANUP(buf_done) struct buf after = BUF(NAME_BYTES);
	int more = 1;

	while (more > 0) {
		AUTO(arena) a = arena_new();
		struct db_item *rows = arena_alloc(a, ROWS_STEP * sizeof *rows);
		unsigned n;

		more = db_rows(r->o->dbs, id, after.n ? buf_str(&after) : STR_NONE, ROWS_STEP, a,
			       rows, &n);
		for (unsigned i = 0; i < n && more >= 0; i++) {
			int rc = look_at_row(r, container, &rows[i], policy);

			if (rc < 0)
				return rc;
		}
		if (more > 0 && n) {
			buf_clear(&after);
			buf_add_str(&after, rows[n - 1].name);
		}
	}
	return more;
}

waits static int look_at(struct reconciler *r, const struct db_listed *l)
{
	AUTO(db_info) info = NULL;
	struct direct container;
	uint64_t before = r->now.left + r->now.moved + r->now.deleted;
	int rc = db_info_get(r->o->dbs, &l->id, &info);

	if (rc < 0 || !info->exists || !has_others(info))
		return rc;
	if (direct_init(&container, r->o, info->account, info->container, STR_NONE, 0) < 0)
		return 0;
	if (direct_own_place(&container) == 0) {
		r->now.containers++;
		if (all_agree(&container, info->policy)) {
			rc = look_at_rows(r, &l->id, &container, info->policy);
			if (rc == 0 && before == r->now.left + r->now.moved + r->now.deleted)
				settle(r, l);
		} else {
			r->now.left++;
		}
	}
	direct_done(&container);
	return rc;
}

waits static int walk(struct reconciler *r)
{
	AUTO(free) room = xcalloc(LIST_STEP, sizeof(struct db_listed));
	struct db_listed *list = room;
	unsigned char from[DB_HASH_SIZE] = { 0 }, last[DB_HASH_SIZE];
	int n = LIST_STEP;

	memset(last, 0xff, sizeof last);
	while (n == LIST_STEP && !task_cancelled()) {
		n = db_list(r->o->dbs, DB_CONTAINER, from, last, list, LIST_STEP);
		for (int i = 0; i < n && !task_cancelled(); i++) {
			int rc = is_settled(r, &list[i]) ? 0 : look_at(r, &list[i]);

			if (rc < 0)
				return rc;
		}
		if (n < 0)
			return n;
		if (n == 0 || !db_hash_next(list[n - 1].id.hash, from))
			break;
	}
	return task_cancelled() ? -ECANCELED : 0;
}

int reconciler_pass(struct reconciler *r)
{
	int rc = task_sem_take(&r->one, 0);

	if (rc < 0)
		return rc;
	uint64_t start = clock_mono_ms();

	r->now = (struct reconciler_stats){ .passes = r->stats.passes + 1 };
	rc = walk(r);
	r->now.pass_ms = clock_mono_ms() - start;
	r->now.pass_end_us = clock_wall_us();
	r->stats = r->now;
	metric_add(&moved_total, r->stats.moved + r->stats.deleted);
	if (r->stats.moved || r->stats.deleted || r->stats.left)
		log_info("reconciler: %" PRIu64 " objects and %" PRIu64
			 " deletions brought to their policy, %" PRIu64 " left",
			 r->stats.moved, r->stats.deleted, r->stats.left);
	task_sem_give(&r->one);
	return rc;
}

task_asserted static void reconciler_run(void *arg)
{
	struct reconciler *r = arg;

	while (task_sleep(reconciler_conf.interval) != -ECANCELED) {
		int rc = reconciler_pass(r);

		if (rc < 0 && rc != -ECANCELED)
			log_error("reconciler: %s, trying again later", strerror(-rc));
	}
}

void reconciler_start(struct reconciler *r)
{
	if (reconciler_conf.enabled)
		task_spawn(r->o->background, "reconciler", reconciler_run, r);
}
