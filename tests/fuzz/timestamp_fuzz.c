/* Timestamps: whatever is accepted prints to a text that parses to the same. */
#include "lib/swift/timestamp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct timestamp ts, again;
	char text[TIMESTAMP_SIZE], iso[27];

	if (timestamp_parse(str_of((const char *)data, size), &ts) < 0)
		return 0;
	timestamp_internal(ts, text);
	assert(strlen(text) == 16 || strlen(text) == 33);
	assert(timestamp_parse(str_from(text), &again) == 0 && timestamp_cmp(ts, again) == 0);
	timestamp_iso(ts, iso);
	assert(strlen(iso) == 26 && timestamp_ceil_s(ts) >= 0);
	return 0;
}
