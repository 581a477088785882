/* Fuzzes Range headers: what is accepted lies within the size, and its multipart length is right.
 * The input is 4 bytes of size and the header. */
#include "lib/swift/range.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct range r[RANGES_MAX];
	uint32_t length;
	struct str header;
	int n;

	if (size < sizeof length)
		return 0;
	memcpy(&length, data, sizeof length);
	header = str_of((const char *)data + sizeof length, size - sizeof length);
	n = ranges_parse(header, length, r);
	assert(n == -ERANGE || (n >= 0 && n <= RANGES_MAX));
	if (n > 0)
		assert(range_header_valid(header));
	for (int i = 0; i < n; i++) {
		assert(r[i].first <= r[i].last && r[i].last < length);
		assert(ranges_multipart_length(r, (unsigned)i + 1, length, S("a/b"), S("x")) >
		       r[i].last - r[i].first);
	}
	return 0;
}
