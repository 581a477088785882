/* Rings as the servers read them: which devices hold a partition, which one stands in when they do
 * not answer. A ring is immutable once loaded and counted by references; the devices it hands out
 * live as long as the ring. Loading reads a whole file and unpacks it, so after start it belongs in
 * the blocking pool; nothing else here waits. Files: Swift's versions 1 and 2 (lib/ring/README.md).
 * Behaviour: swift/common/ring/ring.py. */
#pragma once
#include "lib/base/base.h"
#include "lib/base/fault.h"

enum {
	RING_HOST_SIZE = 256,           /* a host name of RFC 1123, or an address, and a NUL */
	RING_DEVICE_SIZE = 64,
	RING_PART_POWER_MAX = 31,
	RING_REPLICAS_MAX = 64,
	RING_DEVICES_MAX = 1 << 20,
	RING_HANDOFFS_MAX = 128,        /* that one iterator finds without more room */
};

/* A device. Addresses are not in brackets; meta is never NULL. */
struct ring_dev {
	int id;
	unsigned region, zone;
	char ip[RING_HOST_SIZE];
	unsigned port;
	char replication_ip[RING_HOST_SIZE];
	unsigned replication_port;
	char device[RING_DEVICE_SIZE];
	double weight;
	char *meta;
	int64_t ring_version;           /* of the ring that it is in; see RING_VERSION_HEADER */
};

/* Proxies tell with each request which version their ring has. A storage server whose own ring is
 * newer, and does not have it as an owner of the partition any more, refuses with this status
 * (which nobody else uses) and the same header: then the proxy looks for new rings. Swift's
 * programs send no such header and never get such an answer. */
#define RING_VERSION_HEADER "X-Needletail-Ring"
enum { RING_STALE_STATUS = 513 };

/* A device that held a partition before and does not now. */
struct ring_moved {
	uint32_t part, dev;
};

struct ring;

/* Reads a ring file. 0, or -errno with the reason in why (may be NULL): -ENOENT and its kin when
 * the file cannot be read, -EINVAL when it is not a sound ring. Everything in the file is checked,
 * so that no later call can fail. Blocks on the disk. */
int ring_load(const char *path, struct ring **ret, struct fault *why) must_check;
/* The same from the bytes of a file. */
int ring_parse(struct str bytes, struct ring **ret, struct fault *why) must_check;
struct ring *ring_ref(struct ring *r);
void ring_unref(struct ring *r);
DEFINE_AUTO(ring, struct ring *, ring_unref);

unsigned ring_part_power(const struct ring *r);
/* The power the ring is growing to (the same as ring_part_power while old names are cleaned up), or
 * -1 when no increase is under way. */
int ring_next_part_power(const struct ring *r);
uint32_t ring_partitions(const struct ring *r);
/* 3.25 means that a quarter of the partitions have four. */
double ring_replicas(const struct ring *r);
/* Rows of the table, the last of which may be short: replicas rounded up. */
unsigned ring_replica_rows(const struct ring *r);
/* The builder's version that wrote the file: a higher one is newer. -1 when the file has none. */
int64_t ring_version(const struct ring *r);
/* 1 or 2. */
unsigned ring_format(const struct ring *r);

/* Devices by id: count is the highest id plus one, removed ids are NULL. */
unsigned ring_dev_count(const struct ring *r);
const struct ring_dev *ring_dev_by_id(const struct ring *r, int id);
/* The device in one cell of the table, or -1 where a short row has ended. */
int ring_cell(const struct ring *r, unsigned row, uint32_t part);

/* MD5 of prefix "/account[/container[/object]]" suffix: container and object may be absent or empty
 * (an object needs a container). Prefix and suffix are [swift-hash] in swift.conf. */
void ring_hash_path(struct str hash_prefix, struct str hash_suffix, struct str account,
		    struct str container, struct str object, unsigned char md5[16]);
/* The partition of a hash: its highest part_power bits. */
uint32_t ring_part_of_hash(const struct ring *r, const unsigned char md5[16]);
uint32_t ring_part_of(const struct ring *r, struct str hash_prefix, struct str hash_suffix,
		      struct str account, struct str container, struct str object);

/* The devices that hold a partition, in row order, each once. Returns how many there are and writes
 * at most max of them. */
unsigned ring_primaries(const struct ring *r, uint32_t part, const struct ring_dev *out[],
			unsigned max);
/* Devices that held the partition before it last moved and do not now, newest first: a copy may
 * still be there. Only rings of ringtool know them. Returns the number written. */
unsigned ring_previous(const struct ring *r, uint32_t part, const struct ring_dev *out[],
		       unsigned max);

/* Walks the devices that stand in for absent primaries, in Swift's order (get_more_nodes): first
 * devices in regions that have no copy yet, then zones, then servers, then any; only devices that
 * hold partitions. Lives on the stack and holds no reference; ends after RING_HANDOFFS_MAX. */
struct ring_handoffs {
	const struct ring *ring;
	uint32_t start, step, index; /* where the walk began, its stride, the partition it is at */
	unsigned row;
	unsigned phase;
	bool wrapped;
	unsigned used_n, used_max;
	unsigned tiers_n[3];            /* regions, zones, servers that are used */
	uint32_t *used;                 /* device ids, primaries first; NULL is used_room */
	uint32_t used_room[RING_REPLICAS_MAX + RING_HANDOFFS_MAX];
};

void ring_handoffs_start(const struct ring *r, uint32_t part, struct ring_handoffs *it);
/* The same with the caller's room for ring_dev_count() ids: finds all of them. */
void ring_handoffs_start_all(const struct ring *r, uint32_t part, struct ring_handoffs *it,
			     uint32_t *room);
/* The next device, or NULL at the end. */
const struct ring_dev *ring_handoffs_next(struct ring_handoffs *it);
