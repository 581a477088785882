/* Rows that could not be delivered: kept in the store under 'u', device, time and name; taken to
 * their devices in the background. Swift: obj/updater.py */
#include "objectd/updater/internal.h"

#include "lib/base/clock.h"
#include "lib/crypto/digest.h"
#include "lib/log/log.h"

enum { SCAN_BYTES_MAX = 1 * MIB, DROP_AFTER_S = 7 * 86400 };

/* 'u', "ip:port/device", 0, time (8 bytes, big endian), 8 bytes of a hash of the name. The same row
 * is pending once however often it failed. */
static void pending_key(struct buf *b, const char *target, const struct container_row_update *row)
{
	CLEANUP(buf_done) struct buf name = BUF(ROW_BYTES_MAX);
	unsigned char md5[MD5_SIZE], time[8];
	uint64_t t = MAX(row->ts.t, MAX(row->meta_ts.t, row->content_type_ts.t));

	for (int i = 0; i < 8; i++)
		time[i] = (unsigned char)(t >> (56 - 8 * i));
	buf_addf(&name, "%.*s/%.*s/%.*s/%" PRIu64, STR(row->account), STR(row->container),
		 STR(row->object), row->ts.offset);
	digest_of(DIGEST_MD5, name.p, name.n, md5);
	buf_add_char(b, 'u');
	buf_add(b, target, strlen(target) + 1);
	buf_add(b, time, sizeof time);
	buf_add(b, md5, 8);
}

void updater_pend(struct store_txn *txn, const struct row_target *to,
		  const struct container_row_update *row)
{
	CLEANUP(buf_done) struct buf key = BUF(KIB), value = BUF(ROW_BYTES_MAX + KIB);
	char target[TARGET_KEY_MAX];

	target_key(to, target);
	pending_key(&key, target, row);
	row_write(&value, row);
	assert(!buf_failed(&key) && !buf_failed(&value));
	store_txn_put(txn, buf_str(&key), buf_str(&value));
}

/* Pending rows of one device, read in the pool. */
struct scan {
	struct kv *kv;
	struct str from;                /* seek here */
	struct arena *arena;
	unsigned max;
	/* found: */
	struct str prefix; /* of the keys of this device, with the 0; absent: no more rows */
	struct str *keys, *values;
	unsigned n;
	int rc;
};

static void scan_run(void *arg)
{
	struct scan *s = arg;
	struct kv_iter *it = kv_iter_new(s->kv);
	size_t bytes = 0;

	for (kv_iter_seek(it, s->from); kv_iter_valid(it) && s->n < s->max; kv_iter_next(it)) {
		struct str key = kv_iter_key(it);

		if (key.n < 2 || key.p[0] != 'u')
			break;
		if (!s->prefix.p)
			s->prefix =
				arena_str(s->arena, str_head(key, (size_t)str_chr(key, '\0') + 1));
		if (!str_starts(key, s->prefix) || bytes > SCAN_BYTES_MAX)
			break;
		s->keys[s->n] = arena_str(s->arena, key);
		s->values[s->n++] = arena_str(s->arena, kv_iter_value(it));
		bytes += key.n + kv_iter_value(it).n;
	}
	s->rc = kv_iter_error(it);
	kv_iter_free(it);
}

/* "ip:port/device" back into its parts. */
static int target_of_prefix(struct str prefix, struct row_target *ret)
{
	struct str text = str_of(prefix.p + 1, prefix.n - 2);
	ssize_t slash = str_rchr(text, '/');

	if (slash <= 0)
		return -EINVAL;
	return row_target_parse(str_head(text, (size_t)slash), str_skip(text, (size_t)slash + 1),
				ret);
}

/* Puts a row back for every device that the ring names now. */
static bool pend_by_ring(struct updater *u, struct store_txn *txn, struct container_row_update *row)
{
	const struct cluster *c = u->o->cluster;
	const struct ring_dev *devs[RING_REPLICAS_MAX];
	unsigned n;

	if (!c->container_ring)
		return false;
	row->partition = ring_part_of(c->container_ring, c->hash_prefix, c->hash_suffix,
				      row->account, row->container, STR_NONE);
	n = ring_primaries(c->container_ring, row->partition, devs, RING_REPLICAS_MAX);
	for (unsigned i = 0; i < n; i++) {
		struct row_target to = { .address.port = devs[i]->port };

		snprintf(to.address.ip, sizeof to.address.ip, "%.63s", devs[i]->ip);
		snprintf(to.device, sizeof to.device, "%s", devs[i]->device);
		updater_pend(txn, &to, row);
	}
	return n > 0;
}

int updater_send_by_ring(struct updater *u, struct container_row_update *row)
{
	AUTO(arena) a = arena_new();
	struct store_txn *txn = store_txn_new(a);

	if (!pend_by_ring(u, txn, row))
		return 0;
	unsigned rows = store_txn_count(txn);
	int rc = store_commit(u->o->store, txn);

	if (rc == 0) {
		updater_note_pending(u, rows);
		updater_wake(u);
	}
	return rc;
}

/* Whether the ring still has that device for the container. Without a ring nobody knows better. */
static bool is_primary(struct updater *u, const struct row_target *to,
		       const struct container_row_update *row)
{
	const struct cluster *c = u->o->cluster;
	const struct ring_dev *devs[RING_REPLICAS_MAX];
	uint32_t part;
	unsigned n;

	if (!c->container_ring)
		return true;
	part = ring_part_of(c->container_ring, c->hash_prefix, c->hash_suffix, row->account,
			    row->container, STR_NONE);
	n = ring_primaries(c->container_ring, part, devs, RING_REPLICAS_MAX);
	for (unsigned i = 0; i < n; i++)
		if (devs[i]->port == to->address.port && strcmp(devs[i]->device, to->device) == 0 &&
		    strcmp(devs[i]->ip, to->address.ip) == 0)
			return true;
	return false;
}

static bool too_old(const struct container_row_update *row)
{
	return timestamp_us(row->ts) / 1000000 < clock_wall_s() - DROP_AFTER_S;
}

/* Forgets what was delivered, and what nobody will ever take (its container is gone for a week). */
waits static int settle(struct updater *u, struct scan *s, struct container_row_update *rows,
			const int *status, unsigned *ret_settled)
{
	struct store_txn *txn = store_txn_new(s->arena);
	unsigned settled = 0, moved = 0;

	for (unsigned i = 0; i < s->n; i++) {
		bool ok = status[i] >= 200 && status[i] < 300;

		if (status[i] < 0) {            /* its device has changed */
			unsigned before = store_txn_count(txn);

			if (!pend_by_ring(u, txn, &rows[i]))
				continue;
			moved += store_txn_count(txn) - before;
		} else if (!ok && !too_old(&rows[i])) {
			continue;
		}
		store_txn_delete(txn, s->keys[i]);
		settled++;
	}
	*ret_settled = settled;
	if (settled == 0)
		return 0;
	int rc = store_commit(u->o->store, txn);

	if (rc == 0)
		u->pending = u->pending + moved > settled ? u->pending + moved - settled : 0;
	return rc;
}

/* A row that cannot be read is damage; it is left out, and dropped by settle. */
static void parse_rows(struct scan *s, struct container_row_update *rows, int *status)
{
	for (unsigned i = 0; i < s->n; i++) {
		struct str rest = s->values[i];

		if (row_read(&rest, &rows[i]) == 0)
			continue;
		log_error("dropping a pending row that cannot be read");
		status[i] = 200;
	}
}

/* One batch of one device. 0, or negative when the device had better be left alone for a while. */
waits static int deliver_batch(struct updater *u, struct target *t, struct scan *s,
			       unsigned *ret_settled)
{
	struct container_row_update *rows = arena_alloc(s->arena, s->max * sizeof *rows);
	struct container_row_update *send = arena_alloc(s->arena, s->max * sizeof *send);
	int *status = arena_zalloc(s->arena, s->max * sizeof *status);
	int *sent = arena_zalloc(s->arena, s->max * sizeof *sent);
	unsigned n = 0;
	int rc = 0;

	parse_rows(s, rows, status);
	for (unsigned i = 0; i < s->n; i++) {
		if (status[i])
			continue;
		if (is_primary(u, &t->to, &rows[i]))
			send[n++] = rows[i];
		else
			status[i] = -EXDEV;
	}
	if (n)
		rc = rows_deliver(u, t, s->arena, send, n, sent);
	if (rc < 0)
		return rc;
	n = 0;
	for (unsigned i = 0; i < s->n; i++)
		if (status[i] == 0)
			status[i] = sent[n++];
	return settle(u, s, rows, status, ret_settled);
}

/* From one device's rows to the next device's. */
static void next_target(struct buf *cursor, struct str prefix)
{
	buf_clear(cursor);
	buf_add_str(cursor, prefix);
	cursor->p[cursor->n - 1] = 1;   /* behind the 0 that ends its name */
}

/* One pass over everything pending: how many rows are left, or negative. */
waits static int64_t pass(struct updater *u)
{
	CLEANUP(buf_done) struct buf cursor = BUF(KIB);
	int64_t left = 0;

	buf_add_char(&cursor, 'u');
	while (!task_cancelled()) {
		AUTO(arena) a = arena_new();
		struct scan s = { .kv = store_kv(u->o->store), .from = buf_str(&cursor), .arena = a,
				  .max = (unsigned)updater_conf.batch_rows };
		struct row_target to;
		struct target *t;
		unsigned settled = 0, found;

		s.keys = arena_alloc(a, s.max * sizeof *s.keys);
		s.values = arena_alloc(a, s.max * sizeof *s.values);
		task_run_blocking("pending rows", scan_run, &s);
		if (s.rc < 0)
			return s.rc;
		if (!s.prefix.p)
			return left;
		found = s.n;
		if (target_of_prefix(s.prefix, &to) < 0 || !(t = updater_target(u, &to)) ||
		    target_is_down(t) || deliver_batch(u, t, &s, &settled) < 0) {
			left += found;
			next_target(&cursor, s.prefix);
			continue;
		}
		left += found - settled;
		/* Behind the last one: those that were refused wait for the next pass. */
		struct str last = s.n ? s.keys[s.n - 1] : s.prefix;

		buf_clear(&cursor);
		buf_add_str(&cursor, last);
		buf_add_char(&cursor, 0);
	}
	return -ECANCELED;
}

/* The soonest time at which a device that is down may be tried again. */
static void soonest(void *arg, struct str key, void *value)
{
	const struct target *t = value;
	uint64_t *at = arg;

	(void)key;
	if (t->failures)
		*at = MIN(*at, MAX(t->down_until_ms, clock_mono_ms() + 10));
}

/* After a pass: its time is over and nothing is pending for it, so the next write may try. */
static void forgive(void *arg, struct str key, void *value)
{
	struct target *t = value;

	(void)arg;
	(void)key;
	if (t->failures && !target_is_down(t))
		t->failures = 0;
}

task_asserted void pending_run(void *arg)
{
	struct updater *u = arg;

	while (!task_cancelled()) {
		u->woken = false;
		int64_t left = pass(u);
		uint64_t wake_at = clock_mono_ms() + updater_conf.interval;

		if (left < 0 && left != -ECANCELED)
			log_error("cannot read pending rows: %s", strerror((int)-left));
		if (left >= 0)
			u->pending = (uint64_t)left;
		map_each(u->targets, forgive, NULL);
		map_each(u->targets, soonest, &wake_at);
		while (!u->woken && clock_mono_ms() < wake_at)
			if (task_wait("pending rows", wake_at - clock_mono_ms()) == -ECANCELED)
				break;
	}
	u->task = NULL;
}
