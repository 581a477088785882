/* Looking at disk images: what is found does not depend on the pieces that the bytes come in, and
 * nothing is read that did not come. */
#include "compute/image/inspect.h"

static int look(const char *p, size_t n, size_t step, struct inspect_result *ret)
{
	CLEANUP(inspect_done) struct inspect in;
	struct inspect_result early;
	struct fault why;
	int rc = 0;

	inspect_init(&in);
	for (size_t at = 0; at < n; at += step) {
		inspect_add(&in, str_of(p + at, MIN(step, n - at)));
		if (in.size >= INSPECT_HEAD && inspect_end(&in, false, &early, &why) < 0)
			rc = -EPERM;
	}
	int end = inspect_end(&in, true, ret, &why);

	/* What is refused early is refused in the end as well. */
	assert(rc == 0 || end == rc);
	return end;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct inspect_result whole, pieces;
	struct fault why;
	int a = look((const char *)data, size, MAX(size, (size_t)1), &whole);
	int b = look((const char *)data, size, 509, &pieces);

	assert(a == b);
	if (a == 0) {
		assert(strcmp(whole.format, pieces.format) == 0);
		assert(whole.virtual_size == pieces.virtual_size && whole.virtual_size >= -1);
		assert(inspect_match(str_from(whole.format), S("bare"), &whole, true, &why) == 0);
	}
	return 0;
}
