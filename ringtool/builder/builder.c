/* A builder's devices, clocks and conversions to and from rings. */
#include "ringtool/builder/builder.h"
#include "lib/base/encode.h"
#include "lib/crypto/digest.h"

#include <math.h>

struct builder *builder_new(unsigned part_power, double replicas, unsigned min_part_hours)
{
	struct builder *b = xcalloc(1, sizeof *b);
	unsigned char id[16];

	assert(part_power <= BUILDER_PART_POWER_MAX);
	random_bytes(id, sizeof id);
	hex_encode(id, sizeof id, b->id);
	b->part_power = part_power;
	b->next_part_power = -1;
	b->replicas = replicas;
	b->min_part_hours = min_part_hours;
	b->dispersion = -1;
	b->hours_since = xcalloc(builder_parts(b), 1);
	return b;
}

void builder_free(struct builder *b)
{
	if (!b)
		return;
	builder_for_dev(d, b)
		free(d->dev.meta);
	for (unsigned i = 0; i < b->devs_n; i++)
		free(b->devs[i]);
	free(b->devs);
	free(b->table);
	free(b->hours_since);
	free(b->moved);
	free(b);
}

uint64_t builder_cells_wanted(const struct builder *b)
{
	return (uint64_t)floor(b->replicas * (double)builder_parts(b) + 1e-6);
}

struct builder_dev *builder_dev_same(const struct builder *b, const struct ring_dev *dev)
{
	builder_for_dev(d, b) if (d->dev.id != dev->id && d->dev.port == dev->port &&
				  !strcmp(d->dev.ip, dev->ip) &&
				  !strcmp(d->dev.device, dev->device)) return d;
	return NULL;
}

/* What the reader of a ring file would refuse (ring_load.c). */
int builder_dev_check(const struct ring_dev *dev, struct fault *why)
{
	struct str device = str_from(dev->device);

	if (!*dev->ip || !*dev->replication_ip || strchr(dev->ip, ' ') ||
	    strchr(dev->replication_ip, ' '))
		return fault_set(why, -EINVAL, "Invalid address %s", dev->ip);
	if (dev->port > 65535 || dev->replication_port > 65535)
		return fault_set(why, -EINVAL, "Invalid port %u",
				 MAX(dev->port, dev->replication_port));
	if (device.n == 0 || device.p[0] == ' ' || str_ends(device, S(" ")) ||
	    strchr(device.p, '/') || str_eq(device, S(".")) || str_eq(device, S("..")))
		return fault_set(why, -EINVAL, "Invalid device name");
	if (!(dev->weight >= 0) || isinf(dev->weight))
		return fault_set(why, -EINVAL, "Invalid weight value: %g", dev->weight);
	if (!str_is_utf8(str_from(dev->ip)) || !str_is_utf8(str_from(dev->replication_ip)) ||
	    !str_is_utf8(device) || (dev->meta && !str_is_utf8(str_from(dev->meta))))
		return fault_set(why, -EINVAL, "Invalid text: only UTF-8 is allowed");
	for (const char *p = dev->device; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return fault_set(why, -EINVAL, "Invalid device name");
	return 0;
}

/* Takes a device in at a free id. */
static void dev_put(struct builder *b, const struct ring_dev *dev, unsigned id)
{
	if (id >= b->devs_n) {
		b->devs = xreallocarray(b->devs, id + 1, sizeof *b->devs);
		while (b->devs_n <= id)
			b->devs[b->devs_n++] = NULL;
	}
	assert(!b->devs[id]);
	b->devs[id] = xcalloc(1, sizeof **b->devs);
	b->devs[id]->dev = *dev;
	b->devs[id]->dev.id = (int)id;
	b->devs[id]->dev.meta = xstrdup(dev->meta ?: "");
}

int builder_dev_load(struct builder *b, const struct ring_dev *dev, struct fault *why)
{
	int err = builder_dev_check(dev, why);

	if (err)
		return err;
	if (dev->id < 0 || dev->id >= RING_DEVICES_MAX || builder_dev(b, (unsigned)dev->id))
		return fault_set(why, -EINVAL, "device id %d is there twice or out of bounds",
				 dev->id);
	dev_put(b, dev, (unsigned)dev->id);
	return 0;
}

int builder_dev_add(struct builder *b, const struct ring_dev *dev, struct fault *why)
{
	int err = builder_dev_check(dev, why);
	unsigned id = 0;

	if (err)
		return err;
	if (dev->id >= 0) {
		id = (unsigned)dev->id;
		if (builder_dev(b, id))
			return fault_set(why, -EEXIST, "Duplicate device id: %u", id);
	} else {
		while (builder_dev(b, id))
			id++;
	}
	if (id >= RING_DEVICES_MAX)
		return fault_set(why, -EINVAL, "A ring has at most %d devices", RING_DEVICES_MAX);
	struct builder_dev *same = builder_dev_same(b, dev);
	if (same)
		return fault_set(why, -EEXIST, "Device %d already uses %s:%u/%s.", same->dev.id,
				 dev->ip, dev->port, dev->device);
	dev_put(b, dev, id);
	b->devs_changed = true;
	b->version++;
	return (int)id;
}

void builder_dev_remove(struct builder *b, struct builder_dev *d)
{
	d->dev.weight = 0;
	d->removing = true;
	b->devs_changed = true;
	b->version++;
}

struct ring_image builder_image(const struct builder *b, struct ring_dev ***ret_devs)
{
	struct ring_dev **devs = xcalloc(b->devs_n + 1, sizeof *devs);

	builder_for_dev(d, b)
		devs[d_id] = &d->dev;
	*ret_devs = devs;
	return (struct ring_image){
		.part_power = b->part_power,
		.next_part_power = b->next_part_power,
		.version = b->version,
		.cells = b->cells,
		.table = b->table,
		.devs_n = b->devs_n,
		.devs = devs,
		.moved_n = b->moved_n,
		.moved = b->moved,
	};
}

struct builder *builder_of_ring(const struct ring *r, unsigned min_part_hours)
{
	struct builder *b = builder_new(ring_part_power(r), ring_replicas(r), min_part_hours);
	uint64_t parts = builder_parts(b);
	const struct ring_dev *previous[BUILDER_PREVIOUS_MAX];

	b->next_part_power = ring_next_part_power(r);
	b->cells = (uint64_t)(ring_replicas(r) * (double)parts + 0.5);
	b->table = xreallocarray(NULL, b->cells, sizeof *b->table);
	b->devs_n = ring_dev_count(r);
	b->devs = xcalloc(b->devs_n, sizeof *b->devs);
	for (unsigned id = 0; id < b->devs_n; id++) {
		const struct ring_dev *dev = ring_dev_by_id(r, (int)id);

		if (!dev)
			continue;
		b->devs[id] = xcalloc(1, sizeof **b->devs);
		b->devs[id]->dev = *dev;
		b->devs[id]->dev.meta = xstrdup(dev->meta);
	}
	for (uint64_t cell = 0; cell < b->cells; cell++) {
		b->table[cell] = (uint32_t)ring_cell(r, (unsigned)(cell >> b->part_power),
						     (uint32_t)(cell % parts));
		b->devs[b->table[cell]]->parts++;
	}
	for (uint64_t part = 0; part < parts; part++) {
		unsigned n = ring_previous(r, (uint32_t)part, previous, BUILDER_PREVIOUS_MAX);

		for (unsigned i = 0; i < n; i++) {
			if ((b->moved_n & (b->moved_n - 1)) == 0)
				b->moved = xreallocarray(b->moved, b->moved_n * 2 + 1,
							 sizeof *b->moved);
			b->moved[b->moved_n++] =
				(struct ring_moved){ (uint32_t)part, (uint32_t)previous[i]->id };
		}
	}
	b->version = MAX(ring_version(r), (int64_t)0);
	b->dispersion = builder_dispersion(b);
	return b;
}

void builder_hours_update(struct builder *b, int64_t now)
{
	int64_t hours = (now - b->hours_epoch) / 3600;

	if (hours <= 0)
		return;
	for (uint64_t part = 0; part < builder_parts(b); part++)
		b->hours_since[part] =
			(uint8_t)MIN(b->hours_since[part] + hours, (int64_t)BUILDER_HOURS_MAX);
	b->hours_epoch = now;
}

int64_t builder_hours_seconds_left(const struct builder *b, int64_t now)
{
	return MAX((int64_t)b->min_part_hours * 3600 - (now - b->hours_epoch), (int64_t)0);
}

void builder_hours_forget(struct builder *b)
{
	b->hours_epoch = 0;
	memset(b->hours_since, BUILDER_HOURS_MAX, builder_parts(b));
}
