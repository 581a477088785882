/* What the replicator's files share. */
#pragma once
#include "lib/base/map.h"
#include "objectd/db/db.h"
#include "objectd/object/metadata.h"
#include "objectd/objectd_conf.h"
#include "objectd/replicator/pressure.h"
#include "objectd/replicator/replicator.h"

enum {
	CHUNK_ENTRIES = 1024,           /* objects compared in one request */
	DIGEST_PARTS = 4096,            /* partitions compared in one request */
	REPLICATOR_BODY_MAX = 8 * MIB,
	HELD_BYTES_MAX = 64 * MIB,
	LISTED_SIZE = 16 + 16 + 16 + 1, /* an object on the wire: hash, data_ts, meta_ts, state */
	BULK_OBJECTS = 512,             /* objects that travel in one request */
	BULK_BYTES = 2 * MIB,           /* and after how many bytes it is full */
	BULK_OBJECT_BYTES = 256 * KIB,  /* larger ones travel alone */
	PARTS_AT_ONCE = 32,
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
/* The partitions from..until of one policy that the device holds something of, with their digests,
 * in order, appended to list (struct part_held). Digests are remembered until the partition
 * changes. */
waits must_check int parts_walk(struct replicator *r, uint16_t policy, unsigned part_power,
				uint32_t from_part, uint32_t until_part, struct buf *list);
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

/* ---- many objects in one request (bulk_wire.c, bulk.c, bulk_receive.c) ---- */

enum bulk_what { BULK_DATA = 'D', BULK_METADATA = 'M', BULK_TOMBSTONE = 'T' };
/* What became of an object at the receiver. */
enum { BULK_STORED = '0', BULK_FAILED = '1', BULK_FULL = '2' };

/* As what is stored here. Strings are views. */
struct bulk_item {
	enum bulk_what what;
	uint16_t policy;
	struct timestamp data_ts, meta_ts;
	struct str name;                /* "/a/c/o" */
	struct headers metadata;
	struct str data;
};
/* Writes all but the data, of which the caller adds as much as it said before bulk_end. data in i
 * is not looked at. Returns what bulk_end wants. */
size_t bulk_begin(struct buf *to, const struct bulk_item *i, uint32_t data_len);
void bulk_end(struct buf *to, size_t at);
/* Takes one from the front; metadata in the arena. 0 or -EBADMSG (garbled, or not sound). */
must_check int bulk_take(struct str *rest, struct arena *a, struct bulk_item *ret);
/* Whether an object is small enough. */
bool bulk_wants(const struct object_entry *e);
/* Appends an object of this device as far as the peer needs it. 0; -ENOENT when it changed
 * meanwhile, -EFBIG, or a store error (nothing is appended then). */
waits must_check int bulk_add(struct replicator *r, struct buf *to, const struct object_id *id,
			      char needs);
/* The same for many, which is faster: ret[i] is what became of the i-th. */
waits void bulk_add_all(struct replicator *r, struct buf *to, const struct object_id *ids,
			const char *needs, int *ret, unsigned n);
/* Sends n of them: 0 with a character each (BULK_…). */
waits must_check int bulk_send(struct replicator *r, struct peer *p, uint32_t part,
			       struct str body, unsigned n, struct buf *ret);
waits void bulk_receive(struct objectd *o, struct request *req, struct response *res,
			struct str body);
/* Everything stored, with a header that tells the receiver to store whatever is named. with_data:
 * the ETag too. */
void push_metadata_headers(struct headers *h, const struct headers *stored, bool with_data);

/* ---- a pass ---- */

struct replicator {
	struct objectd *o;
	struct map *peers;              /* of struct peer, by "ip:port/device" */
	struct part_cache *cache;
	uint64_t cache_quarantined;     /* damage found when the cache was made */
	uint64_t cache_made_ms;         /* monotonic */
	struct replicator_stats stats[REPLICATE_KINDS]; /* of the last pass */
	struct replicator_stats running[REPLICATE_KINDS]; /* of the one that is under way */
	struct replicator_stats *now;   /* of running, what is being compared */
	uint64_t unreachable;           /* peers, in this pass */
	struct task *task;
	struct waitq pass_ended;
	uint64_t started, ended;        /* passes */
	bool woken;
	uint64_t budget_ms;             /* monotonic time until which the bandwidth is used up */
	uint64_t sent_at_ms;            /* monotonic: when something was sent last */
	struct pressure pressure;
	struct task_sem pushes, parts;
};

/* Objects (objects.c) and databases of one kind (databases.c) of one pass. Errors are of this
 * device's store. */
waits must_check int objects_pass(struct replicator *r);
waits must_check int databases_pass(struct replicator *r, enum db_kind kind);
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
