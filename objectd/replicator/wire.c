/* Numbers and listed objects as bytes between replicators: little endian. */
#include "objectd/replicator/internal.h"

void wire_u32(struct buf *b, uint32_t v)
{
	unsigned char p[4];

	for (int i = 0; i < 4; i++)
		p[i] = (unsigned char)(v >> (8 * i));
	buf_add(b, p, sizeof p);
}

void wire_u64(struct buf *b, uint64_t v)
{
	wire_u32(b, (uint32_t)v);
	wire_u32(b, (uint32_t)(v >> 32));
}

int wire_take_u32(struct str *rest, uint32_t *ret)
{
	const unsigned char *p = (const unsigned char *)rest->p;

	if (rest->n < 4)
		return -EBADMSG;
	*ret = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
	*rest = str_skip(*rest, 4);
	return 0;
}

int wire_take_u64(struct str *rest, uint64_t *ret)
{
	uint32_t low, high;

	if (rest->n < 8 || wire_take_u32(rest, &low) < 0 || wire_take_u32(rest, &high) < 0)
		return -EBADMSG;
	*ret = low | (uint64_t)high << 32;
	return 0;
}

void wire_listed(struct buf *b, const struct object_listed *l)
{
	buf_add(b, l->hash, sizeof l->hash);
	wire_u64(b, l->entry.data_ts.t);
	wire_u64(b, l->entry.data_ts.offset);
	wire_u64(b, l->entry.meta_ts.t);
	wire_u64(b, l->entry.meta_ts.offset);
	buf_add_char(b, (char)l->entry.state);
}

int wire_take_listed(struct str *rest, struct object_listed *ret)
{
	struct object_listed l = { 0 };

	if (rest->n < LISTED_SIZE)
		return -EBADMSG;
	memcpy(l.hash, rest->p, sizeof l.hash);
	*rest = str_skip(*rest, sizeof l.hash);
	(void)!wire_take_u64(rest, &l.entry.data_ts.t);
	(void)!wire_take_u64(rest, &l.entry.data_ts.offset);
	(void)!wire_take_u64(rest, &l.entry.meta_ts.t);
	(void)!wire_take_u64(rest, &l.entry.meta_ts.offset);
	l.entry.state = (enum object_state)rest->p[0];
	*rest = str_skip(*rest, 1);
	if (l.entry.state != OBJECT_DATA && l.entry.state != OBJECT_TOMBSTONE)
		return -EBADMSG;
	*ret = l;
	return 0;
}

char entry_needs(const struct object_entry *mine, const struct object_entry *theirs)
{
	if (!mine || timestamp_cmp(mine->data_ts, theirs->data_ts) < 0)
		return PEER_NEEDS_DATA;
	/* A newer POST is wanted even by who has newer data: it applies to that as well. */
	if (theirs->state == OBJECT_TOMBSTONE || mine->state == OBJECT_TOMBSTONE)
		return PEER_HAS_IT;
	return timestamp_cmp(mine->meta_ts, theirs->meta_ts) < 0 ? PEER_NEEDS_METADATA
								 : PEER_HAS_IT;
}
