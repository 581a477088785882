/* JSON patches of images: the first byte chooses the dialect; steps that are accepted have a name
 * and, unless they remove something, a value. */
#include "compute/image/patch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	AUTO(arena) a = arena_new();
	AUTO(json_text) doc = json_text_parse(str_of((const char *)data + 1, size - 1));
	enum patch_dialect dialect = data[0] & 1 ? PATCH_V21 : PATCH_V20;
	struct patch_step *steps;
	struct fault why;
	size_t n;

	if (!doc || patch_parse(a, doc, dialect, &steps, &n, &why) < 0)
		return 0;
	assert(n <= PATCH_STEPS_MAX);
	for (size_t i = 0; i < n; i++) {
		assert(steps[i].name.n > 0 && steps[i].name.p[steps[i].name.n] == 0);
		assert((steps[i].op == PATCH_REMOVE) == (steps[i].value == NULL));
	}
	return 0;
}
