/* One pass over the objects of the device: compares partitions with their primaries, and pushes. */
#include "objectd/replicator/internal.h"

#include "lib/log/log.h"

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

/* One large object, or the small ones among from..until in one request. */
struct push_job {
	struct sync *s;
	int from, until;
};

static struct object_id id_at(const struct sync *s, int i)
{
	struct object_id id = { .policy = s->policy };

	memcpy(id.hash, s->chunk->list[i].hash, sizeof id.hash);
	return id;
}

static void push_failed(struct sync *s, int i, int rc)
{
	s->chunk->confirmed[i] = false;
	if (rc == -ENOENT)              /* changed since it was listed: the next pass sees to it */
		return;
	s->r->now->failed++;
	log_debug("replicator: pushing an object to %s:%u/%s: %s", s->peer->address.ip,
		  s->peer->address.port, s->peer->device, strerror(-rc));
}

task_asserted static void push_run(void *arg)
{
	struct push_job *job = arg;
	struct sync *s = job->s;
	struct object_id id = id_at(s, job->from);
	int rc = task_sem_take(&s->r->pushes, 0);

	if (rc < 0) {
		s->chunk->confirmed[job->from] = false;
		return;
	}
	rc = s->peer->down ? -ENODEV :
			     object_push(s->r, s->peer, s->part, &id, s->chunk->needs[job->from]);
	task_sem_give(&s->r->pushes);
	if (rc < 0)
		push_failed(s, job->from, rc);
}

static bool in_bulk(const struct sync *s, int i)
{
	return s->chunk->needs[i] != PEER_HAS_IT && !s->peer->foreign &&
	       bulk_wants(&s->chunk->list[i].entry);
}

/* Sends what was gathered: sent[] are the places in the chunk. */
waits static void flush(struct sync *s, struct buf *body, const int *sent, unsigned n)
{
	CLEANUP(buf_done) struct buf answer = BUF(BULK_OBJECTS);
	int rc = s->peer->down ? -ENODEV
			       : bulk_send(s->r, s->peer, s->part, buf_str(body), n, &answer);

	for (unsigned k = 0; k < n; k++) {
		if (rc == 0 && answer.p[k] == BULK_STORED)
			s->r->now->pushed++;
		else
			push_failed(s, sent[k], rc < 0 ? rc : -EREMOTEIO);
	}
	buf_clear(body);
}

/* What travels in one request. */
struct load {
	struct object_id ids[BULK_OBJECTS];
	char needs[BULK_OBJECTS];
	int places[BULK_OBJECTS], added[BULK_OBJECTS];  /* in the chunk; whether it could be read */
	unsigned n;
};

static void gather(const struct push_job *job, struct load *l)
{
	for (int i = job->from; i < job->until; i++) {
		if (!in_bulk(job->s, i))
			continue;
		l->ids[l->n] = id_at(job->s, i);
		l->needs[l->n] = job->s->chunk->needs[i];
		l->places[l->n++] = i;
	}
}

task_asserted static void bulk_run(void *arg)
{
	CLEANUP(buf_done) struct buf body = BUF(REPLICATOR_BODY_MAX);
	AUTO(free) room = xcalloc(1, sizeof(struct load));
	struct push_job *job = arg;
	struct sync *s = job->s;
	struct load *l = room;
	int taken = task_sem_take(&s->r->pushes, 0), rc = s->peer->down ? -ENODEV : taken;
	unsigned sent = 0;

	gather(job, l);
	if (rc == 0)
		bulk_add_all(s->r, &body, l->ids, l->needs, l->added, l->n);
	for (unsigned i = 0; i < l->n; i++) {
		int added = rc < 0 ? rc : l->added[i];

		if (added == -EFBIG) {          /* much metadata: no room for it with the others */
			added = object_push(s->r, s->peer, s->part, &l->ids[i], l->needs[i]);
			if (added == 0)
				continue;
		}
		if (added < 0)
			push_failed(s, l->places[i], added);
		else
			l->places[sent++] = l->places[i];
	}
	if (sent)
		flush(s, &body, l->places, sent);
	if (taken == 0)
		task_sem_give(&s->r->pushes);
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

/* Behind the last object of the chunk that fits into a request that begins with the i-th. */
static int bulk_end_of(const struct sync *s, int i)
{
	unsigned n = 0;
	uint64_t bytes = 0;

	for (; i < s->chunk->n && n < BULK_OBJECTS && bytes < BULK_BYTES; i++) {
		if (!in_bulk(s, i))
			continue;
		n++;
		bytes += s->chunk->list[i].entry.size;
	}
	return i;
}

/* Compares a chunk with one peer and pushes what it misses. What fails is not confirmed. */
waits static void sync_chunk(struct sync *s)
{
	struct chunk *c = s->chunk;
	AUTO(free) room = xmalloc(2 * CHUNK_ENTRIES * sizeof(struct push_job));
	struct push_job *jobs = room;
	int rc = s->peer->down ? -ENODEV : ask_missing(s);

	if (rc == -EOPNOTSUPP)
		rc = ask_foreign(s);
	if (rc < 0) {
		memset(c->confirmed, 0, sizeof c->confirmed);
		return;
	}
	TASK_GROUP(g);
	unsigned n = 0;

	for (int i = 0; i < c->n; i++) {
		if (c->needs[i] == PEER_HAS_IT || in_bulk(s, i))
			continue;
		jobs[n] = (struct push_job){ s, i, i + 1 };
		task_spawn(&g, "push", push_run, &jobs[n++]);
	}
	for (int i = 0; i < c->n; i = jobs[n++].until) {
		jobs[n] = (struct push_job){ s, i, bulk_end_of(s, i) };
		task_spawn(&g, "push many", bulk_run, &jobs[n]);
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

/* All at once, so that they share commits. */
waits static int forget_confirmed(struct replicator *r, uint16_t policy, const struct chunk *c)
{
	AUTO(free) room = xmalloc(CHUNK_ENTRIES * sizeof(struct store_forgotten));
	struct store_forgotten *list = room;
	unsigned n = 0;

	for (int i = 0; i < c->n; i++) {
		if (!c->confirmed[i])
			continue;
		list[n] = (struct store_forgotten){ .id.policy = policy,
						    .data_ts = c->list[i].entry.data_ts,
						    .meta_ts = c->list[i].entry.meta_ts };
		memcpy(list[n++].id.hash, c->list[i].hash, 16);
	}
	int rc = store_forget_all(r->o->store, list, n);

	for (unsigned i = 0; i < n; i++) {
		if (rc == 0 && list[i].result == 0)
			r->now->forgotten++;
		part_cache_touch(r->cache, &list[i].id);
	}
	return rc;
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

/* A partition on its way to its peers. */
struct part_job {
	struct replicator *r;
	uint16_t policy;
	unsigned part_power;
	uint32_t part;
	struct peer *peers[RING_REPLICAS_MAX];
	unsigned n;
	bool forget;
	int *rc;                        /* of all of them: the first error */
};

task_asserted static void part_run(void *arg)
{
	struct part_job *j = arg;
	int rc = *j->rc ? *j->rc : sync_part(j->r, j->policy, j->part_power, j->part, j->peers,
					     j->n, j->forget);

	if (rc < 0 && *j->rc == 0)
		*j->rc = rc;
	j->r->now->done += j->forget ? 1 : 0;
	task_sem_give(&j->r->parts);
	free(j);
}

/* Starts a partition's turn as soon as there is room for one more. */
waits static int part_start(struct task_group *g, const struct part_job *job)
{
	int rc = task_sem_take(&job->r->parts, 0);

	if (rc < 0)
		return rc;
	struct part_job *j = xmalloc(sizeof *j);

	*j = *job;
	task_spawn(g, "partition", part_run, j);
	return 0;
}

/* A partition to be compared with one peer. */
struct compare {
	struct peer *peer;
	unsigned held;                  /* index in the list of held partitions */
	uint32_t order;                 /* see order_of */
};

static int compare_cmp(const void *a, const void *b)
{
	const struct compare *x = a, *y = b;

	if (x->peer != y->peer)
		return x->peer < y->peer ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
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
	int rc = 0, started = 0;

	if (peer->down)
		return 0;
	wire_u32(&body, held[c[0].held].policy);
	wire_u32(&body, part_power);
	for (unsigned i = 0; i < n; i++)
		wire_u32(&body, held[c[i].held].part);
	if (peer_ask(r, peer, 0, S("digest"), buf_str(&body), &answer) < 0)
		return 0;
	struct str rest = buf_str(&answer);
	TASK_GROUP(g);

	for (unsigned i = 0; i < n && rc == 0 && started == 0; i++) {
		const struct part_held *h = &held[c[i].held];
		uint64_t theirs;

		if (wire_take_u64(&rest, &theirs) < 0)
			break;
		r->now->done++;
		if (theirs == h->digest || peer->down)
			continue;
		started = part_start(&g, &(struct part_job){ .r = r, .policy = h->policy,
							     .part_power = part_power,
							     .part = h->part, .peers = { peer },
							     .n = 1, .rc = &rc });
	}
	int joined = task_group_join(&g);

	return rc ? rc : started ? started : joined;
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

/* Each device goes through the partitions in an order of its own. Others that fill the same empty
 * device would else meet this one at some partition and go on side by side, and send it everything
 * twice. */
static uint32_t order_of(const struct replicator *r, uint32_t part)
{
	uint32_t h = 2166136261u ^ r->o->port;

	for (const char *c = r->o->device; *c; c++)
		h = (h ^ (unsigned char)*c) * 16777619u;
	h ^= part * 2654435769u;
	h = (h ^ h >> 16) * 0x85ebca6bu;
	h = (h ^ h >> 13) * 0xc2b2ae35u;
	return h ^ h >> 16;
}

waits static int compare_all(struct replicator *r, unsigned part_power,
			     const struct part_held *held, struct compare *list, unsigned n)
{
	int rc = 0;

	qsort(list, n, sizeof *list, compare_cmp);
	for (unsigned i = 0, end; i < n && rc == 0; i = end) {
		for (end = i + 1; end < n && list[end].peer == list[i].peer;)
			end++;
		for (unsigned at = i; at < end && rc == 0; at += DIGEST_PARTS)
			rc = compare_batch(r, part_power, held, list + at,
					   MIN(end - at, (unsigned)DIGEST_PARTS));
	}
	return rc;
}

/* Brings home what this device holds for others; fills list with what it has to compare. */
waits static int bring_home(struct replicator *r, const struct ring *ring,
			    const struct part_held *held, unsigned n, struct buf *list)
{
	int rc = 0, started = 0;
	TASK_GROUP(g);

	for (unsigned i = 0; i < n && rc == 0 && started == 0; i++) {
		struct part_job job = { .r = r, .policy = held[i].policy, .part = held[i].part,
					.part_power = ring_part_power(ring), .forget = true,
					.rc = &rc };
		bool primary;

		job.n = other_primaries(r, ring, held[i].part, job.peers, &primary);
		for (unsigned k = 0; primary && k < job.n; k++) {
			struct compare c = { job.peers[k], i, order_of(r, held[i].part) };

			buf_add(list, &c, sizeof c);
			r->now->total++;
		}
		if (primary || job.n == 0)
			continue;
		r->now->total++;
		started = part_start(&g, &job);
	}
	int joined = task_group_join(&g);

	return rc ? rc : started ? started : joined;
}

waits static int policy_pass(struct replicator *r, uint16_t policy, struct ring *ring)
{
	CLEANUP(buf_done)
	struct buf held_buf = BUF(HELD_BYTES_MAX),
		   compare_buf = BUF(4 * (size_t)HELD_BYTES_MAX);
	unsigned part_power = ring_part_power(ring);
	int rc = parts_walk(r, policy, part_power, 0, ring_partitions(ring) - 1, &held_buf);
	const struct part_held *held = (const void *)held_buf.p;
	unsigned n = (unsigned)(held_buf.n / sizeof *held);

	r->now->partitions += n;
	if (rc == 0)
		rc = bring_home(r, ring, held, n, &compare_buf);
	if (rc == 0 && buf_failed(&compare_buf))
		rc = -ENOMEM;
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
