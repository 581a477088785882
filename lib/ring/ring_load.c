/* Reads ring files: gzip, then Swift's format 1 or 2, checked until nothing can surprise later. */
#include "lib/ring/internal.h"
#include "lib/crypto/digest.h"
#include "lib/base/buf.h"
#include "lib/base/encode.h"

#include <fcntl.h>
#include <jansson.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

/* Bytes of a ring file as it is on disk, and unpacked: 2^31 partitions would be 8 GiB a row. */
#define FILE_BYTES_MAX (4 * GIB)
#define RAW_BYTES_MAX (16 * GIB)

/* The tail of format 2: an empty index's length, and two offsets. */
enum { MAGIC_SIZE = 6, TAIL_SIZE = 24, META_MAX = 4096 };

static inline void json_end(json_t *j) { json_decref(j); }
DEFINE_AUTO(json, json_t *, json_end);

static uint64_t be_read(const char *p, unsigned bytes)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < bytes; i++)
		v = v << 8 | (unsigned char)p[i];
	return v;
}

/* Unpacks one gzip stream, whose CRC and length zlib checks. */
static int unpack(struct str packed, struct buf *raw, struct fault *why)
{
	z_stream z = { .next_in = (unsigned char *)packed.p };
	int code = inflateInit2(&z, 16 + MAX_WBITS);

	assert(code == Z_OK);
	while (code == Z_OK) {
		size_t in =
			MIN(packed.n - (size_t)((const char *)z.next_in - packed.p), (size_t)GIB);
		char *to = buf_reserve(raw, 64 * KIB);

		if (!to)
			break;
		size_t out = MIN(raw->cap - raw->n - 1, (size_t)GIB);
		z.avail_in = (unsigned)in;
		z.next_out = (unsigned char *)to;
		z.avail_out = (unsigned)out;
		code = inflate(&z, Z_NO_FLUSH);
		raw->n += out - z.avail_out;
	}
	size_t left = packed.n - (size_t)((const char *)z.next_in - packed.p);
	inflateEnd(&z);
	if (buf_failed(raw))
		return fault_set(why, -EFBIG, "unpacks to more than %llu bytes", RAW_BYTES_MAX);
	if (code != Z_STREAM_END)
		return fault_set(why, -EINVAL, "is not a whole gzip file (%s)",
				 code == Z_BUF_ERROR ? "it ends too early" : "damaged data");
	if (left > 0)
		return fault_set(why, -EINVAL, "has %zu bytes behind the end of its gzip stream",
				 left);
	return 0;
}

/* An integer of a JSON object within bounds; what is absent or null takes the default, and when
 * that is below the bounds it must be there. */
static int json_int(const json_t *o, const char *key, int64_t low, int64_t high, int64_t absent,
		    int64_t *ret, struct fault *why)
{
	const json_t *j = json_object_get(o, key);

	if (!j || json_is_null(j)) {
		if (absent < low && absent != -1)
			return fault_set(why, -EINVAL, "lacks \"%s\"", key);
		*ret = absent;
		return 0;
	}
	if (!json_is_integer(j) || json_integer_value(j) < low || json_integer_value(j) > high)
		return fault_set(why, -EINVAL,
				 "\"%s\" is not a number from %" PRId64 " to %" PRId64, key, low,
				 high);
	*ret = json_integer_value(j);
	return 0;
}

enum { REQUIRED = -2 };

/* Copies a string of a device; absent takes the default (NULL when it must be there). */
static int json_text(const json_t *o, const char *key, const char *absent, char *to, size_t size,
		     struct fault *why)
{
	const json_t *j = json_object_get(o, key);
	const char *s = json_is_string(j) ? json_string_value(j) : NULL;

	if ((!j || json_is_null(j)) && absent)
		s = absent;
	if (!s || (j && json_is_string(j) && strlen(s) != json_string_length(j)))
		return fault_set(why, -EINVAL, "\"%s\" is not a string", key);
	if (strlen(s) >= size || !*s)
		return fault_set(why, -EINVAL, "\"%s\" is empty or longer than %zu bytes", key,
				 size - 1);
	for (const char *p = s; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f || *p == '/')
			return fault_set(why, -EINVAL, "\"%s\" has a slash or control character",
					 key);
	memcpy(to, s, strlen(s) + 1);
	return 0;
}

static int dev_addresses(const json_t *o, struct ring_dev *d, struct fault *why)
{
	int64_t port, replication_port;
	int err = json_text(o, "ip", NULL, d->ip, sizeof d->ip, why);

	err = err ?: json_int(o, "port", 0, 65535, REQUIRED, &port, why);
	err = err
		      ?: json_text(o, "replication_ip", d->ip, d->replication_ip,
				   sizeof d->replication_ip, why);
	err = err ?: json_int(o, "replication_port", 0, 65535, port, &replication_port, why);
	err = err ?: json_text(o, "device", NULL, d->device, sizeof d->device, why);
	if (err)
		return err;
	if (!strcmp(d->device, ".") || !strcmp(d->device, ".."))
		return fault_set(why, -EINVAL, "\"device\" is a directory of the system");
	if (strchr(d->ip, ' ') || strchr(d->replication_ip, ' '))
		return fault_set(why, -EINVAL, "an address has a blank in it");
	d->port = (unsigned)port;
	d->replication_port = (unsigned)replication_port;
	return 0;
}

static int dev_fill(const json_t *o, unsigned id, struct ring_dev *d, struct fault *why)
{
	int64_t own_id, region, zone;
	const json_t *weight = json_object_get(o, "weight"), *meta = json_object_get(o, "meta");
	int err = json_int(o, "id", 0, RING_DEVICES_MAX - 1, REQUIRED, &own_id, why);

	err = err ?: json_int(o, "region", 0, INT32_MAX, 1, &region, why);
	err = err ?: json_int(o, "zone", 0, INT32_MAX, REQUIRED, &zone, why);
	err = err ?: dev_addresses(o, d, why);
	if (err)
		return err;
	if (own_id != id)
		return fault_set(why, -EINVAL, "\"id\" is %" PRId64, own_id);
	if (weight && (!json_is_number(weight) || !(json_number_value(weight) >= 0)))
		return fault_set(why, -EINVAL, "\"weight\" is not a number of at least 0");
	if (meta && !json_is_null(meta) &&
	    (!json_is_string(meta) || json_string_length(meta) > META_MAX))
		return fault_set(why, -EINVAL, "\"meta\" is not a string of at most %d bytes",
				 META_MAX);
	d->id = (int)id;
	d->region = (unsigned)region;
	d->zone = (unsigned)zone;
	d->weight = weight ? json_number_value(weight) : 0;
	d->meta = xstrdup(json_is_string(meta) ? json_string_value(meta) : "");
	return 0;
}

static int devs_fill(struct ring *r, const json_t *devs, struct fault *why)
{
	size_t n = json_array_size(devs);

	if (!json_is_array(devs) || n == 0 || n > RING_DEVICES_MAX)
		return fault_set(why, -EINVAL, "does not list from 1 to %d devices",
				 RING_DEVICES_MAX);
	r->devs = xcalloc(n, sizeof *r->devs);
	r->devs_n = (unsigned)n;
	for (unsigned i = 0; i < n; i++) {
		const json_t *o = json_array_get(devs, i);
		struct fault cause;

		if (json_is_null(o))
			continue;
		if (!json_is_object(o))
			return fault_set(why, -EINVAL, "device %u is not an object", i);
		r->devs[i] = xcalloc(1, sizeof **r->devs);
		if (dev_fill(o, i, r->devs[i], &cause) < 0)
			return fault_set(why, -EINVAL, "device %u: %s", i, cause.text);
	}
	return 0;
}

/* What both formats say in their metadata. */
static int meta_fill(struct ring *r, const json_t *meta, struct fault *why)
{
	int64_t shift, next;
	int err = json_int(meta, "part_shift", 32 - RING_PART_POWER_MAX, 32, REQUIRED, &shift, why);

	err = err ?: json_int(meta, "version", 0, INT64_MAX, -1, &r->version, why);
	err = err ?: json_int(meta, "next_part_power", 32 - shift, 33 - shift, -1, &next, why);
	if (err)
		return err;
	r->part_power = (unsigned)(32 - shift);
	r->next_part_power = (int)next;
	return 0;
}

/* Takes the table's bytes over into the ring: raw is what the file unpacked to and becomes the
 * table, since rings can be large; cells are narrowed to 2 or 4 bytes in the machine's order. */
static int table_take(struct ring *r, struct buf *raw, size_t offset, uint64_t bytes,
		      unsigned width, bool swap, struct fault *why)
{
	uint64_t parts = (uint64_t)1 << r->part_power;
	const char *from = raw->p + offset;

	if (bytes % width)
		return fault_set(why, -EINVAL, "has half a cell at the end of its table");
	r->cells = bytes / width;
	r->rows = (unsigned)MIN((r->cells + parts - 1) >> r->part_power, (uint64_t)UINT_MAX);
	if (r->cells < parts)
		return fault_set(why, -EINVAL, "assigns %" PRIu64 " of %" PRIu64 " partitions; "
				 "was the builder ever rebalanced?", r->cells, parts);
	if (r->rows > RING_REPLICAS_MAX)
		return fault_set(why, -EINVAL, "has more than %d replicas", RING_REPLICAS_MAX);
	r->id_bytes = width == 2 ? 2 : 4;
	for (uint64_t cell = 0; cell < r->cells; cell++) {
		uint64_t dev = 0;

		if (swap)
			dev = be_read(from + cell * width, width);
		else
			memcpy(&dev, from + cell * width, width);
		if (dev >= r->devs_n || !r->devs[dev])
			return fault_set(why, -EINVAL,
					 "gives partition %" PRIu64 " to device %" PRIu64
					 ", which does not exist",
					 cell & (parts - 1), dev);
		/* Never overtakes the reading: the table is not narrower in the file. */
		if (r->id_bytes == 2)
			((uint16_t *)(void *)raw->p)[cell] = (uint16_t)dev;
		else
			((uint32_t *)(void *)raw->p)[cell] = (uint32_t)dev;
	}
	r->table = xreallocarray(buf_take(raw), r->cells, r->id_bytes);
	return 0;
}

/* A number of 7 bits a byte, low ones first. */
static int varint_read(struct str *from, uint64_t *ret)
{
	uint64_t v = 0;

	for (unsigned shift = 0; from->n > 0 && shift < 35; shift += 7) {
		unsigned char c = (unsigned char)*from->p;

		*from = str_skip(*from, 1);
		v |= (uint64_t)(c & 0x7f) << shift;
		if (c < 0x80) {
			*ret = v;
			return 0;
		}
	}
	return -EINVAL;
}

/* Previous owners (ring_write.c says how they are written). Devices that have gone are left out. */
static int moved_fill(struct ring *r, struct str from, struct fault *why)
{
	uint64_t part = 0, step, dev;

	r->moved = xcalloc(from.n / 2 + 1, sizeof *r->moved);
	while (from.n > 0) {
		if (varint_read(&from, &step) < 0 || varint_read(&from, &dev) < 0 ||
		    (part += step) >= ring_partitions(r))
			return fault_set(why, -EINVAL, "has damaged records of previous owners");
		if (dev < r->devs_n && r->devs[dev])
			r->moved[r->moved_n++] =
				(struct ring_moved){ (uint32_t)part, (uint32_t)dev };
	}
	return 0;
}

static int moved_fill_text(struct ring *r, const json_t *text, struct fault *why)
{
	CLEANUP(buf_done) struct buf b = BUF(RAW_BYTES_MAX);

	if (!text)
		return 0;
	if (!json_is_string(text) ||
	    base64_decode(&b, str_of(json_string_value(text), json_string_length(text))) < 0)
		return fault_set(why, -EINVAL, "has damaged records of previous owners");
	return moved_fill(r, buf_str(&b), why);
}

static json_t *json_of(const char *p, size_t n)
{
	return json_loadb(p, n, JSON_REJECT_DUPLICATES, NULL);
}

/* Format 1: magic, u32 length, JSON, rows of u16. */
static int parse_v1(struct ring *r, struct buf *raw, struct fault *why)
{
	size_t at = MAGIC_SIZE + 4;
	int64_t rows;

	if (raw->n < at || be_read(raw->p + MAGIC_SIZE, 4) > raw->n - at)
		return fault_set(why, -EINVAL, "ends within its metadata");
	size_t n = (size_t)be_read(raw->p + MAGIC_SIZE, 4);
	AUTO(json) meta = json_of(raw->p + at, n);
	if (!json_is_object(meta))
		return fault_set(why, -EINVAL, "has metadata that is not a JSON object");
	at += n;
	int err = meta_fill(r, meta, why);
	err = err ?: devs_fill(r, json_object_get(meta, "devs"), why);
	err = err ?: json_int(meta, "replica_count", 0, RING_REPLICAS_MAX, REQUIRED, &rows, why);
	if (err)
		return err;
	const char *order = json_string_value(json_object_get(meta, "byteorder"));
	if (order && strcmp(order, "little") && strcmp(order, "big"))
		return fault_set(why, -EINVAL, "has the unknown byte order \"%.20s\"", order);
	bool machine_is_big = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;
	bool is_big = order ? !strcmp(order, "big") : machine_is_big;
	if (!is_big && machine_is_big)
		return fault_set(why, -ENOTSUP,
				 "is little-endian, which this machine does not read");
	err = moved_fill_text(r, json_object_get(meta, RING_PREVIOUS_KEY), why);
	err = err ?: table_take(r, raw, at, raw->n - at, 2, is_big, why);
	if (!err && r->rows != rows)
		return fault_set(why, -EINVAL, "has %u rows where its metadata says %" PRId64,
				 r->rows, rows);
	return err;
}

/* Is the section's checksum right? Methods that are not known, and null, are not checked. */
static bool section_sound(const json_t *entry, const char *p, size_t n)
{
	static const char *const names[] = { "md5", "sha1", "sha256", "sha512" };
	const char *method = json_string_value(json_array_get(entry, 4));
	const char *text = json_string_value(json_array_get(entry, 5));
	unsigned char want[DIGEST_MAX], have[DIGEST_MAX];

	for (unsigned kind = 0; method && text && kind < ARRAY_LEN(names); kind++) {
		size_t size = digest_size(kind);

		if (strcmp(method, names[kind]))
			continue;
		if (strlen(text) != 2 * size || hex_decode(str_from(text), want, size) < 0)
			return false;
		digest_of(kind, p, n, have);
		return memcmp(want, have, size) == 0;
	}
	return true;
}

/* Finds a section by the index: its bytes without the length in front. -ENOENT when there
 * is none. */
static int section_find(const json_t *index, const char *name, const struct buf *raw,
			struct str *ret, struct fault *why)
{
	const json_t *entry = json_object_get(index, name);
	const json_t *start = json_array_get(entry, 1);

	if (!entry)
		return fault_set(why, -ENOENT, "has no section %s", name);
	uint64_t at = json_is_integer(start) ? (uint64_t)json_integer_value(start) : UINT64_MAX;
	if (at > raw->n || raw->n - at < 8 || be_read(raw->p + at, 8) > raw->n - at - 8)
		return fault_set(why, -EINVAL, "has an index that points outside the file for %s",
				 name);
	uint64_t n = be_read(raw->p + at, 8);
	if (!section_sound(entry, raw->p + at, (size_t)n + 8))
		return fault_set(why, -EINVAL, "has a damaged section %s: its checksum is another",
				 name);
	*ret = str_of(raw->p + at + 8, (size_t)n);
	return 0;
}

/* Format 2: sections, found by an index whose place the last 16 unpacked bytes tell. */
static int parse_v2(struct ring *r, struct buf *raw, struct fault *why)
{
	struct str text, table;
	int64_t width;

	if (raw->n < MAGIC_SIZE + TAIL_SIZE)
		return fault_set(why, -EINVAL, "ends within its index");
	uint64_t at = be_read(raw->p + raw->n - 16, 8);
	if (at > raw->n - TAIL_SIZE || be_read(raw->p + at, 8) > raw->n - TAIL_SIZE - at)
		return fault_set(why, -EINVAL, "has no index at its end");
	AUTO(json) index = json_of(raw->p + at + 8, (size_t)be_read(raw->p + at, 8));
	int err = section_find(index, "swift/ring/metadata", raw, &text, why);
	if (err)
		return -EINVAL;
	AUTO(json) meta = json_of(text.p, text.n);
	if (section_find(index, "swift/ring/devices", raw, &text, why) < 0)
		return -EINVAL;
	AUTO(json) devs = json_of(text.p, text.n);
	if (section_find(index, "swift/ring/assignments", raw, &table, why) < 0)
		return -EINVAL;
	if (!json_is_object(meta))
		return fault_set(why, -EINVAL, "has metadata that is not a JSON object");
	err = meta_fill(r, meta, why);
	err = err ?: devs_fill(r, devs, why);
	err = err ?: json_int(meta, "dev_id_bytes", 2, 8, REQUIRED, &width, why);
	if (!err && width != 2 && width != 4 && width != 8)
		err = fault_set(why, -EINVAL, "\"dev_id_bytes\" is not 2, 4 or 8");
	if (err)
		return err;
	err = section_find(index, RING_PREVIOUS_SECTION, raw, &text, why);
	if (err != -ENOENT)
		err = err ?: moved_fill(r, text, why);
	if (err && err != -ENOENT)
		return err;
	return table_take(r, raw, (size_t)(table.p - raw->p), table.n, (unsigned)width, true, why);
}

int ring_parse(struct str bytes, struct ring **ret, struct fault *why)
{
	CLEANUP(buf_done) struct buf raw = BUF(RAW_BYTES_MAX);
	AUTO(ring) r = xcalloc(1, sizeof *r);

	r->refs = 1;
	int err = unpack(bytes, &raw, why);
	if (err)
		return err;
	if (raw.n < MAGIC_SIZE || memcmp(raw.p, "R1NG", 4) != 0)
		return fault_set(
			why, -EINVAL,
			"is not a ring file (pickled rings of Swift before 1.7 are not read)");
	r->format = (unsigned)be_read(raw.p + 4, 2);
	if (r->format == 1)
		err = parse_v1(r, &raw, why);
	else if (r->format == 2)
		err = parse_v2(r, &raw, why);
	else
		err = fault_set(why, -EINVAL, "is a ring file of the unknown format %u", r->format);
	if (err)
		return err;
	ring_index(r);
	*ret = TAKE(r);
	return 0;
}

static inline void fd_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static int file_read(const char *path, struct buf *to, struct fault *why)
{
	CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = 1;

	if (fd < 0)
		return fault_set(why, -errno, "%s: %s", path, strerror(errno));
	while (n > 0) {
		char *p = buf_reserve(to, 64 * KIB);

		if (!p)
			return fault_set(why, -EFBIG, "%s: is too large for a ring file", path);
		n = read(fd, p, to->cap - to->n - 1);
		if (n < 0 && errno == EINTR) {
			n = 1;
			continue;
		}
		if (n < 0)
			return fault_set(why, -errno, "%s: %s", path, strerror(errno));
		to->n += (size_t)n;
	}
	return 0;
}

int ring_load(const char *path, struct ring **ret, struct fault *why)
{
	CLEANUP(buf_done) struct buf file = BUF(FILE_BYTES_MAX);
	struct fault cause;
	int err = file_read(path, &file, why);

	if (err)
		return err;
	err = ring_parse(buf_str(&file), ret, &cause);
	return err ? fault_set(why, err, "%s: %s", path, cause.text) : 0;
}
