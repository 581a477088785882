/* Writes ring files as Swift's HEAD does: swift/common/ring/{ring,io}.py. */
#include "lib/ring/ring_write.h"
#include "lib/base/encode.h"
#include "lib/crypto/digest.h"
#include "lib/ring/internal.h"

#include <fcntl.h>
#include <jansson.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

/* The time in the gzip header that Swift writes too: equal rings are equal files. */
enum { GZIP_TIME = 1300507380, LEVEL = 6 };

/* A gzip file that grows in a buffer. Sections of format 2 can be unpacked alone, since each begins
 * behind a full flush; the index's place is stored, not packed, so that its size is known. */
struct gz {
	struct buf *out;
	size_t base;                    /* where the file begins in out */
	z_stream z;
	uint32_t crc;
	uint64_t raw_n;
	struct digest *sum;             /* of the section that is being written, or NULL */
};

static void gz_run(struct gz *g, const void *p, size_t n, int flush)
{
	bool more = true;

	g->z.next_in = (unsigned char *)p;
	while (more) {
		size_t in = MIN(n, (size_t)GIB);
		char *to = buf_reserve(g->out, 64 * KIB);

		if (!to)
			return;
		size_t room = MIN(g->out->cap - g->out->n - 1, (size_t)GIB);
		g->z.avail_in = (unsigned)in;
		g->z.next_out = (unsigned char *)to;
		g->z.avail_out = (unsigned)room;
		int code = deflate(&g->z, in < n ? Z_NO_FLUSH : flush);
		assert(code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR);
		g->out->n += room - g->z.avail_out;
		n -= in - g->z.avail_in;
		more = n > 0 || g->z.avail_out == 0;
	}
	g->out->p[g->out->n] = 0;
}

static void gz_level(struct gz *g, int level)
{
	if (g->z.state) {
		gz_run(g, "", 0, Z_FULL_FLUSH);
		deflateEnd(&g->z);
	}
	g->z = (z_stream){ 0 };
	int code = deflateInit2(&g->z, level, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
	assert(code == Z_OK);
}

static void le32_add(struct buf *b, uint32_t v)
{
	for (unsigned i = 0; i < 4; i++)
		buf_add_char(b, (char)(v >> 8 * i));
}

static void gz_start(struct gz *g, struct buf *out)
{
	*g = (struct gz){ .out = out, .base = out->n };
	buf_add(out, "\x1f\x8b\x08\x00", 4);
	le32_add(out, GZIP_TIME);
	buf_add(out, "\x02\xff", 2);
}

static void gz_write(struct gz *g, const void *p, size_t n)
{
	g->raw_n += n;
	g->crc = (uint32_t)crc32_z(g->crc, p, n);
	if (g->sum)
		digest_add(g->sum, p, n);
	gz_run(g, p, n, Z_NO_FLUSH);
}

static void gz_be(struct gz *g, uint64_t v, unsigned bytes)
{
	unsigned char b[8];

	for (unsigned i = 0; i < bytes; i++)
		b[i] = (unsigned char)(v >> 8 * (bytes - 1 - i));
	gz_write(g, b, bytes);
}

static void gz_end(struct gz *g)
{
	gz_run(g, "", 0, Z_FINISH);
	deflateEnd(&g->z);
	le32_add(g->out, g->crc);
	le32_add(g->out, (uint32_t)g->raw_n);
}

/* Swift's libmagic rule expects the magic unpacked. */
static void gz_magic(struct gz *g, unsigned format)
{
	gz_level(g, 0);
	gz_write(g, "R1NG", 4);
	gz_be(g, format, 2);
	gz_level(g, LEVEL);
}

static json_t *dev_json(const struct ring_dev *d)
{
	json_t *j = json_pack("{s:i, s:I, s:I, s:s, s:i, s:s, s:i, s:s, s:f, s:s}", "id", d->id,
			      "region", (json_int_t)d->region, "zone", (json_int_t)d->zone, "ip",
			      d->ip, "port", (int)d->port, "replication_ip", d->replication_ip,
			      "replication_port", (int)d->replication_port, "device", d->device,
			      "weight", d->weight, "meta", d->meta ?: "");

	assert(j);                      /* the builder lets only UTF-8 in */
	return j;
}

static json_t *devs_json(const struct ring_image *image)
{
	json_t *devs = json_array();

	for (unsigned i = 0; i < image->devs_n; i++)
		json_array_append_new(devs,
				      image->devs[i] ? dev_json(image->devs[i]) : json_null());
	return devs;
}

static json_t *meta_json(const struct ring_image *image)
{
	json_t *meta = json_pack("{s:i}", "part_shift", 32 - (int)image->part_power);

	if (image->version >= 0)
		json_object_set_new(meta, "version", json_integer(image->version));
	if (image->next_part_power >= 0)
		json_object_set_new(meta, "next_part_power", json_integer(image->next_part_power));
	return meta;
}

/* As Python's json.dumps(sort_keys=True); drops the reference. */
static char *json_line(json_t *j)
{
	char *text = json_dumps(j, JSON_SORT_KEYS | JSON_ENSURE_ASCII);

	json_decref(j);
	assert(text);
	return text;
}

static void varint_add(struct buf *b, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		buf_add_char(b, (char)(v | 0x80));
	buf_add_char(b, (char)v);
}

/* Previous owners: for each the distance from the partition before and the device, as numbers of 7
 * bits a byte. */
static void moved_pack(const struct ring_image *image, struct buf *to)
{
	uint32_t part = 0;

	for (size_t i = 0; i < image->moved_n; i++) {
		varint_add(to, image->moved[i].part - part);
		varint_add(to, image->moved[i].dev);
		part = image->moved[i].part;
	}
}

static void table_write(struct gz *g, const struct ring_image *image, unsigned id_bytes,
			bool network)
{
	unsigned char room[2 * KIB];
	size_t n = 0;

	for (uint64_t cell = 0; cell < image->cells; cell++) {
		uint32_t dev = image->table[cell];

		for (unsigned i = 0; i < id_bytes; i++) {
			unsigned shift = 8 * (network ? id_bytes - 1 - i : i);

			room[n++] = shift < 32 ? (unsigned char)(dev >> shift) : 0;
		}
		if (n + 8 > sizeof room || cell + 1 == image->cells) {
			gz_write(g, room, n);
			n = 0;
		}
	}
}

static void pack_v1(const struct ring_image *image, struct buf *to)
{
	CLEANUP(buf_done) struct buf moved = BUF(4 * GIB), text = BUF(4 * GIB);
	uint64_t parts = (uint64_t)1 << image->part_power;
	json_t *meta = meta_json(image);
	struct gz g;

	json_object_set_new(meta, "devs", devs_json(image));
	json_object_set_new(meta, "replica_count",
			    json_integer((image->cells + parts - 1) >> image->part_power));
	json_object_set_new(meta, "byteorder", json_string("little"));
	if (image->moved_n) {
		moved_pack(image, &moved);
		base64_encode(&text, moved.p, moved.n);
		json_object_set_new(meta, RING_PREVIOUS_KEY, json_stringn(text.p, text.n));
	}
	AUTO(free) line = json_line(meta);
	gz_start(&g, to);
	gz_magic(&g, 1);
	gz_be(&g, strlen(line), 4);
	gz_write(&g, line, strlen(line));
	table_write(&g, image, 2, false);
	gz_end(&g);
}

struct section {
	const char *name;
	size_t packed_at;
	uint64_t raw_at;
};

static struct section section_start(struct gz *g, const char *name)
{
	gz_run(g, "", 0, Z_FULL_FLUSH);
	g->sum = digest_new(DIGEST_SHA256);
	return (struct section){ name, g->out->n - g->base, g->raw_n };
}

static void section_end(struct gz *g, const struct section *s, json_t *index)
{
	unsigned char sum[SHA256_SIZE];
	char hex[2 * SHA256_SIZE + 1];

	gz_run(g, "", 0, Z_FULL_FLUSH);
	digest_final(g->sum, sum);
	hex_encode(sum, sizeof sum, hex);
	digest_free(TAKE(g->sum));
	json_object_set_new(index, s->name,
			    json_pack("[I, I, I, I, s, s]", (json_int_t)s->packed_at,
				      (json_int_t)s->raw_at, (json_int_t)(g->out->n - g->base),
				      (json_int_t)g->raw_n, "sha256", hex));
}

static void section_bytes(struct gz *g, const char *name, struct str bytes, json_t *index)
{
	struct section s = section_start(g, name);

	gz_be(g, bytes.n, 8);
	gz_write(g, bytes.p, bytes.n);
	section_end(g, &s, index);
}

static void section_json(struct gz *g, const char *name, json_t *content, json_t *index)
{
	AUTO(free) line = json_line(content);

	section_bytes(g, name, str_from(line), index);
}

/* The index, and where it begins: each number stored in a block of its own, so the file's last 31
 * bytes always begin one. */
static void index_write(struct gz *g, json_t *index)
{
	gz_run(g, "", 0, Z_FULL_FLUSH);
	uint64_t raw_at = g->raw_n, packed_at = g->out->n - g->base;
	AUTO(free) line = json_line(index);

	gz_be(g, strlen(line), 8);
	gz_write(g, line, strlen(line));
	gz_level(g, 0);
	gz_be(g, raw_at, 8);
	gz_run(g, "", 0, Z_FULL_FLUSH);
	gz_be(g, packed_at, 8);
	gz_run(g, "", 0, Z_FULL_FLUSH);
}

static void pack_v2(const struct ring_image *image, unsigned id_bytes, struct buf *to)
{
	json_t *meta = meta_json(image), *index = json_object();
	double replicas = (double)image->cells / (double)((uint64_t)1 << image->part_power);
	struct gz g;

	json_object_set_new(meta, "dev_id_bytes", json_integer(id_bytes));
	json_object_set_new(meta, "replica_count", json_real(replicas));
	gz_start(&g, to);
	gz_magic(&g, 2);
	section_json(&g, "swift/ring/metadata", meta, index);
	section_json(&g, "swift/ring/devices", devs_json(image), index);
	struct section s = section_start(&g, "swift/ring/assignments");
	gz_be(&g, image->cells * id_bytes, 8);
	table_write(&g, image, id_bytes, true);
	section_end(&g, &s, index);
	if (image->moved_n) {
		CLEANUP(buf_done) struct buf moved = BUF(4 * GIB);

		moved_pack(image, &moved);
		section_bytes(&g, RING_PREVIOUS_SECTION, buf_str(&moved), index);
	}
	index_write(&g, index);
	gz_end(&g);
}

int ring_pack(const struct ring_image *image, unsigned format, unsigned id_bytes, struct buf *to,
	      struct fault *why)
{
	/* Swift's builder keeps the highest number of 2 bytes for "no device". */
	bool narrow = image->devs_n < UINT16_MAX;

	assert(image->part_power <= RING_PART_POWER_MAX && image->devs_n <= RING_DEVICES_MAX);
	if (format != 1 && format != 2)
		return fault_set(why, -EINVAL, "there is no ring format %u: 1 and 2 are known",
				 format);
	if (id_bytes != 0 && id_bytes != 2 && id_bytes != 4 && id_bytes != 8)
		return fault_set(why, -EINVAL, "a device id has 2, 4 or 8 bytes, not %u", id_bytes);
	if (!narrow && (format == 1 || id_bytes == 2))
		return fault_set(why, -EINVAL,
				 "%u devices do not fit into ids of 2 bytes; write format 2%s",
				 image->devs_n, format == 2 ? " with 4" : "");
	if (format == 1)
		pack_v1(image, to);
	else
		pack_v2(image, id_bytes ?: narrow ? 2 : 4, to);
	return buf_failed(to) ? fault_set(why, -EFBIG, "the ring is too large for a file") : 0;
}

int ring_write(const char *path, const struct ring_image *image, unsigned format, unsigned id_bytes,
	       struct fault *why)
{
	CLEANUP(buf_done) struct buf bytes = BUF(4 * GIB);
	int err = ring_pack(image, format, id_bytes, &bytes, why);

	return err ?: ring_file_replace(path, buf_str(&bytes), why);
}

/* Writes everything and syncs; the errno of the first failure. */
static int write_all(int fd, struct str bytes)
{
	while (bytes.n > 0) {
		ssize_t n = write(fd, bytes.p, MIN(bytes.n, (size_t)GIB));

		if (n < 0 && errno != EINTR)
			return -errno;
		bytes = str_skip(bytes, n < 0 ? 0 : (size_t)n);
	}
	return fchmod(fd, 0644) < 0 || fsync(fd) < 0 ? -errno : 0;
}

/* Makes a rename last through a power cut. */
static int sync_parent(const char *path)
{
	ssize_t slash = str_rchr(str_from(path), '/');
	AUTO(free) dir = slash < 0 ? xstrdup(".") : xmemdupz(path, slash ? (size_t)slash : 1);
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err = fd < 0 || fsync(fd) < 0 ? -errno : 0;

	if (fd >= 0)
		close(fd);
	return err;
}

int ring_file_replace(const char *path, struct str bytes, struct fault *why)
{
	CLEANUP(buf_done) struct buf temporary = BUF(PATH_MAX);

	buf_addf(&temporary, "%s.XXXXXX", path);
	int fd = buf_failed(&temporary) ? -1 : mkostemp(temporary.p, O_CLOEXEC);
	if (fd < 0)
		return fault_set(why, -errno, "%s: %s", path, strerror(errno));
	int err = write_all(fd, bytes);
	if (close(fd) < 0 && !err)
		err = -errno;
	if (!err && rename(temporary.p, path) < 0)
		err = -errno;
	if (err)
		unlink(temporary.p);
	err = err ?: sync_parent(path);
	return err ? fault_set(why, err, "%s: %s", path, strerror(-err)) : 0;
}
