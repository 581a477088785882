/* Bytes on their way to the store: the caller's task fills a ring of slots; one task sends them on,
 * and two have the pool compute MD5 and SHA-512. Each goes through the ring at its own pace, and
 * the slowest holds back whoever sends to us. */
#include "compute/image/data.h"
#include "lib/base/encode.h"
#include "lib/crypto/digest.h"
#include "lib/log/log.h"

enum { SLOT_SIZE = 128 * KIB, SLOTS = 6, SENDER = 0, MD5, SHA512, CONSUMERS };

struct slot {
	char *p;
	size_t n;
};

struct consumer {
	struct task *task;              /* NULL when it has ended */
	bool waiting;
	uint64_t done;                  /* slots */
};

struct upload {
	struct image_state *state;
	struct arena *arena;
	const struct upload_wish *wish;
	uint64_t segment_size, object_max;
	bool slo;
	struct slot slots[SLOTS];
	uint64_t filled;                /* slots; slot i is slots[i % SLOTS] */
	bool last;                      /* no more come */
	int error;
	struct task *owner;
	bool owner_waiting;
	struct consumer consumers[CONSUMERS];
	struct digest *digests[CONSUMERS];
	struct inspect inspect;
	bool looked;                    /* the first slot was inspected */
	json_t *segments;               /* of the manifest */
	uint64_t sent;                  /* bytes of segments that are complete */
	char etag[MD5_TEXT_SIZE];       /* of the last one */
};

static void upload_done(struct upload *u)
{
	for (unsigned i = 0; i < SLOTS; i++)
		free(u->slots[i].p);
	for (unsigned i = 0; i < CONSUMERS; i++)
		digest_free(u->digests[i]);
	inspect_done(&u->inspect);
	json_decref(u->segments);
}

/* ---- the ring ---- */

static void wake_all(struct upload *u)
{
	if (u->owner_waiting)
		task_wake(u->owner);
	for (unsigned i = 0; i < CONSUMERS; i++)
		if (u->consumers[i].waiting)
			task_wake(u->consumers[i].task);
}

static void fail(struct upload *u, int error)
{
	if (u->error == 0)
		u->error = error;
	wake_all(u);
}

/* Waits until there is a slot to work on: 1; 0 at the end; or negative. */
waits static int consumer_wait(struct upload *u, struct consumer *c)
{
	while (u->error == 0 && c->done == u->filled && !u->last) {
		c->waiting = true;
		int rc = task_wait("more of the image", 0);

		c->waiting = false;
		if (rc < 0)
			return rc;
	}
	return u->error < 0 ? u->error : c->done < u->filled;
}

static uint64_t slowest(const struct upload *u)
{
	uint64_t done = u->filled;

	for (unsigned i = 0; i < CONSUMERS; i++)
		done = MIN(done, u->consumers[i].done);
	return done;
}

/* ---- hashing ---- */

struct hash_job {
	struct upload *u;
	unsigned which;
	uint64_t from, to;
};

/* In the pool: the slots from..to are complete, and nobody changes them before they are hashed. */
static void hash_slots(void *arg)
{
	struct hash_job *j = arg;

	for (uint64_t i = j->from; i < j->to; i++) {
		const struct slot *s = &j->u->slots[i % SLOTS];

		digest_add(j->u->digests[j->which], s->p, s->n);
	}
}

waits static void hash(struct upload *u, unsigned which)
{
	struct consumer *c = &u->consumers[which];
	int rc;

	while ((rc = consumer_wait(u, c)) > 0) {
		struct hash_job job = { u, which, c->done, u->filled };

		task_run_blocking("digest", hash_slots, &job);
		c->done = job.to;
		wake_all(u);
	}
	if (rc < 0)
		fail(u, rc);
	c->task = NULL;
	wake_all(u);
}

waits static void hash_md5(void *arg)
{
	hash(arg, MD5);
}

waits static void hash_sha512(void *arg)
{
	hash(arg, SHA512);
}

/* ---- sending ---- */

static struct str segment_name(const struct upload *u)
{
	return arena_printf(u->arena, "%.*s%08zu", STR(u->wish->prefix),
			    json_array_size(u->segments));
}

waits static int open_segment(struct upload *u, struct store_put **ret)
{
	int64_t length = u->wish->length;

	if (length >= 0)
		length = (int64_t)MIN((uint64_t)length - u->sent, u->segment_size);
	return store_put_open(u->state->compute->store, u->state->data, segment_name(u), length,
			      ret);
}

/* The segment has n bytes. */
waits static int end_segment(struct upload *u, struct store_put *put, uint64_t n)
{
	int rc = store_put_end(put, u->etag);

	if (rc < 0)
		return rc;
	json_array_append_new(u->segments,
			      json_pack("{s:o, s:s, s:I}", "path",
					json_sprintf("/%.*s/%.*s", STR(u->state->data),
						     STR(segment_name(u))),
					"etag", u->etag, "size_bytes", (json_int_t)n));
	u->sent += n;
	return 0;
}

/* The bytes of one slot, over the ends of segments. */
waits static int send_slot(struct upload *u, struct str bytes, struct store_put **put, uint64_t *n)
{
	int rc = 0;

	while (rc == 0 && bytes.n) {
		struct str piece = str_head(bytes, (size_t)MIN((uint64_t)bytes.n,
							       u->segment_size - *n));

		if (!*put)
			rc = open_segment(u, put);
		if (rc == 0)
			rc = store_put_write(*put, piece);
		if (rc < 0)
			return rc;
		*n += piece.n;
		bytes = str_skip(bytes, piece.n);
		if (*n == u->segment_size) {
			rc = end_segment(u, *put, *n);
			store_put_close(TAKE(*put));
			*n = 0;
		}
	}
	return rc;
}

waits static void send_slots(void *arg)
{
	struct upload *u = arg;
	struct consumer *c = &u->consumers[SENDER];
	AUTO(store_put) put = NULL;
	uint64_t n = 0;
	int rc;

	while ((rc = consumer_wait(u, c)) > 0) {
		const struct slot *s = &u->slots[c->done % SLOTS];

		rc = send_slot(u, str_of(s->p, s->n), &put, &n);
		if (rc < 0)
			break;
		c->done++;
		wake_all(u);
	}
	/* An image without bytes is an object, too. */
	if (rc == 0 && !put && json_array_size(u->segments) == 0)
		rc = open_segment(u, &put);
	if (rc == 0 && put)
		rc = end_segment(u, put, n);
	/* It is the store that broke off, not the client. */
	if (rc < 0)
		fail(u, rc == -EPIPE ? -EAGAIN : rc);
	c->task = NULL;
	wake_all(u);
}

/* ---- filling ---- */

/* Waits until there is a slot that everybody has done with. */
waits static int owner_wait(struct upload *u)
{
	while (u->error == 0 && u->filled - slowest(u) == SLOTS) {
		u->owner_waiting = true;
		int rc = task_wait("the store", 0);

		u->owner_waiting = false;
		if (rc < 0)
			return rc;
	}
	return u->error;
}

/* A hostile image is not sent on to its end. */
static int first_look(struct upload *u, struct fault *why)
{
	struct inspect_result found;

	if (u->looked || u->inspect.size < INSPECT_HEAD)
		return 0;
	u->looked = true;
	return inspect_end(&u->inspect, false, &found, why);
}

static void publish(struct upload *u)
{
	u->filled++;
	wake_all(u);
}

waits static int fill(struct upload *u, struct body *from, struct fault *why)
{
	struct slot *s = NULL;
	struct str chunk;
	int rc;

	while ((rc = body_next(from, &chunk)) > 0) {
		inspect_add(&u->inspect, chunk);
		if (u->inspect.size > u->wish->size_max || u->inspect.size > u->object_max)
			return -EFBIG;
		rc = first_look(u, why);
		while (rc == 0 && chunk.n) {
			if (!s) {
				rc = owner_wait(u);
				if (rc < 0)
					break;
				s = &u->slots[u->filled % SLOTS];
				s->n = 0;
				if (!s->p)
					s->p = xmalloc(SLOT_SIZE);
			}
			size_t n = MIN(chunk.n, (size_t)SLOT_SIZE - s->n);

			memcpy(s->p + s->n, chunk.p, n);
			s->n += n;
			chunk = str_skip(chunk, n);
			if (s->n == SLOT_SIZE) {
				publish(u);
				s = NULL;
			}
		}
		if (rc < 0)
			return rc;
	}
	if (rc == 0 && s && s->n)
		publish(u);
	return rc;
}

/* Waits until everybody has done with everything. */
waits static int settle(struct upload *u)
{
	u->last = true;
	wake_all(u);
	while (u->error == 0 && (u->consumers[SENDER].task || u->consumers[MD5].task ||
				 u->consumers[SHA512].task)) {
		u->owner_waiting = true;
		int rc = task_wait("the store to have the image", 0);

		u->owner_waiting = false;
		if (rc < 0)
			return rc;
	}
	return u->error;
}

/* ---- one upload ---- */

waits static int transfer(struct upload *u, struct body *from, struct fault *why)
{
	static task_fn *const run[CONSUMERS] = { send_slots, hash_md5, hash_sha512 };
	static const char *const names[CONSUMERS] = { "image sender", "image MD5",
						      "image SHA-512" };
	TASK_GROUP(g);

	for (unsigned i = 0; i < CONSUMERS; i++)
		u->consumers[i].task = task_spawn(&g, names[i], run[i], u);
	int rc = fill(u, from, why);

	if (rc == 0)
		rc = settle(u);
	if (rc < 0)
		u->error = rc;
	return rc;
}

static void read_digest(const struct upload *u, unsigned which, size_t n, char *text)
{
	unsigned char bytes[DIGEST_MAX];

	digest_final(u->digests[which], bytes);
	hex_encode(bytes, n, text);
}

waits static int complete(struct upload *u, struct upload_result *ret, struct fault *why)
{
	const struct upload_wish *w = u->wish;
	struct upload_result r = { .size = u->inspect.size };
	int rc = inspect_end(&u->inspect, true, &r.found, why);

	if (rc == 0)
		rc = inspect_match(w->disk_format, w->container_format, &r.found,
				   image_conf.require_format_match, why);
	if (rc < 0)
		return rc;
	read_digest(u, MD5, MD5_SIZE, r.md5);
	read_digest(u, SHA512, SHA512_SIZE, r.sha512);
	if (json_array_size(u->segments) == 1) {
		r.object = arena_printf(u->arena, "%.*s%08d", STR(w->prefix), 0);
		if (!str_ieq(str_from(u->etag), str_from(r.md5))) {
			log_error("the store has %s of an image that was sent as %s", u->etag,
				  r.md5);
			return -EIO;
		}
	} else {
		r.object = arena_printf(u->arena, "%.*smanifest", STR(w->prefix));
		rc = store_put_manifest(u->state->compute->store, u->arena, u->state->data,
					r.object, u->segments);
	}
	if (rc == 0)
		*ret = r;
	return rc;
}

int upload_run(struct image_state *s, struct arena *a, struct body *from,
	       const struct upload_wish *w, struct upload_result *ret, struct fault *why)
{
	CLEANUP(upload_done) struct upload u = {
		.state = s, .arena = a, .wish = w, .owner = task_self(),
		.segments = json_array(),
	};
	struct store_features can = { .slo = false };
	int rc = store_features(s->compute->store, &can);

	if (rc < 0)
		return rc;
	inspect_init(&u.inspect);
	u.digests[MD5] = digest_new(DIGEST_MD5);
	u.digests[SHA512] = digest_new(DIGEST_SHA512);
	u.segment_size = can.slo ? MIN(image_conf.segment_size, can.object_max) : can.object_max;
	u.object_max = can.slo ? u.segment_size * can.segments_max : can.object_max;
	if (w->length >= 0 &&
	    ((uint64_t)w->length > w->size_max || (uint64_t)w->length > u.object_max))
		return -EFBIG;
	rc = transfer(&u, from, why);
	return rc < 0 ? rc : complete(&u, ret, why);
}
