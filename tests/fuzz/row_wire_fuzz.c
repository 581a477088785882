/* Fuzzes lists of listing rows: what is accepted is written back as the same bytes. */
#include "objectd/updater/row_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(buf_done) struct buf again = BUF(ROWS_BYTES_MAX);
	AUTO(arena) a = arena_new();
	struct container_row_update *rows;
	int n;

	if (size > ROWS_BYTES_MAX)
		return 0;
	n = rows_read(a, str_of((const char *)data, size), &rows);
	assert(n >= 0 || n == -EBADMSG || n == -EFBIG);
	for (int i = 0; i < n; i++)
		row_write(&again, &rows[i]);
	if (n >= 0)
		assert(again.n == size && (size == 0 || memcmp(again.p, data, size) == 0));
	return 0;
}
