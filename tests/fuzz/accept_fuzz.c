/* Fuzz: Accept headers of listings. */
#include "lib/base/base.h"
#include "lib/swift/accept.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str type;
	int rc = accept_listing(STR_NONE, str_of((const char *)data, size), &type);

	assert(rc == -EINVAL || rc == -ENOENT || (rc == 0 && type.n > 0));
	return 0;
}
