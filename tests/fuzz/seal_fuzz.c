/* Fuzz: opening sealed text (tokens) that strangers send. Nothing but what was sealed opens. */
#include "lib/base/base.h"
#include "lib/crypto/seal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(buf_done) struct buf sealed = BUF(64 * KIB), out = BUF(64 * KIB);
	struct str input = str_of((const char *)data, size);
	struct seal_keys keys = { .n = 0 };

	seal_keys_add(&keys, S("secret"));
	assert(seal_open(&keys, S("fuzz"), input, &out) == -EBADMSG);
	if (size > 4096)
		return 0;
	seal_make(&keys, S("fuzz"), input, &sealed);
	assert(seal_open(&keys, S("fuzz"), buf_str(&sealed), &out) == 0 &&
	       str_eq(buf_str(&out), input));
	assert(seal_open(&keys, S("other"), buf_str(&sealed), &out) == -EBADMSG);
	return 0;
}
