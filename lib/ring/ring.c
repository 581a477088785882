/* Questions to a loaded ring: partitions, primaries and handoffs. */
#include "lib/ring/internal.h"
#include "lib/crypto/digest.h"

enum { PHASE_ANY = TIER_COUNT, PHASE_END };

struct ring *ring_ref(struct ring *r)
{
	unsigned before = __atomic_fetch_add(&r->refs, 1, __ATOMIC_RELAXED);

	assert(before > 0);
	return r;
}

void ring_unref(struct ring *r)
{
	if (!r || __atomic_sub_fetch(&r->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	for (unsigned i = 0; i < r->devs_n; i++) {
		if (r->devs[i])
			free(r->devs[i]->meta);
		free(r->devs[i]);
	}
	for (unsigned t = 0; t < TIER_COUNT; t++)
		free(r->tier[t]);
	free(r->devs);
	free(r->table);
	free(r->moved);
	free(r);
}

unsigned ring_part_power(const struct ring *r) { return r->part_power; }
int ring_next_part_power(const struct ring *r) { return r->next_part_power; }
uint32_t ring_partitions(const struct ring *r) { return (uint32_t)1 << r->part_power; }
unsigned ring_replica_rows(const struct ring *r) { return r->rows; }
int64_t ring_version(const struct ring *r) { return r->version; }
unsigned ring_format(const struct ring *r) { return r->format; }
unsigned ring_dev_count(const struct ring *r) { return r->devs_n; }

double ring_replicas(const struct ring *r)
{
	return (double)r->cells / ring_partitions(r);
}

const struct ring_dev *ring_dev_by_id(const struct ring *r, int id)
{
	return id >= 0 && (unsigned)id < r->devs_n ? r->devs[id] : NULL;
}

int ring_cell(const struct ring *r, unsigned row, uint32_t part)
{
	uint64_t cell = ((uint64_t)row << r->part_power) + part;

	assert(part < ring_partitions(r));
	return cell < r->cells ? (int)ring_cell_at(r, cell) : -1;
}

void ring_hash_path(struct str hash_prefix, struct str hash_suffix, struct str account,
		    struct str container, struct str object, unsigned char md5[16])
{
	char room[2048];
	size_t n = hash_prefix.n + account.n + container.n + object.n + hash_suffix.n + 3;
	char *text = n <= sizeof room ? room : xmalloc(n), *at = text;

	assert(container.n > 0 || object.n == 0);
#define PUT(s) do { if ((s).n) at = mempcpy(at, (s).p, (s).n); } while (0)
	PUT(hash_prefix);
	*at++ = '/';
	PUT(account);
	if (container.n) {
		*at++ = '/';
		PUT(container);
	}
	if (object.n) {
		*at++ = '/';
		PUT(object);
	}
	PUT(hash_suffix);
#undef PUT
	digest_of(DIGEST_MD5, text, (size_t)(at - text), md5);
	if (text != room)
		free(text);
}

uint32_t ring_part_of_hash(const struct ring *r, const unsigned char md5[16])
{
	uint64_t top =
		(uint64_t)md5[0] << 24 | (uint64_t)md5[1] << 16 | (uint64_t)md5[2] << 8 | md5[3];

	return (uint32_t)(top >> (32 - r->part_power));
}

uint32_t ring_part_of(const struct ring *r, struct str hash_prefix, struct str hash_suffix,
		      struct str account, struct str container, struct str object)
{
	unsigned char md5[16];

	ring_hash_path(hash_prefix, hash_suffix, account, container, object, md5);
	return ring_part_of_hash(r, md5);
}

/* The ids of a partition's devices, each once. */
static unsigned primary_ids(const struct ring *r, uint32_t part, uint32_t ids[RING_REPLICAS_MAX])
{
	unsigned n = 0;

	for (unsigned row = 0; row < r->rows; row++) {
		int id = ring_cell(r, row, part);
		unsigned i = 0;

		if (id < 0)
			continue;
		while (i < n && ids[i] != (uint32_t)id)
			i++;
		if (i == n)
			ids[n++] = (uint32_t)id;
	}
	return n;
}

unsigned ring_primaries(const struct ring *r, uint32_t part, const struct ring_dev *out[],
			unsigned max)
{
	uint32_t ids[RING_REPLICAS_MAX];
	unsigned n = primary_ids(r, part, ids);

	for (unsigned i = 0; i < n && i < max; i++)
		out[i] = r->devs[ids[i]];
	return n;
}

unsigned ring_previous(const struct ring *r, uint32_t part, const struct ring_dev *out[],
		       unsigned max)
{
	size_t low = 0, high = r->moved_n;
	unsigned n = 0;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (r->moved[mid].part < part)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low < r->moved_n && r->moved[low].part == part && n < max; low++)
		out[n++] = r->devs[r->moved[low].dev];
	return n;
}

/* Is one of the used devices in the same region, zone or server? */
static bool tier_used(const struct ring_handoffs *it, unsigned tier, uint32_t dev)
{
	const uint32_t *number = it->ring->tier[tier], *used = it->used ? it->used : it->used_room;

	for (unsigned i = 0; i < it->used_n; i++)
		if (number[used[i]] == number[dev])
			return true;
	return false;
}

static bool dev_used(const struct ring_handoffs *it, uint32_t dev)
{
	const uint32_t *used = it->used ? it->used : it->used_room;

	for (unsigned i = 0; i < it->used_n; i++)
		if (used[i] == dev)
			return true;
	return false;
}

static void use(struct ring_handoffs *it, uint32_t dev)
{
	for (unsigned tier = 0; tier < TIER_COUNT; tier++)
		it->tiers_n[tier] += !tier_used(it, tier, dev);
	assert(it->used_n < it->used_max);
	(it->used ? it->used : it->used_room)[it->used_n++] = dev;
}

/* Back to where a phase begins. */
static void walk_restart(struct ring_handoffs *it)
{
	it->index = it->start;
	it->row = 0;
	it->wrapped = false;
}

static void handoffs_start(const struct ring *r, uint32_t part, struct ring_handoffs *it)
{
	uint32_t ids[RING_REPLICAS_MAX];
	unsigned n = primary_ids(r, part, ids);
	unsigned char md5[16];
	char text[16];

	it->ring = r;
	it->used_n = 0;
	it->phase = TIER_REGION;
	memset(it->tiers_n, 0, sizeof it->tiers_n);
	for (unsigned i = 0; i < n; i++)
		use(it, ids[i]);
	digest_of(DIGEST_MD5, text, (size_t)snprintf(text, sizeof text, "%" PRIu32, part), md5);
	it->start = ring_part_of_hash(r, md5);
	it->step = MAX(ring_partitions(r) / 65536, (uint32_t)1);
	walk_restart(it);
}

void ring_handoffs_start(const struct ring *r, uint32_t part, struct ring_handoffs *it)
{
	it->used = NULL;
	it->used_max = ARRAY_LEN(it->used_room);
	handoffs_start(r, part, it);
}

void ring_handoffs_start_all(const struct ring *r, uint32_t part, struct ring_handoffs *it,
			     uint32_t *room)
{
	it->used = room;
	it->used_max = r->devs_n;
	handoffs_start(r, part, it);
}

/* To the next partition of the walk: from start to the end by steps, then the ones before start.
 * The second leg begins where Swift's does, which leaves out partition 0 when the step is 1. */
static bool walk_next(struct ring_handoffs *it)
{
	uint32_t parts = ring_partitions(it->ring);

	it->row = 0;
	if (it->index < parts - MIN(parts, it->step)) {
		if (!it->wrapped || it->index + it->step < it->start) {
			it->index += it->step;
			return true;
		}
		return false;
	}
	if (it->wrapped)
		return false;
	it->wrapped = true;
	it->index = it->step - (parts - it->start) % it->step;
	return it->index < it->start;
}

/* The device in the cell that the walk is at, if it is new in this phase. */
static bool cell_wanted(const struct ring_handoffs *it, uint32_t *ret_dev)
{
	int dev = ring_cell(it->ring, it->row, it->index);

	if (dev < 0 || dev_used(it, (uint32_t)dev))
		return false;
	if (it->phase < TIER_COUNT && tier_used(it, it->phase, (uint32_t)dev))
		return false;
	*ret_dev = (uint32_t)dev;
	return true;
}

static bool phase_done(const struct ring_handoffs *it)
{
	if (it->phase == PHASE_ANY)
		return it->used_n >= it->ring->assigned_n;
	return it->tiers_n[it->phase] >= it->ring->tier_n[it->phase];
}

const struct ring_dev *ring_handoffs_next(struct ring_handoffs *it)
{
	const struct ring *r = it->ring;
	uint32_t dev;

	while (it->phase < PHASE_END && it->used_n < it->used_max) {
		bool more = !phase_done(it);

		while (more) {
			if (it->row == r->rows) {
				more = walk_next(it);
			} else if (cell_wanted(it, &dev)) {
				it->row++;
				use(it, dev);
				return r->devs[dev];
			} else {
				it->row++;
			}
		}
		it->phase++;
		walk_restart(it);
	}
	return NULL;
}

/* Order of devices within one kind of tier: regions, zones of a region, servers of a zone. */
static int tier_order(const struct ring_dev *a, const struct ring_dev *b, unsigned tier)
{
	if (a->region != b->region)
		return a->region < b->region ? -1 : 1;
	if (tier >= TIER_ZONE && a->zone != b->zone)
		return a->zone < b->zone ? -1 : 1;
	return tier >= TIER_SERVER ? strcmp(a->ip, b->ip) : 0;
}

static int server_order(const void *a, const void *b)
{
	return tier_order(*(struct ring_dev *const *)a, *(struct ring_dev *const *)b, TIER_SERVER);
}

void ring_index(struct ring *r)
{
	AUTO(free) holds_room = xcalloc(r->devs_n + 1, sizeof(bool));
	AUTO(free) sorted_room = xcalloc(r->devs_n + 1, sizeof(struct ring_dev *));
	struct ring_dev **sorted = sorted_room;
	bool *holds = holds_room;
	unsigned n = 0;

	for (uint64_t cell = 0; cell < r->cells; cell++)
		holds[ring_cell_at(r, cell)] = true;
	for (unsigned i = 0; i < r->devs_n; i++) {
		if (!r->devs[i])
			continue;
		r->devs[i]->ring_version = r->version;
		sorted[n++] = r->devs[i];
	}
	qsort(sorted, n, sizeof *sorted, server_order);
	for (unsigned tier = 0; tier < TIER_COUNT; tier++) {
		unsigned number = 0;
		bool counted = false;

		r->tier[tier] = xcalloc(r->devs_n + 1, sizeof(uint32_t));
		for (unsigned i = 0; i < n; i++) {
			if (i > 0 && tier_order(sorted[i - 1], sorted[i], tier)) {
				number++;
				counted = false;
			}
			r->tier[tier][sorted[i]->id] = number;
			if (holds[sorted[i]->id] && !counted) {
				counted = true;
				r->tier_n[tier]++;
			}
		}
	}
	for (unsigned i = 0; i < r->devs_n; i++)
		r->assigned_n += holds[i];
}
