/* Doubling the number of partitions: partition p becomes 2p and 2p + 1 on the same devices. */
#include "ringtool/builder/builder.h"

int builder_power_prepare(struct builder *b)
{
	if (b->next_part_power >= 0 || b->part_power >= BUILDER_PART_POWER_MAX)
		return -EINVAL;
	b->next_part_power = (int)b->part_power + 1;
	b->version++;
	return 0;
}

int builder_power_increase(struct builder *b)
{
	if (b->next_part_power != (int)b->part_power + 1)
		return -EINVAL;
	uint32_t *table = xreallocarray(NULL, b->cells * 2 + 1, sizeof *table);
	uint8_t *hours = xmalloc(builder_parts(b) * 2);
	struct ring_moved *moved = xreallocarray(NULL, b->moved_n * 2 + 1, sizeof *moved);
	size_t n = 0;

	for (uint64_t cell = 0; cell < b->cells; cell++)
		table[2 * cell] = table[2 * cell + 1] = b->table[cell];
	for (uint64_t part = 0; part < builder_parts(b); part++)
		hours[2 * part] = hours[2 * part + 1] = b->hours_since[part];
	for (size_t i = 0, end; i < b->moved_n; i = end) {
		for (end = i; end < b->moved_n && b->moved[end].part == b->moved[i].part; end++)
			moved[n++] =
				(struct ring_moved){ 2 * b->moved[end].part, b->moved[end].dev };
		for (size_t k = i; k < end; k++)
			moved[n++] =
				(struct ring_moved){ 2 * b->moved[k].part + 1, b->moved[k].dev };
	}
	builder_for_dev(d, b)
		d->parts *= 2;
	free(b->table);
	free(b->hours_since);
	free(b->moved);
	b->table = table;
	b->hours_since = hours;
	b->moved = moved;
	b->moved_n = n;
	b->cells *= 2;
	b->part_power++;
	b->version++;
	return 0;
}

int builder_power_cancel(struct builder *b)
{
	if (b->next_part_power != (int)b->part_power + 1)
		return -EINVAL;
	b->next_part_power = (int)b->part_power;
	b->version++;
	return 0;
}

int builder_power_finish(struct builder *b)
{
	if (b->next_part_power != (int)b->part_power)
		return -EINVAL;
	b->next_part_power = -1;
	b->version++;
	return 0;
}
