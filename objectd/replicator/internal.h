/* What the replicator's files share. */
#pragma once
#include "lib/base/map.h"
#include "objectd/db/db.h"
#include "objectd/objectd_conf.h"
#include "objectd/replicator/replicator.h"

enum {
	CHUNK_ENTRIES = 1024,           /* objects compared in one request */
	DIGEST_PARTS = 4096,            /* partitions compared in one request */
	REPLICATOR_BODY_MAX = 8 * MIB,
	LISTED_SIZE = 16 + 16 + 16 + 1, /* an object on the wire: hash, data_ts, meta_ts, state */
};

/* ---- other devices (peer.c) ---- */

/* A storage device other than this one. Kept for the life of the process. */
struct peer {
	struct http_address address;
	char device[RING_DEVICE_SIZE];
	bool down;                      /* did not answer in this pass */
	bool foreign;                   /* not a Needletail: only asked object by object */
};

/* Finds or makes it, by its address for replication; NULL for this very device. */
struct peer *peer_of(struct replicator *r, const struct ring_dev *dev);
/* POST /device/part/.needletail/what: 0 with the answer; -EOPNOTSUPP when it is no Needletail;
 * -EREMOTEIO for an error it answered (it may be down now); others when it could not be reached (it
 * is). */
waits must_check int peer_ask(struct replicator *r, struct peer *p, uint32_t part, struct str what,
			      struct str body, struct buf *ret);
/* An exchange failed: the peer is left alone for the rest of the pass. */
void peer_failed(struct replicator *r, struct peer *p, int error);

/* ---- partitions (partitions.c) ---- */

/* A partition of which there is something on the device. */
struct part_held {
	uint16_t policy;
	uint32_t part;
	uint64_t digest; /* XOR over its objects; equal on devices that hold the same */
};

struct part_cache;
struct part_cache *part_cache_new(void);
void part_cache_free(struct part_cache *c);
void part_cache_touch(struct part_cache *c, const struct object_id *id);
void part_cache_clear(struct part_cache *c);

/* First and last hash of a partition. */
void part_range(unsigned part_power, uint32_t part, unsigned char first[16],
		unsigned char last[16]);
uint32_t part_of_hash(unsigned part_power, const unsigned char hash[16]);
/* All partitions of one policy that the device holds something of, into list (struct part_held). */
waits must_check int parts_held(struct replicator *r, uint16_t policy, unsigned part_power,
				struct buf *list);
/* One partition's digest, cached while nothing changes. */
waits must_check int part_digest(struct replicator *r, uint16_t policy, unsigned part_power,
				 uint32_t part, uint64_t *ret);
/* Tombstones that old are about to be forgotten everywhere, so nobody sends them any more. */
bool entry_is_reclaimable(const struct object_entry *e);

/* ---- objects on the wire (wire.c) ---- */

void wire_u32(struct buf *b, uint32_t v);
void wire_u64(struct buf *b, uint64_t v);
void wire_listed(struct buf *b, const struct object_listed *l);
/* Take from the front: 0 or -EBADMSG. */
must_check int wire_take_u32(struct str *rest, uint32_t *ret);
must_check int wire_take_u64(struct str *rest, uint64_t *ret);
must_check int wire_take_listed(struct str *rest, struct object_listed *ret);

/* What a peer answers for each object that was listed to it. */
enum { PEER_HAS_IT = '0', PEER_NEEDS_DATA = '1', PEER_NEEDS_METADATA = '2' };
/* What somebody who has `mine` (NULL: nothing) needs of `theirs`. */
char entry_needs(const struct object_entry *mine, const struct object_entry *theirs);

/* ---- a pass ---- */

struct replicator {
	struct objectd *o;
	struct map *peers;              /* of struct peer, by "ip:port/device" */
	struct part_cache *cache;
	uint64_t cache_quarantined;     /* damage found when the cache was made */
	uint64_t cache_made_ms;         /* monotonic */
	struct replicator_stats stats, now;     /* of the last pass and of the running one */
	struct task *task;
	struct waitq pass_ended;
	uint64_t started, ended;        /* passes */
	bool woken;
	uint64_t budget_ms;             /* monotonic time until which the bandwidth is used up */
	struct task_sem pushes;
};

/* Objects (objects.c) and databases (databases.c) of one pass. Errors are of this
 * device's store. */
waits must_check int objects_pass(struct replicator *r);
waits must_check int databases_pass(struct replicator *r);
/* Waits until n more bytes may be sent. */
waits must_check int replicator_throttle(struct replicator *r, uint64_t n);

/* Sends one object as far as the peer needs it (push.c): 0 when the peer has it now,
 * or negative. */
waits must_check int object_push(struct replicator *r, struct peer *p, uint32_t part,
				 const struct object_id *id, char needs);
/* What a foreign peer needs of an object, asked with a HEAD. */
waits must_check int object_ask_foreign(struct replicator *r, struct peer *p, uint32_t part,
					const struct object_id *id, const struct object_entry *e,
					char *ret_needs);

/* The receiving side (receive.c): false when there is no such request. */
waits bool receive_handle(struct objectd *o, struct request *req, struct response *res,
			  struct str what);
