/* One pass over the account and container databases: compares them with their primaries' by digest,
 * and sends the ranges of rows that differ. Merging is what the receiver does with them, so sending
 * too much is harmless. */
#include "objectd/replicator/internal.h"

#include "lib/log/log.h"

enum {
	LIST_STEP = 256,                /* databases compared in one request */
	RANGE_ROWS = 512,               /* rows per digest */
	RANGES = 64,                    /* digests compared in one request */
	IMPORT_BYTES = 512 * KIB,       /* rows sent in one request */
	NAME_MAX_BYTES = 16 * KIB,
};

/* A database that is being brought to a peer. */
struct transfer {
	struct replicator *r;
	struct peer *peer;
	uint32_t part;
	struct db_id id;
};

static void wire_id(struct buf *b, const struct db_id *id)
{
	wire_u32(b, (uint32_t)id->kind);
	buf_add(b, id->hash, sizeof id->hash);
}

waits static int import(struct transfer *t, struct str bytes)
{
	CLEANUP(buf_done) struct buf body = BUF(REPLICATOR_BODY_MAX), answer = BUF(KIB);
	int rc = replicator_throttle(t->r, bytes.n);

	if (rc < 0)
		return rc;
	wire_id(&body, &t->id);
	buf_add_str(&body, bytes);
	if (buf_failed(&body))
		return -EFBIG;
	t->r->now->bytes += bytes.n;
	return peer_ask(t->r, t->peer, t->part, S("db-import"), buf_str(&body), &answer);
}

/* Sends the rows behind after, up to until (absent: to the end). */
waits static int send_rows(struct transfer *t, struct str after, struct str until)
{
	CLEANUP(buf_done) struct buf rows = BUF(REPLICATOR_BODY_MAX), last = BUF(NAME_MAX_BYTES);
	int more = 1, rc = 0;

	buf_add_str(&last, after);
	while (more > 0 && rc == 0 && (!until.p || str_cmp(buf_str(&last), until) < 0)) {
		CLEANUP(buf_done) struct buf from = BUF(NAME_MAX_BYTES);

		buf_clear(&rows);
		buf_add_str(&from, buf_str(&last));
		more = db_export_rows(t->r->o->dbs, &t->id, from.n ? buf_str(&from) : STR_NONE,
				      IMPORT_BYTES, &rows, &last);
		if (more < 0)
			return more;
		if (rows.n == 0)
			break;
		rc = import(t, buf_str(&rows));
	}
	return rc;
}

/* Consecutive ranges of rows with their digests. */
struct ranges {
	struct arena *arena;
	struct str after[RANGES], until[RANGES];
	struct db_range range[RANGES];
	unsigned n;
	bool more;                      /* rows behind the last range */
};

waits static int read_ranges(struct transfer *t, struct str after, struct ranges *v)
{
	CLEANUP(buf_done) struct buf last = BUF(NAME_MAX_BYTES);

	v->more = true;
	for (v->n = 0; v->n < RANGES && v->more; v->n++) {
		int rc;

		buf_clear(&last);
		buf_add_str(&last, after);
		rc = db_digest_range(t->r->o->dbs, &t->id, after, STR_NONE, RANGE_ROWS,
				     &v->range[v->n], &last);
		if (rc < 0)
			return rc;
		v->more = rc > 0;
		v->after[v->n] = after;
		v->until[v->n] = v->more ? arena_str(v->arena, buf_str(&last)) : STR_NONE;
		after = v->until[v->n];
	}
	return 0;
}

static void wire_name(struct buf *b, struct str name)
{
	wire_u32(b, (uint32_t)name.n);
	buf_add_str(b, name);
}

/* Which ranges the peer has otherwise: '0' or '1' each. */
waits static int ask_ranges(struct transfer *t, const struct ranges *v, struct buf *ret)
{
	CLEANUP(buf_done) struct buf body = BUF(REPLICATOR_BODY_MAX);

	wire_id(&body, &t->id);
	for (unsigned i = 0; i < v->n; i++) {
		wire_name(&body, v->after[i]);
		wire_name(&body, v->until[i]);
		buf_add(&body, v->range[i].digest, sizeof v->range[i].digest);
	}
	int rc = peer_ask(t->r, t->peer, t->part, S("db-ranges"), buf_str(&body), ret);

	if (rc == 0 && ret->n != v->n)
		rc = -EBADMSG;
	return rc;
}

waits static int send_differing(struct transfer *t)
{
	CLEANUP(buf_done) struct buf after = BUF(NAME_MAX_BYTES), answer = BUF(KIB);
	bool more = true;
	int rc = 0;

	while (more && rc == 0) {
		AUTO(arena) a = arena_new();
		struct ranges *v = arena_zalloc(a, sizeof *v);

		v->arena = a;
		rc = read_ranges(t, after.n ? arena_str(a, buf_str(&after)) : STR_NONE, v);
		if (rc == 0)
			rc = ask_ranges(t, v, &answer);
		for (unsigned i = 0; i < v->n && rc == 0; i++)
			if (answer.p[i] != '0')
				rc = send_rows(t, v->after[i], v->until[i]);
		more = v->more;
		if (more) {
			buf_clear(&after);
			buf_add_str(&after, v->until[v->n - 1]);
		}
	}
	return rc;
}

/* 0 when the peer has merged everything. */
waits static int push(struct replicator *r, struct peer *p, uint32_t part, const struct db_id *id)
{
	struct transfer t = { r, p, part, *id };
	CLEANUP(buf_done) struct buf info = BUF(REPLICATOR_BODY_MAX);
	int rc = db_export_info(r->o->dbs, id, &info);

	if (rc == 0)
		rc = import(&t, buf_str(&info));
	if (rc == 0)
		rc = send_differing(&t);
	if (rc == 0)
		r->now->databases++;
	else if (rc != -ENOENT && rc != -EOPNOTSUPP)
		r->now->failed++;
	return rc;
}

/* ---- a kind ---- */

/* Databases of the device in hash order, and where they belong. */
struct batch {
	enum db_kind kind;
	unsigned part_power;
	struct db_listed list[LIST_STEP];
	struct peer *peers[LIST_STEP][RING_REPLICAS_MAX];
	unsigned peer_n[LIST_STEP];
	bool primary[LIST_STEP], confirmed[LIST_STEP];
	int n;
};

static void place(struct replicator *r, const struct ring *ring, struct batch *b)
{
	for (int i = 0; i < b->n; i++) {
		const struct ring_dev *devs[RING_REPLICAS_MAX];
		uint32_t part = part_of_hash(b->part_power, b->list[i].id.hash);
		unsigned n = ring_primaries(ring, part, devs, RING_REPLICAS_MAX);

		b->primary[i] = false;
		b->confirmed[i] = true;
		b->peer_n[i] = 0;
		for (unsigned k = 0; k < n; k++) {
			struct peer *p = peer_of(r, devs[k]);

			if (p)
				b->peers[i][b->peer_n[i]++] = p;
			else
				b->primary[i] = true;
		}
	}
}

static bool belongs_to(const struct batch *b, int i, const struct peer *p)
{
	for (unsigned k = 0; k < b->peer_n[i]; k++)
		if (b->peers[i][k] == p)
			return true;
	return false;
}

/* All databases of the batch that this peer should have: those that differ there are pushed. */
waits static int sync_peer(struct replicator *r, struct batch *b, struct peer *p)
{
	CLEANUP(buf_done) struct buf body = BUF(REPLICATOR_BODY_MAX), answer = BUF(LIST_STEP);
	int rc = p->down ? -ENODEV : 0, at = 0;

	for (int i = 0; i < b->n; i++) {
		if (!belongs_to(b, i, p))
			continue;
		wire_id(&body, &b->list[i].id);
		buf_add(&body, b->list[i].digest, sizeof b->list[i].digest);
		at++;
	}
	if (rc == 0)
		rc = peer_ask(r, p, 0, S("db-compare"), buf_str(&body), &answer);
	if (rc == 0 && answer.n != (size_t)at)
		rc = -EBADMSG;
	at = 0;
	for (int i = 0; i < b->n; i++) {
		int pushed = rc;

		if (!belongs_to(b, i, p))
			continue;
		if (rc == 0 && answer.p[at++] != '0')
			pushed = push(r, p, part_of_hash(b->part_power, b->list[i].id.hash),
				      &b->list[i].id);
		if (pushed < 0)
			b->confirmed[i] = false;
		if (pushed == -ECANCELED || pushed == -EIO)
			return pushed;
	}
	return 0;
}

/* What only stood in here goes once all primaries have it. */
waits static int forget_handoffs(struct replicator *r, struct batch *b)
{
	for (int i = 0; i < b->n; i++) {
		int rc;

		if (b->primary[i] || !b->confirmed[i] || b->peer_n[i] == 0)
			continue;
		rc = db_forget(r->o->dbs, &b->list[i].id, b->list[i].digest);
		if (rc == 0)
			r->now->forgotten++;
		else if (rc != -EALREADY && rc != -ENOENT && rc != -EAGAIN)
			return rc;
	}
	return 0;
}

waits static int sync_batch(struct replicator *r, struct batch *b)
{
	struct peer *seen[LIST_STEP];
	unsigned seen_n = 0;

	for (int i = 0; i < b->n; i++) {
		for (unsigned k = 0; k < b->peer_n[i]; k++) {
			struct peer *p = b->peers[i][k];
			unsigned s = 0;

			while (s < seen_n && seen[s] != p)
				s++;
			if (s < seen_n || seen_n == LIST_STEP)
				continue;
			seen[seen_n++] = p;
			int rc = sync_peer(r, b, p);

			if (rc < 0)
				return rc;
		}
	}
	return forget_handoffs(r, b);
}

waits static int kind_pass(struct replicator *r, enum db_kind kind, struct ring *ring)
{
	AUTO(free) room = xmalloc(sizeof(struct batch));
	struct batch *b = room;
	unsigned char from[16] = { 0 }, last[16];
	int rc = 0;

	memset(last, 0xff, sizeof last);
	r->now->total = UINT32_MAX;
	b->kind = kind;
	b->part_power = ring_part_power(ring);
	for (bool more = true; more && rc == 0 && !task_cancelled();) {
		b->n = db_list(r->o->dbs, kind, from, last, b->list, LIST_STEP);
		if (b->n < 0)
			return b->n;
		if (b->n == 0)
			break;
		more = b->n == LIST_STEP;
		memcpy(from, b->list[b->n - 1].id.hash, sizeof from);
		for (int i = 15; i >= 0; i--)
			if (++from[i])
				break;
		place(r, ring, b);
		rc = sync_batch(r, b);
		/* They come in the order of their hashes, which are spread evenly. */
		r->now->done = part_of_hash(32, b->list[b->n - 1].id.hash);
	}
	r->now->done = r->now->total;
	return task_cancelled() && rc == 0 ? -ECANCELED : rc;
}

int databases_pass(struct replicator *r, enum db_kind kind)
{
	const struct cluster *c = r->o->cluster;
	struct ring *found = kind == DB_ACCOUNT ? c->account_ring : c->container_ring;

	if (!found)
		return 0;
	AUTO(ring) ring = ring_ref(found);

	return kind_pass(r, kind, ring);
}
