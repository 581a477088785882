/* Raw paths of both kinds: whatever is accepted must survive quoting and parsing again. */
#include "lib/swift/path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(arena) a = arena_new();
	struct str raw = str_of((const char *)data, size);
	struct swift_path p, q;
	struct backend_path b, c;

	if (swift_path_parse(a, raw, &p) == 0) {
		struct str again = swift_path_quote(a, S("/v1"), p.account, p.container, p.object);

		assert(swift_path_parse(a, again, &q) == 0);
		assert(str_eq(p.account, q.account) && str_eq(p.container, q.container) &&
		       str_eq(p.object, q.object));
	}
	if (backend_path_parse(a, raw, &b) == 0) {
		struct str again = backend_path_quote(a, b.device, b.partition, b.account,
						      b.container, b.object);

		assert(backend_path_parse(a, again, &c) == 0);
		assert(str_eq(b.device, c.device) && b.partition == c.partition &&
		       str_eq(b.account, c.account) && str_eq(b.container, c.container) &&
		       str_eq(b.object, c.object));
	}
	return 0;
}
