/* Ring files: whatever is read must be walkable. The input is a ring file, or, when it does not
 * begin as gzip, what one unpacks to, so that the fuzzer need not find checksums. */
#include "lib/base/buf.h"
#include "lib/ring/ring.h"

#include <zlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void gzip(struct buf *to, const void *p, size_t n)
{
	z_stream z = { 0 };
	size_t room = n + n / 8 + 1024;
	char *at = buf_reserve(to, room);

	if (!at || deflateInit2(&z, 1, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return;
	z.next_in = (unsigned char *)p;
	z.avail_in = (unsigned)n;
	z.next_out = (unsigned char *)at;
	z.avail_out = (unsigned)room;
	int code = deflate(&z, Z_FINISH);
	assert(code == Z_STREAM_END);
	to->n += room - z.avail_out;
	deflateEnd(&z);
}

/* Asks everything a server asks. */
static void walk(const struct ring *r)
{
	uint32_t parts = ring_partitions(r), step = parts / 16 + 1;
	const struct ring_dev *out[RING_REPLICAS_MAX], *dev;

	for (uint32_t part = 0; part < parts && part + step > part; part += step) {
		struct ring_handoffs it;
		unsigned n = ring_primaries(r, part, out, RING_REPLICAS_MAX);

		assert(n >= 1 && n <= ring_replica_rows(r));
		for (unsigned i = 0; i < n; i++)
			assert(out[i] == ring_dev_by_id(r, out[i]->id) && out[i]->meta);
		assert(ring_previous(r, part, out, RING_REPLICAS_MAX) <= RING_REPLICAS_MAX);
		ring_handoffs_start(r, part, &it);
		for (unsigned i = 0; i < 8 && (dev = ring_handoffs_next(&it)); i++)
			assert(dev == ring_dev_by_id(r, dev->id));
	}
	assert(ring_part_of(r, S("p"), S("s"), S("a"), S("c"), S("o")) < parts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(buf_done) struct buf file = BUF(64 * MIB);
	AUTO(ring) r = NULL;
	struct fault why = { "" };

	if (size >= 2 && data[0] == 0x1f && data[1] == 0x8b)
		buf_add(&file, data, size);
	else
		gzip(&file, data, size);
	if (ring_parse(buf_str(&file), &r, &why) == 0)
		walk(r);
	else
		assert(!r && why.text[0]);
	return 0;
}
