/* Fuzzes objects that travel together; the CRC is made right, or nothing would get behind it. */
#include "objectd/replicator/internal.h"

#include "lib/crypto/digest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(buf_done) struct buf b = BUF(REPLICATOR_BODY_MAX), again = BUF(REPLICATOR_BODY_MAX);
	AUTO(arena) a = arena_new();
	struct bulk_item i;

	if (size > MIB)
		return 0;
	wire_u32(&b, (uint32_t)size);
	wire_u32(&b, crc32c(0, data, size));
	buf_add(&b, data, size);
	struct str rest = buf_str(&b);
	int rc = bulk_take(&rest, a, &i);

	assert(rc == 0 || rc == -EBADMSG);
	if (rc < 0)
		return 0;
	size_t at = bulk_begin(&again, &i, (uint32_t)i.data.n);

	buf_add_str(&again, i.data);
	bulk_end(&again, at);
	assert(again.n == b.n && memcmp(again.p, b.p, b.n) == 0);
	return 0;
}
