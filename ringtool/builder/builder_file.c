/* A builder's file: JSON with the settings and devices in clear; what has a value per partition is
 * packed by zlib and written in base64. */
#include "lib/base/encode.h"
#include "ringtool/builder/builder.h"

#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <unistd.h>
#include <zlib.h>

#define FILE_BYTES_MAX (8 * GIB)

enum { FORMAT = 1 };

static inline void json_end(json_t *j) { json_decref(j); }
DEFINE_AUTO(json, json_t *, json_end);

/* {"bytes": how many, "packed": base64 of what zlib made of them} */
static json_t *packed_json(const void *p, size_t n)
{
	CLEANUP(buf_done) struct buf text = BUF(FILE_BYTES_MAX);
	uLongf size = compressBound(n);
	AUTO(free) packed = xmalloc(size);
	int code = compress2(packed, &size, p ?: "", n, 1);

	assert(code == Z_OK);
	base64_encode(&text, packed, size);
	return json_pack("{s:I, s:o}", "bytes", (json_int_t)n, "packed",
			 json_stringn(text.p, text.n));
}

static int packed_read(const json_t *j, size_t n, void **ret)
{
	CLEANUP(buf_done) struct buf packed = BUF(FILE_BYTES_MAX);
	const json_t *text = json_object_get(j, "packed");
	AUTO(free) room = NULL;
	uLongf size = n;

	if (json_integer_value(json_object_get(j, "bytes")) != (json_int_t)n ||
	    !json_is_string(text) ||
	    base64_decode(&packed, str_of(json_string_value(text), json_string_length(text))) < 0)
		return -EINVAL;
	room = xmalloc(n + 1);
	if (uncompress(room, &size, (const unsigned char *)packed.p, packed.n) != Z_OK || size != n)
		return -EINVAL;
	*ret = TAKE(room);
	return 0;
}

static json_t *devs_json(const struct builder *b)
{
	json_t *devs = json_array();

	for (unsigned i = 0; i < b->devs_n; i++) {
		const struct builder_dev *d = b->devs[i];
		json_t *j =
			!d ? json_null()
			   : json_pack("{s:i, s:I, s:I, s:s, s:i, s:s, s:i, s:s, s:f, s:s, s:b}",
				       "id", d->dev.id, "region", (json_int_t)d->dev.region, "zone",
				       (json_int_t)d->dev.zone, "ip", d->dev.ip, "port",
				       (int)d->dev.port, "replication_ip", d->dev.replication_ip,
				       "replication_port", (int)d->dev.replication_port, "device",
				       d->dev.device, "weight", d->dev.weight, "meta", d->dev.meta,
				       "removing", d->removing);

		assert(j);
		json_array_append_new(devs, j);
	}
	return devs;
}

static json_t *table_json(const struct builder *b)
{
	bool narrow = b->devs_n < UINT16_MAX;
	AUTO(free) room = xmalloc(b->cells * (narrow ? 2 : 4) + 1);

	for (uint64_t cell = 0; cell < b->cells; cell++)
		if (narrow)
			((uint16_t *)room)[cell] = (uint16_t)b->table[cell];
		else
			((uint32_t *)room)[cell] = b->table[cell];
	json_t *j = packed_json(room, b->cells * (narrow ? 2 : 4));
	json_object_set_new(j, "cells", json_integer((json_int_t)b->cells));
	return j;
}

void builder_format(const struct builder *b, struct buf *to)
{
	AUTO(json)
	j = json_pack("{s:i, s:s, s:i, s:f, s:i, s:f, s:I, s:b, s:I}", "needletail_builder", FORMAT,
		      "id", b->id, "part_power", (int)b->part_power, "replicas", b->replicas,
		      "min_part_hours", (int)b->min_part_hours, "overload", b->overload, "version",
		      (json_int_t)b->version, "devs_changed", b->devs_changed, "hours_epoch",
		      (json_int_t)b->hours_epoch);

	assert(j);
	if (b->next_part_power >= 0)
		json_object_set_new(j, "next_part_power", json_integer(b->next_part_power));
	if (b->dispersion >= 0)
		json_object_set_new(j, "dispersion", json_real(b->dispersion));
	json_object_set_new(j, "devices", devs_json(b));
	json_object_set_new(j, "hours_since", packed_json(b->hours_since, builder_parts(b)));
	if (b->cells)
		json_object_set_new(j, "table", table_json(b));
	if (b->moved_n) {
		json_t *moved = packed_json(b->moved, b->moved_n * sizeof *b->moved);

		json_object_set_new(moved, "count", json_integer((json_int_t)b->moved_n));
		json_object_set_new(j, "previous", moved);
	}
	AUTO(free) text = json_dumps(j, JSON_INDENT(1));
	assert(text);
	buf_add_str(to, str_from(text));
	buf_add_char(to, '\n');
}

static int copy(char *to, size_t size, const char *from)
{
	if (!from || strlen(from) >= size)
		return -EINVAL;
	memcpy(to, from, strlen(from) + 1);
	return 0;
}

static int dev_read(struct builder *b, json_t *j, struct fault *why)
{
	const char *ip, *replication_ip, *device, *meta;
	json_int_t region, zone;
	int id, port, replication_port, removing;
	double weight;
	struct ring_dev dev = { 0 };

	if (json_unpack(j, "{s:i, s:I, s:I, s:s, s:i, s:s, s:i, s:s, s:F, s:s, s:b!}", "id", &id,
			"region", &region, "zone", &zone, "ip", &ip, "port", &port,
			"replication_ip", &replication_ip, "replication_port", &replication_port,
			"device", &device, "weight", &weight, "meta", &meta, "removing",
			&removing) < 0 ||
	    copy(dev.ip, sizeof dev.ip, ip) < 0 ||
	    copy(dev.device, sizeof dev.device, device) < 0 ||
	    copy(dev.replication_ip, sizeof dev.replication_ip, replication_ip) < 0 || region < 0 ||
	    region > INT32_MAX || zone < 0 || zone > INT32_MAX || id < 0)
		return fault_set(why, -EINVAL, "a device lacks something or has it wrong");
	dev.id = id;
	dev.region = (unsigned)region;
	dev.zone = (unsigned)zone;
	dev.port = (unsigned)port;
	dev.replication_port = (unsigned)replication_port;
	dev.weight = weight;
	dev.meta = (char *)meta;
	int err = builder_dev_load(b, &dev, why);
	if (!err)
		b->devs[id]->removing = removing;
	return err;
}

static int devs_read(struct builder *b, json_t *devs, struct fault *why)
{
	size_t n = json_array_size(devs);

	if (!json_is_array(devs) || n > RING_DEVICES_MAX)
		return fault_set(why, -EINVAL, "\"devices\" is not a list");
	for (size_t i = 0; i < n; i++) {
		json_t *j = json_array_get(devs, i);
		struct fault cause;

		if (!json_is_null(j) && dev_read(b, j, &cause) < 0)
			return fault_set(why, -EINVAL, "device %zu: %s", i, cause.text);
	}
	return 0;
}

static int table_read(struct builder *b, const json_t *j, struct fault *why)
{
	json_int_t cells = json_integer_value(json_object_get(j, "cells"));
	json_int_t bytes = json_integer_value(json_object_get(j, "bytes"));
	AUTO(free) room = NULL;

	if (cells < (json_int_t)builder_parts(b) ||
	    cells > (json_int_t)(builder_parts(b) * RING_REPLICAS_MAX) ||
	    (bytes != cells * 2 && bytes != cells * 4) || packed_read(j, (size_t)bytes, &room) < 0)
		return fault_set(why, -EINVAL, "\"table\" is damaged");
	b->cells = (uint64_t)cells;
	b->table = xreallocarray(NULL, b->cells, sizeof *b->table);
	for (uint64_t cell = 0; cell < b->cells; cell++) {
		uint32_t dev =
			bytes == cells * 2 ? ((uint16_t *)room)[cell] : ((uint32_t *)room)[cell];

		if (!builder_dev(b, dev))
			return fault_set(why, -EINVAL, "\"table\" names device %" PRIu32
					 ", which does not exist", dev);
		b->table[cell] = dev;
		b->devs[dev]->parts++;
	}
	return 0;
}

static int moved_read(struct builder *b, const json_t *j, struct fault *why)
{
	json_int_t n = json_integer_value(json_object_get(j, "count"));
	void *room = NULL;

	if (n < 0 || n > (json_int_t)(builder_parts(b) * BUILDER_PREVIOUS_MAX) ||
	    packed_read(j, (size_t)n * sizeof *b->moved, &room) < 0)
		return fault_set(why, -EINVAL, "\"previous\" is damaged");
	b->moved = room;
	b->moved_n = (size_t)n;
	for (size_t i = 0; i < b->moved_n; i++)
		if (b->moved[i].part >= builder_parts(b) || b->moved[i].dev >= RING_DEVICES_MAX ||
		    (i > 0 && b->moved[i].part < b->moved[i - 1].part))
			return fault_set(why, -EINVAL, "\"previous\" is damaged");
	return 0;
}

/* Everything that has a value per partition. */
static int tables_read(struct builder *b, const json_t *j, struct fault *why)
{
	const json_t *table = json_object_get(j, "table"), *moved = json_object_get(j, "previous");
	void *hours = NULL;

	if (packed_read(json_object_get(j, "hours_since"), builder_parts(b), &hours) < 0)
		return fault_set(why, -EINVAL, "\"hours_since\" is damaged");
	free(b->hours_since);
	b->hours_since = hours;
	int err = table ? table_read(b, table, why) : 0;
	return err ?: moved ? moved_read(b, moved, why) : 0;
}

/* A key that is not known may be one that was damaged, or of a newer ringtool. */
static int keys_check(json_t *j, struct fault *why)
{
	static const char *const known[] = {
		"needletail_builder", "id",      "part_power",   "replicas",    "min_part_hours",
		"overload",           "version", "devs_changed", "hours_epoch", "next_part_power",
		"dispersion",         "devices", "hours_since",  "table",       "previous",
	};
	const char *key;
	json_t *value;

	json_object_foreach(j, key, value) {
		size_t i = 0;

		while (i < ARRAY_LEN(known) && strcmp(known[i], key))
			i++;
		if (i == ARRAY_LEN(known))
			return fault_set(why, -EINVAL, "has the unknown key \"%.40s\"", key);
	}
	return 0;
}

int builder_parse(struct str text, struct builder **ret, struct fault *why)
{
	json_error_t error;
	AUTO(json) j = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, &error);
	int format, part_power, hours, changed, next = -1;
	double replicas, overload, dispersion = -1;
	json_int_t version, epoch;
	const char *id;

	if (text.n > 0 && text.p[0] == (char)0x80)
		return fault_set(
			why, -EINVAL,
			"is a builder of Swift (a Python pickle), which is not read; make one "
			"from its ring file with write_builder");
	if (!j)
		return fault_set(why, -EINVAL, "is not JSON: line %d: %s", error.line, error.text);
	if (json_unpack(j, "{s:i}", "needletail_builder", &format) < 0)
		return fault_set(why, -EINVAL, "is not a ring builder");
	if (format != FORMAT)
		return fault_set(why, -EINVAL, "has the unknown builder format %d", format);
	if (json_unpack(j, "{s:s, s:i, s:F, s:i, s:F, s:I, s:b, s:I, s?i, s?F}", "id", &id,
			"part_power", &part_power, "replicas", &replicas, "min_part_hours", &hours,
			"overload", &overload, "version", &version, "devs_changed", &changed,
			"hours_epoch", &epoch, "next_part_power", &next, "dispersion",
			&dispersion) < 0 ||
	    part_power < 0 || part_power > BUILDER_PART_POWER_MAX || !(replicas >= 1) ||
	    replicas > RING_REPLICAS_MAX || hours < 0 || !(overload >= 0) || isinf(overload) ||
	    version < 0 || strlen(id) != 32 ||
	    (next != -1 && next != part_power && next != part_power + 1))
		return fault_set(why, -EINVAL, "has a setting that is missing or out of bounds");
	AUTO(builder) b = builder_new((unsigned)part_power, replicas, (unsigned)hours);
	int err = keys_check(j, why);
	err = err ?: devs_read(b, json_object_get(j, "devices"), why);
	err = err ?: tables_read(b, j, why);
	if (err)
		return err;
	memcpy(b->id, id, sizeof b->id);
	b->next_part_power = next;
	b->overload = overload;
	b->version = version;
	b->devs_changed = changed;
	b->dispersion = dispersion;
	b->hours_epoch = epoch;
	*ret = TAKE(b);
	return 0;
}

static inline void fd_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

int builder_load(const char *path, struct builder **ret, struct fault *why)
{
	CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
	CLEANUP(buf_done) struct buf text = BUF(FILE_BYTES_MAX);
	struct fault cause;
	ssize_t n = 1;

	if (fd < 0 && errno == ENOENT)
		return fault_set(why, -ENOENT, "Ring Builder file does not exist: %s", path);
	if (fd < 0)
		return fault_set(why, -errno, "Ring Builder file cannot be accessed: %s: %s", path,
				 strerror(errno));
	while (n > 0) {
		char *p = buf_reserve(&text, 64 * KIB);

		n = p ? read(fd, p, text.cap - text.n - 1) : 0;
		if (n < 0)
			return fault_set(why, -errno, "%s: %s", path, strerror(errno));
		text.n += (size_t)n;
	}
	int err = builder_parse(buf_str(&text), ret, &cause);
	return err ? fault_set(why, err, "Ring Builder file is invalid: %s %s", path, cause.text)
		   : 0;
}

int builder_save(const struct builder *b, const char *path, struct fault *why)
{
	CLEANUP(buf_done) struct buf text = BUF(FILE_BYTES_MAX);

	builder_format(b, &text);
	return ring_file_replace(path, buf_str(&text), why);
}
