/* Fuzz: X-Symlink-Target, and what listings keep of links in ETags (one per line). */
#include "proxy/middleware/symlink.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was accepted means the same after it was written again. */
static void target(struct arena *a, struct str value, bool reserved)
{
	struct str container, object, again_container, again_object;

	if (symlink_target_parse(a, value, reserved, &container, &object) < 0)
		return;
	assert(container.n && object.n && str_chr(container, '/') < 0);
	assert(reserved || (str_chr(container, 0) < 0 && str_chr(object, 0) < 0));
	struct str path = swift_path_quote(a, STR_NONE, container, object, STR_NONE);

	assert(str_chr(path, ';') < 0 && str_chr(path, 0) < 0 && str_chr(path, '"') < 0);
	assert(symlink_target_parse(a, str_skip(path, 1), reserved, &again_container,
				    &again_object) == 0);
	assert(str_eq(container, again_container) && str_eq(object, again_object));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str etag = str_of((const char *)data, size), value = str_cut(&etag, '\n');
	AUTO(arena) a = arena_new();

	target(a, value, false);
	target(a, value, true);
	if (etag.p) {
		struct str plain = symlink_etag_plain(a, etag);

		assert(str_eq(plain, symlink_etag_plain(a, plain)));
	}
	return 0;
}
