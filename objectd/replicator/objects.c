/* One pass over the objects of the device: compares partitions with their primaries, and pushes. */
#include "objectd/replicator/internal.h"

#include "lib/log/log.h"

enum { HELD_BYTES_MAX = 64 * MIB };

/* Objects of a partition that are being compared with peers. */
struct chunk {
	struct object_listed list[CHUNK_ENTRIES];
	bool confirmed[CHUNK_ENTRIES];  /* every peer asked so far has it */
	char needs[CHUNK_ENTRIES];
	int n;
};

/* One peer's turn at a chunk. */
struct sync {
	struct replicator *r;
	struct peer *peer;
	uint16_t policy;
	uint32_t part;
	struct chunk *chunk;
};

struct push_job {
	struct sync *s;
	int i;
};

task_asserted static void push_run(void *arg)
{
	struct push_job *job = arg;
	struct sync *s = job->s;
	struct object_id id = { .policy = s->policy };
	int rc = task_sem_take(&s->r->pushes, 0);

	if (rc < 0) {
		s->chunk->confirmed[job->i] = false;
		return;
	}
	memcpy(id.hash, s->chunk->list[job->i].hash, sizeof id.hash);
	rc = s->peer->down ? -ENODEV :
			     object_push(s->r, s->peer, s->part, &id, s->chunk->needs[job->i]);
	task_sem_give(&s->r->pushes);
	if (rc == 0)
		return;
	s->chunk->confirmed[job->i] = false;
	if (rc == -ENOENT)              /* changed since it was listed: the next pass sees to it */
		return;
	s->r->now.failed++;
	log_debug("replicator: pushing an object to %s:%u/%s: %s", s->peer->address.ip,
		  s->peer->address.port, s->peer->device, strerror(-rc));
}

waits static int ask_missing(struct sync *s)
{
	CLEANUP(buf_done)
	struct buf body = BUF(REPLICATOR_BODY_MAX),
		   answer = BUF(REPLICATOR_BODY_MAX);
	struct chunk *c = s->chunk;

	wire_u32(&body, s->policy);
	for (int i = 0; i < c->n; i++)
		wire_listed(&body, &c->list[i]);
	int rc = peer_ask(s->r, s->peer, s->part, S("missing"), buf_str(&body), &answer);

	if (rc < 0)
		return rc;
	if (answer.n != (size_t)c->n)
		return -EBADMSG;
	memcpy(c->needs, answer.p, answer.n);
	return 0;
}

/* A foreign server is asked for each object. */
waits static int ask_foreign(struct sync *s)
{
	for (int i = 0; i < s->chunk->n; i++) {
		struct object_id id = { .policy = s->policy };
		int rc;

		memcpy(id.hash, s->chunk->list[i].hash, sizeof id.hash);
		rc = object_ask_foreign(s->r, s->peer, s->part, &id, &s->chunk->list[i].entry,
					&s->chunk->needs[i]);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Compares a chunk with one peer and pushes what it misses. What fails is not confirmed. */
waits static void sync_chunk(struct sync *s)
{
	struct chunk *c = s->chunk;
	AUTO(free) room = xmalloc(CHUNK_ENTRIES * sizeof(struct push_job));
	struct push_job *jobs = room;
	int rc = s->peer->down ? -ENODEV : ask_missing(s);

	if (rc == -EOPNOTSUPP)
		rc = ask_foreign(s);
	if (rc < 0) {
		memset(c->confirmed, 0, sizeof c->confirmed);
		return;
	}
	TASK_GROUP(g);
	for (int i = 0; i < c->n; i++) {
		if (c->needs[i] == PEER_HAS_IT)
			continue;
		jobs[i] = (struct push_job){ s, i };
		task_spawn(&g, "push", push_run, &jobs[i]);
	}
	if (task_group_join(&g) < 0)
		memset(c->confirmed, 0, sizeof c->confirmed);
}

/* The next objects of the partition behind *from. */
waits static int next_chunk(struct replicator *r, uint16_t policy, unsigned char from[16],
			    const unsigned char last[16], struct chunk *c, bool *ret_more)
{
	int n = store_list(r->o->store, policy, from, last, c->list, CHUNK_ENTRIES), kept = 0;

	if (n < 0)
		return n;
	*ret_more = n == CHUNK_ENTRIES;
	if (n > 0)
		memcpy(from, c->list[n - 1].hash, 16);
	for (int i = 15; i >= 0 && n > 0; i--)
		if (++from[i])
			break;
	for (int i = 0; i < n; i++) {
		if (entry_is_reclaimable(&c->list[i].entry))
			continue;
		c->list[kept] = c->list[i];
		c->confirmed[kept] = true;
		c->needs[kept++] = PEER_HAS_IT;
	}
	c->n = kept;
	return 0;
}

waits static int forget_confirmed(struct replicator *r, uint16_t policy, const struct chunk *c)
{
	for (int i = 0; i < c->n; i++) {
		struct object_id id = { .policy = policy };
		int rc;

		if (!c->confirmed[i])
			continue;
		memcpy(id.hash, c->list[i].hash, sizeof id.hash);
		rc = store_forget(r->o->store, &id, c->list[i].entry.data_ts,
				  c->list[i].entry.meta_ts);
		if (rc == 0) {
			r->now.forgotten++;
			part_cache_touch(r->cache, &id);
		} else if (rc != -EALREADY && rc != -ENOENT) {
			return rc;
		}
	}
	return 0;
}

/* Brings a partition to the peers; forget: this device is none of its primaries, and all of them
 * are the peers. */
waits static int sync_part(struct replicator *r, uint16_t policy, unsigned part_power,
			   uint32_t part, struct peer *const *peers, unsigned n, bool forget)
{
	AUTO(free) room = xmalloc(sizeof(struct chunk));
	struct chunk *c = room;
	unsigned char from[16], last[16];
	bool more = true;
	int rc = 0;

	part_range(part_power, part, from, last);
	while (more && rc == 0 && !task_cancelled()) {
		rc = next_chunk(r, policy, from, last, c, &more);
		for (unsigned i = 0; i < n && rc == 0 && c->n > 0; i++) {
			struct sync s = { r, peers[i], policy, part, c };

			sync_chunk(&s);
		}
		if (rc == 0 && forget && c->n > 0)
			rc = forget_confirmed(r, policy, c);
	}
	return task_cancelled() ? -ECANCELED : rc;
}

/* ---- a policy ---- */

/* A partition to be compared with one peer. */
struct compare {
	struct peer *peer;
	unsigned held;                  /* index in the list of held partitions */
};

static int compare_cmp(const void *a, const void *b)
{
	const struct compare *x = a, *y = b;

	if (x->peer != y->peer)
		return x->peer < y->peer ? -1 : 1;
	return x->held < y->held ? -1 : x->held > y->held;
}

/* Compares digests of up to DIGEST_PARTS partitions with one peer, and brings it those
 * that differ. */
waits static int compare_batch(struct replicator *r, unsigned part_power,
			       const struct part_held *held, const struct compare *c, unsigned n)
{
	CLEANUP(buf_done)
	struct buf body = BUF(REPLICATOR_BODY_MAX),
		   answer = BUF(REPLICATOR_BODY_MAX);
	struct peer *peer = c[0].peer;
	int rc = 0;

	if (peer->down)
		return 0;
	wire_u32(&body, held[c[0].held].policy);
	wire_u32(&body, part_power);
	for (unsigned i = 0; i < n; i++)
		wire_u32(&body, held[c[i].held].part);
	if (peer_ask(r, peer, 0, S("digest"), buf_str(&body), &answer) < 0)
		return 0;
	struct str rest = buf_str(&answer);

	for (unsigned i = 0; i < n && rc == 0; i++) {
		const struct part_held *h = &held[c[i].held];
		uint64_t theirs;

		if (wire_take_u64(&rest, &theirs) < 0)
			break;
		if (theirs != h->digest && !peer->down)
			rc = sync_part(r, h->policy, part_power, h->part, &peer, 1, false);
	}
	return rc;
}

/* The partition's primaries other than this device. *ret_primary: this device is one. */
static unsigned other_primaries(struct replicator *r, const struct ring *ring, uint32_t part,
				struct peer *out[], bool *ret_primary)
{
	const struct ring_dev *devs[RING_REPLICAS_MAX];
	unsigned n = ring_primaries(ring, part, devs, RING_REPLICAS_MAX), others = 0;

	*ret_primary = false;
	for (unsigned i = 0; i < n; i++) {
		struct peer *p = peer_of(r, devs[i]);

		if (p)
			out[others++] = p;
		else
			*ret_primary = true;
	}
	return others;
}

waits static int compare_all(struct replicator *r, unsigned part_power,
			     const struct part_held *held, struct compare *list, unsigned n)
{
	int rc = 0;

	qsort(list, n, sizeof *list, compare_cmp);
	for (unsigned i = 0, end; i < n && rc == 0; i = end) {
		for (end = i + 1;
		     end < n && end - i < DIGEST_PARTS && list[end].peer == list[i].peer;)
			end++;
		rc = compare_batch(r, part_power, held, list + i, end - i);
	}
	return rc;
}

waits static int policy_pass(struct replicator *r, uint16_t policy, struct ring *ring)
{
	CLEANUP(buf_done)
	struct buf held_buf = BUF(HELD_BYTES_MAX),
		   compare_buf = BUF(HELD_BYTES_MAX);
	unsigned part_power = ring_part_power(ring);
	int rc = parts_held(r, policy, part_power, &held_buf);
	const struct part_held *held = (const void *)held_buf.p;
	unsigned n = (unsigned)(held_buf.n / sizeof *held);

	r->now.partitions += n;
	for (unsigned i = 0; i < n && rc == 0; i++) {
		struct peer *peers[RING_REPLICAS_MAX];
		bool primary;
		unsigned others = other_primaries(r, ring, held[i].part, peers, &primary);

		if (!primary && others)
			rc = sync_part(r, policy, part_power, held[i].part, peers, others, true);
		for (unsigned k = 0; primary && k < others; k++) {
			struct compare c = { peers[k], i };

			buf_add(&compare_buf, &c, sizeof c);
		}
	}
	if (buf_failed(&compare_buf))
		return -ENOMEM;
	if (rc == 0)
		rc = compare_all(r, part_power, held, (void *)compare_buf.p,
				 (unsigned)(compare_buf.n / sizeof(struct compare)));
	return rc;
}

int objects_pass(struct replicator *r)
{
	const struct cluster *c = r->o->cluster;
	int rc = 0;

	for (unsigned i = 0; i < c->policy_count && rc == 0; i++) {
		if (!c->policies[i].ring)
			continue;
		AUTO(ring) ring = ring_ref(c->policies[i].ring);

		rc = policy_pass(r, (uint16_t)c->policies[i].index, ring);
	}
	return rc;
}
