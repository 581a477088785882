/* Infos of databases: encoding, counters, metadata, and merging those of two replicas. */
#include "objectd/db/info.h"
#include "lib/crypto/digest.h"
#include "objectd/db/varint.h"

enum { INFO_VERSION = 1, INFO_LIST_MAX = 100000 };

struct db_info *db_info_new(enum db_kind kind)
{
	struct db_info *i = xcalloc(1, sizeof *i);

	i->refs = 1;
	i->arena = arena_new();
	i->kind = kind;
	i->account = i->container = S("");
	return i;
}

/* The count is no part of what readers see as constant. */
struct db_info *db_info_ref(const struct db_info *i)
{
	struct db_info *mine = (struct db_info *)(uintptr_t)i;

	assert(mine->refs > 0);
	mine->refs++;
	return mine;
}

void db_info_unref(struct db_info *i)
{
	if (!i)
		return;
	assert(i->refs > 0);
	if (--i->refs)
		return;
	arena_free(i->arena);
	free(i);
}

struct db_info *db_info_copy(const struct db_info *from)
{
	struct db_info *i = db_info_new(from->kind);
	struct arena *a = i->arena;

	*i = *from;
	i->refs = 1;
	i->arena = a;
	i->account = arena_str(a, from->account);
	i->container = arena_str(a, from->container);
	i->stats = arena_alloc(a, (from->stat_n + 1) * sizeof *i->stats);
	if (from->stat_n)
		memcpy(i->stats, from->stats, from->stat_n * sizeof *i->stats);
	i->meta = arena_alloc(a, (from->meta_n + 1) * sizeof *i->meta);
	for (unsigned k = 0; k < from->meta_n; k++)
		i->meta[k] =
			(struct db_meta){ arena_str(a, from->meta[k].name),
					  arena_str(a, from->meta[k].value), from->meta[k].ts };
	return i;
}

/* ---- encoding ---- */

static void add_ts(struct buf *to, struct timestamp ts)
{
	varint_add(to, ts.t);
	varint_add(to, ts.offset);
}

static int take_ts(struct str *rest, struct timestamp *ret)
{
	return varint_take(rest, &ret->t) < 0 || varint_take(rest, &ret->offset) < 0 ? -EBADMSG : 0;
}

static void encode_shared(struct buf *to, const struct db_info *i)
{
	varint_add_str(to, i->account);
	varint_add_str(to, i->container);
	add_ts(to, i->created_ts);
	add_ts(to, i->put_ts);
	add_ts(to, i->delete_ts);
	add_ts(to, i->born_ts);
	varint_add(to, i->policy);
	varint_add(to, i->meta_n);
	for (unsigned k = 0; k < i->meta_n; k++) {
		varint_add_str(to, i->meta[k].name);
		varint_add_str(to, i->meta[k].value);
		add_ts(to, i->meta[k].ts);
	}
}

void db_info_encode(struct buf *to, const struct db_info *i)
{
	assert(i->exists);
	buf_add_char(to, INFO_VERSION);
	buf_add_char(to, (char)i->kind);
	encode_shared(to, i);
	varint_add(to, i->stat_n);
	for (unsigned k = 0; k < i->stat_n; k++) {
		varint_add(to, i->stats[k].policy);
		varint_add_signed(to, i->stats[k].containers);
		varint_add_signed(to, i->stats[k].objects);
		varint_add_signed(to, i->stats[k].bytes);
	}
	buf_add(to, i->digest, sizeof i->digest);
	add_ts(to, i->reported_put_ts);
	add_ts(to, i->reported_delete_ts);
	varint_add_signed(to, i->reported_objects);
	varint_add_signed(to, i->reported_bytes);
}

static int take_text(struct arena *a, struct str *rest, struct str *ret)
{
	struct str s;

	if (varint_take_str(rest, &s) < 0)
		return -EBADMSG;
	*ret = arena_str(a, s);
	return 0;
}

static int take_meta(struct str *rest, struct db_info *i)
{
	uint64_t n;

	if (varint_take(rest, &n) < 0 || n > INFO_LIST_MAX || n > rest->n)
		return -EBADMSG;
	i->meta = arena_alloc(i->arena, (n + 1) * sizeof *i->meta);
	for (i->meta_n = 0; i->meta_n < n; i->meta_n++) {
		struct db_meta *m = &i->meta[i->meta_n];

		if (take_text(i->arena, rest, &m->name) < 0 ||
		    take_text(i->arena, rest, &m->value) < 0 || take_ts(rest, &m->ts) < 0)
			return -EBADMSG;
		if (i->meta_n && str_cmp(m[-1].name, m->name) >= 0)
			return -EBADMSG;
	}
	return 0;
}

static int take_shared(struct str *rest, struct db_info *i)
{
	uint64_t policy;

	if (take_text(i->arena, rest, &i->account) < 0 ||
	    take_text(i->arena, rest, &i->container) < 0 || take_ts(rest, &i->created_ts) < 0 ||
	    take_ts(rest, &i->put_ts) < 0 || take_ts(rest, &i->delete_ts) < 0 ||
	    take_ts(rest, &i->born_ts) < 0 || varint_take(rest, &policy) < 0 || policy > INT_MAX)
		return -EBADMSG;
	i->policy = (unsigned)policy;
	return take_meta(rest, i);
}

static int take_stats(struct str *rest, struct db_info *i)
{
	uint64_t n, policy;

	if (varint_take(rest, &n) < 0 || n > INFO_LIST_MAX || n > rest->n)
		return -EBADMSG;
	i->stats = arena_alloc(i->arena, (n + 1) * sizeof *i->stats);
	for (i->stat_n = 0; i->stat_n < n; i->stat_n++) {
		struct db_stat *s = &i->stats[i->stat_n];

		if (varint_take(rest, &policy) < 0 || policy > INT_MAX ||
		    varint_take_signed(rest, &s->containers) < 0 ||
		    varint_take_signed(rest, &s->objects) < 0 ||
		    varint_take_signed(rest, &s->bytes) < 0)
			return -EBADMSG;
		s->policy = (unsigned)policy;
	}
	return 0;
}

int db_info_decode(struct str bytes, struct db_info **ret)
{
	struct str digest;

	if (bytes.n < 2 || bytes.p[0] != INFO_VERSION ||
	    (bytes.p[1] != DB_ACCOUNT && bytes.p[1] != DB_CONTAINER))
		return -EBADMSG;
	AUTO(db_info) i = db_info_new(bytes.p[1]);

	bytes = str_skip(bytes, 2);
	i->exists = true;
	if (take_shared(&bytes, i) < 0 || take_stats(&bytes, i) < 0 ||
	    varint_take_bytes(&bytes, sizeof i->digest, &digest) < 0)
		return -EBADMSG;
	memcpy(i->digest, digest.p, digest.n);
	if (take_ts(&bytes, &i->reported_put_ts) < 0 ||
	    take_ts(&bytes, &i->reported_delete_ts) < 0 ||
	    varint_take_signed(&bytes, &i->reported_objects) < 0 ||
	    varint_take_signed(&bytes, &i->reported_bytes) < 0 || bytes.n)
		return -EBADMSG;
	*ret = TAKE(i);
	return 0;
}

/* ---- counters ---- */

const struct db_stat *db_info_stat(const struct db_info *i, unsigned policy)
{
	for (unsigned k = 0; k < i->stat_n; k++)
		if (i->stats[k].policy == policy)
			return &i->stats[k];
	return NULL;
}

struct db_stat *db_info_stat_add(struct db_info *i, unsigned policy)
{
	unsigned at = 0;

	while (at < i->stat_n && i->stats[at].policy < policy)
		at++;
	if (at < i->stat_n && i->stats[at].policy == policy)
		return &i->stats[at];
	struct db_stat *v = arena_alloc(i->arena, (i->stat_n + 2) * sizeof *v);

	if (at)
		memcpy(v, i->stats, at * sizeof *v);
	if (i->stat_n > at)
		memcpy(v + at + 1, i->stats + at, (i->stat_n - at) * sizeof *v);
	v[at] = (struct db_stat){ .policy = policy };
	i->stats = v;
	i->stat_n++;
	return &v[at];
}

struct db_stat db_info_total(const struct db_info *i)
{
	struct db_stat sum = { .policy = 0 };

	for (unsigned k = 0; k < i->stat_n; k++) {
		sum.containers += i->stats[k].containers;
		sum.objects += i->stats[k].objects;
		sum.bytes += i->stats[k].bytes;
	}
	return sum;
}

void db_info_count(struct db_info *i, struct str value, int sign)
{
	struct account_row ar;
	struct row r;

	if (value.n == 0)
		return;
	if (i->kind == DB_CONTAINER) {
		while (value.n && row_decode(&value, &r) == 0) {
			struct db_stat *s = db_info_stat_add(i, r.policy);

			s->objects += r.deleted ? 0 : sign;
			s->bytes += sign * (int64_t)r.size;
		}
	} else if (account_row_decode(value, &ar) == 0) {
		struct db_stat *s = db_info_stat_add(i, ar.policy);

		s->containers += account_row_deleted(&ar) ? 0 : sign;
		s->objects += sign * (int64_t)ar.objects;
		s->bytes += sign * (int64_t)ar.bytes;
	}
}

int64_t db_info_objects(const struct db_info *i)
{
	const struct db_stat *s = db_info_stat(i, i->policy);

	return s ? s->objects : 0;
}

int64_t db_info_bytes(const struct db_info *i)
{
	const struct db_stat *s = db_info_stat(i, i->policy);

	return s ? s->bytes : 0;
}

bool db_info_empty(const struct db_info *i)
{
	for (unsigned k = 0; k < i->stat_n; k++)
		if ((i->kind == DB_CONTAINER ? i->stats[k].objects : i->stats[k].containers) > 0)
			return false;
	return true;
}

/* ---- state ---- */

/* Swift also keeps a status DELETED in accounts, which replication does not carry; the
 * timestamps say the same and converge. */
bool db_info_deleted(const struct db_info *i)
{
	if (!i->exists)
		return true;
	if (timestamp_cmp(i->delete_ts, i->put_ts) <= 0)
		return false;
	return i->kind == DB_ACCOUNT || db_info_objects(i) == 0;
}

struct timestamp db_info_status_changed(const struct db_info *i)
{
	return db_info_deleted(i) ? i->delete_ts : i->born_ts;
}

bool db_info_unreported(const struct db_info *i)
{
	if (!i->exists || i->kind != DB_CONTAINER || !timestamp_is_set(i->put_ts))
		return false;
	return timestamp_cmp(i->put_ts, i->reported_put_ts) > 0 ||
	       timestamp_cmp(i->delete_ts, i->reported_delete_ts) > 0 ||
	       db_info_objects(i) != i->reported_objects || db_info_bytes(i) != i->reported_bytes;
}

void db_info_create(struct db_info *i, struct str account, struct str container,
		    struct timestamp ts, unsigned policy)
{
	assert(!i->exists);
	i->exists = true;
	i->account = arena_str(i->arena, account);
	i->container = container.p ? arena_str(i->arena, container) : S("");
	i->created_ts = i->put_ts = i->born_ts = ts;
	i->policy = policy;
	if (i->kind == DB_CONTAINER)
		db_info_stat_add(i, policy);
}

/* ---- metadata ---- */

/* Position of the name, or where it belongs. */
static unsigned meta_position(const struct db_info *i, struct str name, bool *ret_found)
{
	unsigned low = 0, high = i->meta_n;

	while (low < high) {
		unsigned mid = (low + high) / 2;
		int c = str_cmp(i->meta[mid].name, name);

		if (c == 0) {
			*ret_found = true;
			return mid;
		}
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	*ret_found = false;
	return low;
}

const struct db_meta *db_info_meta(const struct db_info *i, struct str name)
{
	bool found;
	unsigned at = meta_position(i, name, &found);

	return found ? &i->meta[at] : NULL;
}

bool db_info_set_meta(struct db_info *i, struct str name, struct str value, struct timestamp ts)
{
	bool found;
	unsigned at = meta_position(i, name, &found);

	if (found) {
		int c = timestamp_cmp(ts, i->meta[at].ts);

		if (c == 0)
			c = str_cmp(value, i->meta[at].value);
		if (c <= 0)
			return false;
		i->meta[at].value = arena_str(i->arena, value);
		i->meta[at].ts = ts;
		return true;
	}
	struct db_meta *v = arena_alloc(i->arena, (i->meta_n + 2) * sizeof *v);

	if (at)
		memcpy(v, i->meta, at * sizeof *v);
	if (i->meta_n > at)
		memcpy(v + at + 1, i->meta + at, (i->meta_n - at) * sizeof *v);
	v[at] = (struct db_meta){ arena_str(i->arena, name), arena_str(i->arena, value), ts };
	i->meta = v;
	i->meta_n++;
	return true;
}

void db_info_clear_meta(struct db_info *i, struct timestamp ts)
{
	for (unsigned k = 0; k < i->meta_n; k++) {
		if (timestamp_cmp(ts, i->meta[k].ts) > 0) {
			i->meta[k].value = S("");
			i->meta[k].ts = ts;
		}
	}
}

bool db_info_reclaim_meta(struct db_info *i, struct timestamp before)
{
	unsigned kept = 0, n = i->meta_n;

	for (unsigned k = 0; k < n; k++)
		if (i->meta[k].value.n || timestamp_cmp(i->meta[k].ts, before) >= 0)
			i->meta[kept++] = i->meta[k];
	i->meta_n = kept;
	return kept != n;
}

/* ---- merging ---- */

/* Which of two choices of a policy stands (container/reconciler.py cmp_policy_info): one made after
 * the last deletion before one made earlier, then the older, then the smaller index. */
static bool choice_is_better(const struct db_info *a, const struct db_info *b,
			     struct timestamp deleted)
{
	bool a_alive = timestamp_cmp(a->born_ts, deleted) > 0;
	bool b_alive = timestamp_cmp(b->born_ts, deleted) > 0;
	int c = timestamp_cmp(a->born_ts, b->born_ts);

	if (a_alive != b_alive)
		return a_alive;
	return c ? c < 0 : a->policy < b->policy;
}

static bool later_wins(struct timestamp *to, struct timestamp ts)
{
	if (timestamp_cmp(ts, *to) <= 0)
		return false;
	*to = ts;
	return true;
}

bool db_info_merge(struct db_info *i, const struct db_info *other)
{
	bool changed = false;

	assert(i->kind == other->kind && other->exists);
	if (!i->exists) {
		db_info_create(i, other->account, other->container, other->created_ts,
			       other->policy);
		i->put_ts = other->put_ts;
		i->born_ts = other->born_ts;
		changed = true;
	}
	if (timestamp_cmp(other->created_ts, i->created_ts) < 0) {
		i->created_ts = other->created_ts;
		changed = true;
	}
	changed |= later_wins(&i->put_ts, other->put_ts);
	changed |= later_wins(&i->delete_ts, other->delete_ts);
	if (choice_is_better(other, i, i->delete_ts)) {
		i->born_ts = other->born_ts;
		i->policy = other->policy;
		if (i->kind == DB_CONTAINER)
			db_info_stat_add(i, i->policy);
		changed = true;
	}
	for (unsigned k = 0; k < other->meta_n; k++)
		changed |= db_info_set_meta(i, other->meta[k].name, other->meta[k].value,
					    other->meta[k].ts);
	/* A deletion also covers what this replica had not heard of when it came. */
	db_info_clear_meta(i, i->delete_ts);
	return changed;
}

void db_info_digest(const struct db_info *i, unsigned char digest[DB_DIGEST_SIZE])
{
	CLEANUP(buf_done) struct buf b = BUF(SIZE_MAX / 2);

	encode_shared(&b, i);
	buf_add(&b, i->digest, sizeof i->digest);
	digest_of(DIGEST_MD5, b.p, b.n, digest);
}
